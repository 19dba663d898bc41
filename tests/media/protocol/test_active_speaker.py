"""Who is speaking."""

import pytest

from chime_media.events import ActiveSpeakersChanged, VolumeIndicated
from chime_media.policies.active_speaker import WeightedActiveSpeakerPolicy
from chime_media.protocol.active_speaker import ActiveSpeakerDetector


def heard(attendee: str, volume: float | None, *, muted: bool | None = None) -> VolumeIndicated:
    return VolumeIndicated(attendee, attendee, volume, muted)


@pytest.fixture
def detector() -> ActiveSpeakerDetector:
    return ActiveSpeakerDetector(WeightedActiveSpeakerPolicy(), 0.0)


def test_scores_follow_the_official_formula() -> None:
    policy = WeightedActiveSpeakerPolicy()
    assert policy.score("a", 0.5, None) == pytest.approx(0.1)
    assert policy.score("a", 0.5, None) == pytest.approx(0.19)
    assert policy.score("a", None, None) == pytest.approx(0.171)
    assert policy.score("a", 0.2, None) == pytest.approx(0.1539)


def test_somebody_heard_takes_from_all_others() -> None:
    policy = WeightedActiveSpeakerPolicy()
    for _ in range(5):
        policy.score("a", 1.0, None)
    assert policy.score("b", 1.0, None) == pytest.approx(0.1)
    assert policy.score("a", 0.0, None) == pytest.approx((1 - 0.9**5 - 0.2) * 0.9)


def test_scores_below_the_cutoff_are_nothing() -> None:
    policy = WeightedActiveSpeakerPolicy(cutoff=0.15)
    assert policy.score("a", 1.0, None) == 0
    assert policy.score("a", 1.0, None) == pytest.approx(0.19)


def test_the_first_news_are_told_even_if_nobody_speaks(detector: ActiveSpeakerDetector) -> None:
    assert detector.volume_indicated(heard("a", 0.0), 0.0) == [ActiveSpeakersChanged(())]
    assert detector.volume_indicated(heard("b", 0.0), 0.1) == []


def test_a_change_of_who_speaks_is_told_and_a_change_of_order_is_not(detector: ActiveSpeakerDetector) -> None:
    assert detector.volume_indicated(heard("a", 0.6), 0.0) == [ActiveSpeakersChanged(("a",))]
    assert detector.volume_indicated(heard("b", 0.6), 0.1) == [ActiveSpeakersChanged(("a", "b"))]
    assert detector.volume_indicated(heard("b", 0.7), 0.2) == []
    assert detector.speaking == ("b", "a")


def test_whoever_falls_silent_is_out_after_its_score_has_run_down(detector: ActiveSpeakerDetector) -> None:
    detector.volume_indicated(heard("a", 0.6), 0.0)
    told: list[ActiveSpeakersChanged] = []
    now = 0.0
    while not told and now < 60:
        now = detector.deadline
        told = detector.expire(now)
    assert told == [ActiveSpeakersChanged(())]
    # 0.1 times 0.9 once a second until it is below 0.01
    assert 20 < now < 32


def test_whoever_is_muted_does_not_speak(detector: ActiveSpeakerDetector) -> None:
    assert detector.volume_indicated(heard("a", 0.9, muted=True), 0.0) == [ActiveSpeakersChanged(())]


def test_whoever_leaves_is_out_at_once(detector: ActiveSpeakerDetector) -> None:
    detector.volume_indicated(heard("a", 0.6), 0.0)
    assert detector.attendee_left("a") == [ActiveSpeakersChanged(())]
    assert detector.attendee_left("a") == []
