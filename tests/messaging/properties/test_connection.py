"""Random lives of a session: whatever happens to the connection, every message is told once, in order, and the session
ends exactly once. Both roles of the protocol are joined by lists; the control plane is a function of the same world.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chime_messaging.errors import ConnectError, ConnectionClosed
from chime_messaging.events import (
    ChannelEvent,
    Event,
    GapDetected,
    MessageCreated,
    MessageUpdated,
    SessionEstablished,
    SessionStopped,
)
from chime_messaging.protocol.messaging_session import (
    MessagingClientProtocol,
    MessagingServerProtocol,
    State,
)
from chime_messaging.protocol.resume import ChannelActivity, Listing, Resume
from chime_messaging.wire import envelope
from chime_messaging.wire.payloads import ChannelMessage
from chime_messaging.wire.timestamps import to_wire

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
INSTANCE = "arn:aws:chime:us-east-1:123456789012:app-instance/11111111-1111-1111-1111-111111111111"
ALICE = f"{INSTANCE}/user/alice"
CHANNELS = [f"{INSTANCE}/channel/{name}" for name in ("general", "random", "later")]
PAGE = 3
RETRYABLE = [1001, 1006, 1011, 1012, 1013, 1014, 4001, 4005]
FINAL = [1000, 1005, 4002, 4003, 4401]


class World:
    """The service: channels, their messages, and at most one connection of Alice."""

    def __init__(self) -> None:
        self.now = 0.0
        self.messages: dict[str, list[ChannelMessage]] = {arn: [] for arn in CHANNELS}
        self.members = set(CHANNELS[:2])
        self.server: MessagingServerProtocol | None = None
        self.wire: deque[str] = deque()
        self.count = 0

    @property
    def moment(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now)

    def tick(self) -> None:
        self.now = round(self.now + 0.001, 3)

    def publish(self, arn: str, event_type: str, payload: dict[str, object]) -> None:
        if self.server is not None and arn in self.members:
            frames = self.server.deliver(envelope.encode(event_type, payload, message_type="STANDARD"))
            self.wire.extend(frame.decode() for frame in frames)

    def send(self, arn: str) -> None:
        self.tick()
        self.count += 1
        message = ChannelMessage(channel_arn=arn, message_id=f"{self.count:064x}", created_timestamp=self.moment)
        self.messages[arn].append(message)
        self.publish(arn, "CREATE_CHANNEL_MESSAGE", _payload(message))

    def edit(self, arn: str) -> None:
        if self.messages[arn]:
            self.tick()
            old = self.messages[arn][-1]
            message = ChannelMessage(
                channel_arn=arn,
                message_id=old.message_id,
                created_timestamp=old.created_timestamp,
                last_edited_timestamp=self.moment,
            )
            self.messages[arn][-1] = message
            self.publish(arn, "UPDATE_CHANNEL_MESSAGE", _payload(message))

    def join(self, arn: str) -> None:
        self.tick()
        self.members.add(arn)
        membership: dict[str, object] = {
            "ChannelArn": arn,
            "Member": {"Arn": ALICE},
            "CreatedTimestamp": to_wire(self.moment),
        }
        self.publish(arn, "CREATE_CHANNEL_MEMBERSHIP", membership)

    def activities(self) -> list[ChannelActivity]:
        return [
            ChannelActivity(arn, self.messages[arn][-1].created_timestamp if self.messages[arn] else None)
            for arn in sorted(self.members)
        ]

    def page(self, listing: Listing, start: int) -> tuple[list[ChannelMessage], bool]:
        found = [m for m in self.messages[listing.channel_arn] if (m.created_timestamp or EPOCH) >= listing.not_before]
        return found[start : start + PAGE], len(found) > start + PAGE


def _payload(message: ChannelMessage) -> dict[str, object]:
    body: dict[str, object] = {"ChannelArn": message.channel_arn, "MessageId": message.message_id}
    for name, value in (
        ("CreatedTimestamp", message.created_timestamp),
        ("LastEditedTimestamp", message.last_edited_timestamp),
    ):
        if value is not None:
            body[name] = to_wire(value)
    return body


class Connection(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.client = MessagingClientProtocol("1", establish_timeout=10.0)
        self.resume = Resume(ALICE)
        self.told: list[Event] = []
        self.catching_up: Iterator[None] | None = None
        self.expected_from: dict[str, float] = {}

    # What the shell does

    def tell(self, events: list[Event]) -> None:
        self.told += events

    def take(self, frames: list[str | bytes]) -> None:
        events = self.client.receive(frames, self.world.now)
        if events and isinstance(events[0], SessionEstablished) and self.resume.established(self.world.moment):
            self.catching_up = self.catch_up()
        self.tell(self.resume.live(events, self.world.moment))

    def catch_up(self) -> Iterator[None]:
        activities = self.world.activities()
        yield
        listings = self.resume.plan(activities)
        self.drain()
        for listing in listings:
            start, more = 0, True
            while more and self.resume.is_wanted(listing):
                page, more = self.world.page(listing, start)
                yield
                start += PAGE
                self.tell(self.resume.fetched(listing, page, has_more=more))
            self.resume.finish(listing)
            self.drain()
            yield
        self.drain()
        self.tell(self.resume.complete())

    def drain(self) -> None:
        while events := self.resume.drain(2):
            self.tell(events)

    def lose(self, error: Exception) -> None:
        self.catching_up = None
        self.world.server = None
        self.world.wire.clear()
        self.resume.lost(self.world.moment)
        self.tell(self.client.lost(error, self.world.now, 0.5))

    # What can happen

    @initialize()
    def start(self) -> None:
        self.tell(self.client.start(self.world.now))

    @rule(arn=st.sampled_from(CHANNELS), count=st.integers(1, 5))
    def send(self, arn: str, count: int) -> None:
        for _ in range(count):
            self.world.send(arn)

    @rule(arn=st.sampled_from(CHANNELS))
    def edit(self, arn: str) -> None:
        self.world.edit(arn)

    @rule()
    def join(self) -> None:
        if CHANNELS[2] not in self.world.members:
            self.world.join(CHANNELS[2])
            if self.expected_from:
                self.expected_from[CHANNELS[2]] = self.world.now

    @rule(seconds=st.sampled_from([0.05, 1.0, 7.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        # Frames do not stay under way for longer than the overlap.
        if seconds > 5:
            self.deliver(len(self.world.wire))
        self.world.now = round(self.world.now + seconds, 3)

    @precondition(lambda self: self.client.state is State.PREPARING)
    @rule()
    def connect(self) -> None:
        self.tell(self.client.located(self.world.now))
        self.tell(self.client.opened(self.world.now))
        self.resume.opened(self.world.moment)
        self.world.server = MessagingServerProtocol()
        self.world.server.authorise()

    @precondition(lambda self: self.client.state in (State.PREPARING, State.CONNECTING))
    @rule()
    def refuse(self) -> None:
        self.lose(ConnectError("host", "refused"))

    @precondition(lambda self: self.world.server is not None and self.world.server.state.value == "authorised")
    @rule()
    def establish(self) -> None:
        assert self.world.server is not None
        if not self.expected_from:
            self.pending_expectation = dict.fromkeys(self.world.members, self.world.now)
        self.world.wire.extend(frame.decode() for frame in self.world.server.establish())
        self.world.server.prefetched()

    @precondition(lambda self: self.world.wire)
    @rule(count=st.integers(1, 6))
    def deliver(self, count: int) -> None:
        frames: list[str | bytes] = []
        while self.world.wire and len(frames) < count:
            frames.append(self.world.wire.popleft())
        self.take(frames)
        if not self.expected_from and self.client.state is State.ESTABLISHED:
            self.expected_from = self.pending_expectation
            for arn in self.world.members - set(self.expected_from):
                self.expected_from[arn] = self.world.now

    @precondition(lambda self: self.world.wire)
    @rule()
    def repeat_a_frame(self) -> None:
        if "CREATE_CHANNEL_MESSAGE" in self.world.wire[-1]:
            self.world.wire.append(self.world.wire[-1])

    @precondition(lambda self: self.catching_up is not None)
    @rule(steps=st.integers(1, 4))
    def catch_up_goes_on(self, steps: int) -> None:
        assert self.catching_up is not None
        for _ in range(steps):
            if next(self.catching_up, self) is self:
                self.catching_up = None
                break

    @precondition(lambda self: self.client.state in (State.AUTHORISING, State.ESTABLISHED))
    @rule(code=st.sampled_from(RETRYABLE))
    def drop(self, code: int) -> None:
        self.lose(ConnectionClosed(code))

    @precondition(lambda self: self.client.state is State.WAITING)
    @rule()
    def wait_ends(self) -> None:
        self.world.now = max(self.world.now, self.client.deadline or 0.0)
        self.tell(self.client.expire(self.world.now, 0.5))

    @precondition(lambda self: len(self.told) > 10)
    @rule(code=st.sampled_from(FINAL))
    def close_for_good(self, code: int) -> None:
        if self.client.state is State.ESTABLISHED and self.world.count % 7 == 0:
            self.lose(ConnectionClosed(code))

    @precondition(lambda self: len(self.told) > 20)
    @rule()
    def stop(self) -> None:
        if self.world.count % 5 == 0:
            self.tell(self.client.stop(self.world.now))
            self.lose(ConnectionClosed(1005))

    @precondition(lambda self: self.client.state is not State.STOPPED)
    @rule(before=st.integers(0, 2), away=st.integers(0, 8), arn=st.sampled_from(CHANNELS))
    def comes_back(self, before: int, away: int, arn: str) -> None:
        """A drop with frames under way, and the way back: random rules get there too rarely."""
        if self.client.state is State.ESTABLISHED:
            self.send(arn, before)
            self.drop(1006)
            self.send(arn, away)
        while self.client.state is not State.ESTABLISHED:
            self.step_towards_established()

    # What must hold

    @invariant()
    def the_terminal_event_comes_once_and_last(self) -> None:
        ends = [event for event in self.told if isinstance(event, SessionStopped)]
        assert len(ends) == (self.client.state is State.STOPPED)
        assert not ends or self.told[-1] is ends[0]

    @invariant()
    def nothing_is_told_twice_or_out_of_order(self) -> None:
        for arn in CHANNELS:
            ids = [
                e.message.message_id
                for e in self.told
                if isinstance(e, MessageCreated) and arn == e.message.channel_arn
            ]
            assert ids == sorted(set(ids))
        edits = [
            (e.message.message_id, e.message.last_edited_timestamp) for e in self.told if isinstance(e, MessageUpdated)
        ]
        assert len(edits) == len(set(edits))

    def teardown(self) -> None:
        if self.client.state in (State.STOPPED, State.IDLE):
            self.tell(self.client.stop(self.world.now))
            self.the_terminal_event_comes_once_and_last()
            return
        self.settle()
        assert not any(isinstance(event, GapDetected) for event in self.told)
        told = {e.message.message_id for e in self.told if isinstance(e, MessageCreated)}
        for arn, since in self.expected_from.items():
            start = EPOCH + timedelta(seconds=since)
            missed = [m for m in self.world.messages[arn] if (m.created_timestamp or EPOCH) > start]
            assert [m for m in missed if m.message_id not in told] == []
        assert all(isinstance(e, Event) for e in self.told)
        self.nothing_is_told_twice_or_out_of_order()
        self.tell(self.client.stop(self.world.now))
        self.the_terminal_event_comes_once_and_last()

    def step_towards_established(self) -> None:
        if self.client.state is State.WAITING:
            self.wait_ends()
        elif self.client.state is State.PREPARING:
            self.connect()
        elif self.world.server is not None and self.world.server.state.value == "authorised":
            self.establish()
        else:
            self.deliver(6)

    def settle(self) -> None:
        while self.client.state is not State.ESTABLISHED or self.world.wire or self.catching_up is not None:
            if self.client.state is State.ESTABLISHED and not self.world.wire:
                self.catch_up_goes_on(4)
            else:
                self.step_towards_established()
        assert self.resume.is_idle
        assert isinstance(self.told[-1], ChannelEvent) or self.told


TestConnection = Connection.TestCase
TestConnection.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
