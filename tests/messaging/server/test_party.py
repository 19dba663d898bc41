"""What capabilities let an attendee and its content share do."""

from __future__ import annotations

import pytest

from chime_messaging.server.party import Capabilities, Party


@pytest.mark.parametrize(
    ("audio", "speaks", "hears"),
    [
        ("SendReceive", True, True),
        ("Send", True, False),
        ("Receive", False, True),
        ("None", False, False),
    ],
)
def test_the_audio_capability_says_who_speaks_and_hears(audio: str, speaks: bool, hears: bool) -> None:
    party = Party("alice", "ALICE", Capabilities(audio=audio))
    assert (party.speaks, party.hears) == (speaks, hears)


def test_a_content_share_speaks_and_shows_by_the_content_capability() -> None:
    allowed = Party("alice#content", "ALICE", Capabilities("None", "Receive", "SendReceive"))
    forbidden = Party("alice#content", "ALICE", Capabilities("SendReceive", "SendReceive", "Receive"))
    assert (allowed.speaks, allowed.shows, allowed.base, allowed.is_content) == (True, True, "alice", True)
    assert (forbidden.speaks, forbidden.shows) == (False, False)


def test_nobody_sees_itself_nor_what_its_capabilities_forbid() -> None:
    alice = Party("alice", "ALICE", Capabilities(content="None"))
    seen = {other: alice.sees(other) for other in ("alice", "alice#content", "bob", "bob#content")}
    assert seen == {"alice": False, "alice#content": False, "bob": True, "bob#content": False}


def test_the_audience_of_a_replica_hears_and_sees_and_sends_nothing() -> None:
    fan = Party("fan", "FAN", audience=True)
    assert (fan.speaks, fan.shows, fan.hears, fan.sees("star")) == (False, False, True, True)


def test_who_wants_no_videos_neither_sees_nor_shows() -> None:
    alice = Party("alice", "ALICE", wants_videos=False)
    assert (alice.shows, alice.sees("bob"), alice.speaks) == (False, False, True)
