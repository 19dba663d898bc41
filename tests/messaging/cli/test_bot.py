"""``chime bot run``."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from chime_messaging.server.local_server import LocalServer
from tests.messaging.cli.conftest import Chime
from tests.messaging.cli.test_chat import Run, at, contents

__all__ = ["at"]

BOT = """
from chime_messaging.bots import Bot

bot = Bot(name="parrot")

@bot.message
async def answer(context):
    return "{word} " + context.text
"""


def general(chime: Run) -> str:
    code, out, err = chime("channel", "create", "general", "--member", "alice", "--member", "parrot")
    assert code == 0, err
    return out.strip()


def until(server: LocalServer, channel: str, count: int) -> list[str]:
    while len(found := contents(server, channel)) < count:
        continue
    return found


@pytest.mark.parametrize("backend", [[], ["--trio"]], ids=["asyncio", "trio"])
def test_bot_of_a_file_answers_until_ctrl_c(
    start: Callable[..., Chime], chime: Run, at: str, server: LocalServer, tmp_path: Path, backend: list[str]
) -> None:
    channel = general(chime)
    file = tmp_path / "parrot.py"
    file.write_text(BOT.format(word="said:"))
    bot = start("bot", "run", str(file), *backend)
    assert bot.line().startswith("ready arn:")
    chime("send", "general", "hello", "--as", "alice")
    assert until(server, channel, 2) == ["hello", "said: hello"]
    assert bot.interrupt() == 0
    assert bot.stderr == []


def test_changed_bot_is_started_again(
    start: Callable[..., Chime], chime: Run, at: str, server: LocalServer, tmp_path: Path
) -> None:
    channel = general(chime)
    file = tmp_path / "parrot.py"
    file.write_text(BOT.format(word="one"))
    bot = start("bot", "run", f"{file}:bot", "--reload", "--state", str(tmp_path / "parrot.db"))
    assert bot.line().startswith("ready arn:")
    chime("send", "general", "a", "--as", "alice")
    assert until(server, channel, 2)[-1] == "one a"
    file.write_text(BOT.format(word="second"))
    assert bot.line().startswith("ready arn:")
    chime("send", "general", "b", "--as", "alice")
    assert until(server, channel, 4) == ["a", "one a", "b", "second b"]
    assert bot.interrupt(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("nowhere.py", "there is no file nowhere.py"),
        ("no_such_module:bot", "there is no module 'no_such_module' here"),
        ("json:bot", "there is no Bot called 'bot' in json"),
    ],
)
def test_what_is_no_bot_is_said_in_one_line(chime: Run, at: str, target: str, problem: str) -> None:
    code, _, err = chime("bot", "run", target)
    assert (code, err) == (2, f"chime: bot: {problem}\n")
