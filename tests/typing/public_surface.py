"""What type checkers must see of the public surface; checked by mypy, never run."""

from typing import assert_type

import chime_messaging
from chime_messaging import (
    Channel,
    ChannelEvent,
    ChannelMessage,
    LimitError,
    MembershipCreated,
    MessageCreated,
    MessagingSession,
    MessagingSessionConfiguration,
    SentMessage,
    SessionStopped,
)
from chime_messaging.server import LocalServer, ServerConfiguration


async def sessions_and_channels(session: MessagingSession) -> None:
    """Handles, and what comes out of them."""
    async with session as entered:
        assert_type(entered, MessagingSession)
        channel = entered.channel("arn")
        assert_type(channel, Channel)
        assert_type(await channel.send("hi"), SentMessage)
        async for message in channel.messages(live=True):
            assert_type(message, ChannelMessage)
        assert_type(await entered.wait_stopped(), SessionStopped)


async def events(session: MessagingSession) -> None:
    """Iterators and waits give the classes that were asked for."""
    async with session.events(MessageCreated) as one:
        assert_type(await anext(one), MessageCreated)
    async with session.events(MessageCreated, MembershipCreated) as two:
        assert_type(await anext(two), MessageCreated | MembershipCreated)
    assert_type(await session.wait_for(MessageCreated, lambda event: event.recovered), MessageCreated)


def handlers(session: MessagingSession) -> None:
    """A handler keeps its type, and must take what it is subscribed to."""

    @session.on(MessageCreated)
    async def good(event: MessageCreated) -> None: ...

    @session.on(ChannelEvent)
    def wide(event: ChannelEvent) -> str:
        return event.type

    assert_type(wide(one_event()), str)

    @session.on(MessageCreated)  # type: ignore[arg-type]
    def bad(event: SessionStopped) -> None: ...


def one_event() -> MessageCreated:
    """Any event."""
    raise NotImplementedError


async def server() -> None:
    """Names that are loaded late have types all the same."""
    async with LocalServer(ServerConfiguration(port=0)) as running:
        assert_type(running, LocalServer)
        assert_type(await running.create_user("Alice"), str)
        MessagingSessionConfiguration(await running.create_user("Bob"), reconnect_timeout=5.0)
    assert_type(LimitError("content", 1, 2, "bytes").limit, float)
    chime_messaging.Nothing  # type: ignore[attr-defined]  # noqa: B018
