"""Chromium pages that show each other moving colour cards."""

import pytest

from tests.interop.media.conftest import Enter, MediaMeeting
from tests.interop.media.meeting_page import MeetingPage

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

RED = (200, 40, 40)
GREEN = (40, 160, 60)
BLUE = (40, 60, 190)


def css(colour: tuple[int, int, int]) -> str:
    return "rgb({}, {}, {})".format(*colour)


@pytest.fixture
def alice(enter: Enter, meeting: MediaMeeting) -> MeetingPage:
    return enter(meeting, "alice", 700)


@pytest.fixture
def bob(enter: Enter, meeting: MediaMeeting) -> MeetingPage:
    return enter(meeting, "bob", 1900)


def test_two_pages_see_each_other_move(alice: MeetingPage, bob: MeetingPage) -> None:
    alice.call("show", css(RED))
    bob.sees(alice.id, RED, rate=8)
    bob.call("show", css(BLUE))
    alice.sees(bob.id, BLUE, rate=8)
    bob.sees(alice.id, RED, rate=8)
    assert alice.call("look", alice.id) is None


def test_a_camera_is_switched_off_and_on_again(alice: MeetingPage, bob: MeetingPage) -> None:
    alice.call("show", css(RED))
    bob.call("show", css(BLUE))
    bob.sees(alice.id, RED)
    alice.call("hide")
    bob.has_no_tile(alice.id)
    alice.sees(bob.id, BLUE)
    alice.call("show", css(GREEN))
    bob.sees(alice.id, GREEN)
    alice.sees(bob.id, BLUE)


def test_who_comes_later_sees_who_is_on_air(enter: Enter, meeting: MediaMeeting, alice: MeetingPage) -> None:
    alice.call("show", css(RED))
    alice.until("tile", local=True)
    bob = enter(meeting, "bob", 1900)
    bob.sees(alice.id, RED)


def test_a_tile_is_paused_and_goes_on(alice: MeetingPage, bob: MeetingPage) -> None:
    alice.call("show", css(RED))
    bob.sees(alice.id, RED)
    bob.call("pause", alice.id)
    bob.until("tile", attendeeId=alice.id, paused=True)
    bob.sees_still(alice.id)
    bob.call("resume", alice.id)
    bob.sees(alice.id, RED)


def test_a_viewer_gets_the_layer_that_fits_its_tile(enter: Enter, meeting: MediaMeeting) -> None:
    alice = enter(meeting, "alice", 700, simulcast=True)
    bob = enter(meeting, "bob", 1900, priority=True)
    carol = enter(meeting, "carol", 3100, priority=True)
    alice.call("show", css(RED), 1280, 720, True)
    for page, size in ((bob, "High"), (carol, "Low")):
        page.wait("id => attendee.sources?.includes(id)", alice.id, "source")
        page.call("prefer", alice.id, size)
    big = bob.sees(alice.id, RED, patience=30)
    bob.wait("id => attendee.look(id)?.width >= 640", alice.id, "large layer", 30)
    carol.sees(alice.id, RED)
    carol.wait("id => attendee.look(id)?.width <= 320", alice.id, "small layer", 30)
    bob.call("prefer", alice.id, "Low")
    bob.wait("id => attendee.look(id)?.width <= 320", alice.id, "small layer after a large one", 30)
    carol.call("prefer", alice.id, "High")
    carol.wait("id => attendee.look(id)?.width >= 640", alice.id, "large layer after a small one", 30)
    assert carol.sees(alice.id, RED).width > 320
    assert bob.sees(alice.id, RED).width <= 320
    assert big.rate >= 5
