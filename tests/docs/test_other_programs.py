"""The examples beside the library's own clients: the official ones in Node, and a server of one's own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from chime_messaging.server import LocalServer, ServerConfiguration
from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_REGION, LOCAL_SECRET_KEY
from tests.docs.pages import ROOT

EXAMPLES = ROOT / "examples"
MODULES = ROOT / "tests" / "interop" / "js" / "node_modules"


class Place:
    """Alice and Bob in a channel, over two boto3 clients."""

    def __init__(self, messaging: Any, identity: Any) -> None:
        self.messaging = messaging
        self.app = identity.create_app_instance(Name="examples")["AppInstanceArn"]
        self.alice, self.bob = (
            identity.create_app_instance_user(AppInstanceArn=self.app, AppInstanceUserId=name, Name=name)[
                "AppInstanceUserArn"
            ]
            for name in ("alice", "bob")
        )
        channel = messaging.create_channel(
            AppInstanceArn=self.app, Name="general", ChimeBearer=self.alice, MemberArns=[self.bob]
        )
        self.channel = {"ChannelArn": channel["ChannelArn"], "ChimeBearer": self.alice}

    def send(self, content: str) -> str:
        sent = self.messaging.send_channel_message(
            Content=content, Type="STANDARD", Persistence="PERSISTENT", **self.channel
        )
        return str(sent["Status"]["Value"])

    def statuses(self) -> dict[str, str]:
        listed = self.messaging.list_channel_messages(**self.channel)
        return {message["Content"]: message["Status"]["Value"] for message in listed["ChannelMessages"]}


@contextmanager
def started(command: list[str], folder: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program until the end of the block at the latest."""
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


@pytest.mark.interop
def test_listener_with_the_official_clients_prints_two_messages(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not MODULES.is_dir():
        advice = "install Node.js 20 or newer, then: cd tests/interop/js && npm ci"
        assert os.environ.get("CHIME_INTEROP") != "required", advice
        pytest.skip(advice)
    shutil.copy(EXAMPLES / "listen.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)
    with LocalServer(ServerConfiguration(port=0, tls=True, quotas=False)) as server:
        place = Place(server.client("chime-sdk-messaging"), server.client("chime-sdk-identity"))
        with started([node, "listen.mjs", place.bob], tmp_path, **server.environment) as process:
            assert line(process) == "listening"
            place.send("one")
            place.send("two")
            out, err = process.communicate(timeout=20)
            assert (process.returncode, out) == (0, "alice: one\nalice: two\n"), err


def test_server_of_ones_own_asks_the_processor_and_writes_what_it_streams(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    run_it = f"import serve_with_flow; serve_with_flow.main({port})"
    paths = os.pathsep.join([str(EXAMPLES), str(ROOT)])
    with started([sys.executable, "-W", "error", "-c", run_it], tmp_path, PYTHONPATH=paths) as process:
        assert line(process) == f"ready http://127.0.0.1:{port}"
        with closing(client(port, "messaging")) as messaging, closing(client(port, "identity")) as identity:
            place = Place(messaging, identity)
            configure(place)
            assert [place.send("the weather"), place.send("a secret")] == ["PENDING", "PENDING"]
            while place.statuses() != {"the weather": "SENT"}:
                continue
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
    (record,) = (tmp_path / "records" / "chime-messaging-audit.jsonl").read_text().splitlines()
    assert json.loads(record)["Payload"]["Content"] == "the weather"
    assert (tmp_path / "chime.db").exists()


def client(port: int, service: str) -> Any:
    session = boto3.Session(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, region_name=LOCAL_REGION)
    return session.client(f"chime-sdk-{service}", endpoint_url=f"http://127.0.0.1:{port}")


def configure(place: Place) -> None:
    """Send the channel's messages through the example's processor, and into a stream."""
    function = {"ResourceArn": "arn:aws:lambda:us-east-1:123456789012:function:moderate", "InvocationType": "ASYNC"}
    processor = {"Name": "m", "Configuration": {"Lambda": function}, "ExecutionOrder": 1, "FallbackAction": "ABORT"}
    flow = place.messaging.create_channel_flow(AppInstanceArn=place.app, Name="m", Processors=[processor])
    place.messaging.associate_channel_flow(ChannelFlowArn=flow["ChannelFlowArn"], **place.channel)
    stream = "arn:aws:kinesis:us-east-1:123456789012:stream/chime-messaging-audit"
    place.messaging.put_messaging_streaming_configurations(
        AppInstanceArn=place.app, StreamingConfigurations=[{"DataType": "ChannelMessage", "ResourceArn": stream}]
    )
