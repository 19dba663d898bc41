"""Cost of one event through the hub: emit, mailbox, wake-up and a handler that does next to nothing.

    python tests/benchmarks/hub.py [--events 100000]

Peers in the same run: calling the handlers in a plain loop, which is the least that any dispatcher costs, and an
`asyncio.Queue` per handler with a task that reads it, which is what an own mailbox per handler costs without the hub.
CPU time, best of five.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from anyio.lowlevel import checkpoint

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chime_messaging.events import MessageEvent, SessionConnecting
from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.observer import MessagingSessionObserver

BATCH = 64
HANDLERS = (1, 10, 100)
EVENT = SessionConnecting(reconnecting=False)


class Counter(MessagingSessionObserver):
    """An observer of one event."""

    def __init__(self) -> None:
        self.seen = 0

    def on_session_connecting(self, event: SessionConnecting) -> None:
        self.seen += 1

    async def later(self, event: SessionConnecting) -> None:
        self.seen += 1


Setup = Callable[[EventHub, Counter], object]


def observer(hub: EventHub, counter: Counter) -> None:
    hub.add_observer(counter)


def function(hub: EventHub, counter: Counter) -> None:
    hub.subscribe(counter.on_session_connecting, SessionConnecting)


def coroutine(hub: EventHub, counter: Counter) -> None:
    hub.subscribe(counter.later, SessionConnecting)


def uninterested(hub: EventHub, counter: Counter) -> None:
    hub.subscribe(counter.on_session_connecting, MessageEvent)


async def through_hub(setup: Setup, handlers: int, events: int) -> float:
    counters = [Counter() for _ in range(handlers)]
    async with EventHub() as hub:
        for counter in counters:
            setup(hub, counter)
        await anyio.wait_all_tasks_blocked()
        began = time.process_time()
        for _ in range(events // BATCH):
            for _ in range(BATCH):
                hub.emit(EVENT)
            await checkpoint()
        await checkpoint()
        spent = time.process_time() - began
    expected = 0 if setup is uninterested else events // BATCH * BATCH
    if any(counter.seen != expected for counter in counters):
        raise SystemExit("events were lost")
    return spent


async def plain_calls(handlers: int, events: int) -> float:
    calls = [Counter().on_session_connecting for _ in range(handlers)]
    began = time.process_time()
    for _ in range(events):
        for call in calls:
            call(EVENT)
    return time.process_time() - began


async def queues(handlers: int, events: int) -> float:
    mailboxes: list[asyncio.Queue[SessionConnecting]] = [asyncio.Queue() for _ in range(handlers)]

    async def read(mailbox: asyncio.Queue[SessionConnecting], counter: Counter) -> None:
        while True:
            counter.on_session_connecting(await mailbox.get())

    tasks = [asyncio.create_task(read(mailbox, Counter())) for mailbox in mailboxes]
    await asyncio.sleep(0)
    began = time.process_time()
    for _ in range(events // BATCH):
        for _ in range(BATCH):
            for mailbox in mailboxes:
                mailbox.put_nowait(EVENT)
        await asyncio.sleep(0)
    spent = time.process_time() - began
    for task in tasks:
        task.cancel()
    return spent


ROWS: dict[str, Callable[[int, int], Awaitable[float]]] = {
    "hub, observers": lambda handlers, events: through_hub(observer, handlers, events),
    "hub, def handlers": lambda handlers, events: through_hub(function, handlers, events),
    "hub, async def handlers": lambda handlers, events: through_hub(coroutine, handlers, events),
    "hub, handlers of other events": lambda handlers, events: through_hub(uninterested, handlers, events),
    "asyncio.Queue and task per handler": queues,
    "plain calls": plain_calls,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    options = parser.parse_args()
    say = sys.stdout.write
    say(f"{'us per event':36}" + "".join(f"{handlers:>6} handlers" for handlers in HANDLERS) + "\n")
    for name, run in ROWS.items():
        costs = []
        for handlers in HANDLERS:
            events = max(BATCH, options.events // handlers)
            best = min(anyio.run(run, handlers, events) for _ in range(5))
            costs.append(best / events * 1e6)
        say(f"{name:36}" + "".join(f"{cost:15.2f}" for cost in costs) + "\n")


if __name__ == "__main__":
    main()
