"""Random faults against the real session, in virtual time: the loop keeps what the protocol keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import anyio
import async_solipsism
import hypothesis.strategies as st
import trio.testing
from hypothesis import HealthCheck, given, settings

from chime_messaging.errors import ConnectError, CredentialsError, ThrottledError
from chime_messaging.events import GapDetected, SessionEstablished, SessionStopped
from chime_messaging.transport.memory import MemoryTransport
from tests.messaging.sessions.scripted import ESTABLISHED, Stage

Step = tuple[str, Any]

FAULTS: dict[str, Callable[[], Exception]] = {
    "network": lambda: ConnectError("host", "down"),
    "throttled": lambda: ThrottledError("ListChannelMessages", 429, "ThrottledClientException", "slow"),
    "credentials": lambda: CredentialsError("refresh failed", retryable=True),
}

# Durations are exact in binary: async_solipsism's clock stands still before a deadline that is a rounding error away.
steps = st.one_of(
    st.tuples(st.just("say"), st.integers(1, 6)),
    st.tuples(st.just("repeat"), st.none()),
    st.tuples(st.just("close"), st.sampled_from([1001, 1006, 1011, 1012, 1013, 4005])),
    st.tuples(st.just("abort"), st.none()),
    st.tuples(st.just("refuse"), st.sampled_from([0.5, 3.0, 30.0])),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.125, 0.75, 3.0, 40.0])),
    st.tuples(st.just("silence"), st.none()),
    st.tuples(st.just("lookup"), st.sampled_from(sorted(FAULTS))),
    st.tuples(st.just("listing"), st.just("throttled")),
    st.tuples(st.just("slow"), st.sampled_from([0.0, 0.5, 4.0])),
)

Ending = Literal["leave", "stop", "kick", "cancel"]


class Play:
    """Takes the service's side of the steps, whatever the connection happens to be."""

    def __init__(self, script: list[Step], ending: Ending) -> None:
        self.stage = Stage(establish_timeout=5.0)
        self.stage.service.page_size = 3
        self.script = script
        self.ending = ending
        self.transport: MemoryTransport | None = None
        self.silent = False
        self.last: str | None = None

    async def accept(self) -> None:
        while True:
            _, transport = await self.stage.connector.accept()
            if self.silent:
                self.silent = False
                continue
            # What is said from here on reaches this connection, and the frame comes first.
            self.transport = transport
            await self.send(ESTABLISHED)

    async def send(self, frame: str) -> None:
        if self.transport is not None and not self.transport.closed:
            await self.transport.send(frame)

    async def perform(self) -> None:
        for name, value in self.script:
            await getattr(self, name)(value)

    async def say(self, count: int) -> None:
        for _ in range(count):
            self.last = self.stage.service.say()
            await self.send(self.last)

    async def repeat(self, _: None) -> None:
        if self.last is not None:
            await self.send(self.last)

    async def close(self, code: int) -> None:
        if self.transport is not None:
            await self.transport.aclose(code)

    async def abort(self, _: None) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def refuse(self, seconds: float) -> None:
        self.stage.connector.refuse()
        await anyio.sleep(seconds)
        self.stage.connector.allow()

    async def wait(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    async def silence(self, _: None) -> None:
        self.silent = True

    async def lookup(self, fault: str) -> None:
        self.stage.service.faults.append(FAULTS[fault]())

    async def listing(self, fault: str) -> None:
        self.stage.service.listing_faults.append(FAULTS[fault]())

    async def slow(self, seconds: float) -> None:
        self.stage.service.answer_delay = seconds

    async def settle(self) -> None:
        """Wait until the session is established, caught up, and told everything."""
        self.silent = False
        await anyio.sleep(1000)
        assert self.stage.session.is_established
        await self.send(self.stage.service.say())
        await anyio.sleep(10)

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.accept)
            if self.ending == "cancel":
                with anyio.move_on_after(20):
                    async with self.stage.session:
                        await self.perform()
                        await anyio.sleep_forever()
            else:
                async with self.stage.session:
                    await self.perform()
                    await self.end()
            tasks.cancel_scope.cancel()

    async def end(self) -> None:
        session = self.stage.session
        if self.ending == "leave":
            await self.settle()
            assert self.stage.told() == [message.message_id for message in self.stage.service.messages_sent]
        elif self.ending == "stop":
            session.stop()
            await session.wait_stopped()
        elif self.transport is not None:
            await self.transport.aclose(4003)
            with anyio.move_on_after(1000):
                await session.wait_stopped()

    def check(self) -> None:
        told = self.stage.told()
        assert told == sorted(set(told))
        names = self.stage.names()
        assert names.count(SessionStopped.__name__) == 1
        assert names[-1] == SessionStopped.__name__
        assert GapDetected.__name__ not in names or any(step == ("listing", "throttled") for step in self.script)
        assert SessionEstablished.__name__ in names


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(steps, max_size=25),
    st.sampled_from(["leave", "leave", "stop", "kick", "cancel"]),
    st.sampled_from(["asyncio", "trio"]),
)
def test_whatever_happens_everything_is_told_once_and_in_order(
    script: list[Step], ending: Ending, backend: str
) -> None:
    script = [step for step in script if step[0] != "listing" or script.count(step) < 3]
    play = Play(script, ending)
    if backend == "trio":
        anyio.run(play.run, backend="trio", backend_options={"clock": trio.testing.MockClock(autojump_threshold=0)})
    else:
        anyio.run(play.run, backend="asyncio", backend_options={"loop_factory": async_solipsism.EventLoop})
    play.check()
