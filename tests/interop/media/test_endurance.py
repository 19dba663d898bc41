"""Three Chromium pages and two Python attendees at once, for as long as CHIME_ENDURANCE says in seconds."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chime_media.server.local_server import LocalMeetingServer
from tests.interop.media.conftest import Enter, EnterPython, MediaMeeting
from tests.interop.media.test_video import BLUE, GREEN, RED, css

SECONDS = float(os.environ.get("CHIME_ENDURANCE", "20"))
LEAK_MIB = 24.0
"""By how much this process, which is the server and both Python attendees, may grow once all have joined."""

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(SECONDS * 2 + 120)]


def resident_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_nothing_leaks_or_freezes(
    enter: Enter,
    enter_python: EnterPython,
    meeting: MediaMeeting,
    media_server: LocalMeetingServer,
    record_property: Callable[[str, object], None],
) -> None:
    colours = [RED, GREEN, BLUE]
    pages = [enter(meeting, f"page-{index}", 700 + 600 * index) for index in range(3)]
    for page, colour in zip(pages, colours, strict=True):
        page.call("show", css(colour), 320, 180)
    bots = [enter_python(meeting, f"bot-{index}") for index in range(2)]
    for index, bot in enumerate(bots):
        bot.speak(2700 + 600 * index)
    tones = [700, 1300, 1900, 2700, 3300]
    everybody = [page.id for page in pages] + [bot.id for bot in bots]

    def check() -> None:
        listening = [page.hears for page in pages] + [bot.hears for bot in bots]
        for hears, own in zip(listening, tones, strict=True):
            hears(*(tone for tone in tones if tone != own), absent=[own])
        for index, page in enumerate(pages):
            other = (index + 1) % len(pages)
            page.sees(pages[other].id, colours[other], rate=5)
        for bot, page, colour in zip(bots, pages, colours, strict=False):
            bot.sees(page.id, colour)

    check()
    skipped = media_server.media.clock.skipped_ticks
    settled, started = resident_mib(), time.monotonic()
    rounds = 0
    while time.monotonic() - started < SECONDS:
        check()
        rounds += 1
    grown = resident_mib() - settled
    assert rounds >= 1
    assert grown < LEAK_MIB
    # This process does the work of the node and of two attendees, on a machine that runs a browser as well.
    assert media_server.media.clock.skipped_ticks - skipped < (time.monotonic() - started) * 50 * 0.2
    for page in pages:
        page.until_roster(*everybody)
        assert page.log("connecting", reconnecting=True) == []
        assert page.log("stopped") == []
    record_property("rounds", rounds)
    record_property("grown_mib", grown)
