"""``chime demo``: three people, a local Chime, a cut in the middle of a burst, and a count of what arrived."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import anyio

from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.cli.interrupts import until_interrupted
from chime_messaging.cli.stage import Stage
from chime_messaging.cli.tally import Person, Tally
from chime_messaging.events import (
    Event,
    GapDetected,
    MessageCreated,
    ReconnectScheduled,
    Recovered,
    SessionConnecting,
    SessionEstablished,
    SessionStopped,
)
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.channels import Channel, Channels
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.messaging_session import MessagingSession

CHAT = [
    ("alice", "Good morning! Is everybody here?"),
    ("bob", "Bob is here, on a train. Tunnels ahead..."),
    ("carol", "Carol too. Shall we go through the numbers?"),
    ("alice", "Yes. I will send them all at once, tell me if one is missing."),
    ("bob", "If I lose the connection, do not wait for me."),
]
PAUSE = 0.35
"""Seconds between the lines of the chat."""

REFUSALS = 2
"""How often bob is turned away before he may come back."""

PATIENCE = 6.0
"""Seconds after the burst in which the last message must have arrived."""

LIMIT = 20.0
"""Seconds after which the demo ends, whatever has arrived."""

INTERRUPTED = 130


class Demo:
    """The play, told on a stage and counted in a tally."""

    def __init__(self, stage: Stage, tally: Tally, messages: int, seconds: float) -> None:
        self.stage = stage
        self.tally = tally
        self.messages = messages
        self.seconds = seconds
        self._channels: dict[str, Channel] = {}
        self._changed = anyio.Event()

    async def play(self, server: LocalServer) -> bool:
        """Run all acts; True if every message reached everyone exactly once, in one order."""
        async with AsyncExitStack() as stack:
            await self._gather(server, stack)
            self.stage.note("They chat.")
            for name, text in CHAT:
                await self._send(name, text)
                await anyio.sleep(PAUSE)
            self.stage.note(f"A burst of {self.messages} messages in {self.seconds:g} s.")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._cut, server)
                await self._burst()
            self.stage.note("All sent. Waiting for the last to arrive.")
            with anyio.move_on_after(PATIENCE):
                await self._until(self.tally.is_complete)
        return self.tally.is_complete() and self.tally.gaps == 0

    async def _gather(self, server: LocalServer, stack: AsyncExitStack) -> None:
        self.stage.note(f"A local Chime listens at {server.url}")
        for name in ("alice", "bob", "carol"):
            self.tally.people[name] = Person(name, await server.create_user(name.title()))
        client = server.client("chime-sdk-messaging")
        arns = [person.arn for person in self.tally.people.values()]
        channel = await Channels(ControlPlane(client), arns[0]).create("numbers", members=arns[1:])
        for person in self.tally.people.values():
            session = MessagingSession(
                MessagingSessionConfiguration(
                    person.arn,
                    chime_client=client,
                    # Short, so that it fits into a demo, but long enough that something is missed.
                    reconnect_fixed_wait=0.4,
                    reconnect_short_backoff=0.5,
                    reconnect_long_backoff=0.5,
                )
            )
            session.on(Event)(self._follow(person))
            await stack.enter_async_context(session)
            self._channels[person.name] = session.channel(channel.arn)

    def _follow(self, person: Person) -> Callable[[Event], None]:
        def tell(event: Event) -> None:
            self._take(person, event)
            self._changed.set()

        return tell

    def _take(self, person: Person, event: Event) -> None:
        if isinstance(event, MessageCreated):
            person.take(event)
            if person.name == "alice":
                self.stage.say(event.message.sender.name or "" if event.message.sender else "", event.message.content)
        elif isinstance(event, SessionConnecting):
            person.status = "reconnecting" if event.reconnecting else "connecting"
        elif isinstance(event, SessionEstablished):
            person.status = "connected"
            if event.reconnected:
                self.stage.note(f"{person.name.title()} is back.")
        elif isinstance(event, ReconnectScheduled):
            person.status = "cut off"
            self.stage.note(
                f"{person.name.title()} is not connected (code {event.code}); next try in {event.delay:.1f} s."
            )
        elif isinstance(event, Recovered):
            self.stage.note(f"{person.name.title()} has fetched the {event.messages} messages that were missed.")
        elif isinstance(event, GapDetected):
            self.tally.gaps += 1
            self.stage.note(f"{person.name.title()} has a gap: {event.reason}")
        elif isinstance(event, SessionStopped) and event.error is not None:
            person.status = "stopped"
            self.stage.note(f"{person.name.title()} is out: {event.error}")

    async def _send(self, name: str, text: str) -> None:
        sent = await self._channels[name].send(text)
        self.tally.sent.append(sent.message_id)
        self.tally.people[name].sent += 1

    async def _burst(self) -> None:
        names = list(self.tally.people)
        start = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for number in range(self.messages):
                await anyio.sleep_until(start + number * self.seconds / self.messages)
                tasks.start_soon(self._send, names[number % len(names)], f"number {number + 1} of {self.messages}")

    async def _cut(self, server: LocalServer) -> None:
        bob = self.tally.people["bob"]
        third = len(self.tally.sent) + self.messages // 3
        await self._until(lambda: len(bob.received) >= third)
        server.control.refuse(1013, times=REFUSALS)
        server.control.abort(bob.arn)
        self.stage.note("Bob's connection is reset, and his next tries will be refused.")

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed = anyio.Event()
            await self._changed.wait()


def run(*, messages: int, seconds: float) -> int:
    """Play it; gives the exit code: 0 if nothing was lost or repeated, 130 after Ctrl-C, else 1.

    Raises:
        ChimeError: if the server or a session did not start.
    """
    return anyio.run(_run, messages, seconds)


async def _run(messages: int, seconds: float) -> int:
    began = time.monotonic()
    code = INTERRUPTED
    tally = Tally()
    with Stage(tally) as stage:
        demo = Demo(stage, tally, messages, seconds)
        async with until_interrupted(), LocalServer(ServerConfiguration(port=0, quotas=False)) as server:
            with anyio.move_on_after(LIMIT) as limit:
                code = 0 if await demo.play(server) else 1
            if limit.cancelled_caught:
                code = 1
    stage.summarise(code, time.monotonic() - began)
    return code
