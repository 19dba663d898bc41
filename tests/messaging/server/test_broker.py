from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from chime_messaging.server.broker import Broker
from chime_messaging.server.notices import Attach, Deliver, Disconnect, Dissolve, Join, Leave, Stream
from chime_messaging.server.websocket import frame

ANN, BOB, EVE = "arn:ann", "arn:bob", "arn:eve"


class Call:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualLoop:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[Call] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], None], /) -> Call:
        return self.call_later(0.0, callback)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Call:
        self.calls.append(Call(self.now + delay, callback))
        return self.calls[-1]

    def advance(self, seconds: float = 0.0) -> None:
        self.now += seconds
        due = [call for call in self.calls if call.due <= self.now]
        self.calls = [call for call in self.calls if call.due > self.now]
        for call in due:
            if not call.cancelled:
                call.callback()


class Socket:
    """A subscriber that keeps what is written to it."""

    def __init__(self, user_arn: str, session_id: str = "1", *, broken: bool = False) -> None:
        self.user_arn = user_arn
        self.session_id = session_id
        self.writes: list[bytes] = []
        self.closed = False
        self.closings: list[tuple[int, str]] = []
        self.aborted = False
        self.broker: Broker | None = None
        self.broken = broken

    def write(self, data: bytes) -> None:
        if self.broken:
            raise OSError("broken")
        assert not self.closed, "written after close"
        self.writes.append(data)

    def establish(self, details: tuple[bytes, ...]) -> None:
        self.writes += [frame(data) for data in (b"established", *details)]

    def close(self, code: int, reason: str = "") -> None:
        self.closed = True
        self.closings.append((code, reason))
        if self.broker is not None:
            self.broker.detach(self)

    def abort(self) -> None:
        self.closed = True
        self.aborted = True
        if self.broker is not None:
            self.broker.lost(self)

    @property
    def received(self) -> list[str]:
        """What a client makes of the bytes."""
        client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN)
        client.receive_data(b"".join(self.writes))
        return [bytes(event.data).decode() for event in client.events_received()]  # type: ignore[union-attr]


class Stage:
    """A broker, its clock, and sockets that are attached."""

    def __init__(self, **options: object) -> None:
        self.loop = ManualLoop()
        self.broker = Broker(self.loop, **options)  # type: ignore[arg-type]

    def attach(self, user_arn: str, *groups: str, session_id: str = "1", details: tuple[bytes, ...] = ()) -> Socket:
        return self.attach_socket(Socket(user_arn, session_id), *groups, details=details)

    def attach_socket(self, socket: Socket, *groups: str, details: tuple[bytes, ...] = ()) -> Socket:
        socket.broker = self.broker
        self.broker.opened(socket)
        self.broker.apply([Attach(socket, groups, details)])
        return socket

    def say(self, text: str, group: str | None = None, *users: str) -> None:
        self.broker.apply([Deliver("CREATE_CHANNEL_MESSAGE", text.encode(), group, users)])


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_event_reaches_every_socket_of_a_group_and_nobody_else(stage: Stage) -> None:
    ann, ann2, bob, eve = (
        stage.attach(ANN, "a"),
        stage.attach(ANN, "a", session_id="2"),
        stage.attach(BOB, "a", "b"),
        stage.attach(EVE, "b"),
    )
    stage.say("hello", "a")
    stage.loop.advance()
    assert [s.received[1:] for s in (ann, ann2, bob, eve)] == [["hello"], ["hello"], ["hello"], []]


def test_an_event_for_a_group_and_users_reaches_each_socket_once(stage: Stage) -> None:
    ann, bob, eve = stage.attach(ANN, "a"), stage.attach(BOB), stage.attach(EVE)
    stage.say("hello", "a", ANN, BOB, "arn:nobody")
    stage.say("only bob", None, BOB)
    stage.loop.advance()
    assert [s.received[1:] for s in (ann, bob, eve)] == [["hello"], ["hello", "only bob"], []]


def test_events_keep_commit_order_across_groups(stage: Stage) -> None:
    ann = stage.attach(ANN, "a", "b")
    for number, group in enumerate("aababbba"):
        stage.say(str(number), group)
    stage.loop.advance()
    assert ann.received[1:] == list("01234567")


def test_a_socket_gets_one_write_per_turn_however_many_audiences_it_belongs_to(stage: Stage) -> None:
    ann, bob, eve = stage.attach(ANN, "a", "b"), stage.attach(BOB, "b"), stage.attach(EVE, "b")
    for number, group in enumerate("abab"):
        stage.say(str(number), group)
    stage.say("4", "a", EVE)
    stage.loop.advance()
    assert [len(s.writes) for s in (ann, bob, eve)] == [2, 2, 2]
    assert [s.received[1:] for s in (ann, bob, eve)] == [list("01234"), ["1", "3"], ["1", "3", "4"]]


def test_events_of_one_turn_are_one_write_of_one_shared_object(stage: Stage) -> None:
    ann, bob = stage.attach(ANN, "a"), stage.attach(BOB, "a")
    for text in ("one", "two", "three"):
        stage.say(text, "a")
    stage.loop.advance()
    assert len(ann.writes) == 2
    assert ann.writes[1] is bob.writes[1]
    assert ann.received[1:] == ["one", "two", "three"]


def test_a_small_audience_gets_every_event_in_the_same_turn(stage: Stage) -> None:
    ann = stage.attach(ANN, "a")
    for number in range(5):
        stage.say(str(number), "a")
        stage.loop.advance()
        assert ann.received[-1] == str(number)


def test_a_large_audience_gets_events_together_within_the_coalescing_time(stage: Stage) -> None:
    sockets = [stage.attach(f"arn:{n}", "a") for n in range(300)]
    stage.say("first", "a")
    stage.loop.advance()
    stage.say("second", "a")
    stage.say("third", "a")
    stage.loop.advance(0.004)
    assert all(s.received[1:] == ["first"] for s in sockets[:5])
    stage.loop.advance(0.0011)
    assert all(s.received[1:] == ["first", "second", "third"] for s in sockets[:5])
    assert len(sockets[0].writes) == 3


def test_waiting_events_are_bounded(stage: Stage) -> None:
    stage.loop.calls.clear()
    ann = stage.attach(ANN, "a")
    for _ in range(3):
        stage.say("x" * 600_000, "a")
    assert len(ann.received) == 3, "written before the turn ended"


def test_who_joins_sees_only_what_was_committed_after(stage: Stage) -> None:
    ann, bob = stage.attach(ANN, "a"), stage.attach(BOB)
    stage.say("before", "a")
    stage.broker.apply([Join(BOB, "a"), Join("arn:offline", "a")])
    stage.say("after", "a")
    stage.loop.advance()
    assert ann.received[1:] == ["before", "after"]
    assert bob.received[1:] == ["after"]


def test_who_leaves_sees_all_that_was_committed_before(stage: Stage) -> None:
    ann, bob = stage.attach(ANN, "a"), stage.attach(BOB, "a")
    stage.say("before", "a")
    stage.broker.apply([Leave(BOB, "a"), Leave(BOB, "a"), Leave("arn:offline", "a")])
    stage.say("after", "a")
    stage.loop.advance()
    assert ann.received[1:] == ["before", "after"]
    assert bob.received[1:] == ["before"]


def test_a_dissolved_group_takes_nobody_along(stage: Stage) -> None:
    ann = stage.attach(ANN, "a", "b")
    stage.say("last of a", "a")
    stage.broker.apply([Dissolve("a"), Dissolve("unknown")])
    stage.say("lost", "a")
    stage.say("of b", "b")
    stage.loop.advance()
    assert ann.received[1:] == ["last of a", "of b"]
    stage.broker.lost(ann)
    assert (stage.broker.groups, stage.broker.users, stage.broker.connections) == (0, 0, 0)


def test_the_prefetch_comes_after_established_and_before_later_events(stage: Stage) -> None:
    old = stage.attach(ANN, "a")
    stage.say("before", "a")
    new = stage.attach(ANN, "a", session_id="2", details=(b"details 1", b"details 2"))
    stage.say("after", "a")
    stage.loop.advance()
    assert new.received == ["established", "details 1", "details 2", "after"]
    assert old.received == ["established", "before", "after"]


def test_a_newer_socket_with_the_same_session_id_displaces_the_older(stage: Stage) -> None:
    old = stage.attach(ANN, "a", session_id="7")
    other = stage.attach(ANN, "a", session_id="8")
    foreign = stage.attach(BOB, "a", session_id="7")
    new = stage.attach(ANN, "a", session_id="7")
    stage.say("hello", "a")
    stage.loop.advance()
    assert [code for code, _ in old.closings] == [4002]
    assert old.received == ["established"]
    assert all(s.received == ["established", "hello"] for s in (other, foreign, new))
    assert stage.broker.counters.displaced == 1


def test_the_last_socket_of_a_user_can_be_displaced_and_its_groups_are_read_anew(stage: Stage) -> None:
    stage.attach(ANN, "a")
    new = stage.attach(ANN, "b")
    stage.say("in a", "a")
    stage.say("in b", "b")
    stage.loop.advance()
    assert new.received == ["established", "in b"]


def test_the_eleventh_socket_of_a_user_is_refused_for_good() -> None:
    stage = Stage(max_connections=10)
    sockets = [stage.attach(ANN, "a", session_id=str(n)) for n in range(11)]
    assert [s.closings for s in sockets[:10]] == [[]] * 10
    assert [code for code, _ in sockets[10].closings] == [4003]
    assert sockets[10].writes == []
    again = stage.attach(ANN, "a", session_id="3")
    assert again.received == ["established"], "a reconnect replaces its own socket"


def test_without_quotas_a_user_may_have_many_sockets(stage: Stage) -> None:
    sockets = [stage.attach(ANN, "a", session_id=str(n)) for n in range(50)]
    stage.say("hello", "a")
    stage.loop.advance()
    assert all(s.received[-1] == "hello" for s in sockets)


def test_a_socket_that_closed_while_it_was_authorised_is_not_attached(stage: Stage) -> None:
    gone = Socket(ANN)
    gone.closed = True
    stage.attach_socket(gone, "a")
    stage.say("hello", "a")
    stage.loop.advance()
    assert gone.writes == []
    assert stage.broker.users == 0


def test_a_disconnected_user_gets_earlier_events_first(stage: Stage) -> None:
    ann, ann2, bob = stage.attach(ANN, "a"), stage.attach(ANN, "a", session_id="2"), stage.attach(BOB, "a")
    stage.say("goodbye", "a")
    stage.broker.apply([Disconnect(ANN, 4003, "the user was deleted")])
    stage.say("after", "a")
    stage.loop.advance()
    for socket in (ann, ann2):
        assert socket.received[1:] == ["goodbye"]
        assert socket.closings == [(4003, "the user was deleted")]
    assert bob.received[1:] == ["goodbye", "after"]


def test_one_broken_transport_costs_the_others_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.attach_socket(Socket(ANN, broken=True), "a")
    bob = stage.attach(BOB, "a")
    stage.say("hello", "a")
    stage.loop.advance()
    assert bob.received[1:] == ["hello"]
    assert stage.broker.counters.failed_writes == 1
    assert "could not be written" in caplog.text


def test_events_without_an_audience_and_notices_for_others_cost_nothing(stage: Stage) -> None:
    stage.attach(ANN, "a")
    stage.say("hello", "b", BOB)
    stage.broker.apply([Stream("arn:instance", "Channel", "CREATE_CHANNEL", "{}")])
    assert stage.broker.counters.events == 0
    assert stage.loop.calls == []


def test_counters_say_what_was_delivered(stage: Stage) -> None:
    ann, bob = stage.attach(ANN, "a"), stage.attach(BOB, "a")
    stage.say("one", "a")
    stage.say("two", "a")
    stage.loop.advance()
    counters = stage.broker.counters
    assert (counters.events, counters.deliveries, counters.writes, counters.established) == (2, 4, 2, 2)
    assert counters.bytes == sum(len(s.writes[-1]) for s in (ann, bob))


def test_raw_frames_go_to_established_sockets_in_order_with_events(stage: Stage) -> None:
    ann, bob = stage.attach(ANN, "a"), stage.attach(BOB, "a")
    waiting = Socket(ANN, "2")
    stage.broker.opened(waiting)
    stage.say("first", "a")
    stage.broker.send_raw(ANN, "not json")
    stage.broker.send_raw(None, b"\x00binary")
    assert ann.received[1:] == ["first", "not json", "\x00binary"]
    assert bob.received[1:] == ["first", "\x00binary"]
    assert ann.writes[-1] == frame(b"\x00binary", Opcode.BINARY)
    assert waiting.writes == []


def test_sockets_can_be_aborted_by_user_or_all_together(stage: Stage) -> None:
    ann, bob = stage.attach(ANN, "a"), stage.attach(BOB, "a")
    stage.broker.abort(ANN)
    assert (ann.aborted, bob.aborted) == (True, False)
    stage.broker.abort()
    assert bob.aborted
    assert stage.broker.connections == 0


def test_refusals_are_handed_out_once_each(stage: Stage) -> None:
    stage.broker.refuse(1013, 2, "later")
    assert [stage.broker.take_refusal() for _ in range(3)] == [(1013, "later"), (1013, "later"), None]


_users = st.sampled_from([ANN, BOB])
_groups = st.sampled_from(["a", "b"])
_steps = st.one_of(
    st.tuples(st.just("attach"), _users, st.sampled_from(["1", "2"])),
    st.tuples(st.just("lose"), st.integers(0, 20), st.none()),
    st.tuples(st.just("join"), _users, _groups),
    st.tuples(st.just("leave"), _users, _groups),
    st.tuples(st.just("dissolve"), _groups, st.none()),
    st.tuples(st.just("deliver"), st.none() | _groups, st.sets(_users)),
    st.tuples(st.just("turn"), st.floats(0, 0.003), st.none()),
)


class Model(Stage):
    """A broker beside a plain account of what each socket has to get."""

    def __init__(self) -> None:
        super().__init__()
        self.members: dict[str, set[str]] = {"a": set(), "b": set()}
        self.expected: dict[Socket, list[str]] = {}
        self.live: list[Socket] = []
        self.said = 0

    def do_attach(self, user: str, session: str) -> None:
        self.live = [s for s in self.live if (s.user_arn, s.session_id) != (user, session)]
        socket = self.attach(user, *(g for g in self.members if user in self.members[g]), session_id=session)
        self.expected[socket] = ["established"]
        self.live.append(socket)

    def do_lose(self, index: int, _: None) -> None:
        if self.live:
            self.broker.flush()
            self.broker.lost(self.live.pop(index % len(self.live)))

    def do_join(self, user: str, group: str) -> None:
        self.members[group].add(user)
        self.broker.apply([Join(user, group)])

    def do_leave(self, user: str, group: str) -> None:
        self.members[group].discard(user)
        self.broker.apply([Leave(user, group)])

    def do_dissolve(self, group: str, _: None) -> None:
        self.members[group].clear()
        self.broker.apply([Dissolve(group)])

    def do_deliver(self, group: str | None, users: set[str]) -> None:
        self.said += 1
        self.say(str(self.said), group, *users)
        audience = users | (self.members[group] if group is not None else set())
        for socket in self.live:
            if socket.user_arn in audience:
                self.expected[socket].append(str(self.said))

    def do_turn(self, seconds: float, _: None) -> None:
        self.loop.advance(seconds)


@settings(max_examples=300, deadline=None)
@given(st.lists(_steps, min_size=20, max_size=60))
def test_every_socket_gets_exactly_the_events_of_its_groups_in_commit_order(steps: list[tuple[str, Any, Any]]) -> None:
    model = Model()
    for step, one, two in steps:
        getattr(model, f"do_{step}")(one, two)
    model.broker.flush()
    assert {socket: socket.received for socket in model.expected} == model.expected
    for socket in model.live:
        model.broker.lost(socket)
    assert (model.broker.groups, model.broker.users) == (0, 0)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_shutdown_closes_every_socket_and_drops_those_that_do_not_go() -> None:
    stage = Stage()
    ann, stuck = stage.attach(ANN, "a"), stage.attach(BOB, "a")
    stage.say("last", "a")
    stage.broker.lost(ann)
    await stage.broker.shutdown(timeout=0.01)
    assert stuck.received[1:] == ["last"]
    assert [code for code, _ in stuck.closings] == [1012]
    assert stuck.aborted
    late = stage.attach(EVE, "a")
    assert [code for code, _ in late.closings] == [1012]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_shutdown_without_sockets_returns_at_once() -> None:
    await Stage().broker.shutdown()
