"""``chime`` beside a server with media, and a robot that is in the meeting before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from chime_media.server.local_server import LocalMeetingServer
from chime_messaging.cli.meeting import open_meetings
from chime_messaging.server.configuration import ServerConfiguration
from tests.interop.media.python_attendee import PythonAttendee, joined
from tests.messaging.cli.conftest import chime, environment, logging_restored, start

__all__ = ["chime", "environment", "logging_restored", "start"]

Robot = Callable[..., PythonAttendee]


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as running:
        yield running


@pytest.fixture(scope="module")
def media_server() -> Iterator[LocalMeetingServer]:
    with LocalMeetingServer(ServerConfiguration(port=0, quotas=False)) as server:
        yield server


@pytest.fixture
def at(media_server: LocalMeetingServer, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> str:
    """Where the commands of a test go."""
    monkeypatch.setenv("CHIME_URL", media_server.url)
    environment["CHIME_URL"] = media_server.url
    return media_server.url


@pytest.fixture
def robot(at: str, portal: BlockingPortal) -> Iterator[Robot]:
    """Have a Python attendee join a meeting by its name."""
    with ExitStack() as stack:

        async def information(meeting: str, name: str) -> dict[str, Any]:
            async with open_meetings(at) as meetings:
                return await meetings.join_information(meeting, name)

        def join(meeting: str, name: str = "robot") -> PythonAttendee:
            told = portal.call(information, meeting, name)
            return stack.enter_context(joined(portal, told["Meeting"], told["Attendee"]))

        yield join
