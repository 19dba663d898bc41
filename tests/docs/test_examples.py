"""Every example runs as its first lines say, in a process of its own."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chime_messaging.server.local_server import LocalServer

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

WITHOUT_ARGUMENTS = {
    "chat.py": [
        "members: ['Alice', 'Bob']",
        "unread: True",
        "edited: Pizza at twelve?",
        "  Bob: With pleasure.",
        "unread: False",
    ],
    "outage.py": [
        "message: before the outage",
        "connection lost: code 1006",
        "connected again",
        "message: during the outage (recovered)",
        "complete: 1 message fetched",
    ],
}
WITH_ARGUMENTS = {"echo_bot.py"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=40, check=False)


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == WITHOUT_ARGUMENTS.keys() | WITH_ARGUMENTS


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_every_example_says_how_it_is_run(path: Path) -> None:
    assert f"python examples/{path.name}" in (ast.get_docstring(ast.parse(path.read_text())) or "")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("chat.py", []), ("chat.py", ["trio"]), ("outage.py", [])],
    ids=["chat", "chat-trio", "outage"],
)
def test_example_tells_its_story(name: str, arguments: list[str]) -> None:
    done = run(str(EXAMPLES / name), *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Traceback") == 0
    lines = done.stdout.splitlines()
    story = [line for line in lines if line in WITHOUT_ARGUMENTS[name]]
    assert sorted(story) == sorted(WITHOUT_ARGUMENTS[name]), done.stdout


def test_echo_bot_answers_until_ctrl_c(server: LocalServer) -> None:
    messaging: Any = server.client("chime-sdk-messaging")
    identity: Any = server.client("chime-sdk-identity")
    app = identity.create_app_instance(Name="bots")["AppInstanceArn"]
    alice, bot = (
        identity.create_app_instance_user(AppInstanceArn=app, AppInstanceUserId=name, Name=name)["AppInstanceUserArn"]
        for name in ("alice", "echo")
    )
    channel = messaging.create_channel(AppInstanceArn=app, Name="general", ChimeBearer=alice, MemberArns=[bot])
    place = {"ChannelArn": channel["ChannelArn"], "ChimeBearer": alice}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLES / "echo_bot.py"), bot],
        cwd=ROOT,
        env=os.environ | server.environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        messaging.send_channel_message(Content="hi", Type="STANDARD", Persistence="PERSISTENT", **place)
        contents: list[str] = []
        while len(contents) < 2:
            listed = messaging.list_channel_messages(SortOrder="ASCENDING", **place)
            contents = [message["Content"] for message in listed["ChannelMessages"]]
        assert contents == ["hi", "alice said: hi"]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "good bye\n"), err
    finally:
        process.kill()
        process.communicate()
