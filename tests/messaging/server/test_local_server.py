from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chime_messaging.errors import UsageError
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.wire import envelope


def open_socket(server: LocalServer, user_arn: str, session: str = "1") -> ClientConnection:
    return connect(
        f"{server.url.replace('http', 'ws', 1)}/connect?userArn={quote(user_arn, safe='')}&sessionId={session}",
        open_timeout=5,
        close_timeout=1,
    )


def expect_event(socket: ClientConnection, event_type: str) -> None:
    frame = socket.recv(timeout=5)
    assert isinstance(frame, str)
    assert envelope.decode(frame).type == event_type


def close_code(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as caught:
        socket.recv(timeout=5)
    return caught.value.rcvd.code if caught.value.rcvd else 1006


@pytest.mark.anyio
async def test_it_serves_both_event_loops() -> None:
    async with LocalServer() as server:
        alice = await server.create_user("Alice")
        bob = await server.create_user("Bob", admin=True)
        assert alice.split("/user/")[0] == bob.split("/user/")[0]
        described = server.client("chime-sdk-identity").describe_app_instance_user(AppInstanceUserArn=alice)
        assert described["AppInstanceUser"]["Name"] == "Alice"
        await server.control.close(alice)


def test_its_clients_come_to_it_also_where_there_is_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with LocalServer() as server:
        plain = server.client("chime-sdk-messaging")
        special = server.client("chime-sdk-messaging", config=Config(read_timeout=10))
        for client in (plain, special):
            assert client.get_messaging_session_endpoint()["Endpoint"]["Url"]


def test_it_runs_without_any_event_loop_and_again_after_its_end() -> None:
    server = LocalServer()
    for _ in range(2):
        with server:
            assert server.client("chime-sdk-messaging").get_messaging_session_endpoint()["Endpoint"]["Url"]


def test_it_does_not_run_twice_at_once(server: LocalServer) -> None:
    with pytest.raises(UsageError):
        server.__enter__()
    assert server.port


def test_it_has_no_url_before_it_runs() -> None:
    with pytest.raises(UsageError):
        _ = LocalServer().url
    with pytest.raises(UsageError):
        _ = LocalServer().control


def test_a_port_in_use_is_an_error_and_leaves_nothing_behind(server: LocalServer) -> None:
    before = threading.active_count()
    with pytest.raises(OSError, match="in use"), LocalServer(ServerConfiguration(port=server.port)):
        pass
    assert threading.active_count() == before


def test_its_environment_redirects_an_unmodified_program(server: LocalServer) -> None:
    program = (
        "import boto3\n"
        "made = boto3.client('chime-sdk-identity').create_app_instance(Name='acme')\n"
        "print(made['AppInstanceArn'])\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**clean, **server.environment}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.stdout.startswith("arn:aws:chime:us-east-1:"), ran.stderr


def test_data_lives_on_in_a_database_file(tmp_path: Any) -> None:
    configuration = ServerConfiguration(port=0, database=str(tmp_path / "chime.db"))
    with LocalServer(configuration) as server:
        arn = server.client("chime-sdk-identity").create_app_instance(Name="kept")["AppInstanceArn"]
    with LocalServer(configuration) as server:
        described = server.client("chime-sdk-identity").describe_app_instance(AppInstanceArn=arn)
        assert described["AppInstance"]["Name"] == "kept"


def test_a_planned_failure_is_answered_as_often_as_asked(server: LocalServer) -> None:
    server.control.fail("GetMessagingSessionEndpoint", "ThrottledClientException", times=2)
    client = server.client("chime-sdk-messaging", config=Config(retries={"max_attempts": 1, "mode": "standard"}))
    for _ in range(2):
        with pytest.raises(client.exceptions.ThrottledClientException):
            client.get_messaging_session_endpoint()
    assert client.get_messaging_session_endpoint()
    server.control.fail("GetMessagingSessionEndpoint", "ExpiredTokenException")
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        client.get_messaging_session_endpoint()


def test_a_planned_server_failure_is_retried_by_boto3(server: LocalServer) -> None:
    server.control.fail("GetMessagingSessionEndpoint", "ServiceUnavailableException", times=1)
    answer = server.client("chime-sdk-messaging").get_messaging_session_endpoint()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.anyio
async def test_sockets_can_be_closed_reset_and_spoken_to(server: LocalServer) -> None:
    alice = await server.create_user("Alice")
    with open_socket(server, alice) as socket:
        expect_event(socket, "SESSION_ESTABLISHED")
        server.control.send_raw(alice, "raw")
        server.control.send_raw(None, b"\x00\x01")
        assert [socket.recv(timeout=5), socket.recv(timeout=5)] == ["raw", b"\x00\x01"]
        await server.control.close(alice, 4003, "out")
        assert close_code(socket) == 4003
    with open_socket(server, alice) as socket:
        expect_event(socket, "SESSION_ESTABLISHED")
        server.control.abort(alice)
        assert close_code(socket) == 1006


@pytest.mark.anyio
async def test_new_sockets_can_be_refused_and_held(server: LocalServer) -> None:
    alice = await server.create_user("Alice")
    server.control.refuse(4401, times=1)
    with open_socket(server, alice) as socket:
        assert close_code(socket) == 4401
    server.control.hold_established()
    with open_socket(server, alice) as socket:
        await server.create_user("Bob")  # one way to the store and back: the socket's own would be done by now
        server.control.send_raw(alice, "early")
        server.control.hold_established(False)
        expect_event(socket, "SESSION_ESTABLISHED")
        server.control.send_raw(alice, "late")
        assert socket.recv(timeout=5) == "late"


@pytest.mark.anyio
async def test_sockets_close_with_1012_when_the_server_stops() -> None:
    with ExitStack() as sockets:
        async with LocalServer() as server:
            alice = await server.create_user("Alice")
            socket = sockets.enter_context(open_socket(server, alice))
            expect_event(socket, "SESSION_ESTABLISHED")
        assert close_code(socket) == 1012


@pytest.mark.anyio
async def test_a_message_sent_by_boto3_arrives_at_the_other_members_socket(server: LocalServer) -> None:
    alice, bob = await server.create_user("Alice"), await server.create_user("Bob")
    messaging = server.client("chime-sdk-messaging")
    channel = messaging.create_channel(
        AppInstanceArn=alice.split("/user/")[0], Name="c", MemberArns=[bob], ChimeBearer=alice
    )["ChannelArn"]
    with open_socket(server, bob) as socket:
        expect_event(socket, "SESSION_ESTABLISHED")
        messaging.send_channel_message(
            ChannelArn=channel, Content="hi", Type="STANDARD", Persistence="PERSISTENT", ChimeBearer=alice
        )
        expect_event(socket, "CREATE_CHANNEL_MESSAGE")


def test_clients_are_made_once_unless_they_are_special(server: LocalServer) -> None:
    assert server.client("chime-sdk-messaging") is server.client("chime-sdk-messaging")
    assert server.client("chime-sdk-messaging", config=Config()) is not server.client("chime-sdk-messaging")
    assert isinstance(server.client("chime-sdk-messaging").meta.endpoint_url, str)
    assert boto3.DEFAULT_SESSION is None or server.url not in str(boto3.DEFAULT_SESSION)


@pytest.mark.anyio
async def test_streamed_records_can_be_read(server: LocalServer) -> None:
    alice = await server.create_user("Alice")
    app_instance = alice.split("/user/")[0]
    messaging = server.client("chime-sdk-messaging")
    stream = "arn:aws:kinesis:us-east-1:123456789012:stream/chime-messaging-audit"
    messaging.put_messaging_streaming_configurations(
        AppInstanceArn=app_instance, StreamingConfigurations=[{"DataType": "Channel", "ResourceArn": stream}]
    )
    messaging.create_channel(AppInstanceArn=app_instance, Name="c", ChimeBearer=alice)
    assert "CREATE_CHANNEL" in [record["EventType"] for record in server.streamed("chime-messaging-audit")]
