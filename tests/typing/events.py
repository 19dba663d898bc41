"""Which event a program gets, by the ways to ask for it; checked by mypy, never run."""

from typing import Any, assert_type

from chime_messaging import (
    ChannelDetailsReceived,
    ChannelEvent,
    ChannelMessage,
    Envelope,
    Event,
    MembershipCreated,
    MembershipDeleted,
    MessageCreated,
    MessageEvent,
    MessageUpdated,
    MessagingSession,
    MessagingSessionObserver,
    SessionStopped,
)
from chime_messaging.wire.payloads import ChannelDetails


async def iteration(session: MessagingSession) -> None:
    """None, one and several classes; a base class stands for all of its own."""
    async with session.events() as everything:
        assert_type(await anext(everything), Event)
    async with session.events(MessageEvent, policy="drop_oldest", size=10) as messages:
        async for event in messages:
            assert_type(event, MessageEvent)
            assert_type(event.message, ChannelMessage)
    async with session.events(MessageCreated, MessageUpdated, MembershipCreated, MembershipDeleted) as four:
        assert_type(await anext(four), MessageCreated | MessageUpdated | MembershipCreated | MembershipDeleted)
    async with session.events(ChannelDetailsReceived) as details:
        assert_type((await anext(details)).details, ChannelDetails)
    session.events(str)  # type: ignore[type-var]
    session.events(MessageCreated, policy="sometimes")  # type: ignore[call-overload]


async def waiting(session: MessagingSession) -> None:
    """The condition gets the event that is waited for."""
    assert_type(await session.wait_for(SessionStopped, timeout=1), SessionStopped)
    assert_type(await session.wait_for(ChannelEvent, lambda event: event.type == "NEW"), ChannelEvent)
    await session.wait_for(SessionStopped, lambda event: event.message is None)  # type: ignore[attr-defined]


def handlers(session: MessagingSession) -> None:
    """A handler may take more than it is sent, and not less."""

    @session.on()
    def anything(event: Event) -> None: ...

    @session.on(MessageCreated, MessageUpdated)
    def both(event: MessageEvent) -> None: ...

    @session.on(MessageCreated, MessageUpdated)  # type: ignore[arg-type]
    def one(event: MessageCreated) -> None: ...

    @session.on(MessageEvent)
    def untyped(event: Any) -> None: ...


class Observer(MessagingSessionObserver):
    """Overrides with ``def`` and ``async def``, and with the arguments of the base class only."""

    async def messaging_session_did_receive_message(self, message: Envelope) -> None:
        """Waits."""

    def on_message_created(self, event: MessageCreated) -> None:
        """Does not wait."""

    def on_message_updated(self, event: SessionStopped) -> None:  # type: ignore[override]
        """Would get something else."""
