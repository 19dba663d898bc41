import json
import signal
import socket
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

import boto3
import pytest

from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY
from chime_messaging.server.media import installed_media

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_line_comes_when_it_serves_and_a_signal_ends_it_with_0(start: Callable[..., object], number: int) -> None:
    chime = start("serve", "--port", "0", "--no-media", "--no-quotas")
    ready, url = chime.line().split()  # type: ignore[attr-defined]
    assert ready == "ready"
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
        assert answer.read() == b"ok"
    assert chime.interrupt(signal.Signals(number)) == 0  # type: ignore[attr-defined]
    logs = [json.loads(line) for line in chime.stderr]  # type: ignore[attr-defined]
    assert logs[-1]["message"] == "stopping"


def test_database_file_keeps_what_was_made(start: Callable[..., object], tmp_path: Path) -> None:
    for turn in range(2):
        chime = start("serve", "--port", "0", "--db", str(tmp_path / "chime.db"))
        url = chime.line().split()[1]  # type: ignore[attr-defined]
        session = boto3.Session(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, region_name="us-east-1")
        identity = session.client("chime-sdk-identity", endpoint_url=url)
        assert len(identity.list_app_instances()["AppInstances"]) == turn
        identity.create_app_instance(Name=f"turn {turn}")
        identity.close()
        assert chime.interrupt() == 0  # type: ignore[attr-defined]


def test_taken_port_is_said_in_one_line(chime: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = chime("serve", "--port", str(port))
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"chime: address: cannot listen on 127.0.0.1:{port}: Address already in use"


def test_trust_and_strict_auth_exclude_each_other(chime: Run) -> None:
    code, _, err = chime("serve", "--trust", "--strict-auth")
    assert code == 2
    assert "exclude each other" in err


@pytest.mark.parametrize(
    ("database", "problem"),
    [
        ("/nonexistent/chime.db", "db: /nonexistent/chime.db: unable to open database file"),
        ("nosuch://user:secret@127.0.0.1:1/db", "db: "),
        ("mysql+nosuchdriver://user:secret@127.0.0.1:1/db", "db: "),
    ],
)
def test_database_that_cannot_be_opened_is_said_in_one_line_without_its_password(
    chime: Run, database: str, problem: str
) -> None:
    code, out, err = chime("serve", "--port", "0", "--db", database)
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith(f"chime: {problem}")
    assert "secret" not in err


def test_processors_and_streams_stand_in_for_lambda_and_kinesis(start: Callable[..., object], tmp_path: Path) -> None:
    lambda_arn = "arn:aws:lambda:us-east-1:123456789012:function:censor"
    stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/chime-messaging-all"
    invocations: Queue[dict[str, object]] = Queue()

    class Censor(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            invocations.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Censor) as censor:
        thread = Thread(target=censor.serve_forever)
        thread.start()
        stand_in = f"{lambda_arn}=http://127.0.0.1:{censor.server_port}/"
        chime = start("serve", "--port", "0", "--processor", stand_in, "--streams", str(tmp_path))
        url = chime.line().split()[1]  # type: ignore[attr-defined]
        session = boto3.Session(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, region_name="us-east-1")
        identity = session.client("chime-sdk-identity", endpoint_url=url)
        messaging = session.client("chime-sdk-messaging", endpoint_url=url)
        instance = identity.create_app_instance(Name="flows")["AppInstanceArn"]
        alice = identity.create_app_instance_user(AppInstanceArn=instance, AppInstanceUserId="alice", Name="Alice")
        bearer = {"ChimeBearer": alice["AppInstanceUserArn"]}
        messaging.put_messaging_streaming_configurations(
            AppInstanceArn=instance,
            StreamingConfigurations=[{"DataType": "ChannelMessage", "ResourceArn": stream_arn}],
        )
        channel = messaging.create_channel(AppInstanceArn=instance, Name="general", **bearer)["ChannelArn"]
        configuration = {"Lambda": {"ResourceArn": lambda_arn, "InvocationType": "ASYNC"}}
        step = {"Name": "c", "Configuration": configuration, "ExecutionOrder": 1, "FallbackAction": "ABORT"}
        flow = messaging.create_channel_flow(AppInstanceArn=instance, Processors=[step], Name="censor")
        messaging.associate_channel_flow(ChannelArn=channel, ChannelFlowArn=flow["ChannelFlowArn"], **bearer)
        messaging.send_channel_message(
            ChannelArn=channel, Content="a rude word", Type="STANDARD", Persistence="PERSISTENT", **bearer
        )
        invocation = invocations.get(timeout=20)
        message = invocation["ChannelMessage"]
        assert isinstance(message, dict)
        messaging.channel_flow_callback(
            ChannelArn=channel,
            CallbackId=invocation["CallbackId"],
            ChannelMessage={"MessageId": message["MessageId"], "Content": "a **** word"},
        )
        assert chime.interrupt() == 0  # type: ignore[attr-defined]
        censor.shutdown()
        thread.join()
        identity.close()
        messaging.close()
    (stream,) = tmp_path.iterdir()
    (record,) = [json.loads(line) for line in stream.read_text().splitlines()]
    assert (record["EventType"], record["Payload"]["Content"]) == ("CREATE_CHANNEL_MESSAGE", "a **** word")


def test_a_processor_that_is_no_pair_is_said_in_one_line(chime: Run) -> None:
    code, _, err = chime("serve", "--port", "0", "--processor", "nonsense")
    assert code == 2
    assert err.splitlines()[-1] == "chime: processor: 'nonsense' is not ARN=URL with an http or https URL"


def test_meetings_have_media_if_it_is_installed_and_wanted(start: Callable[..., object]) -> None:
    for options, expected in (((), True), (("--no-media",), False)):
        chime = start("serve", "--port", "0", *options)
        url = chime.line().split()[1]  # type: ignore[attr-defined]
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
            has_media = b"chime_media_connections" in answer.read()
        assert has_media == (expected and installed_media() is not None)
        assert chime.interrupt() == 0  # type: ignore[attr-defined]


def test_a_taken_media_port_is_said_in_one_line(chime: Run) -> None:
    if installed_media() is None:
        pytest.skip("media is not installed")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, out, err = chime("serve", "--port", "0", "--media-port", str(port))
    assert (code, out) == (2, "")
    assert "media_port" in err.splitlines()[-1]
    assert f"UDP port {port}" in err.splitlines()[-1]


def test_turn_servers_are_checked(chime: Run) -> None:
    code, _, err = chime("serve", "--port", "0", "--turn", "stun:127.0.0.1")
    assert code == 2
    assert "does not begin with turn:" in err
