from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from chime_messaging.errors import ConnectError, ConnectionClosed, ConnectTimeoutError
from chime_messaging.testing.transports import Pair, check_transport
from chime_messaging.transport.memory import MemoryConnector, memory_pair

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    ours, theirs = memory_pair()
    yield ours, theirs
    await ours.aclose()
    await theirs.aclose()


async def test_a_memory_pair_keeps_the_contract_of_transports() -> None:
    await check_transport(pair)


async def test_an_aborted_pair_ends_as_a_lost_network_does_at_both_ends() -> None:
    ours, theirs = memory_pair()
    ours.abort()
    for end in (ours, theirs):
        with pytest.raises(ConnectionClosed) as closed:
            await end.receive()
        assert (closed.value.code, closed.value.initiated_by) == (1006, "network")


async def test_frames_under_way_survive_an_abort() -> None:
    ours, theirs = memory_pair()
    await theirs.send("before")
    theirs.abort()
    assert await ours.receive() == ["before"]
    with pytest.raises(ConnectionClosed):
        await ours.receive()


async def test_a_connector_hands_the_other_end_to_accept() -> None:
    connector = MemoryConnector()
    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            url, end = await connector.accept()
            assert url == "ws://host/connect"
            assert end.subprotocols == ("chat", "token")
            await end.send("welcome")

        tasks.start_soon(serve)
        transport = await connector.connect("ws://host/connect", timeout=1, subprotocols=("chat", "token"))
        assert await transport.receive() == ["welcome"]


async def test_a_connection_that_nobody_accepts_runs_into_its_timeout_and_is_forgotten() -> None:
    connector = MemoryConnector()
    with pytest.raises(ConnectTimeoutError) as error:
        await connector.connect("ws://host/", timeout=0.01)
    assert error.value.timeout == 0.01
    with anyio.move_on_after(0.01) as scope:
        await connector.accept()
    assert scope.cancelled_caught


async def test_a_refusing_connector_tells_the_status_until_it_allows_again() -> None:
    connector = MemoryConnector()
    connector.refuse(status=403)
    with pytest.raises(ConnectError) as error:
        await connector.connect("ws://host/", timeout=1)
    assert error.value.status == 403
    connector.allow()
    with pytest.raises(ConnectTimeoutError):
        await connector.connect("ws://host/", timeout=0.01)
