"""Bytes and CPU time of a shared document per edit, against y-websocket's protocol through pycrdt-websocket.

Two editors of one document; one of them edits, the other one follows. Ours is `DocumentProtocol` on both sides, in
virtual time, as on a topic of a meeting; theirs is a `Provider` on both sides and the room of a `WebsocketServer`
between them, over channels in memory. Bytes are those of the messages, up and down, everything included that peers say
to each other; with the envelope they are what a websocket carries: our frames of the signalling, their frames of RFC
6455.

    python tests/benchmarks/shared_document.py
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from measure import processes  # noqa: F401  (puts the checkout on the path)
from pycrdt import Doc, Map, Provider, Text
from pycrdt.websocket import WebsocketServer

from chime_messaging.meeting_events import DataMessage
from chime_messaging.protocol import signal_frames as frames
from chime_messaging.state.document_protocol import DocumentProtocol
from chime_messaging.wire.signaling import SERVER_PREFIX, encode

ATTENDEE = "0123abcd-0123-0123-0123-0123456789ab"

Edit = Callable[["Doc[Any]", int], None]


def type_text(document: Doc[Any], number: int) -> None:
    text = document.get("text", type=Text)
    text += "abcdefghij klmnopqr"[number % 19]


def draw(document: Doc[Any], number: int) -> None:
    document.get("strokes", type=Map)[f"s{number // 50}"] = [number, number * 2]


@dataclass
class Cost:
    """Of all edits together."""

    data: int = 0
    enveloped: int = 0
    messages: int = 0
    seconds: float = 0.0


def ours(edit: Edit, edits: int, per_second: float) -> Cost:
    rng = random.Random(1)
    documents: list[Doc[Any]] = [Doc(client_id=1), Doc(client_id=2)]
    peers = [DocumentProtocol(doc, f"peer{number}", rng.random) for number, doc in enumerate(documents)]
    cost, now = Cost(), 0.0
    sent: list[bytes] = []

    def turn() -> None:
        for number, peer in enumerate(peers):
            peer.tick(now)
            while (outgoing := peer.take(now)) is not None:
                data = outgoing.data
                peers[1 - number].receive(f"peer{number}", data, now)
                sent.append(data)

    for peer in peers:
        peer.connected(now)
    while now < 5:
        turn()
        now += 0.05
    sent.clear()
    began = time.process_time()
    done = 0
    while done < edits or peers[0].has_unsent:
        due = min(edits, int((now - 5) * per_second) + 1)
        while done < due:
            edit(documents[0], done)
            done += 1
        turn()
        now += 1 / max(per_second, 20)
    cost.seconds = time.process_time() - began
    assert documents[0].get_state() == documents[1].get_state()
    cost.messages, cost.data = len(sent), 2 * sum(map(len, sent))
    for data in sent:
        carried = _carried(DataMessage("notes", data, ATTENDEE, "Alice", 10**18 + 1, 300_000))
        # Up there are no sender and no time of ingestion.
        cost.enveloped += 2 * carried - len(ATTENDEE) - len("Alice") - 14
    return cost


def _carried(message: DataMessage) -> int:
    frame = frames.data_messages([message])
    frame.timestamp_ms = 1_800_000_000_000
    return len(encode(frame, SERVER_PREFIX)) + 4


class Channel:
    """One end of a connection in memory that counts."""

    path = "notes"

    def __init__(self, send: Any, receive: Any, cost: Cost) -> None:
        self._send, self._receive, self._cost = send, receive, cost

    def __aiter__(self) -> Channel:
        return self

    async def __anext__(self) -> bytes:
        return await self.recv()

    async def send(self, message: bytes) -> None:
        self._cost.data += len(message)
        self._cost.enveloped += len(message) + (2 if len(message) < 126 else 4) + 2  # half of them are masked: 4 bytes
        self._cost.messages += 1
        await self._send.send(message)

    async def recv(self) -> bytes:
        message: bytes = await self._receive.receive()
        return message


async def theirs(edit: Edit, edits: int) -> Cost:
    cost = Cost()
    documents: list[Doc[Any]] = [Doc(client_id=1), Doc(client_id=2)]
    async with WebsocketServer() as server, anyio.create_task_group() as tasks:
        providers = []
        for document in documents:
            up, down = (anyio.create_memory_object_stream[bytes](1000) for _ in range(2))
            tasks.start_soon(server.serve, Channel(down[0], up[1], cost))
            provider = Provider(document, Channel(up[0], down[1], cost))
            await tasks.start(_run, provider)
            await provider.synced.wait()
            providers.append(provider)
        cost.data = cost.enveloped = cost.messages = 0
        began = time.process_time()
        for number in range(edits):
            edit(documents[0], number)
            while documents[1].get_state() != documents[0].get_state():
                await anyio.lowlevel.checkpoint()
        cost.seconds = time.process_time() - began
        tasks.cancel_scope.cancel()
    return cost


async def _run(provider: Provider, *, task_status: Any) -> None:
    async with provider:
        task_status.started()
        await anyio.sleep_forever()


def main() -> None:
    print(f"{'edits':28} {'':8} {'messages':>9} {'bytes/edit':>11} {'with envelope':>14} {'us/edit':>9}")
    for name, edit, per_second, edits in (
        ("typing, 5 a second", type_text, 5.0, 2000),
        ("typing, 20 a second", type_text, 20.0, 2000),
        ("drawing, 60 a second", draw, 60.0, 3000),
        ("a program, 1000 a second", type_text, 1000.0, 10_000),
    ):
        peer = anyio.run(theirs, edit, edits)
        own = ours(edit, edits, per_second)
        for who, cost in (("ours", own), ("theirs", peer)):
            print(
                f"{name:28} {who:8} {cost.messages:9} {cost.data / edits:11.1f} {cost.enveloped / edits:14.1f}"
                f" {cost.seconds / edits * 1e6:9.1f}"
            )
        print(
            f"{'':28} {'ratio':8} {own.messages / peer.messages:9.2f} {own.data / peer.data:11.2f}"
            f" {own.enveloped / peer.enveloped:14.2f} {own.seconds / peer.seconds:9.2f}"
        )


if __name__ == "__main__":
    main()
