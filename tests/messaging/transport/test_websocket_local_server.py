"""The websocket transport against the local server's own websocket, which shares no code with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest

from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.service import AwsSessionService
from chime_messaging.testing.transports import closing, receive_frames
from chime_messaging.transport.websocket import WebSocketConnector, WebSocketTransport
from chime_messaging.wire import envelope

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def connected(
    server: LocalServer, *, close_timeout: float = 2.0
) -> AsyncIterator[tuple[WebSocketTransport, str]]:
    """An established connection of a new user."""
    user = await server.create_user("ada")
    configuration = MessagingSessionConfiguration(user, chime_client=server.client("chime-sdk-messaging"))
    url = await AwsSessionService(configuration).connect_url(first=True)
    transport = await WebSocketConnector(close_timeout=close_timeout).connect(url, timeout=5)
    try:
        (hello,) = await transport.receive()
        assert envelope.decode(hello).type == "SESSION_ESTABLISHED"
        yield transport, user
    finally:
        with anyio.CancelScope(shield=True):
            await transport.aclose()


async def test_text_of_every_length_and_binary_arrive_as_they_were_sent(server: LocalServer) -> None:
    sent: list[str | bytes] = [
        "",
        "häppchen 🚀",
        "x" * 125,
        "x" * 126,
        "x" * 65_535,
        "x" * 65_536,
        "x" * 500_000,
        b"\x00\xff",
    ]
    async with connected(server) as (transport, user):
        for frame in sent:
            await anyio.to_thread.run_sync(partial(server.control.send_raw, user, frame))
        assert await receive_frames(transport, len(sent)) == sent


async def test_a_burst_arrives_complete_and_in_order(server: LocalServer) -> None:
    async with connected(server) as (transport, user):
        sent = [f"{number}:" + "x" * 700 for number in range(500)]

        def burst() -> None:
            for frame in sent:
                server.control.send_raw(user, frame)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, burst)
            assert await receive_frames(transport, len(sent)) == sent


@pytest.mark.parametrize(("code", "reason"), [(1011, "failed"), (4003, "put out"), (1001, "")])
async def test_a_close_of_the_server_tells_code_and_reason(server: LocalServer, code: int, reason: str) -> None:
    async with connected(server) as (transport, user), anyio.create_task_group() as tasks:
        tasks.start_soon(server.control.close, user, code, reason)
        closed = await closing(transport.receive)
        assert (closed.code, closed.reason, closed.initiated_by) == (code, reason, "peer")


async def test_a_reset_of_the_server_is_a_lost_network(server: LocalServer) -> None:
    async with connected(server) as (transport, user):
        await anyio.to_thread.run_sync(server.control.abort, user)
        closed = await closing(transport.receive)
        assert (closed.code, closed.initiated_by) == (1006, "network")


async def test_pings_of_ours_are_answered(server: LocalServer) -> None:
    user = await server.create_user("ada")
    configuration = MessagingSessionConfiguration(user, chime_client=server.client("chime-sdk-messaging"))
    url = await AwsSessionService(configuration).connect_url(first=True)
    transport = await WebSocketConnector(ping_interval=0.01, ping_timeout=5).connect(url, timeout=5)
    await transport.receive()
    with anyio.move_on_after(0.1) as quiet:
        await transport.receive()
    assert quiet.cancelled_caught
    await anyio.to_thread.run_sync(server.control.send_raw, user, "still here")
    assert await transport.receive() == ["still here"]
    await transport.aclose()


async def test_our_close_is_answered_at_once(server: LocalServer) -> None:
    async with connected(server, close_timeout=60) as (transport, _):
        with anyio.fail_after(10):
            await transport.aclose(1005)
        closed = await closing(transport.receive)
        assert (closed.code, closed.initiated_by) == (1005, "us")
