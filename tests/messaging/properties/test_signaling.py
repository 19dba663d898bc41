"""Both roles of the signalling under anything that may happen: rules that hold whatever the order.

One machine plays the network, the application and the service against one session; two fuzz tests give either role any
frames at all.
"""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chime_messaging.errors import ConnectError, ConnectionClosed, ConnectTimeoutError
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    AttendeeMuted,
    DataMessage,
    DataMessageReceived,
    DataMessageThrottled,
    MeetingReconnectScheduled,
    MeetingSessionConnecting,
    MeetingSessionStarted,
    MeetingSessionStopped,
    PrimaryMeetingLeft,
    RosterAttendee,
)
from chime_messaging.meeting_events import MeetingSessionStatusCode as Status
from chime_messaging.protocol import signal_frames as frames
from chime_messaging.protocol.signaling import SignalingClientProtocol
from chime_messaging.protocol.signaling_service import (
    DataSubmitted,
    JoinRequested,
    Left,
    PromotionRequested,
    SignalingServerProtocol,
    Silent,
)
from chime_messaging.protocol.signaling_states import ServerState, State
from chime_messaging.wire.signaling import SERVER_PREFIX, decode, encode
from chime_messaging.wire.signaling_pb2 import SignalFrame
from tests.messaging.protocol.signaling_pair import CONNECTED, ME, OPTIONS, SignalingPair
from tests.messaging.wire.signal_frames import signal_frames

LISTENING = (ServerState.OPEN, ServerState.JOINING, ServerState.JOINED)
FAILURES = [
    ConnectionClosed(1006, "cut"),
    ConnectionClosed(1001, "away"),
    ConnectionClosed(4500, "trouble"),
    ConnectTimeoutError("host", 5.0),
    ConnectError("host", "refused"),
]


class Signaling(RuleBasedStateMachine):
    """A session whose connections come and go, next to a model of who is in the meeting and what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = SignalingPair(reconnect_timeout=None)
        self.seen = 0
        self.model: dict[str, RosterAttendee] = {}
        self.present: dict[str, RosterAttendee] = {}
        self.next_stream = 1
        self.said: list[int] = []
        self.expected: list[int] = []
        self.submitted: list[bytes] = []
        self.sent: list[bytes] = []
        self.starts = 0
        self.may_stop = False

    @initialize()
    def begin(self) -> None:
        self.pair.start()
        self.look()

    # the network

    @precondition(lambda self: self.pair.client.state in (State.CONNECTING, State.WAITING))
    @rule(steps=st.sampled_from([1, 2, 3, 3, 3]))
    def connect(self, steps: int) -> None:
        """Open the socket, carry JOIN over, accept it: as many of these as `steps`."""
        client = self.pair.client
        if client.state is State.WAITING:
            self.pair.now = max(self.pair.now, client.deadline or 0.0)
            self.pair.events += client.expire(self.pair.now, 0.5)
        self.come("me")
        self.pair.answers_join = False
        self.pair.open()
        if steps > 1:
            self.flow()
        if steps > 2:
            self.accept()
        self.look()

    @precondition(lambda self: self.pair.is_open or self.pair.client.state is State.CONNECTING)
    @rule(failure=st.sampled_from(FAILURES))
    def fail(self, failure: Exception) -> None:
        self.pair.lose(failure)
        self.look()

    @precondition(lambda self: self.pair.client.state is State.JOINED)
    @rule(leavers=st.sets(st.sampled_from("abc")), comers=st.sets(st.sampled_from("abc")))
    def miss(self, leavers: set[str], comers: set[str]) -> None:
        """Lose the connection while others come and go, and make another."""
        self.fail(FAILURES[0])
        for name in leavers & self.present.keys():
            del self.present[name]
        for name in comers:
            self.come(name)
        self.connect(3)

    @precondition(lambda self: self.pair.is_open)
    @rule()
    def flow(self) -> None:
        self.pair.flow()
        self.look()

    @rule(seconds=st.sampled_from([0.25, 1.0, 9.0, 25.0]))
    def wait(self, seconds: float) -> None:
        client, server = self.pair.client, self.pair.server
        self.pair.now += seconds
        self.pair.events += client.expire(self.pair.now, 0.5)
        if self.pair.is_open:
            self.pair.happenings += server.expire(self.pair.now)
            self.pair.flow()
        self.look()

    # the service

    @precondition(lambda self: self.pair.is_open and self.pair.server.state is ServerState.JOINING)
    @rule()
    def accept(self) -> None:
        assert self.pair.server.state is ServerState.JOINING
        roster = list(self.present.values())
        self.pair.server.accept(self.pair.now, roster=roster, participants=len(roster))
        self.pair.flow()
        self.look()

    @rule(name=st.sampled_from("abc"))
    def come(self, name: str) -> None:
        stream, self.next_stream = self.next_stream, self.next_stream + 1
        attendee = RosterAttendee(name, f"user-{name}", stream, False)
        old = self.present.get(name)
        self.present[name] = attendee
        self.tell(frames.roster([attendee]))
        if old is not None:
            self.tell(frames.attendee_left(old.audio_stream_id, dropped=True))

    @precondition(lambda self: len(self.present) > 1)
    @rule(data=st.data(), dropped=st.booleans())
    def go(self, data: st.DataObject, dropped: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.present.keys() - {"me"})))
        self.tell(frames.attendee_left(self.present.pop(name).audio_stream_id, dropped=dropped))

    @precondition(lambda self: self.present)
    @rule(data=st.data(), muted=st.booleans())
    def mute(self, data: st.DataObject, muted: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.present)))
        old = self.present[name]
        self.present[name] = RosterAttendee(name, old.external_user_id, old.audio_stream_id, muted)
        self.tell(frames.attendee_muted(old.audio_stream_id, muted))

    @precondition(lambda self: self.pair.is_open and self.pair.server.state is ServerState.JOINED)
    @rule(throttled=st.booleans())
    def say(self, throttled: bool) -> None:
        stamp = 0 if throttled else len(self.said) + 1
        self.said.append(stamp)
        self.expected.append(stamp)
        self.tell(frames.data_messages([DataMessage("chat", b"x", "a", "user-a", stamp)]))

    @precondition(lambda self: self.pair.is_open)
    @rule(data=st.sampled_from([b"", b"\x02\x08", "text", b"\x02\x08\x01\x10\x63"]))
    def babble(self, data: bytes | str) -> None:
        state = self.pair.client.state
        self.pair.hear(data)
        assert self.pair.client.state is state
        self.look()

    @precondition(lambda self: self.pair.is_open and self.pair.server.state is ServerState.JOINED)
    @rule(status=st.sampled_from([200, 302, 500, 503, 200, 302, 500, 503, 301, 410, 411]))
    def audio_status(self, status: int) -> None:
        self.may_stop |= status in (301, 410, 411)
        self.tell(frames.audio_status(status))

    @precondition(lambda self: self.pair.is_open and self.pair.server.state is ServerState.JOINED)
    @rule(status=st.sampled_from([200, 409]))
    def promoted(self, status: int) -> None:
        self.pair.server.promoted(self.pair.now, status=status)
        self.flow()

    # the application

    @precondition(lambda self: self.pair.client.state is State.JOINED)
    @rule(data=st.binary(max_size=4))
    def send(self, data: bytes) -> None:
        self.pair.client.send("chat", data, 0, self.pair.now)
        self.sent.append(data)
        self.flow()

    @precondition(lambda self: self.pair.client.state is State.JOINED)
    @rule()
    def promote(self) -> None:
        if self.pair.client._promotion.deadline is None:
            self.pair.client.promote("p", "user-p", "token", self.pair.now)
            self.flow()

    @rule()
    def demote(self) -> None:
        self.pair.events += self.pair.client.demote(self.pair.now)
        self.look()

    @precondition(lambda self: self.pair.client.state is not State.IDLE)
    @rule(really=st.integers(0, 9))
    def leave(self, really: int) -> None:
        if really == 0:
            self.may_stop = True
            self.pair.events += self.pair.client.leave(self.pair.now)
            self.look()

    # what follows

    def tell(self, frame: SignalFrame) -> None:
        if self.pair.is_open:
            self.pair.server.write(frame, self.pair.now)
            self.pair.flow()
        self.look()

    def look(self) -> None:
        """Hold the new events against the model."""
        for happening in self.pair.happenings:
            if isinstance(happening, DataSubmitted):
                self.submitted += [message.data for message in happening.messages]
        self.pair.happenings.clear()
        events = self.pair.events
        while self.seen < len(events):
            event, self.seen = events[self.seen], self.seen + 1
            assert self.pair.client.stopped is None or self.seen == len(events) or event is not self.pair.client.stopped
            self.look_at(event)

    def look_at(self, event: Event) -> None:
        match event:
            case AttendeeJoined(attendee=attendee):
                assert attendee.attendee_id not in self.model
                self.model[attendee.attendee_id] = attendee
            case AttendeeLeft(attendee=attendee):
                del self.model[attendee.attendee_id]
            case AttendeeMuted(attendee=attendee):
                assert self.model[attendee.attendee_id].muted != attendee.muted
                self.model[attendee.attendee_id] = attendee
            case DataMessageReceived(message=message) | DataMessageThrottled(message=message):
                assert message.throttled == isinstance(event, DataMessageThrottled)
                assert self.expected.pop(0) == message.ingest_time_ns
            case MeetingSessionStarted():
                assert event.reconnected == (self.starts > 0)
                self.starts += 1
            case MeetingSessionStopped():
                assert self.may_stop
            case PrimaryMeetingLeft(status=status):
                assert status in (Status.OK, Status.AUDIO_VIDEO_DISCONNECTED_WHILE_PROMOTED)
            case _:
                pass

    @invariant()
    def the_roster_is_what_was_told(self) -> None:
        known = self.pair.client.attendees
        assert known.keys() == self.model.keys()
        is_joined = self.pair.client.state is State.JOINED and self.pair.server.state is ServerState.JOINED
        if self.pair.is_open and is_joined:
            assert known == self.present

    @invariant()
    def nothing_that_was_said_on_a_live_connection_is_missing(self) -> None:
        if self.pair.is_open:
            assert self.expected == []
        self.expected.clear()

    @invariant()
    def what_arrived_was_sent_in_this_order(self) -> None:
        rest = iter(self.sent)
        assert all(data in rest for data in self.submitted)

    @invariant()
    def there_is_a_deadline_wherever_something_is_waited_for(self) -> None:
        state = self.pair.client.state
        assert (self.pair.client.deadline is not None) == (state in CONNECTED or state is State.WAITING)
        if self.pair.is_open and self.pair.server.state in LISTENING:
            assert self.pair.server.deadline is not None

    @invariant()
    def there_is_one_end(self) -> None:
        stops = self.pair.told(MeetingSessionStopped)
        assert len(stops) == (self.pair.client.state is State.STOPPED)
        if stops:
            assert self.pair.events[-1] is stops[0]
        assert len(self.pair.told(MeetingReconnectScheduled)) + 1 >= len(self.pair.told(MeetingSessionConnecting))


Signaling.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSignaling = Signaling.TestCase


@given(st.lists(signal_frames(), max_size=12), st.sampled_from(["joining", "joined", "leaving"]))
@settings(max_examples=150, deadline=None)
def test_any_frames_leave_the_client_in_order(said: list[SignalFrame], stage: str) -> None:
    client = SignalingClientProtocol("me", OPTIONS)
    client.start(0.0)
    client.opened(0.0)
    if stage != "joining":
        client.receive([encode(frame(frames.index(participants=1)), SERVER_PREFIX)], 0.0, 0.5)
    if stage == "leaving":
        client.leave(0.0)
    events = client.receive([encode(one, SERVER_PREFIX) for one in said], 1.0, 0.5)
    stops = [event for event in events if isinstance(event, MeetingSessionStopped)]
    assert len(stops) == (client.state is State.STOPPED)
    assert (client.deadline is None) == (client.state is State.STOPPED)
    for event in events:
        assert repr(event)
        if isinstance(event, DataMessageReceived):
            assert event.message.timestamp.tzinfo is not None
    for data in client.take():
        assert decode(data) is not None


@st.composite
def written_frames(draw: st.DrawFn) -> bytes:
    """What may come: data messages mostly, as they are written, sometimes broken, and other frames between them."""
    one = draw(signal_frames())
    if draw(st.integers(0, 2)):
        one = frames.data_messages(
            [
                DataMessage("chat", draw(st.binary(max_size=200)), "a", "user-a", draw(st.sampled_from([None, 0, 5])))
                for _ in range(draw(st.integers(0, 3)))
            ]
        )
    one.timestamp_ms = 1_700_000_000_000
    raw = bytearray(encode(one, SERVER_PREFIX))
    if not draw(st.integers(0, 3)):
        raw[draw(st.integers(0, len(raw) - 1))] ^= draw(st.integers(1, 255))
    return bytes(raw)


@given(st.lists(written_frames(), max_size=10))
@settings(max_examples=300, deadline=None)
def test_frames_that_come_together_say_what_they_say_one_by_one(received: list[bytes]) -> None:
    together, apart = (SignalingClientProtocol("me", OPTIONS) for _ in range(2))
    for client in (together, apart):
        client.start(0.0)
        client.opened(0.0)
    one_by_one: list[Event] = []
    for data in received:
        one_by_one += apart.receive([data], 1.0, 0.5)
    events = together.receive(received, 1.0, 0.5)
    assert [repr(event) for event in events] == [repr(event) for event in one_by_one]
    assert (together.state, together.deadline, together.take()) == (apart.state, apart.deadline, apart.take())


@given(st.lists(signal_frames(), max_size=12), st.sampled_from(["open", "joined"]))
@settings(max_examples=150, deadline=None)
def test_any_frames_leave_the_service_in_order(said: list[SignalFrame], stage: str) -> None:
    server = SignalingServerProtocol()
    server.opened(0.0)
    if stage == "joined":
        server.receive([encode(frame(frames.join(OPTIONS)))], 0.0)
        server.accept(0.0, roster=[ME], participants=1)
        server.take()
    was_left = False
    for one in said:
        for happening in server.receive([encode(one)], 1.0):
            # After LEAVE nothing that a client says counts any more.
            assert not was_left
            assert repr(happening)
            was_left = isinstance(happening, Left)
            assert not isinstance(happening, Silent)
            if isinstance(happening, JoinRequested):
                server.accept(1.0, roster=[ME], participants=1)
            if isinstance(happening, PromotionRequested):
                server.promoted(1.0)
    written = [decode(data) for data in server.take()]
    assert None not in written
    assert (server.closed is not None) == was_left
    assert (server.deadline is None) == was_left


def frame(one: SignalFrame) -> SignalFrame:
    one.timestamp_ms = 1
    return one
