"""Who is there, from frames of the roster; and against a model."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import example, given

from chime_messaging.events import Event
from chime_messaging.meeting_events import AttendeeJoined, AttendeeLeft, AttendeeMuted, RosterAttendee
from chime_messaging.protocol import roster as module
from chime_messaging.protocol.roster import Roster
from chime_messaging.wire.signaling_pb2 import AudioStreamIdInfo, AudioStreamIdInfoFrame


def there(stream: int, name: str, muted: bool | None = False) -> AudioStreamIdInfo:
    entry = AudioStreamIdInfo(audio_stream_id=stream, attendee_id=name, external_user_id=f"user-{name}")
    if muted is not None:
        entry.muted = muted
    return entry


def mute(stream: int, muted: bool) -> AudioStreamIdInfo:
    return AudioStreamIdInfo(audio_stream_id=stream, muted=muted)


def gone(stream: int, *, dropped: bool | None = None) -> AudioStreamIdInfo:
    entry = AudioStreamIdInfo(audio_stream_id=stream)
    if dropped is not None:
        entry.dropped = dropped
    return entry


def apply(roster: Roster, *entries: AudioStreamIdInfo) -> list[Event]:
    return roster.apply(AudioStreamIdInfoFrame(streams=entries))


def attendee(name: str, stream: int, muted: bool | None = False) -> RosterAttendee:
    return RosterAttendee(name, f"user-{name}", stream, muted)


def test_the_first_frame_tells_who_is_there_in_its_order() -> None:
    roster = Roster("a")
    assert apply(roster, there(1, "a"), there(2, "b", muted=True)) == [
        AttendeeJoined(attendee("a", 1), 0, 2),
        AttendeeJoined(attendee("b", 2, muted=True), 1, 2),
    ]
    assert list(roster.attendees) == ["a", "b"]


def test_a_later_frame_only_tells_what_changed() -> None:
    roster = Roster()
    apply(roster, there(1, "a"))
    assert apply(roster, there(2, "b")) == [AttendeeJoined(attendee("b", 2), 0, 1)]
    assert list(roster.attendees) == ["a", "b"]


def test_an_attendee_that_is_told_twice_joins_once() -> None:
    roster = Roster()
    apply(roster, there(1, "a"))
    assert apply(roster, there(1, "a")) == []


def test_an_attendee_without_an_external_user_id_has_its_attendee_id_there() -> None:
    roster = Roster()
    [event] = apply(roster, AudioStreamIdInfo(audio_stream_id=1, attendee_id="a"))
    assert isinstance(event, AttendeeJoined)
    assert (event.attendee.external_user_id, event.attendee.muted) == ("a", None)


def test_an_entry_with_nothing_but_a_stream_says_that_its_attendee_left() -> None:
    roster = Roster()
    apply(roster, there(1, "a"), there(2, "b"), there(3, "c"))
    assert apply(roster, gone(1), gone(2, dropped=True), gone(3, dropped=False)) == [
        AttendeeLeft(attendee("a", 1)),
        AttendeeLeft(attendee("b", 2), dropped=True),
        AttendeeLeft(attendee("c", 3)),
    ]
    assert not roster.attendees


def test_an_entry_with_muted_is_no_leave_even_if_it_is_false() -> None:
    roster = Roster()
    apply(roster, there(1, "a", muted=True))
    assert apply(roster, mute(1, False)) == [AttendeeMuted(attendee("a", 1, muted=False))]
    assert roster.attendees["a"].muted is False


def test_muting_twice_is_told_once() -> None:
    roster = Roster()
    apply(roster, there(1, "a", muted=None))
    assert apply(roster, mute(1, True), mute(1, True)) == [AttendeeMuted(attendee("a", 1, muted=True))]


def test_an_attendee_that_came_back_did_not_leave_when_its_old_stream_does() -> None:
    roster = Roster()
    apply(roster, there(1, "a"))
    assert apply(roster, there(5, "a")) == []
    assert apply(roster, gone(1)) == []
    assert roster.attendees["a"].audio_stream_id == 5
    assert roster.attendee_of(5) == attendee("a", 5)
    assert roster.attendee_of(1) is None


def test_word_of_an_older_stream_of_an_attendee_says_nothing() -> None:
    roster = Roster()
    apply(roster, there(5, "a"))
    assert apply(roster, there(1, "a", muted=True)) == []
    assert roster.attendees["a"].audio_stream_id == 5


def test_streams_that_nobody_has_say_nothing() -> None:
    roster = Roster()
    apply(roster, there(1, "a"))
    assert apply(roster, gone(9), mute(9, True), gone(0), there(0, "nobody")) == []


def test_a_stream_that_changes_hands_takes_its_former_attendee_away() -> None:
    roster = Roster()
    apply(roster, there(1, "a"))
    assert apply(roster, there(1, "b")) == [AttendeeLeft(attendee("a", 1)), AttendeeJoined(attendee("b", 1), 0, 1)]


def test_the_first_frame_after_a_reconnect_tells_whose_leave_was_missed() -> None:
    roster = Roster("me")
    apply(roster, there(1, "me"), there(2, "b"), there(3, "c"))
    roster.reconnect()
    assert apply(roster, there(3, "c"), there(4, "d")) == [
        AttendeeJoined(attendee("d", 4), 1, 2),
        AttendeeLeft(attendee("b", 2), missed=True),
    ]
    assert list(roster.attendees) == ["me", "c", "d"]


def test_only_the_first_frame_after_a_reconnect_is_complete() -> None:
    roster = Roster("me")
    apply(roster, there(1, "a"), there(2, "b"))
    roster.reconnect()
    apply(roster, there(1, "a"), there(2, "b"))
    assert apply(roster, mute(1, True)) == [AttendeeMuted(attendee("a", 1, muted=True))]
    assert list(roster.attendees) == ["a", "b"]


def test_the_roster_of_a_frame_is_a_snapshot_that_nobody_can_write_to() -> None:
    roster = Roster()
    apply(roster, there(1, "a"))
    assert not hasattr(roster.attendees, "__setitem__")


def test_the_roster_is_bounded() -> None:
    roster = Roster()
    for start in range(1, module.MAX_ATTENDEES + 500, 500):
        apply(roster, *(there(stream, f"a{stream}") for stream in range(start, start + 500)))
    assert len(roster.attendees) == module.MAX_ATTENDEES


ENTRIES = st.one_of(
    st.builds(there, st.integers(0, 6), st.sampled_from("abcd"), st.none() | st.booleans()),
    st.builds(mute, st.integers(0, 6), st.booleans()),
    st.builds(lambda stream, dropped: gone(stream, dropped=dropped), st.integers(0, 6), st.none() | st.booleans()),
)


@example([[there(1, "b")], None, [there(1, "a"), there(1, "b")]])
@given(st.lists(st.lists(ENTRIES, max_size=5) | st.none(), max_size=12))
def test_what_is_told_adds_up_to_who_is_there(frames: list[list[AudioStreamIdInfo] | None]) -> None:
    roster = Roster("a")
    present: dict[str, RosterAttendee] = {}
    for entries in frames:
        if entries is None:
            roster.reconnect()
            continue
        for event in apply(roster, *entries):
            assert isinstance(event, AttendeeJoined | AttendeeLeft | AttendeeMuted)
            name = event.attendee.attendee_id
            # Nobody joins twice, leaves without having joined, or is muted while away.
            assert (name in present) == (not isinstance(event, AttendeeJoined))
            if isinstance(event, AttendeeLeft):
                del present[name]
            else:
                present[name] = event.attendee
        assert present.keys() == roster.attendees.keys()
        assert {key: value.muted for key, value in present.items() if value.muted is not None} == {
            key: value.muted for key, value in roster.attendees.items() if value.muted is not None
        }
        for known in roster.attendees.values():
            assert roster.attendee_of(known.audio_stream_id) == known


def test_a_complete_roster_counts_whatever_the_numbers_were_before() -> None:
    roster = Roster("a")
    apply(roster, there(7, "a"), there(8, "b"))
    roster.reconnect()
    assert apply(roster, there(1, "b")) == []
    assert apply(roster, there(7, "c")) == [AttendeeLeft(attendee("a", 7)), AttendeeJoined(attendee("c", 7), 0, 1)]
    assert roster.attendee_of(1) == attendee("b", 1)
    assert roster.attendee_of(8) is None
