import logging
import socket
import ssl
from collections.abc import Iterator

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute, SocketStream
from websockets.server import ServerProtocol

from chime_messaging.errors import ConfigurationError, ConnectError, ConnectTimeoutError, UsageError
from chime_messaging.testing.transports import check_transport, closing, receive_frames
from chime_messaging.transport.websocket import WebSocketConnector, WebSocketTransport
from tests.messaging.transport.raw_peer import QUIET, serving, upgrade
from tests.messaging.transport.websocket_peer import PeerServer, connected, peer_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[PeerServer]:
    with peer_server() as running:
        yield running


async def forever(stream: SocketStream) -> None:
    while True:
        await stream.receive()


async def test_a_websocket_keeps_the_contract_of_transports(server: PeerServer) -> None:
    await check_transport(lambda: connected(server))


async def test_the_contract_holds_over_tls() -> None:
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(ours)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    with peer_server(theirs) as server:
        url = server.url.replace("ws://", "wss://")
        transport = await WebSocketConnector(ssl_context=ours).connect(url, timeout=5)
        peer = await server.accept()
        await peer.send("x" * 200_000)
        await transport.send("short")
        assert await receive_frames(transport, 1) == ["x" * 200_000]
        assert await peer.receive() == ["short"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(closing, peer.receive)
            await transport.aclose()


async def test_a_certificate_that_is_not_trusted_is_a_connect_error() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with peer_server(context) as server, pytest.raises(ConnectError, match="TLS: .*certificate verify failed"):
        await WebSocketConnector().connect(server.url.replace("ws://", "wss://"), timeout=5)


class TestConnecting:
    async def test_a_refused_port_is_a_connect_error_without_a_status(self) -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
            with pytest.raises(ConnectError, match=f"127.0.0.1:{port}") as error:
                await WebSocketConnector().connect(f"ws://127.0.0.1:{port}/?secret", timeout=5)
        assert error.value.status is None
        assert "secret" not in str(error.value)

    async def test_a_host_name_that_dns_cannot_express_is_a_connect_error(self) -> None:
        with pytest.raises(ConnectError):
            await WebSocketConnector().connect(f"ws://{'a' * 70}.invalid/", timeout=5)

    @pytest.mark.parametrize("status", [301, 401, 403, 500])
    async def test_an_http_refusal_tells_its_status(self, status: int) -> None:
        async def refuse(stream: SocketStream) -> None:
            await stream.receive()
            await stream.send(b"HTTP/1.1 %d Reason\r\nContent-Length: 6\r\n\r\ndenied" % status)

        async with serving(refuse) as url:
            with pytest.raises(ConnectError, match=f"HTTP {status} Reason") as error:
                await WebSocketConnector().connect(url, timeout=5)
        assert error.value.status == status

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"HTTP/1.1 101 ",
            b"SSH-2.0-OpenSSH_9\r\n\r\n",
            b"\x16\x03\x01\x00\x00" * 20_000,
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 1_000,
        ],
        ids=["nothing", "half", "ssh", "tls", "wrong accept", "endless headers"],
    )
    async def test_an_answer_that_is_no_upgrade_is_a_connect_error(self, answer: bytes) -> None:
        async def misbehave(stream: SocketStream) -> None:
            await stream.receive()
            await stream.send(answer)

        async with serving(misbehave) as url:
            with pytest.raises(ConnectError):
                await WebSocketConnector().connect(url, timeout=5)

    async def test_the_deadline_covers_the_upgrade(self) -> None:
        async with serving(forever) as url:
            with pytest.raises(ConnectTimeoutError) as error:
                await WebSocketConnector().connect(url, timeout=0.05)
        assert error.value.timeout == 0.05

    @pytest.mark.parametrize("url", ["http://host/", "host", "ws://?secret", "wss://host:no/", "ws://host/#part"])
    async def test_what_is_no_websocket_url_is_refused_without_being_quoted(self, url: str) -> None:
        with pytest.raises(ConfigurationError) as error:
            await WebSocketConnector().connect(url, timeout=1)
        assert url not in str(error.value)
        assert error.value.__cause__ is None

    async def test_the_query_reaches_the_server_as_it_was_signed(self) -> None:
        seen: list[str] = []

        async def record(stream: SocketStream) -> None:
            seen.append((await upgrade(stream)).path)

        async with serving(record) as url:
            transport = await WebSocketConnector().connect(url + "&userArn=arn%3Aaws%2Fx!'()*&b=%20", timeout=5)
            await closing(transport.receive)
        assert seen == ["/connect?X-Amz-Signature=secret&userArn=arn%3Aaws%2Fx!'()*&b=%20"]

    @pytest.mark.parametrize("chosen", [("_aws_wt_session",), ()], ids=["chosen", "ignored"])
    async def test_subprotocols_are_offered_in_their_order_and_reach_no_log(
        self, chosen: tuple[str, ...], caplog: pytest.LogCaptureFixture
    ) -> None:
        seen: list[str] = []

        async def record(stream: SocketStream) -> None:
            seen.append((await upgrade(stream, *chosen)).headers["Sec-WebSocket-Protocol"])

        with caplog.at_level(logging.DEBUG):
            async with serving(record) as url:
                connector = WebSocketConnector()
                transport = await connector.connect(url, timeout=5, subprotocols=("_aws_wt_session", "token-5ecret"))
                await closing(transport.receive)
        assert seen == ["_aws_wt_session, token-5ecret"]
        assert "5ecret" not in caplog.text

    async def test_a_subprotocol_that_was_not_offered_is_a_connect_error(self) -> None:
        async def choose(stream: SocketStream) -> None:
            protocol = ServerProtocol(logger=QUIET)
            protocol.receive_data(await stream.receive())
            (request,) = protocol.events_received()
            response = protocol.accept(request)  # type: ignore[arg-type]
            response.headers["Sec-WebSocket-Protocol"] = "other"
            protocol.send_response(response)
            await stream.send(b"".join(protocol.data_to_send()))

        async with serving(choose) as url:
            with pytest.raises(ConnectError, match="other") as error:
                await WebSocketConnector().connect(url, timeout=5, subprotocols=("_aws_wt_session", "token-5ecret"))
        assert "5ecret" not in str(error.value)

    async def test_the_signed_url_never_reaches_a_log(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            async with serving(upgrade_and_wait) as url:
                transport = await WebSocketConnector(close_timeout=0.05).connect(url, timeout=5)
                await transport.send("private words")
                await transport.aclose()
        assert "secret" not in caplog.text
        assert "private words" not in caplog.text

    async def test_frames_that_come_with_the_upgrade_are_not_lost(self) -> None:
        async def greet(stream: SocketStream) -> None:
            protocol = ServerProtocol(logger=QUIET)
            protocol.receive_data(await stream.receive())
            (request,) = protocol.events_received()
            protocol.send_response(protocol.accept(request))  # type: ignore[arg-type]
            protocol.send_text(b"first")
            protocol.send_ping(b"")
            protocol.send_text(b"second")
            await stream.send(b"".join(protocol.data_to_send()))
            await forever(stream)

        async with serving(greet) as url:
            transport = await WebSocketConnector(close_timeout=0.05).connect(url, timeout=5)
            assert await receive_frames(transport, 2) == ["first", "second"]
            await transport.aclose()

    async def test_a_cancelled_connect_leaves_no_connection(self) -> None:
        ended = anyio.Event()

        async def watch(stream: SocketStream) -> None:
            try:
                await forever(stream)
            finally:
                ended.set()

        async with serving(watch) as url:
            with anyio.move_on_after(0.05):
                await WebSocketConnector().connect(url, timeout=5)
            with anyio.fail_after(5):
                await ended.wait()


async def upgrade_and_wait(stream: SocketStream) -> None:
    await upgrade(stream)
    await forever(stream)


class TestReceiving:
    async def test_a_ping_is_answered_at_once_with_its_payload(self) -> None:
        answers: list[bytes] = []

        async def ping(stream: SocketStream) -> None:
            await upgrade(stream)
            await stream.send(b"\x89\x03abc")
            answers.append(await stream.receive())
            await stream.send(b"\x81\x02hi")
            await forever(stream)

        async with serving(ping) as url:
            transport = await WebSocketConnector(close_timeout=0.05).connect(url, timeout=5)
            assert await transport.receive() == ["hi"]
            await transport.aclose()
        (answer,) = answers
        assert answer[:2] == b"\x8a\x83"
        assert bytes(byte ^ answer[2 + index % 4] for index, byte in enumerate(answer[6:])) == b"abc"

    @pytest.mark.parametrize(
        ("frames", "code"),
        [
            (b"\x81\x02\xff\xff", 1007),
            (b"\x81\x7e\x03\xe9" + b"x" * 1001, 1009),
            (b"\x81\x7f" + (1 << 40).to_bytes(8, "big"), 1009),
            (b"\x81\x82\x00\x00\x00\x00hi", 1002),
            (b"\x83\x00", 1002),
            (b"\xc1\x02hi", 1002),
            (b"\x80\x02hi", 1002),
            (b"\x89\x7e\x00\x7e" + b"x" * 126, 1002),
            (b"\x01\x01a\x81\x01b", 1002),
        ],
        ids=["utf-8", "large", "huge", "masked", "opcode", "rsv", "continuation", "long ping", "interleaved"],
    )
    async def test_what_breaks_the_rules_closes_the_connection_with_its_code(self, frames: bytes, code: int) -> None:
        seen: list[bytes] = []

        async def misbehave(stream: SocketStream) -> None:
            await upgrade(stream)
            await stream.send(b"\x81\x04good" + frames)
            seen.append(await stream.receive())

        async with serving(misbehave) as url:
            transport = await WebSocketConnector(max_size=1000).connect(url, timeout=5)
            assert await transport.receive() == ["good"]
            closed = await closing(transport.receive)
        assert (closed.code, closed.initiated_by) == (code, "us")
        mask, masked = seen[0][2:6], seen[0][6:8]
        assert int.from_bytes(bytes(a ^ b for a, b in zip(masked, mask, strict=False)), "big") == code

    async def test_the_end_of_the_tcp_connection_is_1006_of_the_network(self) -> None:
        async def hang_up(stream: SocketStream) -> None:
            await upgrade(stream)
            await stream.send(b"\x81\x02hi\x81\x05cut")

        async with serving(hang_up) as url:
            transport = await WebSocketConnector().connect(url, timeout=5)
            assert await transport.receive() == ["hi"]
            closed = await closing(transport.receive)
        assert (closed.code, closed.initiated_by) == (1006, "network")
        assert "close frame" in closed.reason

    async def test_a_reset_is_1006_of_the_network(self) -> None:
        async def reset(stream: SocketStream) -> None:
            await upgrade(stream)
            raw = stream.extra(SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

        async with serving(reset) as url:
            transport = await WebSocketConnector().connect(url, timeout=5)
            closed = await closing(transport.receive)
        assert (closed.code, closed.initiated_by) == (1006, "network")

    async def test_two_tasks_may_not_receive(self, server: PeerServer) -> None:
        async with connected(server) as (ours, theirs), anyio.create_task_group() as tasks:
            tasks.start_soon(ours.receive)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(UsageError):
                await ours.receive()
            await theirs.send("end")


class TestLiveness:
    async def test_a_peer_that_says_nothing_is_pinged_and_then_given_up(self) -> None:
        seen: list[bytes] = []

        async def ignore(stream: SocketStream) -> None:
            await upgrade(stream)
            while True:
                seen.append(await stream.receive())

        async with serving(ignore) as url:
            connector = WebSocketConnector(ping_interval=0.02, ping_timeout=0.02)
            transport = await connector.connect(url, timeout=5)
            closed = await closing(transport.receive)
        assert (closed.code, closed.initiated_by) == (1006, "network")
        assert "sign of life" in closed.reason
        assert b"".join(seen)[:2] == b"\x89\x80"

    async def test_a_peer_that_answers_pings_is_kept(self, server: PeerServer) -> None:
        async with connected(server, WebSocketConnector(ping_interval=0.01, ping_timeout=5)) as (ours, theirs):
            with anyio.move_on_after(0.1) as scope:
                await ours.receive()
            assert scope.cancelled_caught
            await theirs.send("still here")
            assert await ours.receive() == ["still here"]


class TestSending:
    async def test_a_peer_that_reads_nothing_is_given_up(self) -> None:
        async def deaf(stream: SocketStream) -> None:
            await upgrade(stream)
            await anyio.sleep_forever()

        async with serving(deaf) as url:
            connector = WebSocketConnector(write_timeout=0.05, close_timeout=0.05)
            transport = await connector.connect(url, timeout=5)
            with anyio.fail_after(5):
                closed = await closing(lambda: send_for_ever(transport))
        assert (closed.code, closed.initiated_by) == (1006, "network")
        assert "does not read" in closed.reason

    async def test_closing_does_not_wait_for_a_frame_that_does_not_leave(self) -> None:
        async def deaf(stream: SocketStream) -> None:
            await upgrade(stream)
            await anyio.sleep_forever()

        async with serving(deaf) as url:
            transport = await WebSocketConnector(close_timeout=0.05).connect(url, timeout=5)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(closing, lambda: send_for_ever(transport))
                await anyio.wait_all_tasks_blocked()
                with anyio.fail_after(5):
                    await transport.aclose()

    async def test_a_cancelled_send_leaves_a_stream_that_is_whole(self, server: PeerServer) -> None:
        frame = "x" * 3_000_000
        async with connected(server) as (ours, theirs):
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(ours.send, frame)
                    await anyio.wait_all_tasks_blocked()
                    tasks.start_soon(theirs.receive)
                    scope.cancel()
            await ours.send("whole")
            with anyio.fail_after(5):
                received = await theirs.receive()
                while received == [frame]:
                    received = await theirs.receive()
            assert received == ["whole"]


async def send_for_ever(transport: WebSocketTransport) -> None:
    while True:
        await transport.send("x" * 1_000_000)


class TestClosing:
    async def test_a_peer_that_does_not_answer_a_close_holds_us_no_longer_than_the_deadline(self) -> None:
        async with serving(upgrade_and_wait) as url:
            transport = await WebSocketConnector(close_timeout=0.05).connect(url, timeout=5)
            with anyio.fail_after(5):
                await transport.aclose(4000, "bye")
            closed = await closing(transport.receive)
        assert (closed.code, closed.reason, closed.initiated_by) == (4000, "bye", "us")

    async def test_a_peer_that_keeps_sending_cannot_put_off_the_end(self) -> None:
        async def flood(stream: SocketStream) -> None:
            await upgrade(stream)
            while True:
                await stream.send(b"\x81\x02hi" * 1_000)

        async with serving(flood) as url:
            transport = await WebSocketConnector(close_timeout=0.05).connect(url, timeout=5)
            await transport.receive()
            with anyio.fail_after(5):
                await transport.aclose()

    @pytest.mark.parametrize("code", [999, 1004, 1006, 1015, 5000])
    async def test_a_code_that_must_not_be_sent_is_refused(self, server: PeerServer, code: int) -> None:
        async with connected(server) as (ours, _):
            with pytest.raises(ConfigurationError):
                await ours.aclose(code)

    async def test_a_long_reason_is_cut_between_characters(self, server: PeerServer) -> None:
        async with connected(server) as (ours, theirs), anyio.create_task_group() as tasks:
            tasks.start_soon(ours.aclose, 4000, "ü" * 100)
            assert (await closing(theirs.receive)).reason == "ü" * 61
