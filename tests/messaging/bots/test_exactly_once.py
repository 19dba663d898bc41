"""The whole promise at once, with processes that are ended and killed: the benchmark, scaled down."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_each_message_is_answered_once_and_in_order_over_a_restart_of_the_server_and_a_kill_of_the_bot(
    backend: str,
) -> None:
    scaled = ["--messages", "80", "--rate", "40", "--users", "10", "--channels", "3", "--backend", backend]
    command = [sys.executable, str(ROOT / "tests" / "benchmarks" / "bot.py"), *scaled, "--patience", "30"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "each answered once, in order" in done.stdout
