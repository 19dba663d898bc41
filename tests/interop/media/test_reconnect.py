"""Chromium pages whose network fails: the unmodified client must come back with all its media."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from chime_media.server.local_server import LocalMeetingServer
from chime_media.testing.impairments import UdpProxy
from chime_messaging.server.configuration import ServerConfiguration
from tests.interop.media.conftest import Enter, MediaMeeting, OpenPage, create_media_meeting
from tests.interop.media.cut_proxy import CutProxy
from tests.interop.media.meeting_page import MeetingPage
from tests.interop.media.test_video import BLUE, RED, css

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

IMPATIENT = {"connectionUnhealthyThreshold": 4, "connectionWaitTimeMs": 2000}
"""Seconds without a packet after which the client gives a connection up, and how long it gives a new one: by default 25
and 10 seconds."""


@pytest.fixture
def udp_proxy(media_server: LocalMeetingServer) -> Iterator[UdpProxy]:
    """Stands before the node's port, for those who join from now on."""
    port = media_server.media.port
    target = ("127.0.0.1", port.port)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(portal.call(UdpProxy.open, target)) as proxy,
    ):
        candidates, port.candidates = port.candidates, [proxy.candidate()]
        yield proxy
        port.candidates = candidates


def on_air(page: MeetingPage, colour: tuple[int, int, int]) -> MeetingPage:
    page.call("show", css(colour))
    return page


def both_ways(alice: MeetingPage, bob: MeetingPage) -> None:
    """Everything that Alice (700 Hz, red) and Bob (1900 Hz, blue) send each other arrives."""
    alice.hears(1900, absent=[700])
    bob.hears(700, absent=[1900])
    alice.sees(bob.id, BLUE)
    bob.sees(alice.id, RED)


def test_a_cut_socket_is_opened_again_and_all_media_comes_back(
    open_page: OpenPage, enter: Enter, meeting: MediaMeeting, cut_proxy: CutProxy
) -> None:
    alice = open_page(meeting.attendee("alice"))
    alice.join(meeting.through(cut_proxy).meeting, 700)
    bob = on_air(enter(meeting, "bob", 1900), BLUE)
    both_ways(on_air(alice, RED), bob)
    cut = time.monotonic()
    assert cut_proxy.cut() == 1
    alice.until_count("started", 2)
    assert time.monotonic() - cut < 4
    both_ways(alice, bob)
    alice.until_roster(alice.id, bob.id)
    bob.until_roster(alice.id, bob.id)
    assert bob.log("presence", attendeeId=alice.id, present=False) == []
    assert alice.log("stopped") == []


def test_media_that_is_cut_is_noticed_and_comes_back(
    open_page: OpenPage, enter: Enter, meeting: MediaMeeting, udp_proxy: UdpProxy
) -> None:
    alice = open_page(meeting.attendee("alice"))
    alice.join(meeting.meeting, 700, health=IMPATIENT)
    bob = on_air(enter(meeting, "bob", 1900, health=IMPATIENT), BLUE)
    both_ways(on_air(alice, RED), bob)
    udp_proxy.blocked = True
    for page in (alice, bob):
        page.until("connecting", reconnecting=True, patience=30)
    udp_proxy.blocked = False
    for page in (alice, bob):
        page.until_count("started", 2, patience=30)
    both_ways(alice, bob)
    assert alice.log("stopped") == bob.log("stopped") == []


def test_a_server_that_is_restarted_gets_its_attendees_back(open_page: OpenPage, tmp_path: Path) -> None:
    settings = ServerConfiguration(port=0, quotas=False, database=str(tmp_path / "chime.db"))
    with LocalMeetingServer(settings) as server:
        meeting = create_media_meeting(server)
        alice, bob = (open_page(meeting.attendee(name)) for name in ("alice", "bob"))
        alice.join(meeting.meeting, 700)
        bob.join(meeting.meeting, 1900)
        both_ways(on_air(alice, RED), on_air(bob, BLUE))
        port = server.port
    for page in (alice, bob):
        page.until("connecting", reconnecting=True)
    with LocalMeetingServer(ServerConfiguration(port=port, quotas=False, database=settings.database)):
        for page in (alice, bob):
            page.until_count("started", 2, patience=30)
        both_ways(alice, bob)
        alice.until_roster(alice.id, bob.id)
        assert alice.log("stopped") == bob.log("stopped") == []
        alice.call("leave")
        bob.call("leave")
        for page in (alice, bob):
            page.until("stopped")
