"""A message of the bot's own, and an answer that grows while people watch."""

from __future__ import annotations

from collections.abc import AsyncIterable
from types import TracebackType
from typing import Protocol, Self

import anyio

from chime_messaging.bots.turn import Turn
from chime_messaging.errors import ThrottledError
from chime_messaging.wire.limits import STANDARD_CONTENT_BYTES

EDIT_INTERVAL = 1.0
"""Seconds between two edits of a growing answer, at least. A channel takes 30 sends and edits a second from everybody,
and a user makes 10 calls a second."""


class Answer:
    """A message that the bot has sent."""

    def __init__(self, turn: Turn, message_id: str, sub_channel_id: str | None = None) -> None:
        self._turn = turn
        self.message_id = message_id
        self.sub_channel_id = sub_channel_id

    async def edit(self, content: str, *, metadata: str | None = None) -> None:
        """Replace the content; throttled and interrupted calls are tried again."""
        turn = self._turn
        await turn.patience.call(
            lambda: turn.channel.edit(self.message_id, content, metadata=metadata, sub_channel_id=self.sub_channel_id)
        )

    async def try_edit(self, content: str) -> bool:
        """Replace the content unless the service has had enough for now; whether it was."""
        try:
            await self._turn.channel.edit(self.message_id, content, sub_channel_id=self.sub_channel_id)
        except ThrottledError:
            self._turn.patience.throttled()
            return False
        return True

    async def redact(self) -> None:
        """Empty the message and leave its place."""
        turn = self._turn
        await turn.patience.call(lambda: turn.channel.redact(self.message_id, sub_channel_id=self.sub_channel_id))


class Replies(Protocol):
    """What a growing answer needs of a context."""

    async def reply(self, content: str) -> Answer:
        """Send a message in answer."""


class GrowingAnswer:
    """An answer that is shown while it is being made. Use as ``async with``; `write` pieces as they come.

    The first piece is sent at once, later ones by edits, at most one every `interval` seconds and fewer when the
    service throttles; the end is always shown. An answer too long for one message goes on in another.

    Args:
        context: Where the answer goes.
        interval: Seconds between two edits, at least.
        limit: Bytes per message.
    """

    def __init__(
        self, context: Replies, *, interval: float = EDIT_INTERVAL, limit: int = STANDARD_CONTENT_BYTES
    ) -> None:
        self._context = context
        self._interval = self._usual = interval
        self._limit = limit
        self._text = self._shown = ""
        self._answer: Answer | None = None
        self._next = 0.0
        self.messages: list[Answer] = []
        """The messages it takes, so far."""
        self.edits = 0
        """Edits that were made."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A cancelled handler is begun anew after the restart.
        if kind is None or issubclass(kind, Exception):
            await self.finish()

    async def write(self, piece: str) -> None:
        """Add to the answer. Takes as long as a call when it is time to show it."""
        self._text += piece
        while (end := fitting(self._text, self._limit)) < len(self._text):
            page, self._text = self._text[:end], self._text[end:].lstrip("\n")
            await self._show(page, must=True)
            self._answer, self._shown = None, ""
        if anyio.current_time() >= self._next:
            await self._show(self._text, must=False)

    async def write_all(self, pieces: AsyncIterable[str]) -> None:
        """Add every piece of a stream."""
        async for piece in pieces:
            await self.write(piece)

    async def finish(self) -> None:
        """Show all of it."""
        await self._show(self._text, must=True)

    async def _show(self, text: str, *, must: bool) -> None:
        if not text.strip() or text == self._shown:
            return
        if self._answer is None:
            self._answer = await self._context.reply(text)
            self.messages.append(self._answer)
            self._shown = text
        elif must:
            await self._answer.edit(text)
            self._shown = text
            self.edits += 1
        elif await self._answer.try_edit(text):
            self._shown = text
            self.edits += 1
            self._interval = max(self._usual, self._interval / 2)
        else:
            self._interval = min(self._interval * 2, 30.0)
        self._next = anyio.current_time() + self._interval


def fitting(text: str, limit: int) -> int:
    """Return how many characters of a text fit in `limit` bytes: all, or up to the end of a line or word."""
    if len(text) * 4 <= limit:
        return len(text)
    data = text.encode()
    if len(data) <= limit:
        return len(text)
    end = len(data[:limit].decode(errors="ignore"))
    for gap in ("\n", " "):
        cut = text.rfind(gap, end // 2, end)
        if cut > 0:
            return cut + 1
    return max(end, 1)
