"""Attendees in Python and in Chromium in one meeting."""

from __future__ import annotations

from functools import partial

import pytest

from chime_media.devices.audio_sources import Tone
from chime_media.devices.video_sources import TestCard
from chime_media.sessions.content_share import ContentShare
from chime_messaging.errors import MeetingEndedError
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


def test_content_goes_both_ways_between_python_and_chromium(
    enter: Enter, enter_python: EnterPython, meeting: MediaMeeting
) -> None:
    alice = enter(meeting, "alice", 700)
    pia = enter_python(meeting, "pia")
    pia.speak(2500)
    share = pia.run(ContentShare, pia.session)
    pia.run(partial(share.start, TestCard(GREEN, 1280, 720), audio=Tone(3700, level=-15)))
    alice.until_roster(alice.id, pia.id, f"{pia.id}#content")
    alice.sees(f"{pia.id}#content", GREEN)
    alice.hears(2500, 3700, absent=[700])
    pia.hears(700, absent=[2500, 3700])
    alice.call("share", css(BLUE), 4900)
    alice.until("contentStarted")
    pia.sees(f"{alice.id}#content", BLUE)
    pia.hears(700, 4900, absent=[3700])
    pia.run(share.stop)
    alice.has_no_tile(f"{pia.id}#content")
    alice.call("stopShare")
    alice.until("contentStopped")
    alice.until_roster(alice.id, pia.id)


def test_data_messages_go_both_ways_between_python_and_chromium(
    enter: Enter, enter_python: EnterPython, meeting: MediaMeeting
) -> None:
    alice = enter(meeting, "alice", 700, topics=["chat"])
    pia = enter_python(meeting, "pia")
    pia.run(partial(pia.session.send, "chat", "hello from Python", 60.0))
    assert alice.until("data", text="hello from Python")["sender"] == pia.id
    assert pia.answer_to(lambda: alice.call("send", "chat", "hello from Chromium", 0), "chat") == "hello from Chromium"
    late = enter(meeting, "late", 1900, topics=["chat"])
    assert late.until("data", text="hello from Python")["sender"] == pia.id


def test_a_python_attendee_learns_that_the_meeting_ended(
    enter: Enter, enter_python: EnterPython, meeting: MediaMeeting
) -> None:
    alice = enter(meeting, "alice", 700)
    pia = enter_python(meeting, "pia")
    meeting.delete()
    alice.until("stopped", code="MeetingEnded")
    assert isinstance(pia.run(pia.session.wait_stopped).error, MeetingEndedError)
