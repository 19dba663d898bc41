"""``chime load meeting``: attendees of one meeting that talk and listen, and what that came to."""

from __future__ import annotations

import asyncio
import math
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chime_media.devices.sources import Samples
from chime_media.devices.video_sources import TestCard
from chime_media.rtc.video_frame import VideoFrame
from chime_media.sessions.meeting_session import MeetingSession
from chime_messaging.cli.data import print_json
from chime_messaging.cli.interrupts import until_interrupted
from chime_messaging.cli.meeting import Meetings, open_meetings, ssl_context
from chime_messaging.errors import ConfigurationError
from chime_messaging.ids import new_uuid
from chime_messaging.meeting_events import MeetingReconnectScheduled, MeetingSessionStopped
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

JOINING = 8
"""Attendees that join at the same time."""
BATCH = 100
"""Attendees that one call makes; the most that the service takes."""
EVERY = 50
"""Frames of 20 ms from the beginning of one beep to that of the next."""
BEEP = 5
"""Frames that one lasts."""
FREQUENCY = 600.0
LOUD = 2000
"""Of samples: from here on a beep is heard. Those that are sent have 8000."""
BEHIND = 0.03
"""Share of sound that is not sent from which on the numbers are about this machine rather than the server."""
PATIENCE = 20.0
"""Seconds for which a connection is tried before the load is given up, for example as the server has no media."""
SETTLE = 0.9
"""Seconds that what was said takes at most until it is heard."""


@dataclass(frozen=True)
class Plan:
    """What to do."""

    attendees: int
    talkers: int
    listeners: int
    video: bool
    seconds: float


class Beeps:
    """The sound of one talker: a beep in each of its turns, whose beginnings are noted.

    Args:
        turn: Frames after the beginning of a round at which it is this talker's turn.
        said: Takes the times at which beeps began.
        every: Frames of a round.
    """

    channels = 1

    def __init__(self, turn: int, said: list[float], every: int = EVERY) -> None:
        self._at = every - turn
        self._every = every
        self._said = said
        self._ends = math.inf
        self.reads = 0
        """How often 20 ms were asked for."""
        ramp = np.arange(BEEP * 960) / 48_000
        self._beep: Samples = (np.sin(2 * np.pi * FREQUENCY * ramp) * 8000).astype(np.int16)

    def end(self, at: float) -> None:
        """Begin no beep from a time on."""
        self._ends = at

    def read(self) -> Samples | None:
        """The next 20 ms. On the media thread."""
        self.reads += 1
        place = self._at % self._every
        self._at += 1
        if place == 0:
            now = time.monotonic()
            if now >= self._ends:
                self._at -= 1
                return None
            self._said.append(now)
        return self._beep[place * 960 : place * 960 + 960] if place < BEEP else None

    def close(self) -> None:
        """Nothing to let go of."""


class Listener:
    """Notes when a beep begins to be heard."""

    def __init__(self) -> None:
        self.heard: list[float] = []
        self._quiet = 10

    def hear(self, samples: Samples, at: float) -> None:
        """Take 20 ms. On the media thread."""
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
        if not len(loud):
            self._quiet += 1
            return
        if self._quiet >= 3:
            self.heard.append(at + float(loud[0]) / 48_000)
        self._quiet = 0


class Viewer:
    """Counts the pictures of one tile, decoding them as every viewer does."""

    def __init__(self) -> None:
        self.frames = 0

    def write(self, frame: VideoFrame) -> None:
        """Take one. On the media thread."""
        del frame
        self.frames += 1

    def close(self) -> None:
        """What was counted stays."""


@dataclass
class Result:
    """What a load came to."""

    joined: int = 0
    joining_seconds: float = 0.0
    seconds: float = 0.0
    said: list[list[float]] = field(default_factory=list)
    """When beeps began, by talker."""
    latencies: list[float] = field(default_factory=list)
    unheard: int = 0
    """Beeps that a listener did not hear."""
    packets: int = 0
    lost: int = 0
    pictures: float = 0.0
    """Per second and video that is watched."""
    reconnects: int = 0
    ended: int = 0
    cpu: float = 0.0
    """Of a core, per attendee, while everybody was there."""
    memory: float = 0.0
    """MiB per attendee."""
    behind: float = 0.0
    """Share of sound that was never sent, as this process was too slow for it."""

    @property
    def loss(self) -> float:
        """Share of audio packets that did not arrive."""
        return self.lost / max(1, self.packets + self.lost)

    def latency(self, share: float) -> float:
        """Seconds from the microphone's side to the loudspeaker's, of which `share` take no more."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


class Load:
    """One run of a plan in a meeting of its own."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.result = Result()
        self._sessions: list[MeetingSession] = []
        self._listeners: list[Listener] = []
        self._viewers: list[Viewer] = []
        self._ssl_context = ssl_context()

    async def run(self, meetings: Meetings, progress: Progress) -> None:
        """Make a meeting, have everybody join, talk and listen, end the meeting."""
        meeting = await meetings.create(f"load-{new_uuid()}")
        try:
            async with AsyncExitStack() as stack:
                before = _resident()
                await self._join(meetings, meeting, stack, progress)
                await self._talk(progress, before)
        finally:
            with anyio.CancelScope(shield=True):
                await meetings.control_plane.call("DeleteMeeting", MeetingId=meeting["MeetingId"])

    async def _join(
        self, meetings: Meetings, meeting: dict[str, Any], stack: AsyncExitStack, progress: Progress
    ) -> None:
        plan, result = self.plan, self.result
        credentials = await _attendees(meetings, meeting["MeetingId"], plan.attendees)
        task = progress.add_task("joining", total=plan.attendees)
        began = time.monotonic()
        gate, leave = asyncio.Semaphore(JOINING), asyncio.Event()

        async def attend(number: int, joined: asyncio.Future[None]) -> None:
            try:
                async with gate:
                    session = self._session(meeting, credentials[number])
                    await session.__aenter__()
            except Exception as error:
                if not joined.done():
                    joined.set_exception(error)
                return
            try:
                result.joined += 1
                progress.update(task, completed=result.joined)
                joined.set_result(None)
                await leave.wait()
            finally:
                await session.__aexit__(None, None, None)

        loop = asyncio.get_running_loop()
        joins: list[asyncio.Future[None]] = [loop.create_future() for _ in credentials]
        tasks = [asyncio.create_task(attend(number, joined)) for number, joined in enumerate(joins)]
        stack.push_async_callback(_leave, leave, tasks, joins)
        await asyncio.gather(*joins)
        result.joining_seconds = time.monotonic() - began

    def _session(self, meeting: dict[str, Any], attendee: dict[str, Any]) -> MeetingSession:
        configuration = MeetingSessionConfiguration(
            meeting, attendee, ssl_context=self._ssl_context, reconnect_timeout=PATIENCE
        )
        session = MeetingSession(configuration)
        self._sessions.append(session)
        result = self.result

        @session.on(MeetingReconnectScheduled)
        def count(event: MeetingReconnectScheduled) -> None:
            result.reconnects += 1

        @session.on(MeetingSessionStopped)
        def end(event: MeetingSessionStopped) -> None:
            result.ended += event.error is not None

        return session

    async def _talk(self, progress: Progress, resident_before: int) -> None:
        plan, result = self.plan, self.result
        talkers = self._sessions[: plan.talkers]
        # Those who listen do not talk, if there are enough: nobody hears its own voice.
        listening = self._sessions[::-1][: plan.listeners]
        every = EVERY * len(talkers)
        result.said = [[] for _ in talkers]
        for session in listening:
            listener = Listener()
            self._listeners.append(listener)
            session.audio.listen(listener.hear)
        if plan.video:
            for number, session in enumerate(talkers):
                session.video.start_local_tile(TestCard((40 + number * 53 % 160, 90, 160)))
            await self._watch(listening, len(talkers))
        await asyncio.sleep(SETTLE)
        beeps = [Beeps(EVERY * number, said, every) for number, said in enumerate(result.said)]
        for session, beep in zip(talkers, beeps, strict=True):
            session.audio.start_input(beep)
        task = progress.add_task("talking", total=round(plan.seconds))
        began, cpu = time.monotonic(), _cpu()
        received = [session.engine.receiver.packets_received for session in self._sessions]
        pictures = [viewer.frames for viewer in self._viewers]
        while (passed := time.monotonic() - began) < plan.seconds:
            progress.update(task, completed=round(passed))
            await asyncio.sleep(min(0.25, plan.seconds - passed))
        result.seconds = time.monotonic() - began
        result.behind = max(0.0, 1 - min(beep.reads for beep in beeps) / (result.seconds * 50))
        for beep in beeps:
            beep.end(0.0)
        result.cpu = (_cpu() - cpu) / result.seconds / plan.attendees
        result.memory = (_resident() - resident_before) / plan.attendees / 2**20
        for session, before in zip(self._sessions, received, strict=True):
            result.packets += session.engine.receiver.packets_received - before
            result.lost += session.engine.receiver.packets_lost
        if self._viewers:
            shown = sum(viewer.frames - before for viewer, before in zip(self._viewers, pictures, strict=True))
            result.pictures = shown / len(self._viewers) / result.seconds
        await asyncio.sleep(SETTLE)
        progress.update(task, completed=round(plan.seconds))
        self._compare(listening, talkers)

    async def _watch(self, viewers: Sequence[MeetingSession], videos: int) -> None:
        """Bind everything that listeners are shown, once all of it is there."""
        for session in viewers:
            own = sum(tile.state.local_tile for tile in session.video.tiles.values())
            wanted = min(videos - own, 25)
            async with asyncio.timeout(15), session.events() as events:
                while len(session.video.remote_tiles) < wanted:
                    await anext(aiter(events))
            for tile in session.video.remote_tiles:
                viewer = Viewer()
                self._viewers.append(viewer)
                tile.bind(viewer)

    def _compare(self, listening: Sequence[MeetingSession], talkers: Sequence[MeetingSession]) -> None:
        """Find for each beep when it was heard: before the next one begins."""
        for session, listener in zip(listening, self._listeners, strict=True):
            for talker, said in zip(talkers, self.result.said, strict=True):
                if talker is session:
                    continue
                for at in said:
                    delays = [heard - at for heard in listener.heard if 0 <= heard - at < SETTLE]
                    if delays:
                        self.result.latencies.append(min(delays))
                    else:
                        self.result.unheard += 1


async def _attendees(meetings: Meetings, meeting_id: str, count: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for start in range(0, count, BATCH):
        wanted = [{"ExternalUserId": f"attendee-{number}"} for number in range(start, min(start + BATCH, count))]
        answer = await meetings.control_plane.call("BatchCreateAttendee", MeetingId=meeting_id, Attendees=wanted)
        for error in answer.get("Errors", ()):
            raise ConfigurationError("attendees", f"{error['ExternalUserId']}: {error.get('ErrorMessage')}")
        made += answer["Attendees"]
    return made


async def _leave(leave: asyncio.Event, tasks: list[asyncio.Task[None]], joins: list[asyncio.Future[None]]) -> None:
    """Have everybody leave who is there, and nobody come any more."""
    leave.set()
    for task, joined in zip(tasks, joins, strict=True):
        if not joined.done() or joined.cancelled():
            task.cancel()
    with anyio.CancelScope(shield=True):
        await asyncio.gather(*tasks, return_exceptions=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident() -> int:
    """Bytes of memory that this process holds; elsewhere than on Linux the most that it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run(plan: Plan, *, json: bool, url: str | None) -> int:
    """Put a load on a local server and print what it came to; 0 if all was heard and nobody fell out, else 1.

    Raises:
        ConfigurationError: if this is not a local server.
        MeetingSessionError: if somebody could not join.
    """
    load = Load(plan)
    anyio.run(_run, load, url)
    show = _print_json if json else _print
    show(load)
    result = load.result
    complete = result.joined == plan.attendees and not result.unheard and not result.ended and not result.reconnects
    return 0 if complete and result.latencies else 1


async def _run(load: Load, url: str | None) -> None:
    columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    async with until_interrupted(), open_meetings(url) as meetings:
        if not meetings.local:
            raise ConfigurationError("url", "is not this machine; AWS asks to be asked before load tests")
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            await load.run(meetings, progress)


def _print_json(load: Load) -> None:
    result = load.result
    latency = {name: result.latency(share) * 1000 for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
    record = {
        "attendees": result.joined,
        "talkers": load.plan.talkers,
        "joins_per_second": round(result.joined / max(result.joining_seconds, 1e-9), 1),
        "seconds": round(result.seconds, 3),
        "beeps_heard": len(result.latencies),
        "beeps_missed": result.unheard,
        "audio_packets": result.packets,
        "audio_loss": round(result.loss, 5),
        "latency_ms": {name: None if math.isnan(value) else round(value, 1) for name, value in latency.items()},
        "pictures_per_second": round(result.pictures, 1),
        "behind": round(result.behind, 3),
        "reconnects": result.reconnects,
        "ended": result.ended,
        "cpu_percent_per_attendee": round(result.cpu * 100, 3),
        "memory_mib_per_attendee": round(result.memory, 2),
    }
    print_json(record)


def _print(load: Load) -> None:
    result, plan = load.result, load.plan
    out = Console(file=sys.stdout, highlight=False)
    out.print(
        f"{result.joined} attendees, {plan.talkers} talking, {plan.listeners} decoding, for {result.seconds:.1f} s"
    )
    out.print(f"joins       {result.joined / max(result.joining_seconds, 1e-9):.1f} a second")
    p50, p99, most = (result.latency(share) * 1000 for share in (0.5, 0.99, 1.0))
    out.print(f"latency     p50 {p50:.0f} ms   p99 {p99:.0f} ms   max {most:.0f} ms, from source to sink")
    out.print(f"beeps       {len(result.latencies)} heard, {result.unheard} missed")
    out.print(f"audio       {result.packets} packets, {result.loss:.2%} lost")
    if plan.video:
        out.print(f"video       {result.pictures:.1f} pictures a second of each that is watched")
    out.print(f"client      {result.cpu:.2%} of a core and {result.memory:.1f} MiB per attendee")
    if result.behind > BEHIND:
        out.print(
            f"too much    for this machine: {result.behind:.0%} of the sound was never sent, so the rest says little"
        )
    if result.reconnects or result.ended:
        out.print(f"connections lost {result.reconnects} times, ended by the service: {result.ended}")
