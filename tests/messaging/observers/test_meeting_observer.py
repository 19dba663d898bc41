from __future__ import annotations

from typing import Any

import pytest

from chime_messaging import meeting_events as events
from chime_messaging.errors import ConfigurationError
from chime_messaging.events import Event, HandlerFailed
from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.meeting_observer import (
    AUDIO_VIDEO,
    DATA_MESSAGE,
    MEETING_SESSION,
    REALTIME,
    MeetingSessionObserver,
    observe,
)
from chime_messaging.observers.observer import leaves

pytestmark = pytest.mark.anyio

BOB = events.RosterAttendee("bob", "Bob", 2, True)
HEARD = events.RosterAttendee("bob", "Bob", 2, False)
MESSAGE = events.DataMessage("chat", b"x", "bob", "Bob", 5)
RETURNED = events.DataMessage("chat", b"x", "alice", "Alice", 0)


def test_the_base_class_has_exactly_the_names_there_are_each_with_a_docstring() -> None:
    methods = {name: method for name, method in vars(MeetingSessionObserver).items() if not name.startswith("_")}
    assert methods.keys() == MEETING_SESSION.names
    assert all(method.__doc__ for method in methods.values())


def test_there_is_a_method_for_every_event() -> None:
    assert len([name for name in MEETING_SESSION.names if name.startswith("on_")]) == len([*leaves(events)]) + 1
    assert HandlerFailed not in leaves(events)


class Everything(MeetingSessionObserver):
    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def audio_video_did_start_connecting(self, reconnecting: bool) -> None:
        self.calls.append(("connecting", reconnecting))

    def audio_video_did_start(self) -> None:
        self.calls.append(("start", None))

    def audio_video_did_stop(self, event: events.MeetingSessionStopped) -> None:
        self.calls.append(("stop", event.status))

    def audio_video_was_demoted_from_primary_meeting(self, status: events.MeetingSessionStatusCode) -> None:
        self.calls.append(("demoted", status))

    async def data_message_did_received(self, message: events.DataMessage) -> None:
        self.calls.append(("message", message.throttled))

    def attendees_did_join(self, attendees: list[events.RosterAttendee]) -> None:
        self.calls.append(("join", attendees))

    def attendees_did_leave(self, attendees: list[events.RosterAttendee]) -> None:
        self.calls.append(("leave", attendees))

    def attendees_did_drop(self, attendees: list[events.RosterAttendee]) -> None:
        self.calls.append(("drop", attendees))

    def attendees_did_mute(self, attendees: list[events.RosterAttendee]) -> None:
        self.calls.append(("mute", attendees))

    def attendees_did_unmute(self, attendees: list[events.RosterAttendee]) -> None:
        self.calls.append(("unmute", attendees))

    def on_data_message_received(self, event: events.DataMessageReceived) -> None:
        self.calls.append(("on_data_message_received", event.message.data))


OK = events.MeetingSessionStatusCode.OK
STORY: list[tuple[Event, list[tuple[str, Any]]]] = [
    (events.MeetingSessionConnecting(reconnecting=True), [("connecting", True)]),
    (events.MeetingSessionStarted("alice", reconnected=False), [("start", None)]),
    (events.AttendeeJoined(BOB), [("join", [BOB])]),
    (events.AttendeeMuted(BOB), [("mute", [BOB])]),
    (
        events.AttendeeMuted(HEARD),
        [("unmute", [HEARD])],
    ),
    (events.DataMessageReceived(MESSAGE), [("message", False), ("on_data_message_received", b"x")]),
    (events.DataMessageThrottled(RETURNED), [("message", True)]),
    (events.AttendeeLeft(BOB), [("leave", [BOB])]),
    (events.AttendeeLeft(BOB, dropped=True), [("drop", [BOB])]),
    (events.PrimaryMeetingLeft(OK), [("demoted", OK)]),
    (events.MeetingSessionStopped(OK), [("stop", OK)]),
]


async def test_official_methods_come_first_and_get_what_the_official_ones_get() -> None:
    hub, observer = EventHub(vocabulary=MEETING_SESSION), Everything()
    hub.add_observer(observer)
    async with hub:
        hub.emit_all([event for event, _ in STORY])
    assert observer.calls == [call for _, calls in STORY for call in calls]


async def test_an_observer_of_one_kind_hears_nothing_else_and_keeps_the_order() -> None:
    hub = EventHub(vocabulary=MEETING_SESSION)
    kinds = {"audio_video": AUDIO_VIDEO, "data_message": DATA_MESSAGE, "realtime": REALTIME}
    observers = {kind: Everything() for kind in kinds}
    for kind, vocabulary in kinds.items():
        observe(hub, observers[kind], vocabulary)
    async with hub:
        hub.emit_all([event for event, _ in STORY])
    assert [name for name, _ in observers["audio_video"].calls] == ["connecting", "start", "demoted", "stop"]
    assert [name for name, _ in observers["data_message"].calls] == ["message", "message"]
    assert [name for name, _ in observers["realtime"].calls] == ["join", "mute", "unmute", "leave", "drop"]


class JavaScript:
    def audioVideoDidStart(self) -> None: ...  # noqa: N802


def test_official_names_of_other_languages_are_explained() -> None:
    with pytest.raises(ConfigurationError, match="did you mean audio_video_did_start"):
        EventHub(vocabulary=MEETING_SESSION).add_observer(JavaScript())


async def test_the_terminal_event_finds_room_in_a_full_mailbox() -> None:
    hub = EventHub(vocabulary=MEETING_SESSION)
    async with hub, hub.events(events.DataMessageReceived, events.MeetingSessionStopped, size=1) as stream:
        hub.emit(events.DataMessageReceived(MESSAGE))
        hub.emit(events.MeetingSessionStopped(OK))
        assert isinstance(await anext(stream), events.DataMessageReceived)
        assert isinstance(await anext(stream), events.MeetingSessionStopped)
