from __future__ import annotations

from chime_messaging.protocol import roster as client
from chime_messaging.server.meeting_roster import Presence, Roster, first_stream_id
from chime_messaging.wire.signaling_pb2 import SignalFrame


def presence(name: str) -> Presence[str]:
    return Presence(name, name.upper(), 1, None, "socket")


def kinds(seen: client.Roster, frames: list[SignalFrame]) -> list[str]:
    """What a client's roster makes of the frames."""
    return [type(event).__name__ for frame in frames for event in seen.apply(frame.audio_stream_id_info)]


def test_a_client_sees_joins_mutes_leaves_and_drops() -> None:
    roster: Roster[str] = Roster()
    seen = client.Roster()
    ann, bob = presence("ann"), presence("bob")
    assert kinds(seen, roster.enter(ann)) == ["AttendeeJoined"]
    assert kinds(seen, roster.enter(bob)) == ["AttendeeJoined"]
    assert kinds(seen, roster.mute(ann, True)) == ["AttendeeMuted"]
    assert roster.mute(ann, True) == []
    assert seen.attendees["ann"].muted is True
    (left,) = seen.apply(roster.leave(bob, dropped=True)[0].audio_stream_id_info)
    assert getattr(left, "dropped", None) is True
    assert kinds(seen, roster.leave(ann)) == ["AttendeeLeft"]
    assert (roster.leave(ann), roster.mute(ann, False), len(roster), dict(seen.attendees)) == ([], [], 0, {})


def test_streams_are_counted_from_the_age_of_the_meeting() -> None:
    day = 24 * 3_600_000
    created = 1_800_000_000_000
    assert [first_stream_id(created, created + age) for age in (-5, 0, 1, 2, day)] == [1, 1, 1, 2, day]
    assert day < 2**32 // 40, "there is room for those who come"


def test_who_comes_back_has_a_larger_stream_and_has_not_left_for_anybody() -> None:
    roster: Roster[str] = Roster()
    seen = client.Roster()
    first, second = presence("ann"), presence("ann")
    kinds(seen, roster.enter(first))
    assert kinds(seen, roster.enter(second)) == []
    assert seen.attendees["ann"].audio_stream_id == second.stream_id == 2
    assert first not in roster
    assert roster.leave(first) == []
    assert [each.attendee_id for each in roster.everybody] == ["ann"]


def test_the_complete_roster_is_in_the_order_of_streams() -> None:
    roster: Roster[str] = Roster()
    people = [presence(name) for name in "cab"]
    for each in people:
        roster.enter(each)
    roster.enter(presence("c"))
    assert [(each.attendee_id, each.audio_stream_id) for each in roster.everybody] == [("a", 2), ("b", 3), ("c", 4)]
    assert list(roster) == [roster.find("a"), roster.find("b"), roster.find("c")]
