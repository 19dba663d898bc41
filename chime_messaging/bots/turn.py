"""One message being answered: what is sent in answer to it is sent once, however often the handling begins anew."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chime_messaging.bots.patience import Patience
from chime_messaging.bots.store import BotStore, Send
from chime_messaging.ids import new_uuid
from chime_messaging.sessions.channel import Channel

TOKEN_TRUST = timedelta(minutes=5)
"""How long after a send was begun its token alone is relied on. After that the history is looked through first: the
service does not say how long it remembers tokens."""


class Turn:
    """Sends in answer to one event.

    Args:
        channel: Where the event happened.
        store: The bot's memory.
        patience: How calls are tried again.
        message_id: The message that is answered; None for another event, which is not told again after a restart.
        clock: Gives the present moment, in UTC.
    """

    def __init__(
        self,
        channel: Channel,
        store: BotStore,
        patience: Patience,
        message_id: str | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.channel = channel
        self.store = store
        self.patience = patience
        self._message_id = message_id
        self._clock = clock
        self._position = 0
        self._sent: set[str] = set()
        self._earlier = {} if message_id is None else store.sends(message_id)

    async def send(self, content: str, **options: Any) -> str:
        """Send a message to the channel, or find out that it was sent; return its id.

        Args:
            content: See `Channel.send`.
            **options: Of `Channel.send`; values that JSON can say.
        """
        position, self._position = self._position, self._position + 1
        request: Mapping[str, Any] = {"content": content, **options}
        earlier = self._earlier.get(position)
        if earlier is not None:
            found = await self._find(earlier)
            if found is not None:
                return found
            # What was begun is what is finished: the words may differ this time, and the message must not.
            request = earlier.request
        elif self._message_id is not None:
            self.store.will_send(self._message_id, position, request, self._clock())
        token = self._token(position)
        sent = await self.patience.call(lambda: self.channel.send(**request, client_request_token=token))
        self._sent.add(sent.message_id)
        return sent.message_id

    async def _find(self, earlier: Send) -> str | None:
        if self._clock() - earlier.begun < TOKEN_TRUST or earlier.request.get("persistence") == "NON_PERSISTENT":
            return None
        # The two clocks may differ by what the token is trusted for.
        since = earlier.begun - TOKEN_TRUST
        part = earlier.request.get("sub_channel_id")
        async for message in self.channel.messages(since, sub_channel_id=part):
            own = message.sender is not None and message.sender.arn == self.channel.bearer
            if own and message.content == earlier.request["content"] and message.message_id not in self._sent:
                self._sent.add(message.message_id)
                return message.message_id
        return None

    def _token(self, position: int) -> str:
        if self._message_id is None:
            return new_uuid()
        text = f"{self.channel.bearer}\n{self._message_id}\n{position}"
        return hashlib.blake2b(text.encode(), digest_size=24).hexdigest()
