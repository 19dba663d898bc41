"""What the README and the first pages tell to type is typed, into a real shell, in their order."""

import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, Block, blocks

PRELUDE = """
# Reads what the programs in the background say until they have said it.
heard() {
  while IFS= read -r -t 40 line <&3; do
    printf '%s\\n' "$line"
    case $line in *"$1"*) return ;; esac
  done
  echo "not heard: $1" >&2
  exit 1
}
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
"""

CHIME = """#!/bin/bash
case $1 in serve|env) set -- "$@" --port {port} ;; esac
exec {python} -m chime_messaging.cli.main "$@"
"""
"""The server's port is chosen by the test; everything else is as a reader would type it."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Run a script in bash, in a folder of its own; gives what it printed."""
    running: list[subprocess.Popen[str]] = []
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "chime").write_text(CHIME.format(port=free_port(), python=sys.executable))
    (programs / "python").write_text(f'#!/bin/bash\nexec {sys.executable} "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CHIME_"))}
    environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "listen.py").symlink_to(ROOT / "examples" / "listen.py")
    os.mkfifo(tmp_path / "said")

    def run(script: str) -> str:
        process = subprocess.Popen(
            ["bash", "-euc", PRELUDE + script],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        try:
            out, _ = process.communicate(timeout=50)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(process.communicate()[0]) from None
        assert process.returncode == 0, out
        return out

    yield run
    for process in running:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def said(code: str) -> str:
    """Have programs in the background write where `heard` reads."""
    return "\n".join(line.replace(" &", " >&3 &", 1) if " &" in line else line for line in code.splitlines())


def script(page: Path, *hears: str) -> str:
    """Join the blocks of a page; after each, wait for what shows that it is done (empty for nothing)."""
    found = [block.code for block in blocks(page, "bash")]
    assert len(found) == len(hears)
    parts = ["exec 3<>said"]
    for code, hear in zip(found, hears, strict=True):
        parts.append(said(code))
        parts += [f"heard {hear!r}"] if hear else []
    return "\n".join(parts)


def test_the_first_session(shell: Callable[[str], str]) -> None:
    page = DOCS / "start" / "first_session.md"
    out = shell(script(page, "ready", "", "", "", "listening", "bob: Are you there?"))
    assert "bob: Hello Alice!" in out
    assert ":app-instance/" in out


def test_the_first_bot(shell: Callable[[str], str]) -> None:
    session = 'exec 3<>said\nchime serve >&3 &\nheard ready\neval "$(chime env)"\n'
    (code,) = (block.code for block in blocks(DOCS / "start" / "first_bot.md", "bash"))
    before, after = code.split("chime send")
    tail = "chime tail alice >&3 2>&3 &\nheard 'connected as'\n"
    out = shell(session + said(before) + "\nheard listening\n" + tail + "chime send" + after + "\nheard 'alice said'\n")
    assert "alice said: is anybody there?" in out


def test_the_bot_of_the_readme(shell: Callable[[str], str], tmp_path: Path) -> None:
    readme = ROOT / "README.md"
    (sample,) = blocks(readme, "python")
    (tmp_path / "bot.py").write_text(sample.code)
    serve, use = (
        block.code for block in blocks(readme, "bash") if "chime serve" in block.code or "bot.py" in block.code
    )
    server, *rest = serve.splitlines()
    bot, create, send, tail = use.splitlines()
    out = shell(
        f"exec 3<>said\n{said(server)}\nheard ready\n"
        + "\n".join(rest)
        + "\n"
        # The bot says nothing when it is connected, so alice goes on until it answers.
        + f"{create}\n{said(bot)}\n{tail.partition('#')[0]} >&3 2>&3 &\nheard 'connected as'\n"
        + f"(while {send} >/dev/null; do :; done) &\nheard 'You said: hello'\n"
    )
    assert "You said: hello" in out


SERVERS = [
    block
    for page in sorted((DOCS / "guides").glob("*.md"))
    for block in blocks(page, "bash")
    if "chime serve" in block.code and len(block.code.splitlines()) == 1
]


@pytest.mark.parametrize("block", SERVERS, ids=str)
def test_servers_of_the_guides_start(block: Block, shell: Callable[[str], str]) -> None:
    (command,) = block.code.splitlines()
    assert "ready http" in shell(f"exec 3<>said\n{command} >&3 &\nheard ready\n")


def test_data_messages_from_a_shell(shell: Callable[[str], str]) -> None:
    page = DOCS / "guides" / "data_messages.md"
    (code,) = (block.code for block in blocks(page, "bash") if "chime serve" in block.code)
    server, variables, sub, pub = code.splitlines()
    out = shell(
        f"exec 3<>said\n{said(server)}\nheard ready\n{variables}\n{said(sub)}\n"
        # A subscriber says nothing when it has joined, so the other goes on until it is heard.
        f"(while {pub} >/dev/null; do :; done) &\nheard 'good morning'\n"
    )
    assert "good morning" in out


def test_install_names_every_extra() -> None:
    text = (DOCS / "start" / "install.md").read_text()

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    ready = {"server", "cli", "trio", "test", "all"}
    assert ready <= extras.keys()
    for extra in ready:
        assert f"| `{extra}` |" in text
