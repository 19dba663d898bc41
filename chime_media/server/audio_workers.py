"""Threads that share the heavy part of a big tick, so that the loop goes on forwarding meanwhile."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

Job = Callable[[], None]

_MOST_THREADS: Final = 4
_log = logging.getLogger(__name__)


class AudioWorkers:
    """A few threads. They are started when they are first needed.

    Args:
        threads: How many; by default one per core, four at most.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or min(os.cpu_count() or 1, _MOST_THREADS)
        self._pool: ThreadPoolExecutor | None = None

    @property
    def started(self) -> bool:
        """Whether there are threads."""
        return self._pool is not None

    def run(self, jobs: Sequence[Job], done: Callable[[], None]) -> None:
        """Run jobs, which do not depend on each other, in as many parts as there are threads.

        Args:
            jobs: Each encodes or decodes 20 ms. One that raises is logged, and the others are run all the same.
            done: Called on the running loop when all have run.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, "audio")
        loop = asyncio.get_running_loop()
        parts = [jobs[start :: self.threads] for start in range(min(self.threads, len(jobs)))]
        waiting = len(parts)

        def part_done() -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                done()

        def work(part: Sequence[Job]) -> None:
            for job in part:
                try:
                    job()
                except Exception:
                    _log.exception("a part of a meeting's audio failed")
            if not loop.is_closed():
                loop.call_soon_threadsafe(part_done)

        for part in parts:
            self._pool.submit(work, part)

    def close(self) -> None:
        """End the threads when they have finished what they do."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None
