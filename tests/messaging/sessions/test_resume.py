"""Sessions on a real server over real sockets: cut at any moment, nothing is lost and nothing repeated."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest
from anyio import to_thread

from chime_messaging.errors import (
    ForbiddenError,
    SessionKickedError,
    SessionRejectedError,
    SessionTimeoutError,
)
from chime_messaging.events import (
    ChannelDetailsReceived,
    Event,
    GapDetected,
    MessageCreated,
    MessageRedacted,
    MessageUpdated,
    ReconnectScheduled,
    Recovered,
    SessionEstablished,
    SessionStopped,
)
from chime_messaging.ids import new_uuid
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.configuration import MessagingSessionConfiguration, PrefetchOn
from chime_messaging.sessions.messaging_session import MessagingSession

pytestmark = pytest.mark.anyio

GUARD = 20.0
"""Seconds after which a test that waits has failed."""


class Chat:
    """Alice, who has a session, and Bob, who talks."""

    def __init__(self, server: LocalServer, alice: str, bob: str) -> None:
        self.server, self.alice, self.bob = server, alice, bob
        self.client = server.client("chime-sdk-messaging")
        self.events: list[Event] = []
        self.sent: dict[str, list[str]] = {}
        self._changed = anyio.Event()

    @classmethod
    async def of(cls, server: LocalServer) -> Chat:
        return cls(server, await server.create_user("Alice"), await server.create_user("Bob"))

    def session(self, **settings: Any) -> MessagingSession:
        settings = {"reconnect_short_backoff": 0.02, "reconnect_long_backoff": 0.05, **settings}
        session = MessagingSession(MessagingSessionConfiguration(self.alice, chime_client=self.client, **settings))
        session.on(size=1 << 20)(self._note)
        return session

    def _note(self, event: Event) -> None:
        self.events.append(event)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await to_thread.run_sync(lambda: getattr(self.client, operation)(**params))
        return answer

    async def channel(self, *members: str) -> str:
        answer = await self.call(
            "create_channel",
            AppInstanceArn=self.bob.rpartition("/user/")[0],
            Name="general",
            MemberArns=list(members),
            ClientRequestToken=new_uuid(),
            ChimeBearer=self.bob,
            ChannelId=f"channel{len(self.sent)}",
        )
        arn: str = answer["ChannelArn"]
        self.sent[arn] = []
        return arn

    async def say(self, channel: str) -> str:
        answer = await self.call(
            "send_channel_message",
            ChannelArn=channel,
            Content="hello",
            Type="STANDARD",
            Persistence="PERSISTENT",
            ClientRequestToken=new_uuid(),
            ChimeBearer=self.bob,
        )
        message_id: str = answer["MessageId"]
        self.sent[channel].append(message_id)
        return message_id

    def told(self, channel: str) -> list[str]:
        return [
            event.message.message_id
            for event in self.events
            if isinstance(event, MessageCreated) and event.message.channel_arn == channel
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(GUARD):
            while not condition():
                await self._changed.wait()

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


async def test_cuts_at_random_moments_under_traffic_lose_and_repeat_nothing(server: LocalServer) -> None:
    chat = await Chat.of(server)
    channels = [await chat.channel(chat.alice) for _ in range(3)]
    dice = random.Random(7)

    async def talk() -> None:
        for _ in range(120):
            await chat.say(dice.choice(channels))

    def told(count: int) -> bool:
        return sum(len(chat.told(channel)) for channel in channels) >= count

    async def cut() -> None:
        for established in range(1, 9):
            await chat.until(partial(told, min(100, chat.count(MessageCreated) + dice.randrange(1, 12))))
            if dice.random() < 0.5:
                server.control.abort(chat.alice)
            else:
                await server.control.close(chat.alice, code=dice.choice([1001, 1011, 1012, 4005]))
            await chat.until(partial(came_back, established))

    def came_back(times: int) -> bool:
        return chat.count(SessionEstablished) > times

    async with chat.session(), anyio.create_task_group() as tasks:
        tasks.start_soon(talk)
        tasks.start_soon(cut)
        await chat.until(partial(told, 120))
    assert {channel: chat.told(channel) for channel in channels} == chat.sent
    assert chat.count(ReconnectScheduled) >= 8
    assert chat.count(GapDetected) == 0


async def test_a_whole_absence_is_recovered_page_by_page(server: LocalServer) -> None:
    chat = await Chat.of(server)
    channel = await chat.channel(chat.alice)
    async with chat.session():
        await chat.say(channel)
        await chat.until(lambda: len(chat.told(channel)) == 1)
        server.control.refuse(1013, times=3)
        server.control.abort(chat.alice)
        await chat.until(lambda: chat.count(ReconnectScheduled) > 0)
        for _ in range(60):
            await chat.say(channel)
        await chat.until(lambda: chat.count(Recovered) == 1)
    assert chat.told(channel) == chat.sent[channel]


async def test_edits_and_redactions_made_while_away_are_told(server: LocalServer) -> None:
    chat = await Chat.of(server)
    channel = await chat.channel(chat.alice)
    async with chat.session():
        edited, redacted = await chat.say(channel), await chat.say(channel)
        await chat.until(lambda: len(chat.told(channel)) == 2)
        server.control.hold_established(True)
        server.control.abort(chat.alice)
        await chat.until(lambda: chat.count(ReconnectScheduled) > 0)
        names = {"ChannelArn": channel, "ChimeBearer": chat.bob}
        await chat.call("update_channel_message", MessageId=edited, Content="better", **names)
        await chat.call("redact_channel_message", MessageId=redacted, **names)
        server.control.hold_established(False)
        await chat.until(lambda: chat.count(Recovered) == 1)
    assert [e.message.content for e in chat.events if isinstance(e, MessageUpdated)] == ["better"]
    assert [e.message.message_id for e in chat.events if isinstance(e, MessageRedacted)] == [redacted]
    assert len(chat.told(channel)) == 2


async def test_a_channel_joined_while_away_is_caught_up(server: LocalServer) -> None:
    chat = await Chat.of(server)
    async with chat.session():
        server.control.hold_established(True)
        server.control.abort(chat.alice)
        await chat.until(lambda: chat.count(ReconnectScheduled) > 0)
        channel = await chat.channel(chat.alice)
        await chat.say(channel)
        server.control.hold_established(False)
        await chat.until(lambda: chat.count(Recovered) == 1)
    assert chat.told(channel) == chat.sent[channel]


async def test_a_forbidden_listing_is_a_gap_of_that_channel(server: LocalServer) -> None:
    chat = await Chat.of(server)
    channel = await chat.channel(chat.alice)
    async with chat.session():
        await chat.say(channel)
        await chat.until(lambda: len(chat.told(channel)) == 1)
        server.control.fail("ListChannelMessages", "ForbiddenException")
        server.control.abort(chat.alice)
        await chat.until(lambda: chat.count(GapDetected) == 1)
        await chat.say(channel)
        await chat.until(lambda: chat.told(channel) == chat.sent[channel])
    (gap,) = [event for event in chat.events if isinstance(event, GapDetected)]
    assert gap.channel_arn == channel
    assert gap.since < gap.until
    assert chat.count(Recovered) == 0


async def test_messages_of_before_the_session_are_not_recovered(server: LocalServer) -> None:
    chat = await Chat.of(server)
    channel = await chat.channel(chat.alice)
    await chat.say(channel)
    async with chat.session(prefetch=PrefetchOn.CONNECT):
        await chat.until(lambda: chat.count(ChannelDetailsReceived) == 1)
        server.control.abort(chat.alice)
        await chat.until(lambda: chat.count(Recovered) == 1)
    assert chat.told(channel) == []


async def test_the_service_may_put_the_user_out(server: LocalServer) -> None:
    chat = await Chat.of(server)
    async with chat.session() as session:
        await server.control.close(chat.alice, code=4003, reason="out")
        with anyio.fail_after(GUARD):
            stopped = await session.wait_stopped()
    assert isinstance(stopped.error, SessionKickedError)
    assert chat.count(SessionStopped) == 1


async def test_a_refused_session_raises(server: LocalServer) -> None:
    chat = await Chat.of(server)
    server.control.refuse(4401, reason="who?")
    with pytest.raises(SessionRejectedError):
        await chat.session().__aenter__()


async def test_silence_raises(server: LocalServer) -> None:
    chat = await Chat.of(server)
    server.control.hold_established(True)
    with pytest.raises(SessionTimeoutError):
        await chat.session(establish_timeout=0.2).__aenter__()
    server.control.hold_established(False)


async def test_a_forbidden_endpoint_raises(server: LocalServer) -> None:
    chat = await Chat.of(server)
    server.control.fail("GetMessagingSessionEndpoint", "ForbiddenException")
    with pytest.raises(ForbiddenError):
        await chat.session().__aenter__()


async def test_a_server_that_is_down_is_waited_for(server: LocalServer) -> None:
    chat = await Chat.of(server)
    server.control.fail("GetMessagingSessionEndpoint", "ServiceUnavailableException", times=3)
    server.control.refuse(1013, times=2)
    with anyio.fail_after(GUARD):
        async with chat.session() as session:
            assert session.is_established
    assert chat.count(ReconnectScheduled) >= 3


async def test_tls_is_verified_as_the_client_does() -> None:
    async with LocalServer(ServerConfiguration(port=0, tls=True)) as server:
        chat = await Chat.of(server)
        channel = await chat.channel(chat.alice)
        async with chat.session() as session:
            await session.channel(channel).send("over TLS")
            await chat.until(lambda: len(chat.told(channel)) == 1)


async def test_all_sessions_come_back_after_a_restart_without_a_second_socket(server: LocalServer) -> None:
    chat = await Chat.of(server)
    channel = await chat.channel(chat.alice)
    sessions = [chat.session() for _ in range(5)]
    async with anyio.create_task_group() as tasks:
        for session in sessions:
            tasks.start_soon(_hold, session)
        await chat.until(lambda: chat.count(SessionEstablished) == 5)
        await server.control.close(code=1012)
        await chat.until(lambda: chat.count(SessionEstablished) == 10)
        await chat.say(channel)
        await chat.until(lambda: len(chat.told(channel)) == 5)
        for session in sessions:
            session.stop()
    assert len(chat.told(channel)) == 5


async def _hold(session: MessagingSession) -> None:
    async with session:
        await session.wait_stopped()
