"""Fetching what was missed while a session was away, and telling it in order: the IO around `protocol.resume`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import anyio
import msgspec

from chime_messaging.errors import ChimeError, DecodeError
from chime_messaging.observers.hub import BATCH, EventHub
from chime_messaging.protocol.reconnect import Backoff, is_retryable
from chime_messaging.protocol.resume import Listing, Resume
from chime_messaging.sessions.service import SessionService

LISTINGS_AT_A_TIME = 4
"""Channels listed at the same time after a reconnect."""

LISTING_TRIES = 4
"""Tries of a listing that fails for a reason that may pass; each has the control plane's own retries."""

T = TypeVar("T")

logger = logging.getLogger("chime_messaging.sessions")


class CatchUp:
    """One catch-up. It ends with the connection it belongs to; the next one starts again where this one came to.

    Args:
        resume: What was told and what is held back.
        service: What asks the control plane.
        hub: Where events are told.
        backoff: How long to wait before a listing that failed is tried again.
        rng: Gives numbers in [0, 1) for those waits.
    """

    def __init__(
        self, resume: Resume, service: SessionService, hub: EventHub, backoff: Backoff, rng: Callable[[], float]
    ) -> None:
        self._resume = resume
        self._service = service
        self._hub = hub
        self._backoff = backoff
        self._rng = rng

    async def run(self, connection: anyio.CancelScope) -> None:
        """Fetch what was missed, tell it, then tell `Recovered` unless there was a gap."""
        activities = await self._try(self._service.activities)
        if connection.cancel_called:
            return
        if isinstance(activities, ChimeError):
            await self._hub.deliver(self._resume.plan_failed(str(activities)))
        else:
            listings = iter(self._resume.plan(activities))
            await self._drain()
            async with anyio.create_task_group() as tasks:
                for _ in range(LISTINGS_AT_A_TIME):
                    tasks.start_soon(self._list, listings, connection)
        await self._drain()
        await self._hub.deliver(self._resume.complete())

    async def _list(self, listings: Iterator[Listing], connection: anyio.CancelScope) -> None:
        resume = self._resume
        for listing in listings:
            token: str | None = None
            while resume.is_wanted(listing):
                page = await self._try(self._service.messages, listing, token)
                if connection.cancel_called:
                    return
                if isinstance(page, ChimeError):
                    await self._hub.deliver(resume.fail(listing, str(page)))
                    break
                token = page.next_token
                await self._hub.deliver(resume.fetched(listing, page.messages, has_more=token is not None))
                if token is None:
                    resume.finish(listing)
            await self._drain()

    async def _drain(self) -> None:
        """Tell what was held back in channels that are complete."""
        while True:
            # Room first: an event that has been drained must be told before the live ones that now pass it.
            events = self._resume.drain(await self._hub.room(BATCH))
            if not events:
                return
            self._hub.emit_all(events)

    async def _try(self, call: Callable[..., Awaitable[T]], *args: object) -> T | ChimeError:
        """Call; once more after a wait while the error says that this may help. Returns the error in the end."""
        tries = 0
        while True:
            try:
                return await call(*args)
            except msgspec.ValidationError as exc:
                logger.warning("Catching up: %s", exc)
                return DecodeError(str(exc))
            except ChimeError as exc:
                tries += 1
                if tries >= LISTING_TRIES or not is_retryable(exc):
                    logger.warning("Catching up: %s", exc)
                    return exc
            await anyio.sleep(self._backoff.delay(tries - 1, self._rng()))
