"""A local Chime and the people of an app instance, for use cases that read like an application."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from chime_media.server.local_server import LocalMeetingServer
from chime_messaging import Channel, MessagingSession, MessagingSessionConfiguration
from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.server import LocalServer, ServerConfiguration
from chime_messaging.sessions import Channels
from tests.use_cases.meeting_room import Room


class Chime:
    """The service as the use cases see it: users, their sessions, and what users do without a session."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.client: Any = server.client("chime-sdk-messaging")

    async def user(self, name: str, *, admin: bool = False) -> str:
        """Create a user; its ARN."""
        return await self.server.create_user(name, admin=admin)

    def session(self, user: str, **settings: Any) -> MessagingSession:
        """A session to enter; when it is cut off it does not wait long."""
        settings = {"chime_client": self.client, "reconnect_short_backoff": 0.01} | settings
        return MessagingSession(MessagingSessionConfiguration(user, **settings))

    async def new_channel(self, creator: str, *members: str, name: str = "general") -> Channel:
        """Create a channel with members, as its creator acts in it."""
        return await Channels(self.calls(creator), creator).create(name, members=members)

    def channel(self, arn: str, user: str) -> Channel:
        """A channel as somebody else acts in it."""
        return Channel(arn, self.calls(user), user)

    def calls(self, user: str) -> ControlPlane:
        """Calls of the messaging API in the name of a user."""
        return ControlPlane(self.client, user)


@pytest.fixture
def chime(shared_server: LocalServer) -> Chime:
    """The service."""
    return Chime(shared_server)


@pytest.fixture(scope="module")
def media_server() -> Iterator[LocalMeetingServer]:
    """A local Chime with media."""
    with LocalMeetingServer(ServerConfiguration(port=0, quotas=False, reconnect_grace=3.0)) as running:
        yield running


@pytest.fixture
def room(media_server: LocalMeetingServer, request: pytest.FixtureRequest) -> Room:
    """A meeting of the test's own."""
    return Room(media_server, re.sub(r"\W", "-", request.node.name)[:60])
