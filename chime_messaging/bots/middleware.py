"""What stands around handlers: limits, permissions, error replies. One's own is any function of this form.

    async def timed(context: Context, call_next: Next) -> None:
        started = time.perf_counter()
        await call_next()
        print(context.text, time.perf_counter() - started)

    bot.use(timed)

The first one used is the outermost. One that does not call `call_next` keeps the message from the handler; one that
raises a `CommandError` does so and has it told.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection

import anyio

from chime_messaging.bots.context import Context
from chime_messaging.bots.errors import CommandError, NotAllowedError, RateLimitedError
from chime_messaging.errors import ConfigurationError, ForbiddenError, NotFoundError

Next = Callable[[], Awaitable[None]]
Middleware = Callable[[Context, Next], Awaitable[None]]

MAX_SENDERS = 16_384
"""Senders whose rate is remembered; beyond that the one heard longest ago starts afresh."""

logger = logging.getLogger("chime_messaging.bots")


class RateLimit:
    """Lets each sender through so many times in so many seconds.

    Args:
        times: Messages that may come at once.
        per: Seconds in which as many more may come.
        silent: Whether those over the limit get no answer.
        clock: Seconds on any clock that does not go back; the event loop's by default.
    """

    def __init__(
        self, times: int, per: float, *, silent: bool = False, clock: Callable[[], float] = anyio.current_time
    ) -> None:
        if times < 1 or per <= 0:
            raise ConfigurationError("rate limit", "takes at least 1 time and more than 0 seconds")
        self._interval = per / times
        self._burst = per
        self._silent = silent
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    async def __call__(self, context: Context, call_next: Next) -> None:
        """Let the message through, or not."""
        wait = self.take(context.sender.arn)
        if wait <= 0:
            await call_next()
        elif not self._silent:
            raise RateLimitedError(wait)

    def take(self, sender: str) -> float:
        """Count a message; return 0, or the seconds until one would be let through, and count nothing."""
        now = self._clock()
        full_at = max(self._full_at.get(sender, now), now) + self._interval
        if full_at - now > self._burst + 1e-9:
            return full_at - now - self._burst
        self._full_at[sender] = full_at
        self._full_at.move_to_end(sender)
        if len(self._full_at) > MAX_SENDERS:
            self._full_at.popitem(last=False)
        return 0.0


class Allow:
    """Lets some senders through, and tells the others that they may not.

    Args:
        users: ARNs that may.
        moderators: Whether the moderators of the channel may.
        members_of: ARN of a channel whose members may; the bot must be able to see them.
    """

    def __init__(self, *, users: Collection[str] = (), moderators: bool = False, members_of: str | None = None) -> None:
        if not (users or moderators or members_of):
            raise ConfigurationError("allow", "lets nobody through: name users, moderators or members_of")
        self._users = frozenset(users)
        self._moderators = moderators
        self._members_of = members_of

    async def __call__(self, context: Context, call_next: Next) -> None:
        """Let the message through, or raise."""
        if not await self._may(context):
            raise NotAllowedError
        await call_next()

    async def _may(self, context: Context) -> bool:
        sender = context.sender.arn
        if sender in self._users:
            return True
        try:
            if self._moderators:
                await context.channel.moderator(sender)
                return True
        except NotFoundError:
            pass
        except ForbiddenError:
            # Only moderators and administrators may ask; a bot that is neither lets none in by this rule.
            logger.warning("%s may not ask who moderates %s", context.channel.bearer, context.channel.arn)
        if self._members_of is None:
            return False
        try:
            await context.bot.channel(self._members_of).membership(sender)
        except (NotFoundError, ForbiddenError):
            return False
        return True


def explain(context: Context, error: Exception) -> str | None:
    """Say an error to the person whose message led to it; None says nothing.

    Errors that are for people are told as they are. Of the others, those who spoke to the bot hear that there was one;
    what it was is in the log.
    """
    if isinstance(error, CommandError):
        return str(error)
    return "Sorry, something went wrong." if context.addressed else None
