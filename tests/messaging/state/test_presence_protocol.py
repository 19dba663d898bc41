from __future__ import annotations

import random

import pytest
from pycrdt import Awareness, Doc, create_awareness_message

from chime_messaging.errors import LimitError
from chime_messaging.state.presence_protocol import PresenceProtocol, PresenceTold


class Hands:
    """Peers that show each other something, with a clock of their own."""

    def __init__(self, names: str) -> None:
        self.now = 1000.0
        self.random = random.Random(1)
        self.peers: dict[str, PresenceProtocol] = {}
        self.told: dict[str, list[PresenceTold]] = {}
        self.lost: set[str] = set()
        self.messages = 0
        for name in names:
            self.join(name)

    def join(self, name: str) -> PresenceProtocol:
        peer = self.peers[name] = PresenceProtocol(name, self.random.randrange(2**32), self.random.random)
        self.told[name] = []
        peer.connected(self.now)
        return peer

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            for name, peer in self.peers.items():
                if name in self.lost:
                    continue
                self.told[name] += peer.tick(self.now)
                while (outgoing := peer.take(self.now)) is not None:
                    self.messages += 1
                    for other in self.peers.keys() - {name} - self.lost:
                        self.told[other] += self.peers[other].receive(name, outgoing.data, self.now)
            self.now += 0.05


def test_everybody_sees_the_latest_state_of_everybody_else() -> None:
    hands = Hands("abc")
    hands.run(1)
    for number in range(50):
        hands.peers["a"].set({"x": number})
    hands.peers["b"].set({"y": 1})
    hands.run(0.5)
    assert hands.peers["c"].states == {"a": {"x": 49}, "b": {"y": 1}}
    assert hands.peers["a"].states == {"b": {"y": 1}}
    assert hands.told["c"] == [PresenceTold("a", {"x": 49}), PresenceTold("b", {"y": 1})]


def test_whoever_comes_is_told_what_is_shown() -> None:
    hands = Hands("ab")
    hands.peers["a"].set({"x": 1})
    hands.run(5)
    assert hands.join("c").states == {}
    hands.run(3)
    assert hands.peers["c"].states == {"a": {"x": 1}}


def test_silence_ends_a_state_and_a_sign_of_life_keeps_it() -> None:
    hands = Hands("ab")
    hands.peers["a"].set({"x": 1})
    hands.run(300)
    assert hands.peers["b"].states == {"a": {"x": 1}}
    assert hands.messages < 40
    hands.lost.add("a")
    hands.run(31)
    assert hands.peers["b"].states == {}
    assert hands.told["b"] == [PresenceTold("a", {"x": 1}), PresenceTold("a", None)]


def test_leaving_and_showing_nothing_end_it_at_once() -> None:
    hands = Hands("abc")
    hands.peers["a"].set({"x": 1})
    hands.peers["b"].set({"x": 2})
    hands.run(1)
    hands.peers["a"].set(None)
    hands.run(0.2)
    assert hands.peers["c"].states == {"b": {"x": 2}}
    assert hands.peers["c"].peer_left("b") == [PresenceTold("b", None)]
    assert hands.peers["c"].peer_left("b") == []
    assert hands.peers["c"].states == {}


def test_fifty_cursors_that_never_rest_share_the_rate() -> None:
    hands = Hands("".join(chr(97 + number) for number in range(50)))
    hands.run(2)
    before = hands.messages
    for x in range(200):
        for peer in hands.peers.values():
            peer.set({"x": x})
        hands.run(0.05)
    assert (hands.messages - before) / 10 < 60


def test_an_old_state_does_not_replace_a_newer_one() -> None:
    alice, bob = PresenceProtocol("a", 1, random.random), PresenceProtocol("b", 2, random.random)
    alice.connected(0.0)
    alice.take(0.0)
    frames = []
    for number in range(2):
        alice.set({"x": number})
        frames.append(alice.take(10.0 * (number + 1)))
    older, newer = (frame.data for frame in frames if frame is not None)
    assert bob.receive("a", newer, 0.0) == [PresenceTold("a", {"x": 1})]
    assert bob.receive("a", older, 0.0) == []
    assert bob.receive("a", newer, 0.0) == []
    assert bob.states == {"a": {"x": 1}}


def test_the_awareness_of_other_clients_is_understood() -> None:
    document = Doc()  # type: ignore[var-annotated]
    awareness = Awareness(document)
    awareness.set_local_state({"user": "Ann"})
    data = create_awareness_message(awareness.encode_awareness_update([document.client_id]))
    bob = PresenceProtocol("b", 2, random.random)
    assert bob.receive("ann", data, 0.0) == [PresenceTold("ann", {"user": "Ann"})]


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x01\x05", b"\x01\x03\x01\x01\x01", b"\x01\x04\x01\x01\x01{", b"\x01\x05\x01\x01\x02[]"]
)
def test_what_cannot_be_read_is_counted(data: bytes) -> None:
    bob = PresenceProtocol("b", 2, random.random)
    assert bob.receive("mallory", data, 0.0) == []
    assert bob.undecodable == 1
    assert bob.states == {}


def test_a_state_is_sent_again_after_it_came_back() -> None:
    alice = PresenceProtocol("a", 1, random.random)
    alice.connected(0.0)
    query = alice.take(0.0)
    assert query is not None
    alice.set({"x": 1})
    first = alice.take(1.0)
    assert first is not None
    alice.returned(first.data, 5.0)
    alice.returned(query.data, 5.0)
    assert alice.take(4.9) is None
    assert {alice.take(5.0), alice.take(5.0)} == {query, first}


def test_a_state_that_does_not_fit_is_refused() -> None:
    with pytest.raises(LimitError, match="state"):
        PresenceProtocol("a", 1, random.random).set({"x": "y" * 1900})
