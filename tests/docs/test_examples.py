"""Every example runs as its first lines say, in a process of its own."""

import ast
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
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
    "data_messages.py": [
        "present: ['Alice', 'Bob']",
        "Bob reads: Pizza at twelve?",
        "Bob: With pleasure.",
        "Carol reads: Pizza at twelve?",
        "pizzas: 5000",
    ],
    "meeting_bot.py": ["Alice is here", "Bot is here", "said it", "Alice speaks"],
    "meeting_recorder.py": ["attendees seen: 2", "about 3 seconds: True", "pictures: True"],
    "moderation_bot.py": [
        "denied: Damn rain!",
        "moderator: Bob, please be kind. That was warning 1.",
        "moderator: You may not do this.",
        "moderator: {'Bob': 1}",
    ],
    "live_cursors.py": [
        "Bob's cursor: {'name': 'Bob', 'x': 1000, 'y': 0}",
        "fewer messages than moves: True",
        "Bob is gone: {}",
    ],
    "poll.py": [f"{name} counts: {{'pizza': 2, 'salad': 1}}" for name in ("Alice", "Bob", "Carol")],
    "whiteboard.py": [
        "################",
        "...#............",
        "......#.........",
        ".........#......",
        "################",
        "the same board: True",
    ],
    "virtual_time.py": ["back after 60 minutes"],
    "outage.py": [
        "message: before the outage",
        "connection lost: code 1006",
        "connected again",
        "message: during the outage (recovered)",
        "complete: 1 message fetched",
    ],
}
WITH_ARGUMENTS = {"echo_bot.py", "listen.py", "serve_with_flow.py", "streaming_bot.py", "trivia_bot.py"}


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
    [
        ("chat.py", []),
        ("chat.py", ["trio"]),
        ("data_messages.py", []),
        ("data_messages.py", ["trio"]),
        ("meeting_bot.py", []),
        ("meeting_recorder.py", []),
        ("live_cursors.py", []),
        ("live_cursors.py", ["trio"]),
        ("poll.py", []),
        ("poll.py", ["trio"]),
        ("whiteboard.py", []),
        ("whiteboard.py", ["trio"]),
        ("moderation_bot.py", []),
        ("outage.py", []),
        ("virtual_time.py", []),
    ],
    ids=[
        "chat",
        "chat-trio",
        "data-messages",
        "data-messages-trio",
        "meeting-bot",
        "meeting-recorder",
        "live-cursors",
        "live-cursors-trio",
        "poll",
        "poll-trio",
        "whiteboard",
        "whiteboard-trio",
        "moderation-bot",
        "outage",
        "virtual-time",
    ],
)
def test_example_tells_its_story(name: str, arguments: list[str]) -> None:
    done = run(str(EXAMPLES / name), *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Traceback") == 0
    lines = done.stdout.splitlines()
    story = [line for line in lines if line in WITHOUT_ARGUMENTS[name]]
    assert sorted(story) == sorted(WITHOUT_ARGUMENTS[name]), done.stdout


class Chat:
    """Alice and another user in a channel of a local server."""

    def __init__(self, server: LocalServer, other: str) -> None:
        self.server = server
        self.messaging: Any = server.client("chime-sdk-messaging")
        identity: Any = server.client("chime-sdk-identity")
        app = identity.create_app_instance(Name="examples")["AppInstanceArn"]
        self.alice, self.other = (
            identity.create_app_instance_user(AppInstanceArn=app, AppInstanceUserId=name, Name=name)[
                "AppInstanceUserArn"
            ]
            for name in ("alice", other)
        )
        channel = self.messaging.create_channel(
            AppInstanceArn=app, Name="general", ChimeBearer=self.alice, MemberArns=[self.other]
        )
        self.place = {"ChannelArn": channel["ChannelArn"], "ChimeBearer": self.alice}

    def send(self, content: str) -> None:
        self.messaging.send_channel_message(Content=content, Type="STANDARD", Persistence="PERSISTENT", **self.place)

    def contents(self) -> list[str]:
        listed = self.messaging.list_channel_messages(SortOrder="ASCENDING", **self.place)
        return [message["Content"] for message in listed["ChannelMessages"]]

    def nth(self, number: int) -> str:
        """Wait for the message with this number, from 0."""
        while len(contents := self.contents()) <= number:
            continue
        return contents[number]

    @contextmanager
    def running(self, example: str) -> Iterator["subprocess.Popen[str]"]:
        """Run an example as the other user, until it listens."""
        with self.running_command("listening", str(EXAMPLES / example), self.other) as process:
            yield process

    @contextmanager
    def running_bot(self, example: str, *options: str) -> Iterator["subprocess.Popen[str]"]:
        """Run the bot of an example, until it is connected."""
        command = ["-m", "chime_messaging.cli.main", "bot", "run", str(EXAMPLES / example), "--as", self.other]
        with self.running_command("ready", *command, *options) as process:
            yield process

    @contextmanager
    def running_command(self, first: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Run Python until it prints a line that begins so."""
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *arguments],
            cwd=ROOT,
            env=os.environ | self.server.environment | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(first)
            yield process
        finally:
            process.kill()
            process.communicate()


def test_echo_bot_answers_until_ctrl_c(server: LocalServer) -> None:
    chat = Chat(server, "echo")
    with chat.running("echo_bot.py") as bot:
        chat.send("hi")
        while len(contents := chat.contents()) < 2:
            continue
        assert contents == ["hi", "alice said: hi"]
        bot.send_signal(signal.SIGINT)
        out, err = bot.communicate(timeout=20)
        assert (bot.returncode, out) == (0, "good bye\n"), err


def test_listener_prints_two_messages(server: LocalServer) -> None:
    chat = Chat(server, "bob")
    with chat.running("listen.py") as listener:
        chat.send("one")
        chat.send("two")
        out, err = listener.communicate(timeout=20)
        assert (listener.returncode, out) == (0, "alice: one\nalice: two\n"), err


def test_trivia_bot_remembers_the_score_over_a_restart(server: LocalServer, tmp_path: Path) -> None:
    chat = Chat(server, "trivia")
    questions = runpy.run_path(str(EXAMPLES / "trivia_bot.py"))["QUESTIONS"]
    state = ["--state", str(tmp_path / "trivia.db")]
    with chat.running_bot("trivia_bot.py", *state):
        chat.send("/quiz")
        question = chat.nth(1)
    chat.send(questions[question].upper())
    with chat.running_bot("trivia_bot.py", *state):
        assert chat.nth(3) == f"{questions[question]}! alice has 1."
        chat.send("/score")
        assert chat.nth(5) == "alice: 1"


def test_streaming_bot_shows_its_answer_as_it_grows(server: LocalServer) -> None:
    chat = Chat(server, "oracle")
    with chat.running_bot("streaming_bot.py"):
        chat.send("@oracle why?")
        seen = [chat.nth(1)]
        while not seen[-1].endswith("forty-two. "):
            if (now := chat.nth(1)) != seen[-1]:
                seen.append(now)
    assert len(seen) > 1
    assert all(later.startswith(earlier) for earlier, later in pairwise(seen))
    assert seen[-1].startswith("You ask: why?")
    assert len(chat.contents()) == 2
