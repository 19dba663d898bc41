"""Peers of one document in a meeting in memory, in which each delivery may be lost, doubled or late."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from pycrdt import Array, Doc, Map, Snapshot, Text

from chime_messaging.state.document_protocol import DocumentProtocol, DocumentSettings
from chime_messaging.state.sync_messages import standing_of

Fate = Callable[[str, str], list[float]]
"""Of a message from one to another: the delays of its arrivals; none for lost."""


def fine(sender: str, receiver: str) -> list[float]:
    return [0.02]


class Peer:
    """One peer and what was told to it."""

    def __init__(self, name: str, rng: random.Random, settings: DocumentSettings | None) -> None:
        self.name = name
        self.document: Doc[Any] = Doc()
        self.text = self.document.get("text", type=Text)
        self.map = self.document.get("map", type=Map)
        self.list = self.document.get("list", type=Array)
        self.protocol = DocumentProtocol(self.document, name, rng.random, settings)
        self.told: list[object] = []
        self.is_here = True

    @property
    def content(self) -> tuple[object, ...]:
        return str(self.text), self.map.to_py(), self.list.to_py()


class Gathering:
    """A meeting with a clock of its own."""

    def __init__(self, peers: int, seed: int = 1, settings: DocumentSettings | None = None) -> None:
        self.random = random.Random(seed)
        self.settings = settings
        self.now = 1000.0
        self.fate: Fate = fine
        self.peers: dict[str, Peer] = {}
        self.sent: list[tuple[float, str, bytes]] = []
        self._coming: list[tuple[float, int, str, str, bytes]] = []
        for number in range(peers):
            self.join(f"peer{number:02}")

    def join(self, name: str) -> Peer:
        peer = self.peers[name] = Peer(name, self.random, self.settings)
        peer.protocol.connected(self.now)
        return peer

    def away(self, name: str) -> None:
        self.peers[name].is_here = False
        self.peers[name].protocol.disconnected()

    def back(self, name: str) -> None:
        self.peers[name].is_here = True
        self.peers[name].protocol.connected(self.now)

    def turn(self, seconds: float = 0.05) -> None:
        """Let everybody send what is due, and what is due arrive; then time passes."""
        for peer in self.peers.values():
            peer.told += peer.protocol.tick(self.now)
            while (outgoing := peer.protocol.take(self.now)) is not None:
                self.sent.append((self.now, peer.name, outgoing.data))
                self._carry(peer.name, outgoing.data)
        self.now += seconds
        self._coming.sort()
        while self._coming and self._coming[0][0] <= self.now:
            _, _, sender, receiver, data = self._coming.pop(0)
            if self.peers[receiver].is_here:
                self.peers[receiver].told += self.peers[receiver].protocol.receive(sender, data, self.now)

    def _carry(self, sender: str, data: bytes) -> None:
        for receiver, peer in self.peers.items():
            if receiver != sender and peer.is_here:
                for delay in self.fate(sender, receiver):
                    self._coming.append((self.now + delay, len(self.sent), sender, receiver, data))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.turn()

    def until_same(self, within: float) -> float:
        """Run until all who are here have the same; the seconds that took."""
        start = self.now
        while not self.are_same():
            assert self.now - start < within, [peer.content for peer in self.peers.values()]
            self.turn()
        return self.now - start

    def are_same(self) -> bool:
        here = [peer for peer in self.peers.values() if peer.is_here]
        if any(peer.protocol.has_unsent for peer in here):
            return False
        standings = {standing_of(Snapshot.from_doc(peer.document).encode()) for peer in here}
        return len(standings) == 1 and all(peer.content == here[0].content for peer in here)

    def edit(self, name: str, choose: random.Random) -> None:
        """Change something anywhere in a peer's document."""
        peer = self.peers[name]
        size = len(peer.text)
        kind = choose.randrange(5)
        if kind <= 1 or (kind == 2 and size == 0):
            peer.text.insert(choose.randint(0, size), f"{name[-2:]}{choose.randrange(100)} ")
        elif kind == 2:
            at = choose.randrange(size)
            del peer.text[at : min(size, at + choose.randint(1, 5))]
        elif kind == 3:
            peer.map[choose.choice("abcdef")] = choose.randrange(1000)
        elif len(peer.list) and choose.random() < 0.4:
            del peer.list[choose.randrange(len(peer.list))]
        else:
            peer.list.insert(choose.randint(0, len(peer.list)), {"by": name, "n": choose.randrange(1000)})
