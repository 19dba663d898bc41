"""The contract of transports as a test: `await check_transport(make_pair)`.

Write a transport of your own, hand in how to make two connected ends, and it is put through what sessions rely on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import anyio
from anyio.lowlevel import checkpoint

from chime_messaging.errors import ChimeError, ConnectionClosed
from chime_messaging.transport.base import MAX_FRAMES, Transport

Pair = tuple[Transport, Transport]
MakePair = Callable[[], AbstractAsyncContextManager[Pair]]
"""Opens a connection: on entry the end under test and its peer, on exit both are closed."""

_TURNS = 40


class TransportContractError(AssertionError):
    """A transport does not keep a promise."""


async def check_transport(make_pair: MakePair, *, patience: float = 10.0) -> None:
    """Put a transport through the contract of `Transport`.

    Args:
        make_pair: opens a fresh connection for each promise.
        patience: seconds that each may take.

    Raises:
        TransportContractError: naming the first promise that is not kept.
    """
    for promise in PROMISES:
        try:
            with anyio.fail_after(patience):
                async with make_pair() as (ours, theirs):
                    await promise(ours, theirs)
        except TimeoutError as exc:
            raise TransportContractError(f"{_title(promise)}: not within {patience:g} s") from exc
        except (AssertionError, ChimeError, ExceptionGroup) as exc:
            raise TransportContractError(f"{_title(promise)}: {_first(exc)}") from exc


async def delivers_in_order(ours: Transport, theirs: Transport) -> None:
    """Frames arrive in the order in which they were sent, text as str and binary as bytes."""
    sent: list[str | bytes] = ["one", b"\x00\xff", "", b"", "zwölf 🚀", "x" * 125, "y" * 126, "z" * 70_000]
    for frame in sent:
        await theirs.send(frame)
    _same(await receive_frames(ours, len(sent)), sent)
    for frame in sent:
        await ours.send(frame)
    _same(await receive_frames(theirs, len(sent)), sent)


async def returns_bounded_batches(ours: Transport, theirs: Transport) -> None:
    """One receive returns at least one frame and at most MAX_FRAMES."""
    count = 3 * MAX_FRAMES
    received: list[str | bytes] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_send_all, theirs, [str(number) for number in range(count)])
        await anyio.wait_all_tasks_blocked()
        while len(received) < count:
            batch = await ours.receive()
            _check(1 <= len(batch) <= MAX_FRAMES, f"a batch of {len(batch)} frames")
            received.extend(batch)
    _same(received, [str(number) for number in range(count)])


async def loses_nothing_when_cancelled(ours: Transport, theirs: Transport) -> None:
    """A cancelled receive loses no frame, and puts none in another place."""
    received: list[str | bytes] = []

    async def take() -> None:
        received.extend(await ours.receive())

    for number in range(_TURNS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            for _ in range(number % 4):
                await checkpoint()
            await theirs.send(str(number))
            # The cancellation meets the receive before, while and after the frame arrives.
            for _ in range(number % 5):
                await checkpoint()
            tasks.cancel_scope.cancel()
    while len(received) < _TURNS:
        await take()
    _same(received, [str(number) for number in range(_TURNS)])


async def keeps_frames_of_many_senders_apart(ours: Transport, theirs: Transport) -> None:
    """Any number of tasks may send; each frame arrives whole."""
    sent = [letter * 5_000 for letter in "abcdefgh"]
    async with anyio.create_task_group() as tasks:
        for frame in sent:
            tasks.start_soon(ours.send, frame)
        received = await receive_frames(theirs, len(sent))
    _same(sorted(map(str, received)), sent)


async def tells_how_the_peer_closed(ours: Transport, theirs: Transport) -> None:
    """Frames sent before the close come first, then ConnectionClosed with the peer's code and reason, every time."""
    await theirs.send("last words")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(theirs.aclose, 4003, "put out")
        await anyio.wait_all_tasks_blocked()
        _same(await receive_frames(ours, 1), ["last words"])
        for _ in range(2):
            closed = await closing(ours.receive)
            _same((closed.code, closed.reason, closed.initiated_by), (4003, "put out", "peer"))
    _same((await closing(lambda: ours.send("late"))).code, 4003)


async def tells_a_close_without_a_code(ours: Transport, theirs: Transport) -> None:
    """aclose(1005) closes without a code, and 1005 is what the other side sees."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(theirs.aclose, 1005)
        closed = await closing(ours.receive)
    _same((closed.code, closed.reason, closed.initiated_by), (1005, "", "peer"))


async def closing_ends_a_waiting_receive(ours: Transport, theirs: Transport) -> None:
    """A receive that waits in another task raises ConnectionClosed, initiated by us; the peer sees code and reason."""
    seen: list[ConnectionClosed] = []

    async def wait() -> None:
        seen.append(await closing(ours.receive))

    async def answer() -> None:
        seen.append(await closing(theirs.receive))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(answer)
        await checkpoint()
        await ours.aclose(4321, "enough")
    outcomes = sorted((closed.initiated_by, closed.code, closed.reason) for closed in seen)
    _same(outcomes, [("peer", 4321, "enough"), ("us", 4321, "enough")])


async def closing_twice_is_harmless(ours: Transport, theirs: Transport) -> None:
    """The second aclose does nothing, and the first one counts."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(closing, theirs.receive)
        await ours.aclose(1000, "first")
        await ours.aclose(1001, "second")
    closed = await closing(ours.receive)
    _same((closed.code, closed.initiated_by), (1000, "us"))
    _same((await closing(lambda: ours.send("late"))).initiated_by, "us")


async def closes_even_when_cancelled(ours: Transport, theirs: Transport) -> None:
    """A cancelled aclose has closed the connection all the same."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await ours.aclose()
    _same((await closing(ours.receive)).initiated_by, "us")
    await closing(theirs.receive)


async def sending_waits_for_a_slow_reader(ours: Transport, theirs: Transport) -> None:
    """What is under way is bounded: a peer that does not read makes send wait, and loses nothing."""
    frame = "x" * 65_536
    sent = 0
    while sent < 4_096:
        # For each frame, as a busy machine needs time for all of them also where none has to wait.
        with anyio.move_on_after(0.2) as waiting:
            await theirs.send(frame)
        if waiting.cancelled_caught:
            break
        sent += 1
    _check(sent < 4_096, "256 MB were taken and nobody read")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(theirs.aclose)
        received = 0
        try:
            while True:
                received += len(await ours.receive())
        except ConnectionClosed:
            pass
    _check(received in (sent, sent + 1), f"{received} of {sent} frames arrived")


PROMISES: tuple[Callable[[Transport, Transport], Awaitable[None]], ...] = (
    delivers_in_order,
    returns_bounded_batches,
    loses_nothing_when_cancelled,
    keeps_frames_of_many_senders_apart,
    tells_how_the_peer_closed,
    tells_a_close_without_a_code,
    closing_ends_a_waiting_receive,
    closing_twice_is_harmless,
    closes_even_when_cancelled,
    sending_waits_for_a_slow_reader,
)
"""What is checked, in this order."""


async def receive_frames(transport: Transport, count: int) -> list[str | bytes]:
    """Receive until at least that many frames are there."""
    frames: list[str | bytes] = []
    while len(frames) < count:
        frames.extend(await transport.receive())
    return frames


async def closing(call: Callable[[], Awaitable[object]]) -> ConnectionClosed:
    """Await a call that must find the connection closed; return how it was."""
    try:
        value = await call()
    except ConnectionClosed as closed:
        return closed
    raise AssertionError(f"ConnectionClosed expected, got {value!r:.80}")


async def _send_all(transport: Transport, frames: list[str]) -> None:
    for frame in frames:
        await transport.send(frame)


def _check(condition: bool, problem: str) -> None:
    if not condition:
        raise AssertionError(problem)


def _same(got: object, expected: object) -> None:
    _check(got == expected, f"expected {expected!r:.200}, got {got!r:.200}")


def _title(promise: Callable[..., object]) -> str:
    return getattr(promise, "__name__", "promise").replace("_", " ")


def _first(error: Exception) -> Exception:
    """What went wrong, without the task groups around it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
