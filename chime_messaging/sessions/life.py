"""How long a session lives: the block that every kind of session is used as.

Entering starts what runs the session and returns when it says that it is ready, or raises why it will not be. From then
on the block is left alone: nothing that happens to the session is raised inside it or at its end. Leaving the block
ends a session that still runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType

import anyio

from chime_messaging.errors import UsageError
from chime_messaging.sessions.wakeup import signals_wake_the_loop


class Life:
    """The block of one session. It calls `ready` when it is established or over, and `over` when it is over.

    Args:
        name: What the session is called in errors and task names.
        run: Runs the session from beginning to end.
        stop: Makes `run` come to its end; returns at once.
        failure: Tells, once it is ready, what entering is to raise; None if the session stands.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        stop: Callable[[], None],
        failure: Callable[[], Exception | None],
    ) -> None:
        self._name = name
        self._run = run
        self._stop = stop
        self._failure = failure
        self._block: AbstractAsyncContextManager[None] | None = None
        self._ready: anyio.Event | None = None
        self._over: anyio.Event | None = None

    async def enter(self) -> None:
        """Start the session and wait until it is ready.

        Raises:
            UsageError: if it was entered before.
        """
        if self._block is not None:
            raise UsageError(f"a {self._name} is entered once; make another one")
        self._block = self._live()
        await self._block.__aenter__()

    async def exit(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        """Stop the session and wait until it has ended.

        Raises:
            UsageError: if it was not entered.
        """
        if self._block is None:
            raise UsageError(f"the {self._name} was not entered")
        return await self._block.__aexit__(kind, error, traceback)

    def ready(self) -> None:
        """Let entering return, or raise."""
        if self._ready is not None:
            self._ready.set()

    def over(self) -> None:
        """Let `wait_over` return, and entering if it still waits."""
        self.ready()
        if self._over is not None:
            self._over.set()

    async def wait_over(self) -> None:
        """Wait until the session is over.

        Raises:
            UsageError: if it was not entered.
        """
        if self._over is None:
            raise UsageError(f"the {self._name} was not entered")
        await self._over.wait()

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[None]:
        self._ready, self._over = ready, _ = anyio.Event(), anyio.Event()
        failure: BaseException | None = None
        async with signals_wake_the_loop(), anyio.create_task_group() as tasks:
            tasks.start_soon(self._until_over, name=self._name)
            try:
                await ready.wait()
                refused = self._failure()
                if refused is not None:
                    raise refused
                yield
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as exc:
                # Carried past the task group, which would wrap it.
                failure = exc
            finally:
                self._stop()
        if failure is not None:
            raise failure

    async def _until_over(self) -> None:
        try:
            await self._run()
        finally:
            self.over()
