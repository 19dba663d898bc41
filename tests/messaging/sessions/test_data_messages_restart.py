"""A server that is restarted while its attendees talk."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from chime_messaging.meeting_events import DataMessage
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

pytestmark = pytest.mark.anyio

GUARD = 45.0
"""Seconds after which the test has failed."""
COUNT = 120


class Listener:
    """One attendee, and what it was told on the reliable topic."""

    def __init__(self, session: DataMessageSession) -> None:
        self.session = session
        self.received: list[str] = []
        self.half, self.all = anyio.Event(), anyio.Event()
        session.topic("state", reliable=True).on_message()(self.take)

    def take(self, message: DataMessage) -> None:
        self.received.append(message.text())
        if len(self.received) == COUNT // 2:
            self.half.set()
        if len(self.received) == COUNT:
            self.all.set()


def sessions(server: LocalServer, *names: str) -> list[DataMessageSession]:
    client: Any = server.client("chime-sdk-meetings")
    meeting = client.create_meeting(ClientRequestToken="hall", MediaRegion="us-east-1", ExternalMeetingId="hall")
    made = []
    for name in names:
        attendee = client.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
        configuration = MeetingSessionConfiguration(
            meeting, attendee, reconnect_short_backoff=0.01, reconnect_long_backoff=0.05
        )
        made.append(DataMessageSession(configuration))
    client.close()
    return made


async def test_everybody_comes_back_with_the_same_token_and_reliable_topics_lose_nothing(tmp_path: Path) -> None:
    database = str(tmp_path / "chime.db")
    async with AsyncExitStack() as second, AsyncExitStack() as meeting, AsyncExitStack() as first:
        server = await first.enter_async_context(LocalServer(ServerConfiguration(port=0, database=database)))
        port = server.port
        alice, *others = sessions(server, "alice", "bob", "carol", "dave")
        topic = alice.topic("state", reliable=True)
        listeners = [Listener(session) for session in others]
        for session in (*others, alice):
            await meeting.enter_async_context(session)

        async def talk() -> None:
            for number in range(COUNT):
                await topic.send(str(number))

        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(talk)
                await listeners[0].half.wait()
                await first.aclose()
                await second.enter_async_context(LocalServer(ServerConfiguration(port=port, database=database)))
            for listener in listeners:
                await listener.all.wait()
        assert all(session.is_joined for session in (alice, *others))
    expected = [str(number) for number in range(COUNT)]
    assert [listener.received for listener in listeners] == [expected] * 3
