"""Chromium pages on bad networks, and behind a relay."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from chime_media.server.local_server import LocalMeetingServer
from chime_media.testing.impairments import Impairment, UdpProxy
from chime_messaging.server.configuration import ServerConfiguration
from tests.interop.conftest import require
from tests.interop.media.conftest import Enter, MediaMeeting, create_media_meeting
from tests.interop.media.meeting_page import MeetingPage
from tests.interop.media.test_video import BLUE, RED, css
from tests.media.relay import PASSWORD, TURNSERVER, USER, Relay, running_relay

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

LOSSY = Impairment(loss=0.05, delay=0.02, jitter=0.03, reorder=0.01, duplication=0.01)


@pytest.fixture
def lossy(media_server: LocalMeetingServer) -> Iterator[UdpProxy]:
    """What the network does to those who join from now on, both ways."""
    port = media_server.media.port
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(portal.call(UdpProxy.open, ("127.0.0.1", port.port), LOSSY, LOSSY)) as proxy,
    ):
        candidates, port.candidates = port.candidates, [proxy.candidate()]
        yield proxy
        port.candidates = candidates


def test_sound_and_pictures_survive_loss(enter: Enter, meeting: MediaMeeting, lossy: UdpProxy) -> None:
    alice = enter(meeting, "alice", 700)
    bob = enter(meeting, "bob", 1900)
    alice.call("show", css(RED))
    bob.call("show", css(BLUE))
    alice.sees(bob.id, BLUE, rate=8)
    bob.sees(alice.id, RED, rate=8)
    for _ in range(3):
        assert abs(alice.hears(1900, absent=[700]).peak - 1900) < 10
        assert abs(bob.hears(700, absent=[1900]).peak - 700) < 10
    assert lossy.toward.lost > 20
    assert lossy.back.lost > 20


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    require(shutil.which("turnserver") is not None, "install coturn (Debian: apt-get install coturn)")
    assert TURNSERVER is not None
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(running_relay(tmp_path)) as running:
        yield running


def candidate_kinds(page: MeetingPage) -> set[str]:
    """What kinds of candidates a page's connection goes over."""
    statistics = page.call("statistics")
    pairs = [entry for entry in statistics if entry["type"] == "candidate-pair" and entry.get("nominated")]
    local = {entry["id"]: entry["candidateType"] for entry in statistics if entry["type"] == "local-candidate"}
    return {local[pair["localCandidateId"]] for pair in pairs}


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_pages_meet_over_a_relay(enter: Enter, relay: Relay, protocol: str) -> None:
    settings = ServerConfiguration(
        port=0,
        quotas=False,
        turn_uris=(getattr(relay, protocol),),
        turn_username=USER,
        turn_password=PASSWORD,
    )
    with LocalMeetingServer(settings) as server:
        meeting = create_media_meeting(server)
        alice = enter(meeting, "alice", 700)
        bob = enter(meeting, "bob", 1900)
        alice.call("show", css(RED))
        bob.sees(alice.id, RED)
        bob.hears(700, absent=[1900])
        alice.hears(1900, absent=[700])
        assert candidate_kinds(alice) == candidate_kinds(bob) == {"relay"}
        for page in (alice, bob):
            page.call("leave")
            page.until("stopped")
