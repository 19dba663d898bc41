"""Chromium pages that speak to each other through the node."""

import pytest

from tests.interop.media.conftest import Enter, MediaMeeting
from tests.interop.media.meeting_page import MeetingPage

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]


@pytest.fixture
def alice(enter: Enter, meeting: MediaMeeting) -> MeetingPage:
    return enter(meeting, "alice", 700)


@pytest.fixture
def bob(enter: Enter, meeting: MediaMeeting) -> MeetingPage:
    return enter(meeting, "bob", 1900)


def test_two_pages_hear_each_other_and_not_themselves(alice: MeetingPage, bob: MeetingPage) -> None:
    assert abs(alice.hears(1900, absent=[700]).peak - 1900) < 10
    assert abs(bob.hears(700, absent=[1900]).peak - 700) < 10


def test_both_are_in_both_rosters_and_the_one_who_speaks_is_shown(alice: MeetingPage, bob: MeetingPage) -> None:
    bob.call("mute")
    for page in (alice, bob):
        page.until_roster(alice.id, bob.id)
        page.until_of(alice.id, "who.volume > 0.2 && who.signal === 1 && who.muted === false")
        page.until_of(bob.id, "who.volume === 0 && who.muted === true")
        page.wait(
            "id => attendee.log.findLast(entry => entry.event === 'activeSpeakers')?.attendees[0] === id",
            alice.id,
            "active speaker",
        )
    assert bob.roster()[alice.id]["externalUserId"].startswith("alice-")
    bob.call("unmute")
    alice.call("mute")
    for page in (alice, bob):
        page.until_of(bob.id, "who.volume > 0.2 && who.muted === false")
        page.wait(
            "id => attendee.log.findLast(entry => entry.event === 'activeSpeakers')?.attendees[0] === id",
            bob.id,
            "other active speaker",
        )


def test_who_is_muted_is_not_heard_and_others_see_it(alice: MeetingPage, bob: MeetingPage) -> None:
    bob.hears(700)
    alice.call("mute")
    bob.until_of(alice.id, "who.muted === true")
    alice.until_of(alice.id, "who.muted === true")
    bob.hears_not(700)
    alice.hears(1900)
    assert alice.call("unmute") is True
    bob.until_of(alice.id, "who.muted === false")
    bob.hears(700, absent=[1900])


def test_three_hear_the_two_others(enter: Enter, meeting: MediaMeeting, alice: MeetingPage, bob: MeetingPage) -> None:
    carol = enter(meeting, "carol", 3100)
    carol.hears(700, 1900, absent=[3100])
    alice.hears(1900, 3100, absent=[700])
    bob.hears(700, 3100, absent=[1900])
    bob.call("leave")
    bob.until("stopped", code="Left")
    alice.until_roster(alice.id, carol.id)
    alice.hears(3100, absent=[1900])
    left = alice.until("presence", attendeeId=bob.id, present=False)
    assert left["dropped"] is False
