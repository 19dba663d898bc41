"""Live meetings: first without IO and in virtual time, then over real sockets what many attendees see together."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from websockets.asyncio.client import connect
from websockets.frames import Opcode

from chime_messaging.meeting_events import DataMessage
from chime_messaging.protocol import signal_frames
from chime_messaging.protocol.data_messages import Verdict
from chime_messaging.server.attendee_socket import Opening
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.live_meetings import LiveMeetings
from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.media import AttendeeMedia
from chime_messaging.server.notices import Admit, AttendeeRemoved, MeetingEnded, MeetingMessage
from chime_messaging.server.party import Party
from chime_messaging.server.websocket import frame as framed
from chime_messaging.wire.signaling import SERVER_PREFIX, decode, encode
from chime_messaging.wire.signaling_pb2 import SignalFrame
from tests.messaging.server.attendee_client import Client, Meeting


class Call:
    """A scheduled call."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """An event loop whose time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._calls: list[tuple[float, int, Call, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self.now

    def nanoseconds(self) -> int:
        return int(self.now * 1e9)

    def call_soon(self, callback: Callable[[], None], /) -> Call:
        return self.call_later(0.0, callback)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Call:
        call = Call()
        heapq.heappush(self._calls, (self.now + delay, next(self._numbers), call, callback))
        return call

    def sleep(self, seconds: float = 0.0) -> None:
        end = self.now + seconds
        while self._calls and self._calls[0][0] <= end + 1e-9:
            due, _, call, callback = heapq.heappop(self._calls)
            self.now = max(self.now, due)
            if not call.cancelled:
                callback()
        self.now = max(self.now, end)


class Socket:
    """A socket that remembers what it was given."""

    def __init__(self, live: LiveMeetings, session_id: int | None = 1, wants_roster: bool = True) -> None:
        self.live = live
        self.attendee_id = self.external_user_id = ""
        self.session_id = session_id
        self.wants_roster = wants_roster
        self.presence: Any = None
        self.party = Party("", "")
        self.brings_media = False
        self.media: AttendeeMedia | None = None
        self.closed = False
        self.code: int | None = None
        self.statuses: list[int] = []
        self.promotions: list[int] = []
        self.turned_away: list[int] = []
        self.demotions = 0
        self.opening: Opening | None = None
        self.writes: list[bytes] = []
        live.opened(self)

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def admit(self, opening: Opening) -> None:
        self.opening = opening
        if opening.replay:
            self.writes.append(opening.replay)

    def send(self, frame: SignalFrame) -> None:
        frame.timestamp_ms = 1
        self.writes.append(framed(encode(frame, SERVER_PREFIX), Opcode.BINARY))

    def turn_away(self, status: int, description: str) -> None:
        self.turned_away.append(status)
        self.abort()

    def notify_status(self, status: int) -> None:
        self.statuses.append(status)

    def promoted(self, status: int, description: str = "") -> None:
        self.promotions.append(status)

    def demote(self) -> None:
        self.demotions += 1

    def close(self, code: int, reason: str = "") -> None:
        self.code = code
        self.abort()

    def abort(self) -> None:
        self.closed = True
        self.live.detach(self)
        self.live.gone(self)

    def take(self) -> list[SignalFrame]:
        """The frames since the last time."""
        data, self.writes = b"".join(self.writes), []
        frames = []
        while data:
            assert data[0] == 0x82
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            frame = decode(data[start : start + size])
            assert frame is not None
            frames.append(frame)
            data = data[start + size :]
        return frames

    def take_texts(self) -> list[str]:
        return [
            message.data.decode()
            for frame in self.take()
            if frame.type == SignalFrame.DATA_MESSAGE
            for message in frame.data_message.messages
        ]


class World:
    """Live meetings in virtual time."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        options.setdefault("quotas", False)
        self.live = LiveMeetings(self.clock, clock=self.clock.nanoseconds, **options)
        self.attendance: list[tuple[str, int]] = []
        self.live.on_attendance = lambda meeting_id, connections: self.attendance.append((meeting_id, connections))

    def join(
        self, name: str, meeting: str = "m", primary: str | None = None, session_id: int | None = 1, roster: bool = True
    ) -> Socket:
        socket = Socket(self.live, session_id, roster)
        self.live.apply([Admit(socket, meeting, primary, name, name.upper())])
        return socket

    def say(self, socket: Socket, *texts: str, lifetime_ms: int = 0) -> Verdict:
        return self.live.submit(socket, [DataMessage("chat", text.encode(), lifetime_ms=lifetime_ms) for text in texts])


def summary(frames: list[SignalFrame]) -> list[Any]:
    """Roster and INDEX in short."""
    found: list[Any] = []
    for frame in frames:
        if frame.type == SignalFrame.INDEX:
            found.append(("index", frame.index.num_participants, frame.index.at_capacity))
        elif frame.type == SignalFrame.AUDIO_STREAM_ID_INFO:
            found += [
                ("in" if entry.attendee_id else "dropped" if entry.dropped else "out", entry.audio_stream_id)
                for entry in frame.audio_stream_id_info.streams
            ]
        else:
            found += [message.data.decode() for message in frame.data_message.messages]
    return found


def test_frames_of_a_turn_are_one_bytes_object_shared_by_all_who_see_the_same() -> None:
    world = World()
    sockets = [world.join(f"a{n}") for n in range(10)]
    world.clock.sleep(1)
    for socket in sockets:
        socket.writes.clear()
    world.say(sockets[0], "one", "two")
    world.say(sockets[1], "three")
    world.clock.sleep()
    assert all(len(socket.writes) == 1 for socket in sockets)
    assert len({id(socket.writes[0]) for socket in sockets[2:]}) == 1
    assert [socket.take_texts() for socket in sockets[:3]] == [["three"], ["one", "two"], ["one", "two", "three"]]


def test_an_idle_meeting_writes_at_once_and_a_busy_one_within_five_milliseconds() -> None:
    world = World()
    sockets = [world.join(f"a{n}") for n in range(300)]
    world.clock.sleep(1)
    for number in range(2):
        sockets[1].writes.clear()
        world.say(sockets[0], str(number))
        world.clock.sleep(0.0)
        assert len(sockets[1].writes) == (1 if number == 0 else 0)
    world.clock.sleep(0.005)
    assert sockets[1].take_texts() == ["1"]


def test_who_joins_in_a_turn_gets_what_follows_and_what_was_kept_but_nothing_twice() -> None:
    world = World()
    ann = world.join("ann")
    world.clock.sleep(1)
    world.say(ann, "kept", lifetime_ms=1000)
    world.say(ann, "not kept")
    bob = world.join("bob")
    world.say(ann, "after")
    world.clock.sleep()
    assert bob.take_texts() == ["kept", "after"]
    assert ann.take_texts() == []


def test_the_roster_comes_before_what_a_new_attendee_says() -> None:
    world = World()
    ann = world.join("ann")
    world.clock.sleep(1)
    bob = world.join("bob")
    world.say(bob, "hello")
    world.clock.sleep()
    assert summary(ann.take()) == [("in", 2), ("index", 2, False), "hello"]


def test_messages_are_replayed_until_their_lifetime_is_over_but_not_to_the_client_that_sent_them() -> None:
    world = World()
    ann = world.join("ann", session_id=7)
    world.say(ann, "short", lifetime_ms=1000)
    world.say(ann, "long", lifetime_ms=100_000_000)
    world.say(ann, "never")
    assert world.join("bob").take_texts() == ["short", "long"]
    world.clock.sleep(1.1)
    assert world.join("eve").take_texts() == ["long"]
    ann.abort()
    assert world.join("ann", session_id=7).take_texts() == [], "a reconnect knows what it has sent"
    assert world.join("ann", session_id=8).take_texts() == ["long"], "a new client does not"
    world.clock.sleep(300)
    assert world.join("late").take_texts() == []


def test_a_meeting_without_attendees_is_kept_as_long_as_its_messages_and_then_forgotten() -> None:
    world = World(reconnect_grace=15.0)
    ann = world.join("ann")
    world.say(ann, "see you", lifetime_ms=60_000)
    world.live.leave(ann)
    world.clock.sleep(59)
    assert world.join("bob").take_texts() == ["see you"]
    world.live.abort()
    world.clock.sleep(14)
    assert world.live.meetings == 1
    world.clock.sleep(2)
    assert world.live.meetings == 0


def test_times_of_messages_grow_strictly_even_when_the_clock_stands_still() -> None:
    world = World()
    ann, bob = world.join("ann"), world.join("bob")
    world.say(ann, *map(str, range(100)))
    world.clock.sleep()
    times = [
        message.ingest_time_ns
        for frame in bob.take()
        if frame.type == SignalFrame.DATA_MESSAGE
        for message in frame.data_message.messages
    ]
    assert len(times) == len({float(each) for each in times}) == 100, "also as doubles, as browsers have them"
    assert times == sorted(times)


def test_what_is_above_the_soft_limit_is_returned_and_the_hard_limit_hangs_up() -> None:
    world = World(quotas=True)
    ann, bob = world.join("ann"), world.join("bob")
    world.clock.sleep(1)
    ann.writes.clear()
    verdicts = [world.say(ann, str(number)) for number in range(2001)]
    assert verdicts[:201] == [Verdict.DELIVER] * 200 + [Verdict.THROTTLED]
    assert verdicts[1999:] == [Verdict.THROTTLED, Verdict.HANG_UP]
    world.clock.sleep()
    returned = [message for frame in ann.take() for message in frame.data_message.messages]
    assert {(message.HasField("ingest_time_ns"), message.ingest_time_ns) for message in returned} == {(True, 0)}
    assert len(returned) == 1800
    assert len(bob.take_texts()) == 200
    ann.abort()
    again = world.join("ann")
    assert world.say(again, "a reconnect does not fill the bucket") is Verdict.HANG_UP


def test_a_flood_is_written_before_it_takes_much_memory() -> None:
    world = World()
    ann, bob = world.join("ann"), world.join("bob")
    world.clock.sleep(1)
    bob.writes.clear()
    for _ in range(600):
        world.say(ann, "x" * 2048)
    assert 1 <= len(bob.writes) <= 2


def test_a_broken_socket_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    ann, bob, eve = (world.join(name) for name in ("ann", "bob", "eve"))
    world.clock.sleep(1)
    ann.closed = True
    world.say(bob, "hello")
    world.clock.sleep()
    assert eve.take_texts() == ["hello"]
    assert "a socket could not be written" in caplog.text


def test_who_is_lost_is_present_until_the_grace_is_over_and_then_dropped() -> None:
    world = World(reconnect_grace=15.0)
    ann, bob, eve = (world.join(name) for name in ("ann", "bob", "eve"))
    world.clock.sleep(1)
    ann.writes.clear()
    bob.abort()
    world.clock.sleep(5)
    eve.abort()
    world.clock.sleep(9)
    assert ann.take() == []
    world.clock.sleep(1.1)
    assert summary(ann.take()) == [("dropped", 2), ("index", 2, False)]
    world.clock.sleep(5)
    assert summary(ann.take()) == [("dropped", 3), ("index", 1, False)]
    assert world.live.counters.dropped == 2


def test_who_comes_back_again_and_again_is_never_dropped() -> None:
    world = World(reconnect_grace=15.0)
    ann = world.join("ann")
    for _ in range(10):
        bob = world.join("bob")
        world.clock.sleep(10)
        bob.abort()
        world.clock.sleep(10)
    assert "dropped" not in [kind for kind, *_ in summary(ann.take())]


def test_attendance_is_reported_as_it_changes() -> None:
    world = World()
    ann = world.join("ann")
    bob = world.join("bob")
    bob.abort()
    world.live.leave(ann)
    assert world.attendance == [("m", 1), ("m", 2), ("m", 1), ("m", 0)]


def test_the_end_of_a_meeting_leaves_others_alone() -> None:
    world = World()
    ann, bob = world.join("ann", "m"), world.join("bob", "n")
    world.say(ann, "last words")
    eve = world.join("eve", "m")
    world.say(ann, "really")
    world.live.apply([MeetingEnded("m"), MeetingEnded("unknown"), AttendeeRemoved("unknown", "a")])
    assert (ann.statuses, ann.code) == ([410], 4410)
    assert eve.take_texts() == ["really"]
    assert not bob.closed
    assert world.live.meetings == 1
    assert world.attendance[-1] == ("m", 0)


def test_a_removed_attendee_that_is_not_connected_leaves_the_roster() -> None:
    world = World()
    ann, bob = world.join("ann"), world.join("bob")
    bob.abort()
    world.clock.sleep(1)
    ann.writes.clear()
    world.live.apply([AttendeeRemoved("m", "bob")])
    world.clock.sleep(1)
    assert summary(ann.take()) == [("out", 2), ("index", 1, False)]


def test_messages_of_the_service_reach_everybody_with_its_own_topic() -> None:
    world = World()
    ann, bob = world.join("ann"), world.join("bob", roster=False)
    world.clock.sleep(1)
    world.live.apply([MeetingMessage("m", "aws:chime:transcription", b"x"), MeetingMessage("unknown", "t", b"")])
    world.clock.sleep(1)
    for socket in (ann, bob):
        (message,) = socket.take()[-1].data_message.messages
        assert (message.topic, message.sender_attendee_id) == ("aws:chime:transcription", "")
        assert message.ingest_time_ns > 0


def test_a_full_meeting_has_room_for_who_comes_back_and_for_content_but_for_nobody_new() -> None:
    world = World()
    for name in ("ann", "bob"):
        world.join(name).abort()
    late, ann, content = Socket(world.live), Socket(world.live), Socket(world.live)
    for socket, name in ((late, "late"), (ann, "ann"), (content, "ann#content")):
        world.live.apply([Admit(socket, "m", None, name, name, capacity=2)])
    assert (late.turned_away, late.closed) == ([409], True)
    assert ann.opening is not None
    assert content.opening is not None


# Primary meetings


def test_attendees_of_a_replica_see_the_primary_meeting_and_nobody_sees_them() -> None:
    world = World()
    star = world.join("star", "primary")
    fan = world.join("fan", "replica", "primary")
    other = world.join("other", "replica", "primary")
    world.clock.sleep(1)
    assert fan.opening is not None
    assert [each.attendee_id for each in fan.opening.roster] == ["star", "fan"]
    assert (fan.opening.at_capacity, fan.opening.participants) == (True, 1)
    star.writes.clear()
    fan.writes.clear()
    world.say(star, "to all", lifetime_ms=1000)
    world.say(fan, "to nobody")
    second = world.join("second", "primary")
    world.clock.sleep(1)
    assert summary(star.take()) == [("in", second.presence.stream_id), ("index", 2, False)]
    returned, *seen = summary(fan.take())
    assert returned == "to nobody"
    assert seen == ["to all", ("in", second.presence.stream_id), ("index", 2, True)]
    assert other.take_texts() == ["to all"]


def test_a_promoted_attendee_speaks_as_an_attendee_of_the_primary_meeting_until_it_is_demoted() -> None:
    world = World()
    star, fan = world.join("star", "primary"), world.join("fan", "replica", "primary")
    other = world.join("other", "replica", "primary")
    world.clock.sleep(1)
    star.writes.clear()
    world.live.apply([Admit(fan, "primary", None, "guest", "GUEST", promotion=True)])
    assert fan.promotions == [200]
    world.say(fan, "thank you")
    world.clock.sleep(1)
    frames = star.take()
    assert summary(frames)[-2:] == [("index", 2, False), "thank you"]
    (message,) = frames[-1].data_message.messages
    assert (message.sender_attendee_id, message.sender_external_user_id) == ("guest", "GUEST")
    assert ("index", 2, False) in summary(fan.take())
    assert ("index", 2, True) in summary(other.take())
    world.live.demote(fan)
    world.clock.sleep(1)
    assert summary(star.take())[-1] == ("index", 1, False)
    assert summary(fan.take())[-1] == ("index", 1, True)
    assert world.live.meetings == 2


def test_a_promotion_ends_with_the_attendee_of_the_primary_meeting_or_with_a_takeover_of_it() -> None:
    world = World()
    world.join("star", "primary")
    fan = world.join("fan", "replica", "primary")
    world.live.apply([Admit(fan, "primary", None, "guest", "GUEST", promotion=True)])
    world.live.apply([AttendeeRemoved("primary", "guest")])
    assert (fan.demotions, fan.closed, fan.presence) == (1, False, None)
    world.live.apply([Admit(fan, "primary", None, "guest", "GUEST", promotion=True)])
    second = world.join("second", "replica", "primary", session_id=2)
    world.live.apply([Admit(second, "primary", None, "guest", "GUEST", promotion=True)])
    assert (fan.demotions, fan.presence, second.presence.attendee_id) == (2, None, "guest")
    second.abort()
    fan.abort()
    world.live.apply([MeetingEnded("primary")])
    world.clock.sleep(20)
    assert world.live.meetings == 0


def test_a_promotion_to_another_meeting_is_refused() -> None:
    world = World()
    world.join("star", "elsewhere")
    fan, plain = world.join("fan", "replica", "primary"), world.join("plain")
    for socket in (fan, plain):
        world.live.apply([Admit(socket, "elsewhere", None, "guest", "GUEST", promotion=True)])
        assert socket.promotions == [403]


# A model of one meeting


class MeetingMachine(RuleBasedStateMachine):
    """Whatever attendees do: everybody sees the same order, nothing of its own, and a roster that fits."""

    sockets: Bundle[Socket] = Bundle("sockets")

    def __init__(self) -> None:
        super().__init__()
        self.world = World(reconnect_grace=5.0)
        self.said: list[tuple[str, int]] = []
        self.seen: dict[Socket, list[str]] = {}
        self.rosters: dict[Socket, dict[int, str]] = {}
        self.count = itertools.count()

    @rule(target=sockets, name=st.sampled_from("abcd"), session_id=st.integers(1, 2))
    def join(self, name: str, session_id: int) -> Socket:
        self.look()
        socket = self.world.join(name, session_id=session_id)
        assert socket.opening is not None
        self.rosters[socket] = {each.audio_stream_id: each.attendee_id for each in socket.opening.roster}
        self.seen[socket] = []
        return socket

    @rule(socket=sockets, count=st.integers(1, 3), lifetime_ms=st.sampled_from([0, 3000]))
    def say(self, socket: Socket, count: int, lifetime_ms: int) -> None:
        if not socket.closed and socket.presence is not None:
            for _ in range(count):
                text = str(next(self.count))
                self.world.say(socket, text, lifetime_ms=lifetime_ms)
                self.said.append((text, id(socket)))

    @rule(socket=consumes(sockets), polite=st.booleans())
    def go(self, socket: Socket, polite: bool) -> None:
        if polite:
            self.world.live.leave(socket)
        socket.abort()

    @rule(seconds=st.sampled_from([0.0, 0.001, 1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.world.clock.sleep(seconds)

    def look(self) -> None:
        for socket, seen in self.seen.items():
            roster = self.rosters[socket]
            for frame in socket.take():
                seen += [message.data.decode() for message in frame.data_message.messages]
                for entry in frame.audio_stream_id_info.streams:
                    if entry.attendee_id:
                        roster[entry.audio_stream_id] = entry.attendee_id
                    else:
                        roster.pop(entry.audio_stream_id, None)

    @invariant()
    def everybody_sees_one_order_and_nothing_of_its_own(self) -> None:
        self.look()
        for socket, seen in self.seen.items():
            assert [int(text) for text in seen] == sorted({int(text) for text in seen})
            own = {text for text, sender in self.said if sender == id(socket)}
            assert own.isdisjoint(seen)

    @invariant()
    def rosters_agree_once_all_is_written(self) -> None:
        self.world.live.flush()
        self.look()
        meeting = self.world.live.find("m")
        for socket, roster in self.rosters.items():
            if not socket.closed and meeting is not None and socket in meeting.sockets:
                assert roster == {each.audio_stream_id: each.attendee_id for each in meeting.roster.everybody}


TestMeetingMachine = MeetingMachine.TestCase


# Over real sockets


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_ten_attendees_who_all_talk_see_the_same_order_without_their_own_messages(server: LocalServer) -> None:
    meeting = Meeting(server)
    names = [f"attendee-{number}" for number in range(10)]
    async with meeting.attended(*names) as clients:

        async def talk(number: int, client: Client) -> None:
            for count in range(50):
                await client.say(f"{number}:{count}")

        async with asyncio.TaskGroup() as tasks:
            for number, client in enumerate(clients):
                tasks.create_task(talk(number, client))
        seen = [await client.messages(450) for client in clients]
        order: dict[str, int] = {}
        for number, messages in enumerate(seen):
            assert [message.ingest_time_ns for message in messages] == sorted(
                message.ingest_time_ns for message in messages
            )
            for message in messages:
                text = message.data.decode()
                assert not text.startswith(f"{number}:")
                assert order.setdefault(text, message.ingest_time_ns) == message.ingest_time_ns
                sender = int(text.partition(":")[0])
                assert message.sender_attendee_id == clients[sender].attendee_id
                assert message.sender_external_user_id == names[sender]
        assert len(order) == 500
        for number in range(10):
            mine = [text for text in sorted(order, key=order.__getitem__) if text.startswith(f"{number}:")]
            assert mine == [f"{number}:{count}" for count in range(50)]


@pytest.mark.anyio
async def test_later_attendees_get_what_was_kept_after_their_index(server: LocalServer) -> None:
    meeting = Meeting(server)
    async with meeting.attended("ann", "bob") as (ann, bob):
        await ann.say("one", lifetime_ms=300_000)
        await ann.say("gone")
        await bob.texts(2)
        await bob.say("two", lifetime_ms=300_000)
        await ann.texts(1)
        async with meeting.attend("eve") as eve:
            one, two = await eve.messages(2)
            assert [(each.data, each.lifetime_ms) for each in (one, two)] == [(b"one", 300_000), (b"two", 300_000)]
            assert 0 < one.ingest_time_ns < two.ingest_time_ns


@pytest.mark.anyio
async def test_with_quotas_too_many_messages_come_back_and_far_too_many_hang_up() -> None:
    async with LocalServer(ServerConfiguration(port=0)) as server:
        meeting = Meeting(server)
        async with meeting.attended("ann", "bob") as (ann, bob):
            await ann.say(*map(str, range(2500)))
            frames, code, reason = await ann.to_the_end()
            returned = [message for frame in frames for message in frame.data_message.messages]
            assert (code, reason) == (4529, "too many data messages")
            assert all(message.HasField("ingest_time_ns") and message.ingest_time_ns == 0 for message in returned)
            assert 1000 < len(returned) < 2000
            assert len(await bob.texts(200)) == 200


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("topic", "data"), [("bad topic", b""), ("", b""), ("x" * 37, b""), ("aws:chime", b""), ("ok", b"x" * 2049)]
)
async def test_a_message_that_is_not_valid_closes_the_connection_and_nobody_gets_it(
    server: LocalServer, topic: str, data: bytes
) -> None:
    meeting = Meeting(server)
    async with meeting.attended("ann", "bob") as (ann, bob):
        await ann.send(signal_frames.data_message(topic, data, 0))
        assert (await ann.closing())[0] == 4400
        await bob.send(signal_frames.ping(1))
        assert (await bob.receive()).type == SignalFrame.PING_PONG
    assert server.node.live.counters.messages == 0


@pytest.mark.anyio
async def test_a_slow_reader_costs_bounded_memory_then_its_connection_and_nobody_else_waits() -> None:
    async with LocalServer(ServerConfiguration(port=0, quotas=False, write_buffer=1 << 18)) as server:
        meeting = Meeting(server)
        slow_credentials = meeting.attendee("slow")
        async with AsyncExitStack() as stack:
            ann, bob = await stack.enter_async_context(meeting.attended("ann", "bob"))
            # `websockets` stops reading when 16 messages wait to be taken.
            slow_socket = await stack.enter_async_context(
                connect(
                    meeting.url,
                    subprotocols=["_aws_wt_session", slow_credentials["JoinToken"]],  # type: ignore[list-item]
                    ping_interval=None,
                    close_timeout=0.1,
                )
            )
            slow = Client(slow_socket, slow_credentials)
            await slow.join()
            await slow.next(SignalFrame.INDEX)
            sent = 0
            while server.node.live.counters.slow == 0:
                await ann.say(*["x" * 2048] * 100)
                assert len(await bob.messages(100)) == 100
                sent += 1
                assert sent < 1000, "the slow reader was never noticed"
            await ann.say("go on")
            assert await bob.texts(1) == ["go on"]
