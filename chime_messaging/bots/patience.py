"""Trying again, for as long as it takes: throttling, a server that restarts, a network that is away."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from chime_messaging.errors import ChimeError, ThrottledError
from chime_messaging.protocol.reconnect import Backoff, is_retryable

T = TypeVar("T")

logger = logging.getLogger("chime_messaging.bots")


class Patience:
    """How long and how often the calls of one bot are tried again.

    When the service throttles one call, the others wait, too: more tries would only use up more of what is allowed.

    Args:
        limit: Seconds after which a call is given up.
        backoff: The waits between tries.
        rng: Gives numbers in [0, 1).
    """

    def __init__(
        self,
        limit: float = 300.0,
        backoff: Backoff | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._limit = limit
        self._backoff = backoff or Backoff(short=0.25, long=5.0)
        self._rng = rng
        self._throttled = 0
        self._open_at = 0.0
        self.tries_again = 0
        """Calls that were repeated."""

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Call until it succeeds, fails for good, or the time is over; then raise the last error."""
        give_up = anyio.current_time() + self._limit
        tries = 0
        while True:
            if anyio.current_time() < self._open_at:
                await anyio.sleep_until(self._open_at)
            try:
                result = await work()
            except ChimeError as exc:
                wait = self._backoff.delay(tries, self._rng())
                tries += 1
                if not is_retryable(exc) or anyio.current_time() + wait > give_up:
                    raise
                self.tries_again += 1
                logger.warning("Trying again in %.2f s: %s", wait, exc)
                if isinstance(exc, ThrottledError):
                    self.throttled()
                await anyio.sleep(wait)
            else:
                self._throttled = 0
                return result

    def throttled(self) -> None:
        """Say that the service refused a call for its rate: the next ones wait."""
        wait = self._backoff.delay(self._throttled, self._rng())
        self._throttled += 1
        self._open_at = max(self._open_at, anyio.current_time() + wait)
