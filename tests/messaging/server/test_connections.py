"""Real sockets, the real broker and store; only uvicorn's own start-up is left out."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chime_messaging.aws.credentials import Credentials
from chime_messaging.aws.signing import presign_connect_url
from chime_messaging.server import connections, websocket
from chime_messaging.server.broker import Broker
from chime_messaging.server.configuration import (
    LOCAL_ACCESS_KEY,
    LOCAL_REGION,
    LOCAL_SECRET_KEY,
    Authorization,
    ServerConfiguration,
)
from chime_messaging.server.connections import Listener, Refused, read_request
from chime_messaging.server.notices import Deliver, Disconnect, Join
from chime_messaging.server.quotas import Limiter
from chime_messaging.server.store.app_instances import add_app_instance
from chime_messaging.server.store.database import Database, Transaction
from chime_messaging.server.store.memberships import Membership, insert_memberships
from chime_messaging.server.store.users import add_user

pytestmark = pytest.mark.anyio

APP = "arn:aws:chime:us-east-1:123456789012:app-instance/7f6e5c4d-0000-4000-8000-000000000001"
ANN, BOB, BOT = f"{APP}/user/ann", f"{APP}/user/bob", f"{APP}/bot/robot"
CHANNEL = f"{APP}/channel/one"


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


def seed(tx: Transaction) -> None:
    add_app_instance(tx, APP, "tests", None)
    for arn in (ANN, BOB):
        add_user(tx, arn, APP, kind="user", name=arn[-3:])
    insert_memberships(tx, [Membership(CHANNEL, ANN, "", "DEFAULT", ANN, tx.now, tx.now)])


class Server:
    """One listener on a free port."""

    def __init__(self, configuration: ServerConfiguration, database: Database, broker: Broker, port: int) -> None:
        self.configuration = configuration
        self.database = database
        self.broker = broker
        self.port = port
        self.state = ServerState()

    def url(self, user_arn: str = ANN, session_id: str = "1", extra: str = "") -> str:
        return f"ws://127.0.0.1:{self.port}/connect?userArn={quote(user_arn, safe='')}&sessionId={session_id}{extra}"

    @asynccontextmanager
    async def session(
        self, user_arn: str = ANN, session_id: str = "1", extra: str = ""
    ) -> AsyncIterator[ClientConnection]:
        """A session that is established."""
        async with connect(self.url(user_arn, session_id, extra), ping_interval=None, max_queue=None) as client:
            assert await event_type(client) == "SESSION_ESTABLISHED"
            yield client

    async def say(self, *texts: str, group: str = CHANNEL) -> None:
        def work(tx: Transaction) -> None:
            for text in texts:
                tx.notify(Deliver("CREATE_CHANNEL_MESSAGE", text.encode(), group))

        await self.database.run(work)

    async def gone(self, count: int = 0) -> None:
        """Wait until no more than `count` sockets are open."""
        async with asyncio.timeout(5):
            while self.broker.connections > count or len(self.state.connections) > count:  # noqa: ASYNC110
                await asyncio.sleep(0)


@asynccontextmanager
async def serving(prefetch: Callable[..., list[bytes]] | None = None, **settings: Any) -> AsyncIterator[Server]:
    settings.setdefault("quotas", False)
    configuration = ServerConfiguration(port=0, **settings)
    loop = asyncio.get_running_loop()
    limit = 10 if configuration.quotas else None
    broker = Broker(loop, coalesce=configuration.coalesce, max_connections=limit)
    async with Database(None, on_commit=broker.apply) as database:
        await database.run(seed)
        limiter = Limiter() if configuration.quotas else None
        listener = Listener(configuration, database, broker, limiter=limiter)
        if prefetch is not None:
            listener.prefetch = prefetch
        config = uvicorn.Config(_no_application, ws=listener, lifespan="off", log_config=None)  # type: ignore[arg-type]
        config.load()
        state = ServerState()

        def protocol() -> asyncio.Protocol:
            http: Any = config.http_protocol_class
            made: asyncio.Protocol = http(config=config, server_state=state, app_state={})
            return made

        acceptor = await loop.create_server(protocol, "127.0.0.1", 0)
        server = Server(configuration, database, broker, acceptor.sockets[0].getsockname()[1])
        server.state = state
        try:
            yield server
        finally:
            acceptor.close()
            await broker.shutdown(timeout=1.0)


async def _no_application(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("no HTTP here")


async def event_type(client: ClientConnection) -> str:
    async with asyncio.timeout(5):
        received = json.loads(await client.recv())
    found: str = received["Headers"]["x-amz-chime-event-type"]
    return found


async def closing(client: ClientConnection) -> tuple[int, str]:
    """Wait for the server to close; code and reason."""
    async with asyncio.timeout(5):
        await client.wait_closed()
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


async def texts(client: ClientConnection, count: int) -> list[str | bytes]:
    async with asyncio.timeout(10):
        return [await client.recv() for _ in range(count)]


@asynccontextmanager
async def raw_socket(server: Server, url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A websocket client that does nothing by itself, after its upgrade."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 16)
    try:
        await upgrade(server, url, reader, writer)
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def upgrade(server: Server, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {target_of(url)} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")


async def read_until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    received = bytearray()
    async with asyncio.timeout(5):
        while not received.endswith(end):
            data = await reader.read(1 << 16)
            assert data, "the connection ended early"
            received += data
    return bytes(received)


def target_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


async def test_a_session_is_established_and_then_receives_the_events_of_its_channels() -> None:
    async with serving() as server, connect(server.url()) as client:
        established = json.loads(await client.recv())
        assert established == {
            "Headers": {
                "x-amz-chime-event-type": "SESSION_ESTABLISHED",
                "x-amz-chime-message-type": "SYSTEM",
            },
            "Payload": None,
        }
        await server.say("one", "two")
        await server.say("not for us", group="other")
        await server.say("three")
        assert await texts(client, 3) == ["one", "two", "three"]


async def test_every_socket_of_a_user_and_new_members_receive_without_reconnecting() -> None:
    async with (
        serving() as server,
        server.session() as first,
        server.session(session_id="2") as second,
        server.session(BOB) as bob,
    ):
        await server.say("before")
        await server.database.run(lambda tx: tx.notify(Join(BOB, CHANNEL)))
        await server.say("after")
        assert await texts(first, 2) == await texts(second, 2) == ["before", "after"]
        assert await texts(bob, 1) == ["after"]


async def test_prefetch_follows_established_only_when_asked_for() -> None:
    async with serving() as server:
        async with server.session(BOB, extra="&prefetch-sort-by=unread") as client:
            await server.database.run(lambda tx: tx.notify(Deliver("X", b"live", None, (BOB,))))
            assert await texts(client, 1) == ["live"]
        seen: list[str] = []

        def prefetch(tx: Transaction, user_arn: str, sort_by: str) -> list[bytes]:
            seen.append(sort_by)
            return [b"details 1", b"details 2"]

    async with serving(prefetch) as server:
        for number, sort_by in enumerate(("", "unread", "last-message-timestamp", "nonsense")):
            extra = "&prefetch-on=connect" + (f"&prefetch-sort-by={sort_by}" if sort_by else "")
            async with server.session(session_id=str(number), extra=extra) as client:
                assert await texts(client, 2) == ["details 1", "details 2"]
    assert seen == ["unread", "unread", "last-message-timestamp", "unread"]


async def test_no_event_is_lost_or_doubled_between_the_snapshot_and_established() -> None:
    """The snapshot says how many events were committed before it; the socket must see exactly those after."""
    committed = 0
    done = asyncio.Event()

    def prefetch(tx: Transaction, user_arn: str, sort_by: str) -> list[bytes]:
        return [str(committed).encode()]

    def work(tx: Transaction) -> None:
        nonlocal committed
        committed += 1
        tx.notify(Deliver("X", str(committed).encode(), CHANNEL))

    async with serving(prefetch) as server:

        async def talk() -> None:
            while not done.is_set():
                await asyncio.gather(*(server.database.run(work) for _ in range(20)))

        talking = asyncio.create_task(talk())
        try:
            for number in range(40):
                async with server.session(session_id=str(number), extra="&prefetch-on=connect") as client:
                    numbers = [int(text) for text in await texts(client, 30)]
                assert numbers == list(range(numbers[0], numbers[0] + 30))
        finally:
            done.set()
            await talking


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "userArn is missing"),
        ("sessionId=1", "userArn is missing"),
        (f"userArn={quote(ANN)}", "sessionId is missing"),
        (f"userArn={quote(ANN)}&userArn={quote(BOB)}&sessionId=1", "userArn is given more than once"),
        (f"userArn={quote(ANN)}&sessionId={'x' * 300}", "sessionId is longer than 256 characters"),
        ("userArn=nonsense&sessionId=1", "userArn is not the ARN of an app instance user"),
        (f"userArn={quote(BOT)}&sessionId=1", "userArn is not the ARN of an app instance user"),
        (f"userArn={quote(APP)}%2Fuser%2Fnobody&sessionId=1", "userArn is not a known app instance user"),
        ("userArn=%FF&sessionId=1", "the query cannot be read"),
        ("&".join(f"a{n}=1" for n in range(100)), "the query cannot be read"),
    ],
)
async def test_who_is_not_authorised_is_closed_with_4401_after_the_upgrade(query: str, reason: str) -> None:
    async with serving() as server, connect(f"ws://127.0.0.1:{server.port}/connect?{query}") as client:
        assert await closing(client) == (4401, reason)
        assert server.broker.counters.refused == 1


@given(st.text() | st.text(st.sampled_from("&=%+;/?#:aF0\udcff\x00")), st.text(), st.sampled_from(Authorization))
def test_any_connect_url_is_read_or_refused(query: str, host: str, authorization: Authorization) -> None:
    start = f"userArn={quote(ANN)}&sessionId=1&X-Amz-Signature="
    for target in (f"/connect?{query}", f"/connect?{start}{query}", query):
        try:
            request = read_request(target, host, ServerConfiguration(authorization=authorization), datetime.now(UTC))
        except Refused as refused:
            assert str(refused)
        else:
            assert request.user_arn.encode()


async def test_trust_asks_for_no_known_user() -> None:
    async with serving(authorization=Authorization.TRUST) as server, server.session(f"{APP}/user/nobody"):
        pass


def signed_url(server: Server, **changes: Any) -> str:
    credentials = Credentials(LOCAL_ACCESS_KEY, changes.pop("secret", LOCAL_SECRET_KEY), None)
    arguments: dict[str, Any] = {
        "user_arn": ANN,
        "session_id": "it's (1)*!",
        "region": LOCAL_REGION,
        "credentials": credentials,
        "scheme": "ws",
        "prefetch": True,
    }
    return presign_connect_url(f"127.0.0.1:{server.port}", **(arguments | changes))


async def test_strict_takes_a_signed_url_only() -> None:
    async with serving(lambda *_: [], authorization=Authorization.STRICT) as server:
        async with connect(signed_url(server)) as client:
            assert await event_type(client) == "SESSION_ESTABLISHED"
        bad = {
            "no signature": server.url(),
            "another secret": signed_url(server, secret="wrong"),
            "expired": signed_url(server, now=datetime.now(UTC) - timedelta(hours=1)),
            "another user": signed_url(server).replace("ann", "bob"),
        }
        for name, url in bad.items():
            async with connect(url) as client:
                code, reason = await closing(client)
            assert (name, code, bool(reason)) == (name, 4401, True)


async def test_another_path_is_refused_before_the_upgrade() -> None:
    async with serving() as server:
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.url().replace("/connect", "/control"))
        assert caught.value.response.status_code == 404
        await server.gone()


@pytest.mark.parametrize("header", ["Sec-WebSocket-Key: short", "Sec-WebSocket-Version: 8", "X: no key"])
async def test_a_broken_upgrade_is_answered_and_its_connection_closed(header: str) -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            f"GET {target_of(server.url())} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"{header}\r\n\r\n".encode()
        )
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        writer.close()
        await server.gone()


async def test_the_same_session_id_displaces_the_older_socket() -> None:
    async with serving() as server, server.session() as old, server.session() as new:
        assert (await closing(old))[0] == 4002
        await server.say("hello")
        assert await texts(new, 1) == ["hello"]


async def test_with_quotas_a_user_has_ten_sockets_and_no_flood_of_new_ones() -> None:
    async with serving(quotas=True) as server:
        sessions = [server.session(session_id=str(n)) for n in range(10)]
        for session in sessions:
            await session.__aenter__()
        async with connect(server.url(session_id="11")) as client:
            assert await closing(client) == (1013, "too many new connections of this user")
        for session in sessions:
            await session.__aexit__(None, None, None)


async def test_a_deleted_user_is_closed_for_good_after_its_last_event() -> None:
    async with serving() as server, server.session() as ann, server.session(BOB) as bob:

        def work(tx: Transaction) -> None:
            tx.notify(Deliver("X", b"goodbye", CHANNEL))
            tx.notify(Disconnect(ANN, 4003, "the user was deleted"))

        await server.database.run(work)
        assert await texts(ann, 1) == ["goodbye"]
        assert await closing(ann) == (4003, "the user was deleted")
        assert bob.state.name == "OPEN"


async def test_a_client_that_closes_is_answered_and_forgotten() -> None:
    async with serving() as server:
        async with server.session() as client:
            await client.close(1000, "bye")
            assert client.close_code == 1000
        async with raw_socket(server, server.url()) as (reader, writer):
            writer.write(b"\x88\x80\x00\x00\x00\x00")
            async with asyncio.timeout(5):
                rest = await reader.read()
            assert rest.endswith(b"\x88\x00"), "no code is answered with no code, as browsers close"
        await server.gone()
        assert server.broker.users == 0


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x05hello", 1002),  # not masked
        (b"\xf1\x80\x00\x00\x00\x00", 1002),  # reserved bits
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # unknown opcode
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # continuation of nothing
        (b"\x89\xfe\x00\xc8" + b"\x00" * 204, 1002),  # long control frame
        (b"\x88\x81\x00\x00\x00\x00\x01", 1002),  # close with half a code
        (b"\x88\x84\x00\x00\x00\x00\x03\xe8\xff\xff", 1007),  # close reason that is not UTF-8
        (b"\x81\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", 1009),  # 4 GB announced
        (b"GET / HTTP/1.1\r\n\r\n", 1002),
        (b"\x81\xfe\x17\x70" + b"\x00" * 6004, 1009),
    ],
)
async def test_hostile_bytes_end_the_connection_with_the_code_of_the_standard(
    data: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with (
        serving() as server,
        server.session(BOB) as bystander,
        raw_socket(server, server.url()) as (reader, writer),
    ):
        writer.write(data)
        async with asyncio.timeout(5):
            rest = await reader.read()
        close = rest.rfind(b"\x88")
        assert int.from_bytes(rest[close + 2 : close + 4], "big") == code
        writer.close()
        await server.gone(1)
        assert bystander.state.name == "OPEN"
    assert caplog.records == []


async def test_what_clients_say_is_ignored() -> None:
    async with serving() as server, server.session() as client:
        await client.send("hello")
        await client.send(b"\x00\xff")
        await client.send(["in ", "pieces"])
        await (await client.ping())
        await server.say("still here")
        assert await texts(client, 1) == ["still here"]


async def test_who_answers_pings_stays_and_who_does_not_is_dropped() -> None:
    async with (
        serving(ping_interval=0.02, ping_timeout=1.0) as server,
        server.session() as lively,
        raw_socket(server, server.url(BOB)) as (reader, writer),
    ):
        before = await read_until(reader, b"\x03\xf3no answer to a ping")
        assert b"\x89\x00" in before
        writer.write(b"\x88\x80\x00\x00\x00\x00")
        await server.gone(1)
        assert server.broker.counters.silent == 1
        await server.say("still here")
        assert await texts(lively, 1) == ["still here"]


async def test_a_slow_reader_is_closed_with_1013_and_delays_nobody() -> None:
    async with (
        serving(write_buffer=1 << 17) as server,
        server.session() as quick,
        raw_socket(server, server.url(session_id="slow")) as (reader, writer),
    ):
        text = "x" * 60_000
        sent = 0
        while server.broker.counters.slow == 0:
            await server.say(text)
            assert await texts(quick, 1) == [text]
            sent += 1
            assert sent < 1000, "the slow reader was never noticed"
        await read_until(reader, b"\x03\xf5the reader is too slow")
        writer.write(b"\x88\x80\x00\x00\x00\x00")
        await server.gone(1)
        await server.say("go on")
        assert await texts(quick, 1) == ["go on"]


async def test_a_reader_that_has_stopped_is_dropped_after_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT", 0.1)
    async with serving(write_buffer=1 << 17) as server, raw_socket(server, server.url()):
        while server.broker.counters.slow == 0:
            await server.say("x" * 60_000)
        await server.gone()


async def test_a_prefetch_larger_than_the_write_buffer_is_no_slow_reader() -> None:
    details = [b"x" * 100_000] * 100
    async with serving(lambda *_: details, write_buffer=1 << 17, ping_interval=0.05) as server:
        async with server.session(extra="&prefetch-on=connect") as client:
            assert len(await texts(client, 100)) == 100
            await server.say("after")
            assert await texts(client, 1) == ["after"]
        assert server.broker.counters.slow == 0


async def test_shutdown_tells_every_socket_to_come_back() -> None:
    async with serving() as server, server.session() as client, server.session(BOB) as other:
        await server.say("last")
        await server.broker.shutdown()
        assert await texts(client, 1) == ["last"]
        assert [await closing(client), await closing(other)] == [(1012, "the server stops")] * 2
        async with connect(server.url()) as late:
            assert (await closing(late))[0] == 1012
        await server.gone()


async def test_shutdown_drops_sockets_that_do_not_take_part() -> None:
    async with serving() as server, raw_socket(server, server.url()):
        await server.broker.shutdown(timeout=0.05)
        assert server.broker.connections == 0
        await server.gone()


async def test_the_http_server_can_close_the_sockets_too() -> None:
    async with serving() as server, server.session() as client:
        for connection in list(server.state.connections):
            connection.shutdown()
        assert (await closing(client))[0] == 1012
        await server.gone()


async def test_a_held_socket_hears_nothing_until_it_is_released() -> None:
    async with serving() as server:
        server.broker.hold_established(True)
        async with connect(server.url()) as client:
            await server.say("before")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.recv()
            server.broker.hold_established(False)
            assert await event_type(client) == "SESSION_ESTABLISHED"
            await server.say("after")
            assert await texts(client, 1) == ["after"]


async def test_faults_can_be_injected() -> None:
    async with serving() as server:
        server.broker.refuse(4005, 1, "try again")
        async with connect(server.url()) as refused:
            assert await closing(refused) == (4005, "try again")
        async with server.session() as client, server.session(BOB) as bob:
            assert server.broker.send_raw(ANN, "not json") == 1
            assert server.broker.send_raw(None, b"\x01") == 2
            assert await texts(client, 2) == ["not json", b"\x01"]
            assert server.broker.abort(ANN) == 1
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, bob.state.name) == (1006, "OPEN")
            assert server.broker.close(None, 1011, "é" * 100) == 1
            assert await closing(bob) == (1011, "é" * 61)


async def test_a_client_that_leaves_while_it_is_authorised_leaves_nothing_behind() -> None:
    async with serving() as server:
        server.broker.hold_established(True)
        async with raw_socket(server, server.url()):
            pass
        await server.gone()
        server.broker.hold_established(False)
        await server.say("anyone?")
        assert (server.broker.users, server.broker.connections) == (0, 0)


async def test_authorisation_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HANDSHAKE_TIMEOUT", 0.05)
    blocked = threading.Event()
    async with serving() as server:
        busy = asyncio.create_task(server.database.run(lambda tx: blocked.wait(5)))
        try:
            async with connect(server.url()) as client:
                assert (await closing(client))[0] == 1013
        finally:
            blocked.set()
            await busy


async def test_a_failing_store_is_a_server_error_that_clients_retry(caplog: pytest.LogCaptureFixture) -> None:
    def prefetch(tx: Transaction, user_arn: str, sort_by: str) -> list[bytes]:
        raise RuntimeError("the disk is full")

    async with serving(prefetch) as server, connect(server.url(extra="&prefetch-on=connect")) as client:
        assert await closing(client) == (1011, "internal error")
    assert "the disk is full" in caplog.text


async def test_no_log_holds_the_signed_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets").setLevel(logging.WARNING)  # the client's own
    async with serving(authorization=Authorization.STRICT) as server:
        url = signed_url(server)
        async with connect(url) as client:
            await event_type(client)
        signature = url.rpartition("=")[2]
    assert signature not in caplog.text
