"""``chime`` as a process and inside this one."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

from chime_messaging.cli.main import main

ROOT = Path(__file__).parents[3]
PATIENCE = 30.0
"""Seconds to wait for something that should take one."""


class Chime:
    """A running ``chime`` whose lines are read as they come."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], stdin: bool) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chime_messaging.cli.main", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.queue: Queue[str | None] = Queue()
        self.stderr: list[str] = []
        self.threads = [Thread(target=self._read), Thread(target=self._read_errors)]
        for thread in self.threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.queue.put(line.rstrip("\n"))
        self.queue.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.stderr.extend(self.process.stderr)

    def line(self) -> str:
        try:
            line = self.queue.get(timeout=PATIENCE)
        except Empty:
            raise AssertionError(f"no line within {PATIENCE} s; stderr: {''.join(self.stderr)}") from None
        assert line is not None, f"output ended; stderr: {''.join(self.stderr)}"
        return line

    def until(self, text: str) -> str:
        while text not in (line := self.line()):
            continue
        return line

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for thread in self.threads:
            thread.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment without AWS settings, for this process and those it starts."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "CHIME_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    return dict(os.environ)


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Chime]]:
    """Start ``chime`` as a process; what still runs at the end of the test is killed."""
    running: list[Chime] = []

    def begin(*arguments: str, stdin: bool = False) -> Chime:
        running.append(Chime(arguments, environment, stdin))
        return running[-1]

    yield begin
    for chime in running:
        chime.close()


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """``chime`` sets logging up for a process of its own; other tests must not see that."""
    loggers = [logging.getLogger(name) for name in (None, "chime_messaging", "uvicorn")]
    before = [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


@pytest.fixture
def chime(
    environment: dict[str, str], logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run ``chime`` inside this process; gives the exit code, what went to stdout, and what to stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run
