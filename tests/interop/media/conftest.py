"""Meetings on the local server with the unmodified official client in Chromium: one browser, one server, many pages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from anyio.from_thread import start_blocking_portal

from chime_media.server.local_server import LocalMeetingServer
from chime_messaging.server.configuration import ServerConfiguration
from tests.interop.conftest import JS, require
from tests.interop.media.blank_page import blank_page
from tests.interop.media.cut_proxy import CutProxy
from tests.interop.media.meeting_page import MeetingPage
from tests.interop.media.python_attendee import PythonAttendee, joined

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip


@dataclass
class MediaMeeting:
    """One meeting on a server with media."""

    server: LocalMeetingServer
    meeting: dict[str, Any]
    proxy: CutProxy | None = None
    """Stands between the pages and the server's sockets, if the test wants to cut them."""
    api: Any = field(init=False)

    def __post_init__(self) -> None:
        self.api = self.server.client("chime-sdk-meetings")

    @property
    def id(self) -> str:
        return str(self.meeting["MeetingId"])

    def attendee(self, user: str, **settings: Any) -> dict[str, Any]:
        """Make an attendee; its ``Attendee``."""
        made: dict[str, Any] = self.api.create_attendee(
            MeetingId=self.id, ExternalUserId=f"{user}-{uuid4()}", **settings
        )["Attendee"]
        return made

    def delete(self) -> None:
        self.api.delete_meeting(MeetingId=self.id)

    def remove(self, attendee: Mapping[str, Any]) -> None:
        self.api.delete_attendee(MeetingId=self.id, AttendeeId=attendee["AttendeeId"])

    def through(self, proxy: CutProxy) -> MediaMeeting:
        """The same meeting, its sockets going through a proxy."""
        placement = dict(self.meeting["MediaPlacement"])
        placement["SignalingUrl"] = placement["SignalingUrl"].replace(f":{self.server.port}", f":{proxy.port}")
        return MediaMeeting(self.server, self.meeting | {"MediaPlacement": placement}, proxy)


def create_media_meeting(server: LocalMeetingServer, **settings: Any) -> MediaMeeting:
    """Make a meeting."""
    api = server.client("chime-sdk-meetings")
    made = api.create_meeting(
        ClientRequestToken=str(uuid4()), MediaRegion="us-east-1", ExternalMeetingId="interop", **settings
    )
    return MediaMeeting(server, made["Meeting"])


@pytest.fixture(scope="session")
def media_server() -> Iterator[LocalMeetingServer]:
    """The server of all tests that do not restart it."""
    with LocalMeetingServer(ServerConfiguration(port=0, quotas=False)) as server:
        yield server


@pytest.fixture
def meeting(media_server: LocalMeetingServer) -> MediaMeeting:
    return create_media_meeting(media_server)


@pytest.fixture
def cut_proxy(media_server: LocalMeetingServer) -> Iterator[CutProxy]:
    """A way to the server that can be cut."""
    with CutProxy(media_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def page_bundle(tmp_path_factory: pytest.TempPathFactory, node: str) -> Path:
    output = tmp_path_factory.mktemp("bundle") / "meeting_page.js"
    esbuild = JS / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--format=iife", "--main-fields=browser,module,main", "--define:global=window"]
    command = [str(esbuild), str(JS / "meeting_page.mjs"), *options, f"--outfile={output}", "--log-level=error"]
    subprocess.run(command, check=True, timeout=60)
    return output


# Not longer than a module: playwright runs an event loop on this thread, and tests after it want their own.
@pytest.fixture(scope="module")
def media_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium = shutil.which("chromium")
    require(chromium is not None, "install Chromium (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        require(False, "pip install playwright")
    home = tmp_path_factory.mktemp("home")
    environment: dict[str, str | float | bool] = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS, env=environment)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def page_origin() -> Iterator[str]:
    with blank_page() as url:
        yield url


OpenPage = Callable[..., MeetingPage]


@pytest.fixture
def open_page(media_browser: Any, page_bundle: Path, page_origin: str) -> Iterator[OpenPage]:
    """Open a page for an attendee, who has not joined yet. All pages share one context, as tabs of one user."""
    with ExitStack() as stack:
        context = media_browser.new_context()
        stack.callback(context.close)

        def open_one(attendee: dict[str, Any]) -> MeetingPage:
            tab = context.new_page()
            tab.goto(page_origin)
            opened = MeetingPage(tab, attendee)
            tab.add_script_tag(path=page_bundle)
            return opened

        yield open_one


Enter = Callable[..., MeetingPage]


@pytest.fixture
def enter(open_page: OpenPage) -> Enter:
    """Have somebody join a meeting with a tone as voice."""

    def join(meeting: MediaMeeting, user: str, *frequencies: float, **options: Any) -> MeetingPage:
        page = open_page(meeting.attendee(user))
        page.join(meeting.meeting, *frequencies, **options)
        return page

    return join


EnterPython = Callable[[MediaMeeting, str], PythonAttendee]


@pytest.fixture
def enter_python() -> Iterator[EnterPython]:
    """Have a Python attendee join a meeting."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def join(meeting: MediaMeeting, user: str) -> PythonAttendee:
            return stack.enter_context(joined(portal, meeting.meeting, meeting.attendee(user)))

        yield join
