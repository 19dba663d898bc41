"""The unmodified official client in Firefox, in a meeting with Chromium. Not compulsory anywhere."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from chime_media.server.local_server import LocalMeetingServer
from chime_messaging.server.configuration import ServerConfiguration
from tests.interop.media.conftest import Enter, MediaMeeting, create_media_meeting
from tests.interop.media.firefox import MICROPHONE, Firefox, running_firefox
from tests.interop.media.meeting_page import MeetingPage
from tests.interop.media.test_video import BLUE, RED, css

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

DECODED = """async count => (await attendee.statistics()).some(flow =>
    flow.type === "inbound-rtp" && flow.kind === "video" && flow.framesDecoded > count)"""


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("install Firefox (Debian: apt-get install firefox-esr)")
    with running_firefox(program, tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.fixture
def meeting() -> Iterator[MediaMeeting]:
    """A meeting at this machine's own address: Firefox does not send media over loopback."""
    own = own_address()
    if own is None:
        pytest.skip("connect to some network: Firefox sends no media over loopback")
    with LocalMeetingServer(ServerConfiguration(host=own, port=0, quotas=False)) as server:
        yield create_media_meeting(server)


def own_address() -> str | None:
    """The address that this machine would send from; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


@pytest.fixture
def fiona(firefox: Firefox, page_bundle: Path, page_origin: str, meeting: MediaMeeting) -> Iterator[MeetingPage]:
    tab = firefox.new_page()
    tab.goto(page_origin)
    page = MeetingPage(tab, meeting.attendee("fiona"))
    tab.add_script_tag(path=page_bundle)
    page.join(meeting.meeting, 700)
    yield page
    tab.close()


def test_firefox_and_chromium_hear_and_see_each_other(fiona: MeetingPage, enter: Enter, meeting: MediaMeeting) -> None:
    bob = enter(meeting, "bob", 1900)
    fiona.wait("async () => (await attendee.loudness()) > 0.02", None, "sound in Firefox")
    assert abs(bob.hears(MICROPHONE, absent=[1900]).peak - MICROPHONE) < 10
    fiona.call("show", css(RED))
    bob.sees(fiona.id, RED)
    bob.call("show", css(BLUE))
    # Without a screen Firefox does not count the frames that a tile shows.
    fiona.sees(bob.id, BLUE, rate=0)
    fiona.wait(DECODED, 30, "frames in Firefox")
    fiona.until_roster(fiona.id, bob.id)
    bob.call("mute")
    fiona.until_of(bob.id, "who.muted === true")
    fiona.wait("async () => (await attendee.loudness()) < 0.005", None, "silence in Firefox")
    bob.call("subscribe", "chat")
    fiona.call("send", "chat", "hello from Firefox", 0)
    assert bob.until("data", text="hello from Firefox")["sender"] == fiona.id
    fiona.call("leave")
    fiona.until("stopped", code="Left")
    bob.until_roster(bob.id)
