"""A Yjs document in Chromium and a `SharedDocument` in Python become the same, through the example's provider."""

from __future__ import annotations

import random
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Array, Map, Text

from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.state import SharedDocument
from tests.interop.conftest import JS, PATIENCE, LocalChime
from tests.interop.meetings import Meeting, create_meeting
from tests.interop.test_chromium_session import browser, origin

__all__ = ["browser", "origin"]

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory, node: str) -> Path:
    output = tmp_path_factory.mktemp("bundle") / "shared_document.js"
    esbuild = JS / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--format=iife", "--main-fields=browser,module,main", "--define:global=window"]
    # The provider stands among the examples, where no packages are.
    options += [f"--alias:{name}={JS / 'node_modules' / name}" for name in ("yjs", "amazon-chime-sdk-js")]
    command = [str(esbuild), str(JS / "shared_document.mjs"), *options, f"--outfile={output}", "--log-level=error"]
    subprocess.run(command, check=True, timeout=60)
    return output


@pytest.fixture
def page(browser: Any, script: Path, origin: str) -> Iterator[Any]:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(origin)
    tab.add_script_tag(path=script)
    yield tab
    context.close()


def until(page: Any, condition: str, argument: Any = None) -> None:
    try:
        page.wait_for_function(condition, arg=argument, timeout=PATIENCE * 1000)
    except Exception as error:
        told = page.evaluate("() => [shared.errors, shared.provider.undecodable, shared.content().text.slice(0, 200)]")
        raise AssertionError(f"not {condition} of {str(argument)[:80]}: {told}") from error


class Notes:
    """A document of Bob's in a thread of its own, as Playwright keeps this one's loop."""

    def __init__(self, chime: LocalChime, meeting: Meeting) -> None:
        context = ssl.create_default_context(cafile=chime.server.ca_path)
        configuration = MeetingSessionConfiguration(meeting.meeting, meeting.attendee("bob"), ssl_context=context)
        self.portal = chime.portal
        self.session = DataMessageSession(configuration)
        self.document = SharedDocument(self.session, "board")
        self.text = self.document.get("text", type=Text)
        self.map = self.document.get("map", type=Map)

    def run(self, work: Any) -> Any:
        return self.portal.call(work)

    def until(self, condition: Any) -> None:
        self.portal.call(self.document.wait_for, condition, PATIENCE)


@pytest.fixture
def meeting(chime: LocalChime) -> Meeting:
    return create_meeting(chime)


@pytest.fixture
def notes(chime: LocalChime, meeting: Meeting) -> Iterator[Notes]:
    notes = chime.portal.call(lambda: Notes(chime, meeting))
    with (
        chime.portal.wrap_async_context_manager(notes.session),
        chime.portal.wrap_async_context_manager(notes.document),
    ):
        yield notes


def test_a_page_and_a_program_edit_one_document(page: Any, notes: Notes, meeting: Meeting) -> None:
    content = random.Random(1).randbytes(20_000).hex()
    notes.run(lambda: notes.text.insert(0, content))
    notes.run(notes.document.flush)
    page.evaluate("options => shared.open(options)", meeting.options(meeting.attendee("alice"), topic="board"))
    # What was there before, in pieces; then small edits both ways; then a large one of the page.
    until(page, "text => shared.content().text === text", content)
    page.evaluate("() => { shared.remove(0, 39990); shared.insert(0, 'hello ✋ '); shared.set('by', 'alice'); }")
    notes.until(lambda: str(notes.text) == "hello ✋ " + content[-10:] and notes.map.to_py() == {"by": "alice"})
    notes.run(lambda: notes.map.update({"too": [1, None, {"x": "y"}]}))
    until(page, "() => shared.content().map.too?.length === 3")
    large = random.Random(2).randbytes(10_000).hex()
    page.evaluate("text => shared.insert(0, text)", large)
    notes.until(lambda: str(notes.text).startswith(large))
    assert page.evaluate("() => [shared.errors, shared.provider.undecodable]") == [[], 0]


def test_both_edit_at_the_same_time(page: Any, notes: Notes, meeting: Meeting) -> None:
    page.evaluate("options => shared.open(options)", meeting.options(meeting.attendee("alice"), topic="board"))
    for number in range(30):
        page.evaluate("number => shared.insert(0, `p${number} `)", number)
        notes.run(lambda number=number: notes.text.insert(0, f"b{number} "))
    notes.until(lambda: len(str(notes.text).split()) == 60)
    until(page, "text => shared.content().text === text", notes.run(lambda: str(notes.text)))


def test_what_is_drawn_in_the_page_is_on_the_board_of_the_program_and_the_other_way_round(
    page: Any, notes: Notes, meeting: Meeting
) -> None:
    points = notes.run(lambda: notes.document.get("points", type=Array))
    notes.run(lambda: points.append({"x": 3, "y": 2}))
    page.evaluate("options => shared.open(options)", meeting.options(meeting.attendee("alice"), topic="board"))
    page.evaluate("() => shared.board()")
    until(page, "() => shared.isPainted(3, 2) && !shared.isPainted(4, 2)")
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 210, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 230, box["y"] + 50)
    page.mouse.up()
    notes.until(lambda: {"x": 11.0, "y": 2.0} in points.to_py())
    until(page, "() => shared.isPainted(11, 2)")
