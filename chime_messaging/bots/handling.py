"""One event, from the queue of its channel to the handlers, and the mark that it is done."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from chime_messaging.bots.context import Context
from chime_messaging.bots.errors import CommandError
from chime_messaging.bots.lanes import of_channel
from chime_messaging.bots.mentions import is_mentioned, without_mention
from chime_messaging.bots.middleware import Middleware
from chime_messaging.bots.patience import Patience
from chime_messaging.bots.routing import Handler, Route
from chime_messaging.bots.store import BotStore
from chime_messaging.bots.turn import Turn
from chime_messaging.events import (
    Event,
    MembershipCreated,
    MembershipDeleted,
    MembershipsCreated,
    MessageCreated,
    MessageEvent,
)
from chime_messaging.sessions.channel import Channel
from chime_messaging.wire.payloads import ChannelMessage, Identity

if TYPE_CHECKING:
    from chime_messaging.bots.bot import Bot

SAMPLES = 4096
"""Latest times that are kept for the statistics."""

logger = logging.getLogger("chime_messaging.bots")


class Handling:
    """Calls the handlers of one bot.

    Args:
        bot: What it answers.
        user_arn: Who it is.
        store: Its memory.
        patience: How its calls are tried again.
        channel: Takes hold of a channel.
    """

    def __init__(
        self, bot: Bot, user_arn: str, store: BotStore, patience: Patience, channel: Callable[[str], Channel]
    ) -> None:
        self._bot = bot
        self._user_arn = user_arn
        self._store = store
        self._patience = patience
        self._channel = channel
        self.messages = 0
        """Messages that were handled."""
        self.failures = 0
        """Handlers that raised something other than a `CommandError`."""
        self.seconds: deque[float] = deque(maxlen=SAMPLES)
        """How long the latest messages took to handle."""

    async def message(self, event: MessageCreated, *, addressed: bool = False) -> None:
        """Handle a message, unless that was done before.

        Args:
            event: The message.
            addressed: Whether it is known that it speaks to the bot.
        """
        message = event.message
        created = message.created_timestamp or datetime.now(UTC)
        if self._store.is_handled(message.channel_arn, message.message_id, created):
            return
        if not self._hears(message):
            self._store.mark(message.channel_arn, message.message_id, created)
            return
        started = time.perf_counter()
        context = self._context(event, message, addressed=addressed)
        changes = self._changes(context) if await self._answer(context) else None
        self.messages += 1
        self.seconds.append(time.perf_counter() - started)
        self._store.done(message.channel_arn, message.message_id, created, changes)

    async def event(self, event: Event) -> None:
        """Handle an event that is no new message."""
        if isinstance(event, MessageEvent) and self._is_own(event.message.sender):
            return
        for context, handler in self._interested(event):
            if await self._guarded(context, partial(_call, context, handler)):
                self._store.write(context.channel.arn, self._changes(context) or {})

    def _hears(self, message: ChannelMessage) -> bool:
        sender = message.sender
        if sender is None or self._is_own(sender) or message.redacted:
            return False
        return not (self._bot.ignore_bots and "/bot/" in sender.arn)

    def _is_own(self, identity: Identity | None) -> bool:
        return identity is not None and identity.arn == self._user_arn

    def _context(self, event: MessageCreated, message: ChannelMessage, *, addressed: bool) -> Context:
        arn, name = self._user_arn, self._bot.name
        addressed = addressed or is_mentioned(message, arn, name)
        return Context(
            self._bot,
            event,
            Turn(self._channel(message.channel_arn), self._store, self._patience, message.message_id),
            self._store.state(message.channel_arn),
            message=message,
            member=message.sender,
            text=without_mention(message.content or "", arn, name),
            addressed=addressed,
            sub_channel_id=message.sub_channel_id,
        )

    async def _answer(self, context: Context) -> bool:
        """Call the handlers of a message; whether none of them failed."""
        well = True
        for types, handler in self._bot.events:
            if isinstance(context.event, types):
                well &= await self._guarded(context, partial(_call, context, handler))
        if context.message.type not in (None, "STANDARD"):
            return well
        route = self._bot.routes.find(context.text, addressed=context.addressed)
        if route is not None:
            context.addressed, context.command, context.match = route.addressed, route.command, route.match
            well &= await self._guarded(context, self._chain(context, route))
        return well

    def _chain(self, context: Context, route: Route) -> Callable[[], Awaitable[None]]:
        async def innermost() -> None:
            positional, named = route.arguments(self._bot.prefix)
            await _call(context, partial(route.function, context, *positional, **named), bound=True)

        layers: Sequence[Middleware] = (*self._bot.middleware, *route.middleware)
        call_next: Callable[[], Awaitable[None]] = innermost
        for layer in reversed(layers):
            call_next = partial(layer, context, call_next)
        return call_next

    def _interested(self, event: Event) -> Iterator[tuple[Context, Handler]]:
        for types, handler in self._bot.events:
            if isinstance(event, types):
                yield self._plain_context(event, None), handler
        for member, here in _members(event):
            if here and member.arn == self._user_arn:
                handlers = self._bot.welcomes
            elif member.arn == self._user_arn:
                continue
            else:
                handlers = self._bot.arrivals if here else self._bot.departures
            for handler in handlers:
                yield self._plain_context(event, member), handler

    def _plain_context(self, event: Event, member: Identity | None) -> Context:
        arn, part = of_channel(event)
        turn = Turn(self._channel(arn), self._store, self._patience, None)
        message = event.message if isinstance(event, MessageEvent) else None
        return Context(
            self._bot, event, turn, self._store.state(arn), message=message, member=member, sub_channel_id=part
        )

    async def _guarded(self, context: Context, work: Callable[[], Awaitable[None]]) -> bool:
        """Work; errors are logged and told. Whether there was none."""
        try:
            await work()
        except Exception as error:
            if not isinstance(error, CommandError):
                self.failures += 1
                logger.exception("A handler of %r failed", self._bot)
            await self._explain(context, error)
            return False
        return True

    async def _explain(self, context: Context, error: Exception) -> None:
        try:
            text = self._bot.explain(context, error)
            if text:
                await context.reply(text)
        except Exception:
            # There is nobody left to tell: the service takes no reply, or the function that words errors has one.
            logger.exception("The error of a handler could not be told in %s", context.channel.arn)

    def _changes(self, context: Context) -> dict[str, bytes | None] | None:
        try:
            return context.state.changes()
        except TypeError:
            self.failures += 1
            logger.exception("The state of %s cannot be stored", context.channel.arn)
            return None


async def _call(context: Context, handler: Callable[..., Awaitable[object]], *, bound: bool = False) -> None:
    said = await (handler() if bound else handler(context))
    if isinstance(said, str) and said:
        await context.reply(said)


def _members(event: Event) -> Iterator[tuple[Identity, bool]]:
    """Who came or went, and whether they are here now."""
    if isinstance(event, MembershipCreated | MembershipDeleted):
        yield event.membership.member, isinstance(event, MembershipCreated)
    elif isinstance(event, MembershipsCreated):
        for member in event.memberships.members:
            yield member, True
