"""A channel with a bot and two people in it, on a local server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.bots import Bot, Serving
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.channels import Channel, Channels
from chime_messaging.wire.payloads import ChannelMessage


@dataclass
class Chat:
    """Alice, who moderates, Bob, and a bot in the channel ``general``."""

    server: LocalServer
    alice: str = ""
    bob: str = ""
    bot: str = ""
    channels: list[str] = field(default_factory=list)

    @property
    def client(self) -> Any:
        return self.server.client("chime-sdk-messaging")

    @property
    def channel_arn(self) -> str:
        return self.channels[0]

    def channel(self, user: str | None = None, channel_arn: str | None = None) -> Channel:
        arn = channel_arn or self.channel_arn
        return Channel(arn, ControlPlane(self.client), user or self.alice)

    async def say(self, content: str, user: str | None = None, **options: Any) -> str:
        return (await self.channel(user).send(content, **options)).message_id

    async def history(self, channel_arn: str | None = None) -> list[ChannelMessage]:
        return [message async for message in self.channel(channel_arn=channel_arn).messages()]

    async def said(self, channel_arn: str | None = None) -> list[str | None]:
        """What the bot said."""
        history = await self.history(channel_arn)
        return [message.content for message in history if message.sender is not None and message.sender.arn == self.bot]

    async def until(self, count: int, channel_arn: str | None = None) -> list[str | None]:
        """Wait until the bot has said so much."""
        with anyio.fail_after(20):
            while len(said := await self.said(channel_arn)) < count:
                await anyio.lowlevel.checkpoint()
        return said

    async def add_channel(self, name: str, members: list[str] | None = None) -> str:
        made = await Channels(ControlPlane(self.client), self.alice).create(
            name, members=[self.bob, self.bot] if members is None else members
        )
        self.channels.append(made.arn)
        return made.arn

    @asynccontextmanager
    async def running(self, bot: Bot) -> AsyncIterator[Serving]:
        async with bot.serving(self.bot, client=self.client) as serving:
            with anyio.fail_after(20):
                await serving.wait_idle()
            yield serving


@pytest.fixture
async def chat(server: LocalServer) -> Chat:
    made = Chat(server)
    made.alice = await server.create_user("Alice")
    made.bob = await server.create_user("Bob")
    made.bot = await server.create_user("dice")
    await made.add_channel("general")
    return made


MakeBot = Callable[..., Bot]
