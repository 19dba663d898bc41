from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from chime_messaging.server import http
from chime_messaging.server.http import MAX_HEAD_BYTES, HttpConnection

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def application(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(application, http=HttpConnection, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: HttpConnection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        for open_connection in list(state.connections):
            open_connection.transport.abort()
        await asyncio.sleep(0)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What the server says before it closes."""
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_requests_follow_each_other_on_one_connection_however_they_are_cut() -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    async with connection() as (reader, writer):
        for cut in (1, 10, 40, len(request) - 1):
            writer.write(request[:cut])
            await writer.drain()
            writer.write(request[cut:])
            async with asyncio.timeout(5):
                assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_come_ends_the_connection(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_TIMEOUT", 0.05)
    async with connection() as (reader, writer):
        writer.write(sent)
        assert await closed(reader) == b""


async def test_the_head_of_a_further_request_has_a_deadline_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_TIMEOUT", 0.05)
    async with connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\nok")
        writer.write(b"GET / HT")
        assert await closed(reader) == b""


@pytest.mark.parametrize("start", [b"GET /?", b"GET / HTTP/1.1\r\nX-Large: "])
async def test_a_head_without_end_is_refused(start: bytes) -> None:
    async with connection() as (reader, writer):
        writer.write(start)
        for _ in range(2 * MAX_HEAD_BYTES // 1024):
            writer.write(b"x" * 1024)
        answer = await closed(reader)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_large_body_is_no_large_head() -> None:
    body = b"x" * (4 * MAX_HEAD_BYTES)
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 ")


class Wire(asyncio.Transport):
    """A transport that notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def close(self) -> None:
        self.closed.set()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@pytest.mark.parametrize("ending", ["keep-alive", "close"])
async def test_head_and_body_of_an_answer_leave_in_one_piece(ending: str) -> None:
    config = uvicorn.Config(application, http=HttpConnection, lifespan="off", log_config=None)
    config.load()
    wire = Wire()
    connection = HttpConnection(config=config, server_state=ServerState(), app_state={})
    connection.connection_made(wire)
    connection.data_received(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {ending}\r\n\r\n".encode())
    await asyncio.gather(*connection.tasks)
    await asyncio.sleep(0)
    closed = wire.closed.is_set()
    connection.connection_lost(None)
    (answer,) = wire.written
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nok")
    assert closed is (ending == "close")
