"""A Python attendee beside the same attendee as headless Chromium running amazon-chime-sdk-js.

    python tests/benchmarks/meeting_attendee.py [--seconds 8] [--bots 10] [--tabs 3]

Both say a tone and hear the mix of one local server, in one run. Memory is PSS, for Chromium of all its processes; CPU
is of a core and attendee; and the time from joining to what is heard first. What the server and the attendee that both
listen to cost is in neither: they are a process of their own.

Needs Chromium, Playwright and the packages of tests/interop/js.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

VOICE, COMPANION = 440.0, 1000.0
AUDIBLE = 300
"""Peak of samples that is no silence."""


def pss(processes: Iterable[psutil.Process]) -> float:
    """MiB that processes take, what they share being counted once."""
    return sum(process.memory_full_info().pss for process in processes) / 2**20


def cpu(processes: Iterable[psutil.Process]) -> float:
    """Seconds of all threads."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def usage(processes: Callable[[], list[psutil.Process]], seconds: float) -> float:
    """Share of a core that processes take, in percent."""
    before, at = cpu(processes()), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu(processes()) - before) / (time.monotonic() - at)


def serve() -> None:
    """The server, with an attendee that always speaks: a process of its own."""
    from chime_media import MeetingSession, Tone
    from chime_media.server.local_server import LocalMeetingServer
    from chime_messaging import MeetingSessionConfiguration
    from chime_messaging.server.configuration import ServerConfiguration

    async def run() -> None:
        async with LocalMeetingServer(ServerConfiguration(port=0, quotas=False)) as server:
            api = server.client("chime-sdk-meetings")
            meeting = api.create_meeting(
                ClientRequestToken="benchmark", MediaRegion="us-east-1", ExternalMeetingId="benchmark"
            )["Meeting"]
            made = [
                api.create_attendee(MeetingId=meeting["MeetingId"], ExternalUserId=f"attendee-{number}")["Attendee"]
                for number in range(60)
            ]
            async with MeetingSession(MeetingSessionConfiguration(meeting, made.pop())) as companion:
                companion.audio.start_input(Tone(COMPANION))
                print(json.dumps({"meeting": meeting, "attendees": made}, default=str), flush=True)
                await asyncio.to_thread(sys.stdin.read)

    asyncio.run(run())


def attend() -> None:
    """Python attendees: a process of its own. Each line on stdin says how many there are to be."""
    given = json.loads(sys.stdin.readline())
    from chime_media import MeetingSession, OpusPackets, Tone
    from chime_messaging import MeetingSessionConfiguration

    def canned() -> OpusPackets:
        from chime_media.rtc.opus import OpusEncoder

        encoder, tone = OpusEncoder(), Tone(VOICE)
        return OpusPackets([encoder.encode(tone.read()) for _ in range(50)], loop=True)

    async def join(stack: AsyncExitStack, attendee: dict[str, Any], tasks: list[asyncio.Task[None]]) -> float:
        at = time.monotonic()
        session = MeetingSession(MeetingSessionConfiguration(given["meeting"], attendee))
        frames = session.audio.frames()
        await stack.enter_async_context(session)
        if given["canned"]:
            session.audio.start_input(canned())
            return time.monotonic() - at
        session.audio.start_input(Tone(VOICE))
        while abs(await anext(frames)).max() < AUDIBLE:
            pass
        heard = time.monotonic() - at

        async def listen() -> None:
            async for _ in frames:
                pass

        tasks.append(asyncio.create_task(listen()))
        return heard

    async def run() -> None:
        tasks: list[asyncio.Task[None]] = []
        async with AsyncExitStack() as stack:
            while line := await asyncio.to_thread(sys.stdin.readline):
                times = [await join(stack, given["attendees"].pop(), tasks) for _ in range(int(line))]
                print(json.dumps(times), flush=True)
        await asyncio.gather(*tasks)

    asyncio.run(run())


def measure_python(given: dict[str, Any], bots: int, seconds: float, *, canned: bool) -> dict[str, float]:
    """One attendee in a process, then more in the same."""
    child = subprocess.Popen(
        [sys.executable, __file__, "--attend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(json.dumps({**given, "canned": canned}) + "\n1\n")
        child.stdin.flush()
        (first,) = json.loads(child.stdout.readline())
        given["attendees"].pop()
        process = [psutil.Process(child.pid)]
        usage(lambda: process, 2.0)
        one, one_cpu = pss(process), usage(lambda: process, seconds)
        child.stdin.write(f"{bots - 1}\n")
        child.stdin.flush()
        more = json.loads(child.stdout.readline())
        del given["attendees"][-(bots - 1) :]
        usage(lambda: process, 2.0)
        many_cpu = usage(lambda: process, seconds)
        many = pss(process)
    finally:
        child.stdin.close()
        child.wait(20)
    return {
        "one": one,
        "marginal": (many - one) / (bots - 1),
        "cpu_one": one_cpu,
        "cpu": many_cpu / bots,
        "heard": sorted([first, *more])[bots // 2],
    }


def measure_chromium(given: dict[str, Any], tabs: int, seconds: float) -> dict[str, float]:
    """One tab, then more of the same browser."""
    from playwright.sync_api import sync_playwright

    from tests.interop.conftest import JS
    from tests.interop.media.blank_page import blank_page
    from tests.interop.media.conftest import FLAGS
    from tests.interop.media.meeting_page import MeetingPage

    with tempfile.TemporaryDirectory() as home, blank_page() as origin, sync_playwright() as playwright:
        bundle = Path(home, "meeting_page.js")
        options = ["--bundle", "--format=iife", "--main-fields=browser,module,main", "--define:global=window"]
        esbuild = str(JS / "node_modules" / ".bin" / "esbuild")
        subprocess.run([esbuild, str(JS / "meeting_page.mjs"), *options, f"--outfile={bundle}"], check=True)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, env={"HOME": home, "PATH": "/usr/bin:/bin"}
        )
        context = browser.new_context()

        def processes() -> list[psutil.Process]:
            family = psutil.Process().children(recursive=True)
            return [each for each in family if "chrom" in each.name()]

        def join() -> float:
            tab = context.new_page()
            tab.goto(origin)
            page = MeetingPage(tab, given["attendees"].pop())
            tab.add_script_tag(path=bundle)
            at = time.monotonic()
            page.join(given["meeting"], VOICE)
            while page.listen(COMPANION).levels[0] < -50:
                pass
            return time.monotonic() - at

        times = [join()]
        time.sleep(2.0)
        one, one_cpu = pss(processes()), usage(processes, seconds)
        times += [join() for _ in range(tabs - 1)]
        time.sleep(2.0)
        many_cpu, many = usage(processes, seconds), pss(processes())
        browser.close()
    return {
        "one": one,
        "marginal": (many - one) / (tabs - 1),
        "cpu_one": one_cpu,
        "cpu": many_cpu / tabs,
        "heard": sorted(times)[tabs // 2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--bots", type=int, default=10)
    parser.add_argument("--tabs", type=int, default=3)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--attend", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve()
    if options.attend:
        return attend()
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        given = json.loads(server.stdout.readline())
        rows = {
            "Python, says and hears": measure_python(given, options.bots, options.seconds, canned=False),
            "Python, ready-made Opus": measure_python(given, options.bots, options.seconds, canned=True),
        }
        if not options.no_browser:
            rows["Chromium"] = measure_chromium(given, options.tabs, options.seconds)
    finally:
        server.stdin.close()
        server.wait(30)
    print(f"{'':26}{'one, MiB':>10}{'more, MiB':>11}{'CPU of one %':>14}{'CPU each %':>12}{'heard, s':>10}")
    for name, row in rows.items():
        print(
            f"{name:26}{row['one']:>10.1f}{row['marginal']:>11.2f}{row['cpu_one']:>14.2f}{row['cpu']:>12.2f}"
            f"{row['heard']:>10.3f}"
        )
    theirs = rows.get("Chromium")
    if theirs is not None:
        for name in ("Python, says and hears", "Python, ready-made Opus"):
            ours = rows[name]
            ratios = ", ".join(f"{key} {theirs[key] / ours[key]:.1f}" for key in ("one", "marginal", "cpu_one", "cpu"))
            print(f"Chromium takes times as much as {name}: {ratios}")
    return None


if __name__ == "__main__":
    main()
