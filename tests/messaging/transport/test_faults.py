from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest

from chime_messaging.errors import ConfigurationError, ConnectError, ConnectionClosed
from chime_messaging.testing.transports import Pair, check_transport, closing, receive_frames
from chime_messaging.transport.base import Transport
from chime_messaging.transport.faults import (
    Close,
    Delay,
    Deliver,
    Drop,
    Duplicate,
    FaultScript,
    FaultyConnector,
    FaultyTransport,
    Insert,
    Refuse,
    Silence,
    Step,
)
from chime_messaging.transport.memory import MemoryTransport, memory_pair

pytestmark = pytest.mark.anyio


class Dialer:
    """Connects to a peer that is kept in `peers`."""

    def __init__(self) -> None:
        self.peers: list[MemoryTransport] = []

    async def connect(self, url: str, *, timeout: float, subprotocols: Sequence[str] = ()) -> Transport:
        ours, theirs = memory_pair()
        self.peers.append(theirs)
        return ours


def faulty(*steps: Step) -> tuple[FaultyTransport, MemoryTransport, FaultScript]:
    ours, theirs = memory_pair()
    script = FaultScript(steps)
    return FaultyTransport(ours, script), theirs, script


async def test_with_an_empty_script_the_contract_of_transports_is_kept() -> None:
    @asynccontextmanager
    async def pair() -> AsyncIterator[Pair]:
        transport, peer, _ = faulty()
        yield transport, peer
        await transport.aclose()
        await peer.aclose()

    await check_transport(pair)


async def test_frames_are_delivered_dropped_doubled_and_inserted_as_scripted() -> None:
    transport, peer, script = faulty(Deliver(2), Drop(), Insert("foreign"), Duplicate(2), Drop(2))
    for letter in "abcdefgh":
        await peer.send(letter)
    received = await receive_frames(transport, 8)
    assert received == ["a", "b", "foreign", "d", "d", "e", "e", "h"]
    assert script.remaining == 0


async def test_a_scripted_close_is_told_as_one_of_the_peer() -> None:
    transport, peer, _ = faulty(Deliver(), Close(4003, "put out"))
    await peer.send("a")
    await peer.send("b")
    assert await transport.receive() == ["a"]
    closed = await closing(transport.receive)
    assert (closed.code, closed.reason, closed.initiated_by) == (4003, "put out", "peer")
    with pytest.raises(ConnectionClosed):
        await transport.send("late")


async def test_a_scripted_1006_is_told_as_one_of_the_network_and_closes_what_lies_below() -> None:
    transport, peer, _ = faulty(Close(1006))
    assert (await closing(transport.receive)).initiated_by == "network"
    await closing(peer.receive)


async def test_refused_connections_follow_a_close_and_then_the_script_goes_on() -> None:
    dialer = Dialer()
    connector = FaultyConnector(dialer, FaultScript([Deliver(1), Close(1011), Refuse(2, status=503), Drop(1)]))
    first = await connector.connect("ws://host/", timeout=1)
    await dialer.peers[0].send("a")
    assert await first.receive() == ["a"]
    assert (await closing(first.receive)).code == 1011
    for _ in range(2):
        with pytest.raises(ConnectError) as refused:
            await connector.connect("ws://host/", timeout=1)
        assert refused.value.status == 503
    second = await connector.connect("ws://host/", timeout=1)
    await dialer.peers[1].send("lost")
    await dialer.peers[1].send("kept")
    assert await second.receive() == ["kept"]


async def test_a_refusal_that_stands_next_leaves_the_open_connection_alone() -> None:
    transport, peer, script = faulty(Refuse())
    await peer.send("a")
    assert await transport.receive() == ["a"]
    assert script.remaining == 1


async def test_silence_lasts_until_we_close() -> None:
    transport, peer, _ = faulty(Silence())
    await peer.send("never seen")
    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            assert (await closing(transport.receive)).initiated_by == "us"

        tasks.start_soon(read)
        await anyio.lowlevel.checkpoint()
        await transport.aclose()


@pytest.mark.parametrize("step", [Deliver(0), Drop(-1), Duplicate(0), Refuse(0)])
async def test_a_count_below_one_is_refused(step: Step) -> None:
    with pytest.raises(ConfigurationError):
        FaultScript([step])


class TestVirtualTime:
    """Delays, with a clock that jumps."""

    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        trio_testing = pytest.importorskip("trio.testing")
        return "trio", {"clock": trio_testing.MockClock(autojump_threshold=0)}

    async def test_a_delayed_frame_comes_that_much_later_and_keeps_its_place(self) -> None:
        transport, peer, _ = faulty(Delay(60))
        await peer.send("late")
        await peer.send("later")
        began = anyio.current_time()
        assert await transport.receive() == ["late"]
        assert anyio.current_time() - began == pytest.approx(60)
        assert await transport.receive() == ["later"]

    async def test_a_cancelled_receive_does_not_lose_a_delayed_frame(self) -> None:
        transport, peer, _ = faulty(Delay(60))
        await peer.send("late")
        with anyio.move_on_after(10):
            await transport.receive()
        assert await transport.receive() == ["late"]
