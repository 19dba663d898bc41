"""Data messages between Chromium pages in a meeting with media."""

import pytest

from tests.interop.media.conftest import Enter, MediaMeeting

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]


def test_messages_go_both_ways_and_late_comers_get_those_that_live(enter: Enter, meeting: MediaMeeting) -> None:
    alice = enter(meeting, "alice", 700)
    bob = enter(meeting, "bob", 1900)
    for page in (alice, bob):
        page.call("subscribe", "chat")
    alice.call("send", "chat", "hello", 60_000)
    assert bob.until("data", text="hello")["sender"] == alice.id
    bob.call("send", "chat", "gone at once", 0)
    assert alice.until("data", text="gone at once")["externalUserId"].startswith("bob-")
    carol = enter(meeting, "carol", 3100, topics=["chat"])
    assert carol.until("data", text="hello")["sender"] == alice.id
    assert carol.log("data", text="gone at once") == []
