"""Attendees in Python and in Chromium in one meeting."""

from __future__ import annotations

import pytest

from tests.interop.media.conftest import Enter, EnterPython, MediaMeeting
from tests.interop.media.test_video import BLUE, GREEN, RED, css

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]


def test_python_and_chromium_hear_each_other(enter: Enter, enter_python: EnterPython, meeting: MediaMeeting) -> None:
    alice = enter(meeting, "alice", 700)
    pia = enter_python(meeting, "pia")
    pia.speak(2500)
    alice.until_roster(alice.id, pia.id)
    alice.hears(2500, absent=[700])
    pia.hears(700, absent=[2500])
    alice.until_of(pia.id, "who.volume > 0.2 && who.muted === false")
    pia.run(pia.session.audio.mute)
    alice.until_of(pia.id, "who.muted === true")
    alice.hears_not(2500)
    pia.run(pia.session.audio.unmute)
    alice.hears(2500)


def test_python_and_chromium_see_each_other(enter: Enter, enter_python: EnterPython, meeting: MediaMeeting) -> None:
    alice = enter(meeting, "alice", 700)
    alice.call("show", css(RED))
    pia = enter_python(meeting, "pia")
    pia.show(GREEN)
    alice.sees(pia.id, GREEN)
    pia.sees(alice.id, RED)
    bob = enter(meeting, "bob", 1900)
    bob.call("show", css(BLUE))
    bob.sees(pia.id, GREEN)
    pia.sees(bob.id, BLUE)
    alice.sees(bob.id, BLUE)
    pia.run(pia.session.video.stop_local_tile)
    alice.has_no_tile(pia.id)
