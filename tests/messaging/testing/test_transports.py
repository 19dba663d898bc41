"""The contract suite must fail whoever breaks a promise: each transport here breaks one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from anyio.lowlevel import checkpoint

from chime_messaging.errors import ConnectionClosed
from chime_messaging.testing.transports import PROMISES, Pair, TransportContractError, check_transport
from chime_messaging.transport.memory import MemoryTransport, memory_pair

pytestmark = pytest.mark.anyio


class Wrapped:
    """A transport that is in order; its subclasses are not."""

    def __init__(self, inner: MemoryTransport) -> None:
        self.inner = inner

    async def receive(self) -> list[str | bytes]:
        return await self.inner.receive()

    async def send(self, data: str | bytes) -> None:
        await self.inner.send(data)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await self.inner.aclose(code, reason)


class Reordering(Wrapped):
    async def receive(self) -> list[str | bytes]:
        return (await self.inner.receive())[::-1]


class Stringly(Wrapped):
    async def receive(self) -> list[str | bytes]:
        return [frame if isinstance(frame, str) else frame.decode("latin-1") for frame in await self.inner.receive()]


class Hoarding(Wrapped):
    async def receive(self) -> list[str | bytes]:
        frames = await self.inner.receive()
        while self.inner._incoming.frames:
            frames += await self.inner.receive()
        return frames


class Forgetful(Wrapped):
    """Takes a frame before it may be cancelled."""

    async def receive(self) -> list[str | bytes]:
        frames = await self.inner.receive()
        await checkpoint()
        return frames


class Vague(Wrapped):
    async def receive(self) -> list[str | bytes]:
        try:
            return await self.inner.receive()
        except ConnectionClosed:
            raise ConnectionClosed(1006, "", "network") from None


class Cutting(Wrapped):
    """Closes before what arrived was read."""

    async def receive(self) -> list[str | bytes]:
        if self.inner.closed:
            self.inner._incoming.frames.clear()
        return await self.inner.receive()


class Deafening(Wrapped):
    """Takes whatever is sent, without a bound."""

    async def send(self, data: str | bytes) -> None:
        self.inner._outgoing.size = 1 << 30
        await self.inner.send(data)


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Reordering, "delivers in order"),
        (Stringly, "delivers in order"),
        (Hoarding, "returns bounded batches"),
        (Forgetful, "loses nothing when cancelled"),
        (Vague, "tells how the peer closed"),
        (Cutting, "tells how the peer closed"),
        (Deafening, "sending waits for a slow reader"),
    ],
)
async def test_a_broken_promise_is_named(kind: type[Wrapped], promise: str) -> None:
    @asynccontextmanager
    async def pair() -> AsyncIterator[Pair]:
        ours, theirs = memory_pair()
        yield kind(ours), kind(theirs)
        await ours.aclose()
        await theirs.aclose()

    with pytest.raises(TransportContractError, match=f"^{promise}: "):
        await check_transport(pair, patience=1)


def test_every_promise_says_what_it_is() -> None:
    assert all(promise.__doc__ for promise in PROMISES)
