import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

import anyio
import pytest

from chime_messaging.aws import threads
from chime_messaging.aws.threads import run_in_thread

pytestmark = pytest.mark.anyio


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_result_and_arguments_pass_through() -> None:
    assert await run_in_thread(partial(divmod, 17, 5)) == (3, 2)


async def test_exception_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(partial(divmod, 1, 0))


async def test_none_is_a_result_too() -> None:
    nothing: Callable[[], object] = lambda: None  # noqa: E731 - mypy knows of lambdas that they return nothing
    assert await run_in_thread(nothing) is None


async def test_event_loop_goes_on_meanwhile(gate: threading.Event) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_in_thread, partial(gate.wait, 20))
        await anyio.lowlevel.checkpoint()
        gate.set()


async def test_deadline_frees_the_caller_at_once(gate: threading.Event) -> None:
    with pytest.raises(TimeoutError):
        await run_in_thread(partial(gate.wait, 20), timeout=0.01)


async def test_thread_left_behind_keeps_its_place_until_it_ends(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "MAX_THREADS", 2)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await run_in_thread(partial(gate.wait, 20), timeout=0.01)
    ran = threading.Event()
    with pytest.raises(TimeoutError):
        await run_in_thread(ran.set, timeout=0.01)
    assert not ran.is_set()
    gate.set()
    await run_in_thread(ran.set, timeout=10)
    assert ran.is_set()


async def test_many_cancelled_calls_leave_no_place_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MAX_THREADS", 3)
    for turn in range(60):
        with anyio.move_on_after(0 if turn % 2 else 0.001):
            async with anyio.create_task_group() as tasks:
                for _ in range(6):
                    tasks.start_soon(run_in_thread, partial(threading.Event().wait, 0.001))
    async with anyio.create_task_group() as tasks:
        for _ in range(9):
            tasks.start_soon(partial(run_in_thread, threading.get_ident, timeout=10))


ABANDONED = """
import sys
import threading
from collections import deque
import anyio
from chime_messaging.aws.threads import run_in_thread

async def main():
    with anyio.move_on_after(0.01):
        await run_in_thread(threading.Event().wait)

anyio.run(main, backend=sys.argv[1])
print("good bye")
"""


def test_a_call_that_never_returns_does_not_keep_the_program_from_ending(anyio_backend: str) -> None:
    command = [sys.executable, "-W", "error", "-c", ABANDONED, anyio_backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "good bye\n", "")


async def test_calls_after_each_other_share_a_thread() -> None:
    # The thread is free a moment after its caller goes on, so a few may take turns.
    seen = {await run_in_thread(threading.get_ident) for _ in range(100)}
    assert len(seen) < 20


async def test_calls_at_the_same_time_have_a_thread_each() -> None:
    meeting = threading.Barrier(8, timeout=20)
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(run_in_thread, meeting.wait)


async def test_idle_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "IDLE", 0.01)
    monkeypatch.setattr(threads, "_idle", deque())
    thread = await run_in_thread(threading.current_thread)
    await anyio.to_thread.run_sync(thread.join, 20)
    assert not thread.is_alive()
    assert await run_in_thread(lambda: 1) == 1
