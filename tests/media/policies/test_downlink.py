from __future__ import annotations

from chime_media.policies.downlink import AllHighest, DownlinkChoice, DownlinkMeasurement, NoVideo
from chime_media.policies.receive_rate import ReceiveRate
from chime_media.policies.video_priority import (
    Degradation,
    TargetSize,
    VideoPreference,
    VideoPriorityBased,
    default_preferences,
)
from chime_messaging.meeting_events import VideoSource


def stream(
    stream_id: int, who: str, kbps: int, *, group: int = 0, fps: int = 15, height: int = 0, average: int | None = None
) -> VideoSource:
    """A stream; of a group of its own unless said."""
    return VideoSource(
        stream_id, group or stream_id, who, who.title(), "", fps, kbps, (kbps if average is None else average) * 1000,
        height * 16 // 9, height,
    )  # fmt: skip


LOW_A, HIGH_A = stream(1, "ann", 300, group=10), stream(2, "ann", 1200, group=10)
LOW_B, HIGH_B = stream(3, "bob", 300, group=20), stream(4, "bob", 1200, group=20)
ALL = (HIGH_A, LOW_A, HIGH_B, LOW_B)


def ids(choice: DownlinkChoice) -> list[int]:
    return sorted(each.stream_id for each in choice.streams)


def knowing(kbps: float, policy: VideoPriorityBased, sources: tuple[VideoSource, ...] = ()) -> VideoPriorityBased:
    """A policy that is past its start, with an estimate that it believes."""
    policy.measured(DownlinkMeasurement(kbps, kbps, 1))
    if sources:
        policy.choose(sources, 0.0)
    return policy


def test_of_every_video_the_best_quality_is_received() -> None:
    assert ids(AllHighest().choose(ALL, 0)) == [2, 4]


def test_those_who_were_chosen_only() -> None:
    policy = AllHighest()
    policy.choose_remote_video_sources({"bob"})
    assert ids(policy.choose(ALL, 0)) == [4]
    policy.choose_remote_video_sources(None)
    assert ids(policy.choose(ALL, 0)) == [2, 4]
    assert ids(AllHighest(lambda sources: sources[1:2]).choose(ALL, 0)) == [1]


def test_nothing_at_all() -> None:
    assert NoVideo().choose(ALL, 0) == DownlinkChoice(())


# Priorities


def test_at_the_start_2800_kbit_are_shared() -> None:
    assert ids(VideoPriorityBased().choose(ALL, 0.0)) == [2, 4]
    three = (*ALL, stream(5, "cat", 300, group=30), stream(6, "cat", 1200, group=30))
    assert ids(VideoPriorityBased().choose(three, 0.0)) == [2, 4, 5]


def test_everybody_gets_the_lowest_quality_before_anybody_gets_a_better_one() -> None:
    assert ids(knowing(600, VideoPriorityBased()).choose(ALL, 0.0)) == [1, 3]
    assert ids(knowing(1499, VideoPriorityBased()).choose(ALL, 0.0)) == [1, 3]
    assert ids(knowing(1500, VideoPriorityBased()).choose(ALL, 0.0)) == [2, 3]
    assert ids(knowing(2400, VideoPriorityBased()).choose(ALL, 0.0)) == [2, 4]


def test_lower_priorities_get_nothing_until_the_highest_is_served_in_full() -> None:
    preferences = [VideoPreference("bob", 2), VideoPreference("ann", 1)]
    assert ids(knowing(1000, VideoPriorityBased(preferences)).choose(ALL, 0.0)) == [1]
    assert knowing(1000, VideoPriorityBased(preferences)).choose(ALL, 0.0).paused == {"bob"}
    assert ids(knowing(1500, VideoPriorityBased(preferences)).choose(ALL, 0.0)) == [2, 3]


def test_a_small_tile_gets_no_more_than_it_has_use_for() -> None:
    sources = (stream(1, "ann", 300, group=9), stream(2, "ann", 600, group=9), stream(3, "ann", 1500, group=9))

    def best(size: TargetSize) -> list[int]:
        return ids(knowing(9000, VideoPriorityBased([VideoPreference("ann", 1, size)])).choose(sources, 0.0))

    assert [best(size) for size in (TargetSize.LOW, TargetSize.MEDIUM, TargetSize.HIGH, TargetSize.MAXIMUM)] == [
        [1],
        [2],
        [3],
        [3],
    ]


def test_content_is_made_better_for_medium_and_high_only() -> None:
    sources = (stream(1, "ann#content", 300, group=9), stream(2, "ann#content", 500, group=9))

    def best(size: TargetSize) -> list[int]:
        preference = VideoPreference("ann#content", 1, size)
        return ids(knowing(9000, VideoPriorityBased([preference])).choose(sources, 0.0))

    assert [best(size) for size in (TargetSize.LOW, TargetSize.MEDIUM, TargetSize.HIGH, TargetSize.MAXIMUM)] == [
        [1],
        [2],
        [2],
        [1],
    ]


def test_without_preferences_tiles_are_the_smaller_the_more_there_are() -> None:
    people = [stream(number, f"attendee-{number}", 300) for number in range(1, 10)]
    assert {each.target_size for each in default_preferences(people[:4])} == {TargetSize.MAXIMUM}
    assert {each.target_size for each in default_preferences(people[:5])} == {TargetSize.MEDIUM}
    assert {each.target_size for each in default_preferences(people[:8])} == {TargetSize.MEDIUM}
    assert {each.target_size for each in default_preferences(people)} == {TargetSize.LOW}


def test_empty_preferences_receive_nothing() -> None:
    policy = VideoPriorityBased([])
    assert policy.choose(ALL, 0.0) == DownlinkChoice(())
    policy.prefer(None)
    assert ids(policy.choose(ALL, 0.1)) == [2, 4]


def test_the_average_rate_counts_unless_it_is_missing() -> None:
    quiet = (stream(1, "ann", 1400, average=200), stream(2, "bob", 1400, average=0))
    choice = knowing(1600, VideoPriorityBased()).choose(quiet, 0.0)
    assert ids(choice) == [1, 2]
    assert [each.avg_bitrate_bps for each in choice.streams] == [200_000, 0]


def test_qualities_that_are_worse_in_what_matters_are_left_out() -> None:
    fluent = stream(1, "ann", 300, group=9, height=180, fps=30)
    sharp = stream(2, "ann", 600, group=9, height=720, fps=15)
    both = stream(3, "ann", 900, group=9, height=720, fps=30)

    def best(kbps: int, degradation: Degradation) -> list[int]:
        policy = VideoPriorityBased([VideoPreference("ann", degradation=degradation)])
        return ids(knowing(kbps, policy).choose((fluent, sharp, both), 0.0))

    assert [best(kbps, Degradation.MAINTAIN_FRAMERATE) for kbps in (300, 700, 900)] == [[1], [1], [3]]
    assert [best(kbps, Degradation.MAINTAIN_RESOLUTION) for kbps in (300, 700, 900)] == [[], [2], [3]]


def test_what_was_received_stays_asked_for_while_it_is_paused_for_lack_of_bandwidth() -> None:
    policy = knowing(2400, VideoPriorityBased(), ALL)
    policy.measured(DownlinkMeasurement(400, 900, 20))
    choice = policy.choose(ALL, 10.0)
    assert choice.paused == {"bob"}
    assert ids(choice) == [1, 4]
    policy.measured(DownlinkMeasurement(2400, 300, 0))
    assert policy.choose(ALL, 20.0).paused == frozenset()


def test_what_the_application_has_paused_costs_nothing() -> None:
    policy = knowing(1500, VideoPriorityBased(), ALL)
    choice = policy.choose(ALL, 10.0, paused={"bob"})
    assert ids(choice) == [2, 3]
    assert choice.paused == frozenset()


# When to choose anew


def test_nothing_changes_within_two_seconds_unless_others_send() -> None:
    policy = knowing(2400, VideoPriorityBased(), ALL)
    policy.measured(DownlinkMeasurement(600, 600, 10))
    assert ids(policy.choose(ALL, 1.9)) == [2, 4]
    assert ids(policy.choose((LOW_A, HIGH_A), 1.95)) == [1]
    assert ids(policy.choose((LOW_A, HIGH_A), 4.0)) == [1]


def test_a_rate_that_has_hardly_moved_changes_nothing() -> None:
    policy = knowing(2500, VideoPriorityBased(), ALL)
    policy.measured(DownlinkMeasurement(2300, 2300, 1))
    policy.choose(ALL, 10.0)
    policy.measured(DownlinkMeasurement(2200, 2200, 1))
    before = ids(policy.choose(ALL, 20.0))
    policy.measured(DownlinkMeasurement(2150, 2150, 1))
    assert ids(policy.choose(ALL, 30.0)) == before


def test_more_is_tried_after_five_seconds_and_given_up_when_packets_get_lost() -> None:
    policy = knowing(1500, VideoPriorityBased(), ALL)
    policy.measured(DownlinkMeasurement(1500, 1500, 0))
    for second in (3.0, 5.0, 7.0):
        assert ids(policy.choose(ALL, second)) == [2, 3]
    assert ids(policy.choose(ALL, 8.5)) == [2, 4]
    policy.measured(DownlinkMeasurement(1500, 1800, 3))
    assert ids(policy.choose(ALL, 11.0)) == [2, 3]


def test_a_try_that_gets_through_is_kept() -> None:
    policy = knowing(1500, VideoPriorityBased(), ALL)
    policy.measured(DownlinkMeasurement(1500, 1500, 0))
    for second in (3.0, 8.5):
        policy.choose(ALL, second)
    policy.measured(DownlinkMeasurement(3000, 2400, 0))
    assert ids(policy.choose(ALL, 11.0)) == [2, 4]
    assert ids(policy.choose(ALL, 20.0)) == [2, 4]


# The rate


def test_the_rate_is_2800_until_an_estimate_is_higher_or_six_seconds_old() -> None:
    rate = ReceiveRate()
    assert rate.target(0.0) == 2800
    rate.measured(DownlinkMeasurement(500, 100, 0))
    rate.measured(DownlinkMeasurement(500, 100, 0))
    assert [rate.target(0.0), rate.target(6.0), rate.target(6.1)] == [2800, 2800, 500]
    fast = ReceiveRate()
    fast.measured(DownlinkMeasurement(2801, 100, 0))
    assert fast.target(0.0) == 2801
    lossy = ReceiveRate()
    lossy.measured(DownlinkMeasurement(400, 100, 1))
    assert lossy.target(0.0) == 400


def test_the_rate_is_never_above_15000() -> None:
    rate = ReceiveRate()
    rate.measured(DownlinkMeasurement(90_000, 100, 0))
    assert rate.target(0.0) == 15_000


def test_a_large_drop_without_loss_is_not_believed() -> None:
    rate = ReceiveRate()
    rate.measured(DownlinkMeasurement(3000, 1000, 0))
    assert rate.target(0.0) == 3000
    rate.measured(DownlinkMeasurement(2399, 1000, 0))
    assert rate.target(1.0) == 3000
    rate.measured(DownlinkMeasurement(2399, 1000, 1))
    assert rate.target(2.0) == 2399
    rate.measured(DownlinkMeasurement(2000, 1000, 0))
    assert rate.target(3.0) == 2000


def test_without_an_estimate_the_rate_stays() -> None:
    rate = ReceiveRate()
    rate.measured(DownlinkMeasurement(3000, 1000, 0))
    rate.target(0.0)
    rate.measured(DownlinkMeasurement(0, 0, 1))
    assert rate.target(1.0) == 3000


def test_while_trying_what_gets_through_counts_more_than_the_estimate() -> None:
    rate = ReceiveRate()
    rate.measured(DownlinkMeasurement(3000, 3500, 1))
    assert rate.target(0.0, probing=True) == 3600
    rate.measured(DownlinkMeasurement(3000, 3500, 2))
    assert rate.target(1.0, probing=True) == 3000
