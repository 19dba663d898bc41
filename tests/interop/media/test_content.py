"""Chromium pages that share content with sound."""

import pytest

from tests.interop.media.conftest import Enter, MediaMeeting
from tests.interop.media.meeting_page import MeetingPage
from tests.interop.media.test_video import BLUE, GREEN, RED, css

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

BLACK = (0, 0, 0)
"""What a browser sends of a track that is switched off."""


def content(page: MeetingPage) -> str:
    return f"{page.id}#content"


def test_content_is_seen_and_heard_by_others_and_not_by_who_shares_it(enter: Enter, meeting: MediaMeeting) -> None:
    alice = enter(meeting, "alice", 700)
    bob = enter(meeting, "bob", 1900)
    alice.call("show", css(RED))
    alice.call("share", css(GREEN), 3100)
    alice.until("contentStarted")
    bob.until_roster(alice.id, bob.id, content(alice))
    bob.sees(content(alice), GREEN)
    bob.sees(alice.id, RED)
    bob.hears(700, 3100, absent=[1900])
    alice.hears(1900, absent=[3100, 700])
    alice.call("pauseShare")
    alice.until("contentPaused")
    bob.sees(content(alice), BLACK, rate=0)
    bob.hears(700, absent=[3100])
    alice.call("unpauseShare")
    alice.until("contentUnpaused")
    bob.sees(content(alice), GREEN)
    bob.call("share", css(BLUE), 4300)
    alice.sees(content(bob), BLUE)
    alice.hears(1900, 4300, absent=[3100])
    bob.hears(3100, absent=[4300])
    alice.call("stopShare")
    alice.until("contentStopped")
    bob.has_no_tile(content(alice))
    bob.until_roster(alice.id, bob.id, content(bob))
    bob.hears(700, absent=[3100])
