"""Scripted faults around any transport: the same thing goes wrong at the same place in every run.

    script = FaultScript([Deliver(3), Close(1006), Refuse(2), Delay(0.5), Duplicate(), Drop()])
    connector = FaultyConnector(WebSocketConnector(), script)

Steps are worked off one after another, across connections: here three frames arrive, then the connection is lost, two
reconnects are refused, and on the third the first frame comes half a second late, the second comes twice and the third
never. After the last step everything passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import anyio
from anyio.lowlevel import checkpoint

from chime_messaging.errors import ConfigurationError, ConnectError, ConnectionClosed, UsageError
from chime_messaging.transport.base import ABNORMAL, Connector, Transport


@dataclass(frozen=True)
class Deliver:
    """Let the next frames through."""

    frames: int = 1


@dataclass(frozen=True)
class Drop:
    """Lose the next frames."""

    frames: int = 1


@dataclass(frozen=True)
class Duplicate:
    """Deliver each of the next frames twice."""

    frames: int = 1


@dataclass(frozen=True)
class Delay:
    """Deliver the next frame that much later than it came."""

    seconds: float


@dataclass(frozen=True)
class Insert:
    """Deliver a frame that the peer did not send, at once."""

    frame: str | bytes


@dataclass(frozen=True)
class Close:
    """Close the connection as if the peer had done so; 1006 as if the network had."""

    code: int
    reason: str = ""


@dataclass(frozen=True)
class Silence:
    """Deliver nothing more on this connection, and do not say that it is dead: half-open TCP."""


@dataclass(frozen=True)
class Refuse:
    """Refuse the next connections; with a status as a server that answers the upgrade with it."""

    connections: int = 1
    status: int | None = None


Step = Deliver | Drop | Duplicate | Delay | Insert | Close | Silence | Refuse

_NOW = (Insert, Close, Silence)
_COUNTED = (Deliver, Drop, Duplicate)


class FaultScript:
    """What goes wrong, in order. One script may serve any number of connections, one after another."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps: deque[Step] = deque()
        for step in steps:
            # Counted steps are laid out one by one, so that the script is just a queue.
            if isinstance(step, _COUNTED):
                _positive("frames", step.frames)
                self._steps.extend([type(step)()] * step.frames)
            elif isinstance(step, Refuse):
                _positive("connections", step.connections)
                self._steps.extend([Refuse(1, step.status)] * step.connections)
            else:
                self._steps.append(step)

    @property
    def remaining(self) -> int:
        """Steps still to come; counted steps count once per frame or connection."""
        return len(self._steps)

    def for_connect(self) -> Refuse | None:
        """Take the refusal that stands next, if one does."""
        if self._steps and isinstance(self._steps[0], Refuse):
            step = self._steps.popleft()
            return step if isinstance(step, Refuse) else None
        return None

    def for_now(self) -> Insert | Close | Silence | None:
        """Take the step that stands next if it happens without a frame."""
        if self._steps and isinstance(self._steps[0], _NOW):
            step = self._steps.popleft()
            return step if isinstance(step, _NOW) else None
        return None

    def for_frame(self) -> Deliver | Drop | Duplicate | Delay:
        """Take what happens to the next frame. A refusal waits for the next connection; until then frames pass."""
        if not self._steps or isinstance(self._steps[0], Refuse):
            return Deliver()
        step = self._steps.popleft()
        if isinstance(step, (Insert, Close, Silence, Refuse)):
            raise UsageError("a step that happens without a frame was not taken by for_now")
        return step


class FaultyTransport:
    """A transport on which the script happens to what is received. Sending passes untouched."""

    def __init__(self, inner: Transport, script: FaultScript) -> None:
        self._inner = inner
        self._script = script
        self._frames: deque[str | bytes] = deque()
        self._late: tuple[float, str | bytes] | None = None
        self._closed: ConnectionClosed | None = None
        self._closing = anyio.Event()

    async def receive(self) -> list[str | bytes]:
        """Return the frames that the script lets through; see `Transport.receive`."""
        await checkpoint()
        while self._closed is None:
            if self._late is not None:
                due, frame = self._late
                with anyio.CancelScope(deadline=due):
                    await self._closing.wait()
                    continue
                self._late = None
                return [frame]
            step = self._script.for_now()
            if isinstance(step, Insert):
                return [step.frame]
            if isinstance(step, Close):
                await self._close(step)
            elif isinstance(step, Silence):
                await self._closing.wait()
            elif not self._frames:
                self._frames.extend(await self._inner.receive())
            elif frames := self._apply():
                return frames
        raise ConnectionClosed(self._closed.code, self._closed.reason, self._closed.initiated_by)

    async def send(self, data: str | bytes) -> None:
        """Send one frame; see `Transport.send`."""
        if self._closed is not None:
            await checkpoint()
            raise ConnectionClosed(self._closed.code, self._closed.reason, self._closed.initiated_by)
        await self._inner.send(data)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close; see `Transport.aclose`."""
        if self._closed is None:
            self._closed = ConnectionClosed(code, reason, "us")
        self._closing.set()
        await self._inner.aclose(code, reason)

    def _apply(self) -> list[str | bytes]:
        """Let what is scripted happen to the next frame; return what is left of it."""
        step = self._script.for_frame()
        frame = self._frames.popleft()
        if isinstance(step, Delay):
            self._late = (anyio.current_time() + step.seconds, frame)
            return []
        if isinstance(step, Drop):
            return []
        return [frame, frame] if isinstance(step, Duplicate) else [frame]

    async def _close(self, step: Close) -> None:
        if step.code == ABNORMAL:
            self._closed = ConnectionClosed(ABNORMAL, step.reason or "connection lost", "network")
        else:
            self._closed = ConnectionClosed(step.code, step.reason, "peer")
        await self._inner.aclose()


class FaultyConnector:
    """A connector whose connections follow the script."""

    def __init__(self, inner: Connector, script: FaultScript) -> None:
        self._inner = inner
        self._script = script

    async def connect(self, url: str, *, timeout: float, subprotocols: Sequence[str] = ()) -> FaultyTransport:
        """Open a connection unless the script refuses it; see `Connector.connect`."""
        refusal = self._script.for_connect()
        if refusal is not None:
            await checkpoint()
            problem = "connection refused" if refusal.status is None else f"HTTP {refusal.status}"
            raise ConnectError("script", problem, status=refusal.status)
        transport = await self._inner.connect(url, timeout=timeout, subprotocols=subprotocols)
        return FaultyTransport(transport, self._script)


def _positive(field: str, value: int) -> None:
    if value < 1:
        raise ConfigurationError(field, f"must be at least 1, is {value}")
