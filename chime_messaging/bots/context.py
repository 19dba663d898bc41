"""What a handler is given: what happened, where, who did it, and the ways to answer."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from chime_messaging.bots.answers import EDIT_INTERVAL, Answer, GrowingAnswer
from chime_messaging.bots.commands import Command
from chime_messaging.bots.state import ChannelState
from chime_messaging.bots.turn import Turn
from chime_messaging.errors import UsageError
from chime_messaging.events import Event
from chime_messaging.sessions.channel import Channel
from chime_messaging.sessions.messages import Attributes
from chime_messaging.wire.payloads import ChannelMessage, Identity, MessageSummary

if TYPE_CHECKING:
    from chime_messaging.bots.bot import Bot

IN_REPLY_TO = "in-reply-to"
"""Message attribute with the id of the message that a reaction is about."""


class Reaction(NamedTuple):
    """A sign under a message."""

    sign: str
    message_id: str


def reaction_of(message: MessageSummary) -> Reaction | None:
    """Read a reaction, as `Context.react` sends it; None if the message is none."""
    about = (message.message_attributes or {}).get(IN_REPLY_TO)
    if message.type != "CONTROL" or about is None or not about.string_values or not message.content:
        return None
    return Reaction(message.content, about.string_values[0])


class Context:
    """One thing that happened in one channel, and the ways to answer it.

    Args:
        bot: Whose handler is called.
        event: What happened.
        turn: How things are sent.
        state: What the bot keeps of the channel.
        message: The message, where it was one.
        member: Who joined or left, where it was that.
        text: The content without the mention of the bot.
        addressed: Whether the message spoke to the bot.
        sub_channel_id: Part of an elastic channel that it happened in.
    """

    def __init__(
        self,
        bot: Bot,
        event: Event,
        turn: Turn,
        state: ChannelState,
        *,
        message: ChannelMessage | None = None,
        member: Identity | None = None,
        text: str = "",
        addressed: bool = False,
        sub_channel_id: str | None = None,
    ) -> None:
        self.bot = bot
        self.event = event
        self.state = state
        """What the bot keeps of this channel. Changes are stored once the message is handled without an error."""
        self.member = member
        """Who joined or left; else the sender."""
        self.text = text
        """What was said, without the mention of the bot."""
        self.addressed = addressed
        """Whether the message spoke to the bot: a command, or a mention."""
        self.sub_channel_id = sub_channel_id
        self.command: Command | None = None
        """The command that was called, if one was."""
        self.match: re.Match[str] | None = None
        """How the pattern fits, for a handler of a pattern."""
        self._message = message
        self._turn = turn
        self._random: random.Random | None = None

    @property
    def channel(self) -> Channel:
        """The channel, with everything that can be done there."""
        return self._turn.channel

    @property
    def message(self) -> ChannelMessage:
        """The message.

        Raises:
            UsageError: if it is another event.
        """
        if self._message is None:
            raise UsageError(f"{type(self.event).__name__} is no message")
        return self._message

    @property
    def sender(self) -> Identity:
        """Who said it; who joined or left, in the handler of a membership."""
        found = self._message.sender if self._message is not None else self.member
        if found is None:
            raise UsageError(f"nobody is behind this {type(self.event).__name__}")
        return found

    @property
    def sender_name(self) -> str:
        """Name of the sender; the last part of the ARN for one without a name."""
        return self.sender.name or self.sender.arn.rpartition("/")[2]

    @property
    def random(self) -> random.Random:
        """Chance that is the same when the message is handled again after a crash."""
        if self._random is None:
            seed = self._message.message_id if self._message is not None else None
            self._random = random.Random(seed)
        return self._random

    async def reply(self, content: str, *, metadata: str | None = None, attributes: Attributes | None = None) -> Answer:
        """Answer where it was said: in the same sub-channel, to the sender alone if the message was for the bot alone.

        Returns when the service has acknowledged it. Sent once, also if the bot is killed on the way.

        Raises:
            LimitError: if a value is over its limit.
            ServiceError: if the service refuses.
        """
        private = self._message is not None and bool(self._message.target)
        return await self.send(
            content, metadata=metadata, attributes=attributes, target=self.sender.arn if private else None
        )

    async def send(self, content: str, **options: Any) -> Answer:
        """Send to the channel, for everybody to see; options as `Channel.send` takes them."""
        options = {name: value for name, value in options.items() if value is not None}
        if self.sub_channel_id is not None:
            options.setdefault("sub_channel_id", self.sub_channel_id)
        return Answer(self._turn, await self._turn.send(content, **options), options.get("sub_channel_id"))

    async def whisper(self, content: str, **options: Any) -> Answer:
        """Answer so that only the sender sees it."""
        return await self.send(content, target=self.sender.arn, **options)

    async def react(self, sign: str) -> None:
        """Put a sign under the message: a CONTROL message that is not stored, see `reaction_of`.

        Args:
            sign: 30 bytes at most.
        """
        attributes = {IN_REPLY_TO: self.message.message_id}
        await self.send(sign, type="CONTROL", persistence="NON_PERSISTENT", attributes=attributes)

    async def edit(self, answer: Answer, content: str) -> None:
        """Replace the content of an answer."""
        await answer.edit(content)

    def stream(self, *, interval: float = EDIT_INTERVAL) -> GrowingAnswer:
        """Begin an answer that grows: ``async with context.stream() as answer: await answer.write(...)``.

        Args:
            interval: Seconds between two edits, at least.
        """
        return GrowingAnswer(self, interval=interval)
