"""Channels side by side, and each in its order: a queue per channel, and a worker while there is something in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable

import anyio
from anyio.abc import TaskGroup

from chime_messaging.events import Event

SIZE = 512
"""Events that wait in one channel. Beyond that messages are read from the history later, and other events are lost."""


class CatchUp:
    """Stands in a queue for the messages that are to be read from the history at that place."""


class Invocation:
    """Stands in a queue for something that the service handed over, and that somebody waits for."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.done = anyio.Event()


CATCH_UP = CatchUp()

Item = Event | CatchUp | Invocation


class Lane:
    """What waits in one channel."""

    __slots__ = ("channel_arn", "queue", "sub_channel_id", "working")

    def __init__(self, channel_arn: str) -> None:
        self.channel_arn = channel_arn
        self.sub_channel_id: str | None = None
        """Part of an elastic channel that the bot is in."""
        self.queue: deque[Item] = deque()
        self.working = False


class Lanes:
    """The queues of one bot. Nothing is worked on until `release`.

    Args:
        tasks: Where the workers run.
        work: Handles one item; its errors are its own business.
        concurrency: Channels that are worked on at the same time.
        size: Events that wait per channel.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        work: Callable[[Lane, Item], Awaitable[None]],
        *,
        concurrency: int,
        size: int = SIZE,
    ) -> None:
        self._tasks = tasks
        self._work = work
        self._turns = anyio.CapacityLimiter(concurrency)
        self._size = size
        self._lanes: dict[str, Lane] = {}
        self._held = True
        self._closed = False
        self._working = 0
        self._changed = anyio.Event()
        self.overflows = 0
        """Times that a queue was full."""

    def lane(self, channel_arn: str) -> Lane:
        """Return the queue of a channel; it is there while it is in use."""
        lane = self._lanes.get(channel_arn)
        if lane is None:
            lane = self._lanes[channel_arn] = Lane(channel_arn)
        return lane

    def put(self, channel_arn: str, event: Event | Invocation, sub_channel_id: str | None = None) -> None:
        """Add an event at the end."""
        lane = self.lane(channel_arn)
        lane.sub_channel_id = sub_channel_id or lane.sub_channel_id
        if len(lane.queue) < self._size:
            lane.queue.append(event)
        elif lane.queue[-1] is not CATCH_UP:
            self.overflows += 1
            lane.queue.append(CATCH_UP)
        self._start(lane)

    def catch_up(self, channel_arn: str, sub_channel_id: str | None = None, *, first: bool) -> None:
        """Have the history of a channel read: before what waits, or after it."""
        lane = self.lane(channel_arn)
        lane.sub_channel_id = sub_channel_id or lane.sub_channel_id
        if first:
            lane.queue.appendleft(CATCH_UP)
        elif not lane.queue or lane.queue[-1] is not CATCH_UP:
            lane.queue.append(CATCH_UP)
        self._start(lane)

    def release(self) -> None:
        """Begin to work."""
        self._held = False
        for lane in list(self._lanes.values()):
            self._start(lane)

    async def close(self) -> None:
        """Let what is being handled come to its end, and begin nothing more."""
        self._closed = True
        while self._working:
            await self._changed.wait()

    async def wait_idle(self) -> None:
        """Wait until nothing is left to do."""
        while self._held or self._working:
            await self._changed.wait()

    def waiting(self) -> int:
        """How many items wait."""
        return sum(len(lane.queue) for lane in self._lanes.values())

    def _start(self, lane: Lane) -> None:
        if not (self._held or self._closed or lane.working) and lane.queue:
            lane.working = True
            self._working += 1
            self._tasks.start_soon(self._run, lane)

    async def _run(self, lane: Lane) -> None:
        try:
            while lane.queue and not self._closed:
                async with self._turns:
                    if not self._closed:
                        await self._work(lane, lane.queue.popleft())
        finally:
            lane.working = False
            self._working -= 1
            if not lane.queue:
                self._lanes.pop(lane.channel_arn, None)
            self._changed.set()
            self._changed = anyio.Event()


def of_channel(event: Event) -> tuple[str, str | None]:
    """Return the channel that an event is about, empty if it is about none, and the sub-channel."""
    for about in _subjects(event):
        arn = getattr(about, "channel_arn", None)
        if arn is not None:
            return arn, getattr(about, "sub_channel_id", None)
    return "", None


def _subjects(event: Event) -> Iterable[object]:
    for name in ("message", "membership", "memberships", "channel"):
        about = getattr(event, name, None)
        if about is not None:
            yield about
