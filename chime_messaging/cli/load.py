"""``chime load data``: attendees of one meeting that send to each other, and what that came to."""

from __future__ import annotations

import math
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import anyio
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chime_messaging.cli.deliveries import MIN_BYTES, Deliveries
from chime_messaging.cli.interrupts import until_interrupted
from chime_messaging.cli.meeting import Meetings, open_meetings, ssl_context
from chime_messaging.errors import ConfigurationError, SessionClosedError
from chime_messaging.ids import new_uuid
from chime_messaging.meeting_events import (
    DataMessage,
    DataMessageThrottled,
    MeetingReconnectScheduled,
    MeetingSessionStopped,
)
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

TOPIC = "load"
JOINING = 16
"""Attendees that join at the same time."""
BATCH = 100
"""Attendees that one call makes; the most that the service takes."""
PATIENCE = 5.0
"""Seconds after the last message in which it must have reached everybody."""
REFRESH = 0.1
"""Seconds between two pictures of the progress bar."""


@dataclass(frozen=True)
class Plan:
    """What to send."""

    attendees: int
    senders: int
    rate: float
    """Messages a second, of all senders together."""
    size: int
    seconds: float
    paced: bool
    """Whether senders keep to the service's limit by themselves."""

    @property
    def messages(self) -> int:
        """How many that makes."""
        return max(1, math.floor(self.rate * self.seconds))


class Load:
    """One run of a plan in a meeting of its own."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.deliveries = Deliveries(plan.attendees, plan.size)
        self.reconnects = 0
        self.ended = 0
        """Sessions that the service has ended."""
        self.seconds = 0.0
        """How long sending has taken."""
        self._changed = anyio.Event()
        self._sessions: list[DataMessageSession] = []
        self._ssl_context = ssl_context()

    async def run(self, meetings: Meetings, progress: Progress) -> None:
        """Make a meeting, have everybody join and send, wait for the last message, end the meeting."""
        plan = self.plan
        meeting = await meetings.create(f"load-{new_uuid()}")
        try:
            async with AsyncExitStack() as stack:
                joining = progress.add_task("joining", total=plan.attendees)
                for attendee in await _attendees(meetings, meeting["MeetingId"], plan.attendees):
                    self._sessions.append(self._session(len(self._sessions), meeting, attendee))
                for start in range(0, plan.attendees, JOINING):
                    await _enter(stack, self._sessions[start : start + JOINING])
                    progress.update(joining, completed=min(plan.attendees, start + JOINING))
                delivering = progress.add_task("delivered", total=plan.messages * (plan.attendees - 1))
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._show, progress, delivering)
                    await self._send()
                    with anyio.move_on_after(PATIENCE):
                        await self._until_complete()
                    tasks.cancel_scope.cancel()
                progress.update(delivering, completed=self.deliveries.delivered, total=self.deliveries.expected)
        finally:
            with anyio.CancelScope(shield=True):
                await meetings.control_plane.call("DeleteMeeting", MeetingId=meeting["MeetingId"])

    def _session(self, number: int, meeting: dict[str, Any], attendee: dict[str, Any]) -> DataMessageSession:
        settings: dict[str, Any] = {} if self.plan.paced else {"pace": None}
        configuration = MeetingSessionConfiguration(meeting, attendee, ssl_context=self._ssl_context, **settings)
        session = DataMessageSession(configuration)

        @session.on_topic(TOPIC)
        def take(message: DataMessage) -> None:
            self.deliveries.receive(number, message.data, time.perf_counter_ns())
            self._changed.set()

        @session.on(DataMessageThrottled)
        def bounce(event: DataMessageThrottled) -> None:
            self.deliveries.bounce(event.message.data)
            self._changed.set()

        @session.on(MeetingReconnectScheduled)
        def count(event: MeetingReconnectScheduled) -> None:
            self.reconnects += 1

        @session.on(MeetingSessionStopped)
        def end(event: MeetingSessionStopped) -> None:
            self.ended += event.error is not None

        return session

    async def _send(self) -> None:
        plan = self.plan
        began = anyio.current_time()
        for number in range(plan.messages):
            await anyio.sleep_until(began + number / plan.rate)
            data = self.deliveries.send(time.perf_counter_ns())
            try:
                await self._sessions[number % plan.senders].send(TOPIC, data)
            except SessionClosedError:
                self.deliveries.unsent()
                break
        self.seconds = anyio.current_time() - began

    async def _until_complete(self) -> None:
        while self.deliveries.lost > 0:
            self._changed = anyio.Event()
            await self._changed.wait()

    async def _show(self, progress: Progress, task: Any) -> None:
        while True:
            progress.update(task, completed=self.deliveries.delivered)
            await anyio.sleep(REFRESH)


async def _attendees(meetings: Meetings, meeting_id: str, count: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for start in range(0, count, BATCH):
        wanted = [{"ExternalUserId": f"attendee-{number}"} for number in range(start, min(start + BATCH, count))]
        answer = await meetings.control_plane.call("BatchCreateAttendee", MeetingId=meeting_id, Attendees=wanted)
        for error in answer.get("Errors", ()):
            raise ConfigurationError("attendees", f"{error['ExternalUserId']}: {error.get('ErrorMessage')}")
        made += answer["Attendees"]
    return made


async def _enter(stack: AsyncExitStack, sessions: list[DataMessageSession]) -> None:
    for session in sessions:
        await stack.enter_async_context(session)


def run(plan: Plan, *, json: bool, url: str | None) -> int:
    """Put a load on a local server and print what it came to; 0 if nothing was lost or came twice, else 1.

    Raises:
        ConfigurationError: if the plan cannot be carried out, or this is not a local server.
    """
    if plan.senders > plan.attendees:
        raise ConfigurationError("senders", f"{plan.senders} are more than the {plan.attendees} attendees")
    if plan.size < MIN_BYTES:
        raise ConfigurationError("size", f"is {plan.size} bytes; it takes {MIN_BYTES} to tell messages apart")
    load = Load(plan)
    anyio.run(_run, load, url)
    show = _print_json if json else _print
    show(load)
    return 0 if load.deliveries.is_complete and load.deliveries.sent == plan.messages else 1


async def _run(load: Load, url: str | None) -> None:
    columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    async with until_interrupted(), open_meetings(url) as meetings:
        if not meetings.local:
            raise ConfigurationError("url", "is not this machine; AWS asks to be asked before load tests")
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            await load.run(meetings, progress)


def _milliseconds(load: Load, share: float) -> float:
    return load.deliveries.latency(share) * 1000


def _print_json(load: Load) -> None:
    counted = load.deliveries
    latency = {name: _milliseconds(load, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
    record = {
        "attendees": counted.attendees,
        "sent": counted.sent,
        "delivered": counted.delivered,
        "throttled": len(counted.throttled),
        "lost": counted.lost,
        "duplicated": counted.duplicated,
        "reconnects": load.reconnects,
        "ended": load.ended,
        "seconds": round(load.seconds, 3),
        "latency_ms": {name: None if math.isnan(value) else round(value, 3) for name, value in latency.items()},
    }
    print(msgspec.json.encode(record).decode(), flush=True)


def _print(load: Load) -> None:
    counted = load.deliveries
    out = Console(file=sys.stdout, highlight=False)
    rate = counted.sent / load.seconds if load.seconds else 0.0
    out.print(
        f"{counted.sent} messages of {load.plan.size} bytes to {counted.attendees} attendees, {rate:.0f} a second"
    )
    p50, p99, most = (_milliseconds(load, share) for share in (0.5, 0.99, 1.0))
    out.print(f"latency     p50 {p50:.2f} ms   p99 {p99:.2f} ms   max {most:.2f} ms")
    out.print(f"delivered   {counted.delivered} of {counted.expected}")
    out.print(f"throttled   {len(counted.throttled)}   lost {counted.lost}   duplicated {counted.duplicated}")
    if load.reconnects or load.ended:
        out.print(f"connections lost {load.reconnects} times, ended by the service: {load.ended}")
