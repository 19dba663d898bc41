"""A server with media, and a meeting for each test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest

from chime_media.server.local_server import LocalMeetingServer
from chime_messaging.server.configuration import ServerConfiguration
from tests.messaging.server.attendee_client import Meeting


@pytest.fixture(scope="module")
def server() -> Iterator[LocalMeetingServer]:
    with LocalMeetingServer(ServerConfiguration(port=0, reconnect_grace=3.0)) as running:
        yield running


@pytest.fixture
def meeting(server: LocalMeetingServer, request: pytest.FixtureRequest) -> Iterator[Meeting]:
    made = Meeting(server, re.sub(r"\W", "-", request.node.name)[:60])
    yield made
    # A test may have ended it.
    with suppress(made.api.exceptions.ForbiddenException, made.api.exceptions.NotFoundException):
        made.api.delete_meeting(MeetingId=made.meeting_id)
