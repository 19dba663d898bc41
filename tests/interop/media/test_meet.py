"""The page at /meet with the unmodified SDK: a person in Chromium and an attendee in Python."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from chime_media.server.local_server import LocalMeetingServer
from chime_messaging.cli.meeting import open_meetings
from chime_messaging.events import Event
from chime_messaging.server.configuration import ServerConfiguration
from tests.interop.conftest import JS, require
from tests.interop.media.conftest import FLAGS
from tests.interop.media.meeting_page import PATIENCE
from tests.interop.media.python_attendee import PythonAttendee, joined

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

DEVICES = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
COLOUR = (30, 150, 60)
HEARD = """async () => {
  const stream = document.getElementById("audio").srcObject;
  const context = new AudioContext({ sampleRate: 48000 });
  const analyser = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0 });
  context.createMediaStreamSource(stream).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount);
  for (let tries = 0; tries < 100; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    analyser.getFloatFrequencyData(bins);
    const peak = bins.indexOf(Math.max(...bins));
    if (bins[peak] > -50) { await context.close(); return peak * 48000 / 16384; }
  }
  return 0;
}"""
SEEN = """(id) => {
  const video = document.getElementById(`tile-${id}`)?.querySelector("video");
  if (!video?.videoWidth) return null;
  const canvas = new OffscreenCanvas(32, 18).getContext("2d");
  canvas.drawImage(video, 0, 0, 32, 18);
  return [...canvas.getImageData(2, 2, 1, 1).data].slice(0, 3);
}"""


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as running:
        yield running


@pytest.fixture(scope="module")
def meet_server(tmp_path_factory: pytest.TempPathFactory, node: str) -> Iterator[LocalMeetingServer]:
    bundle = tmp_path_factory.mktemp("sdk") / "sdk.js"
    options = ["--bundle", "--format=esm", "--main-fields=browser,module,main", "--define:global=window"]
    entry = str(JS / "node_modules/amazon-chime-sdk-js/build/index.js")
    command = [str(JS / "node_modules/.bin/esbuild"), entry, *options, f"--outfile={bundle}", "--log-level=error"]
    subprocess.run(command, check=True, timeout=60)
    with LocalMeetingServer(ServerConfiguration(port=0, js_sdk=str(bundle))) as server:
        yield server


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory, media_browser: Any) -> Iterator[Any]:
    """A tab of a browser with a microphone that beeps and a camera that shows a pattern."""
    chromium = shutil.which("chromium")
    require(chromium is not None, "install Chromium (Debian: apt-get install chromium)")
    home = str(tmp_path_factory.mktemp("home"))
    launched = media_browser.browser_type.launch(
        executable_path=chromium, args=[*FLAGS, *DEVICES], env={"HOME": home, "PATH": "/usr/bin:/bin"}
    )
    page = launched.new_page(viewport={"width": 1280, "height": 760})
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    launched.close()


@pytest.fixture
def python(meet_server: LocalMeetingServer, portal: BlockingPortal) -> Iterator[PythonAttendee]:
    """An attendee who came by the meeting's name, as the commands of ``chime`` do."""

    async def information() -> dict[str, Any]:
        async with open_meetings(meet_server.url) as meetings:
            return await meetings.join_information("standup", "robot")

    told = portal.call(information)
    with joined(portal, told["Meeting"], told["Attendee"]) as attendee:
        yield attendee


def until(page: Any, condition: str, argument: Any = None) -> None:
    page.wait_for_function(condition, arg=argument, polling=50)


async def hear_anything(python: PythonAttendee) -> None:
    async with asyncio.timeout(PATIENCE), python.session.audio.frames() as frames:
        while np.abs((await anext(frames)).astype(int)).max() < 1000:
            continue


async def see_pattern(python: PythonAttendee, attendee_id: str) -> float:
    """How much the parts of a picture differ."""
    async with asyncio.timeout(PATIENCE), python.session.events(Event) as events:
        while True:
            for tile in python.session.video.remote_tiles:
                if tile.attendee_id == attendee_id:
                    async with tile.frames() as frames:
                        return float((await anext(frames)).rgb.std())
            await anext(events)


def test_a_person_and_a_robot_talk_look_and_write(
    meet_server: LocalMeetingServer, person: Any, python: PythonAttendee
) -> None:
    python.speak(700)
    python.show(COLOUR)
    person.goto(f"{meet_server.url}/meet?{urlencode({'meeting': 'standup', 'name': 'Ada'})}")
    until(person, "() => document.getElementById('status').textContent === 'in the meeting'")
    until(person, "() => document.querySelectorAll('#roster li').length === 2")

    assert abs(person.evaluate(HEARD) - 700) < 10
    until(
        person,
        f"id => {{ const seen = ({SEEN})(id); return seen && Math.abs(seen[1] - {COLOUR[1]}) < 30; }}",
        python.id,
    )

    # Chromium's fake microphone beeps; what counts is that it comes through the SDK and the node.
    ada = next(each for each in python.session.roster if each != python.id)
    assert python.session.roster[ada].external_user_id.endswith("#Ada")
    python.run(hear_anything, python)
    person.click("#camera")
    assert python.run(see_pattern, python, ada) > 10

    def write() -> None:
        person.fill("#text", "Hello, robot")
        person.click("#say button")

    assert python.answer_to(write, "chat") == "Hello, robot"
    python.run(python.session.send, "chat", "Hello, Ada")
    until(person, "() => document.getElementById('chat').textContent.includes('robot Hello, Ada')")

    person.click("#mute")
    until(person, "() => document.getElementById('roster').textContent.includes('Ada (you) · muted')")
    if folder := os.environ.get("SCREENSHOTS"):
        person.screenshot(path=str(Path(folder) / "meet.png"))
    person.click("#leave")
    until(person, "() => document.getElementById('status').textContent === 'left'")
    assert person.is_visible("#welcome")
