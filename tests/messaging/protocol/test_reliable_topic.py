from __future__ import annotations

import random
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chime_messaging.errors import LimitError
from chime_messaging.events import Event
from chime_messaging.meeting_events import DataMessage, DataMessageReceived, DataMessagesLost
from chime_messaging.protocol.reliable_inbox import Inbox
from chime_messaging.protocol.reliable_outbox import Limits
from chime_messaging.protocol.reliable_topic import ReliableTopicProtocol
from chime_messaging.wire.reliable_topic import MAX_BODY_BYTES, Piece, Standing, encode

NOISE = random.Random(1).randbytes(3 << 20)
"""Bytes that zlib makes no smaller."""


class Party:
    """A meeting on one topic, in which each delivery may be lost, doubled, late or returned, as the test says."""

    def __init__(self, names: Sequence[str], limits: Limits | None = None) -> None:
        self.now = 1000.0
        self.topics = {
            name: ReliableTopicProtocol("state", name, number + 1, limits) for number, name in enumerate(names)
        }
        self.told: dict[str, list[Event]] = {name: [] for name in names}
        self.away: set[str] = set()
        self.frames = 0
        for topic in self.topics.values():
            topic.joined(len(names), self.now)

    def say(self, name: str, data: bytes) -> int:
        return self.topics[name].send(data, 0, self.now)

    def turn(self, fate: st.DataObject | None = None, seconds: float = 0.05) -> None:
        """Everybody sends what there is to send; then time passes."""
        for name, topic in self.topics.items():
            self.told[name] += topic.tick(self.now)
            if name in self.away or topic.held(self.now):
                continue
            for _ in range(40):
                frame = topic.take(self.now)
                if frame is None:
                    break
                self.frames += 1
                assert len(frame[0]) <= 2048
                self._carry(name, frame[0], fate)
        self.now += seconds

    def _carry(self, sender: str, data: bytes, fate: st.DataObject | None) -> None:
        outcome = "fine" if fate is None else fate.draw(st.sampled_from(FATES))
        if outcome == "returned":
            assert self.topics[sender].returned(DataMessage("state", data, sender, "", 0), self.now + 0.5)
            return
        for name in self.topics:
            if name == sender or name in self.away:
                continue
            one = outcome if fate is None else fate.draw(st.sampled_from(FATES))
            for _ in range({"lost": 0, "twice": 2}.get(one, 1)):
                self.hear(name, sender, data)

    def hear(self, name: str, sender: str, data: bytes) -> None:
        message = DataMessage("state", data, sender, sender.title(), int(self.now * 1e9))
        self.told[name] += self.topics[name].receive(message, self.now)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.turn()

    def got(self, name: str, sender: str) -> list[bytes]:
        return [
            event.message.data
            for event in self.told[name]
            if isinstance(event, DataMessageReceived) and event.message.sender_attendee_id == sender
        ]

    def lost(self, name: str) -> int:
        return sum(event.messages for event in self.told[name] if isinstance(event, DataMessagesLost))


SIZES = [0, 3, 2000, 2100, 9000]
FATES = ["fine", "fine", "fine", "lost", "twice", "returned"]


def test_small_and_large_messages_arrive_whole_and_in_order() -> None:
    party = Party(["alice", "bob", "carol"])
    sent = [b"", b"small", b"x" * 100_000, NOISE[:50_000], NOISE[:MAX_BODY_BYTES], NOISE[: MAX_BODY_BYTES + 1]]
    for data in sent:
        party.say("alice", data)
    party.run(10)
    assert party.got("bob", "alice") == sent
    assert party.got("carol", "alice") == sent
    assert party.topics["alice"].is_settled
    (first, *_) = (event for event in party.told["bob"] if isinstance(event, DataMessageReceived))
    assert first.message.sender_external_user_id == "Alice"
    assert first.message.ingest_time_ns is not None


def test_what_compresses_takes_fewer_frames() -> None:
    party = Party(["alice", "bob"])
    party.run(3)
    before = party.frames
    party.say("alice", b"x" * 500_000)
    party.run(3)
    assert party.got("bob", "alice") == [b"x" * 500_000]
    assert party.frames - before < 10


def test_after_it_is_settled_a_topic_is_quiet() -> None:
    party = Party(["alice", "bob"])
    party.say("alice", b"one")
    party.run(10)
    frames = party.frames
    party.run(1000)
    assert party.frames == frames
    assert all(topic.deadline is None for topic in party.topics.values())


def test_a_message_over_the_limit_is_refused() -> None:
    party = Party(["alice"])
    with pytest.raises(LimitError, match="data"):
        party.say("alice", bytes((1 << 20) + 1))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["alice", "bob", "carol"]), st.sampled_from(SIZES)), max_size=8),
    st.data(),
)
def test_each_message_arrives_once_and_in_order_whatever_is_lost_doubled_or_returned(
    plan: list[tuple[str, int]], fate: st.DataObject
) -> None:
    party = Party(["alice", "bob", "carol"])
    party.run(0.2)
    sent: dict[str, list[bytes]] = {name: [] for name in party.topics}
    for number, (sender, size) in enumerate(plan):
        data = b"%d:" % number + NOISE[number : number + size]
        sent[sender].append(data)
        party.say(sender, data)
        party.turn(fate)
    for _ in range(10):
        party.turn(fate, seconds=0.3)
    # From here on nothing goes wrong any more, and everything has to be put right.
    party.run(60)
    for receiver in party.topics:
        for sender, messages in sent.items():
            assert party.got(receiver, sender) == (messages if sender != receiver else [])
        assert party.lost(receiver) == 0


@settings(max_examples=40, deadline=None)
@given(st.permutations(list(range(12))), st.lists(st.integers(0, 11), max_size=10))
def test_pieces_in_any_order_and_any_number_make_the_same_messages(order: list[int], again: list[int]) -> None:
    pieces = []
    sent = []
    for number in range(3):
        data = NOISE[number : number + 3 * MAX_BODY_BYTES + number]
        count = -(-len(data) // MAX_BODY_BYTES)
        sent.append(data)
        for index in range(count):
            body = data[index * MAX_BODY_BYTES : (index + 1) * MAX_BODY_BYTES]
            pieces.append(Piece(7, 0, number, index, count, False, body))
    order = [place for place in (*order, *again) if place < len(pieces)]
    topic = ReliableTopicProtocol("state", "bob", 1)
    told: list[Event] = []
    for place in order:
        told += topic.receive(DataMessage("state", encode(pieces[place]), "alice", "Alice", 5), 10.0)
    got = [event.message.data for event in told if isinstance(event, DataMessageReceived)]
    assert got == sent


def test_who_was_away_gets_what_was_said_meanwhile_when_it_is_back() -> None:
    party = Party(["alice", "bob", "carol"])
    party.say("alice", b"before")
    party.run(3)
    party.away.add("bob")
    for number in range(20):
        party.say("alice", b"%d" % number)
        party.run(1)
    party.away.discard("bob")
    party.topics["bob"].joined(3, party.now)
    party.run(10)
    assert party.got("bob", "alice") == party.got("carol", "alice")
    assert party.lost("bob") == 0


def test_a_sender_that_was_away_sends_what_did_not_get_through() -> None:
    party = Party(["alice", "bob"])
    party.say("alice", b"before")
    party.run(3)
    # What it sends now goes nowhere, as on a connection that has died without a word.
    party.say("alice", b"lost on the way")
    while party.topics["alice"].take(party.now) is not None:
        pass
    party.topics["alice"].joined(2, party.now)
    party.run(5)
    assert party.got("bob", "alice") == [b"before", b"lost on the way"]


def test_who_stays_away_too_long_is_told_how_much_it_missed() -> None:
    party = Party(["alice", "bob", "carol"], Limits(retention=30))
    party.say("alice", b"before")
    party.run(3)
    party.away.add("bob")
    for number in range(5):
        party.say("alice", b"%d" % number)
    party.run(100)
    party.away.discard("bob")
    party.topics["bob"].joined(3, party.now)
    party.say("alice", b"after")
    party.run(10)
    assert party.got("bob", "alice") == [b"before", b"after"]
    assert party.lost("bob") == 5
    assert party.lost("carol") == 0


def test_a_late_joiner_misses_nothing_that_it_was_never_due() -> None:
    party = Party(["alice", "bob"])
    for number in range(50):
        party.say("alice", b"%d" % number)
    party.run(20)
    late = party.topics["late"] = ReliableTopicProtocol("state", "late", 9)
    party.told["late"] = []
    late.joined(3, party.now)
    party.run(5)
    party.say("alice", b"after")
    party.run(5)
    assert party.got("late", "alice")[-1:] == [b"after"]
    assert party.lost("late") == 0


def test_pieces_that_are_replayed_of_a_sender_who_is_gone_are_told_in_the_end() -> None:
    late = ReliableTopicProtocol("state", "late", 9, Limits(age=10))
    told: list[Event] = []
    for number in (4, 5):
        piece = Piece(7, 2, number, 0, 1, False, b"%d" % number)
        told += late.receive(DataMessage("state", encode(piece), "gone", "Gone", number), 1.0)
    assert told == []
    told += late.tick(2.0)
    told += late.tick(late.deadline or 0.0)
    assert [event.message.data for event in told if isinstance(event, DataMessageReceived)] == [b"4", b"5"]
    assert not any(isinstance(event, DataMessagesLost) for event in told)


def test_of_a_sender_who_leaves_what_is_whole_is_told_and_the_rest_is_lost() -> None:
    topic = ReliableTopicProtocol("state", "bob", 1)
    told: list[Event] = []
    for piece in (
        Piece(7, 0, 0, 0, 1, False, b"zero"),
        Piece(7, 0, 1, 0, 2, False, bytes(MAX_BODY_BYTES)),
        Piece(7, 0, 2, 0, 1, False, b"two"),
        Piece(7, 0, 3, 1, 2, False, b"end"),
    ):
        told += topic.receive(DataMessage("state", encode(piece), "alice", "Alice", 1), 1.0)
    told += topic.attendee_left("alice", 2.0)
    seen = [e.message.data if isinstance(e, DataMessageReceived) else e for e in told]
    assert seen == [b"zero", DataMessagesLost("state", "alice", 1), b"two", DataMessagesLost("state", "alice", 1)]


def test_a_sender_waits_for_room_while_a_receiver_lacks_something_and_not_for_nobody() -> None:
    limits = Limits(kept=10_000, kept_messages=4)
    alone = ReliableTopicProtocol("state", "alice", 1, limits)
    for _ in range(100):
        assert alone.has_room(4000)
        alone.send(NOISE[:4000], 0, 1.0)
    party = Party(["alice", "bob"], limits)
    party.say("alice", b"hello")
    party.run(3)
    party.away.add("bob")
    taken = 0
    while party.topics["alice"].has_room(10):
        party.say("alice", b"x")
        taken += 1
    assert taken == 4
    party.away.discard("bob")
    party.run(5)
    assert party.topics["alice"].has_room(10)
    party.topics["alice"].attendee_left("bob", party.now)
    assert party.topics["alice"].is_settled


# What a hostile attendee may try


def flooded(topic: ReliableTopicProtocol, pieces: Sequence[Piece], sender: str = "mallory") -> list[Event]:
    told: list[Event] = []
    for piece in pieces:
        told += topic.receive(DataMessage("state", encode(piece), sender, "M", 1), 5.0)
    return told


def test_incomplete_messages_are_held_up_to_the_limits_and_others_still_get_through() -> None:
    limits = Limits(message=100_000, buffered=200_000, transfers=40)
    topic = ReliableTopicProtocol("state", "bob", 1, limits)
    flooded(topic, [Piece(7, 0, number, 0, 9, False, bytes(MAX_BODY_BYTES)) for number in range(1, 1000)])
    assert topic._inbox.transfers <= 10
    flooded(topic, [Piece(s, 0, 1, 0, 9, False, bytes(MAX_BODY_BYTES)) for s in range(100, 105)])
    assert topic._inbox.size <= 200_000
    assert topic._inbox.transfers <= 40
    told = flooded(topic, [Piece(1, 0, 0, 0, 1, False, b"fine")], "alice")
    assert [event.message.data for event in told if isinstance(event, DataMessageReceived)] == [b"fine"]


def test_the_next_message_takes_the_place_of_later_ones() -> None:
    limits = Limits(message=10_000, buffered=40_000, transfers=8)
    topic = ReliableTopicProtocol("state", "bob", 1, limits)
    flooded(topic, [Piece(7, 0, number, 0, 1, False, b"later") for number in (1, 2, 3, 4)])
    told = flooded(topic, [Piece(7, 0, 0, 0, 1, False, b"next")])
    assert next(event.message.data for event in told if isinstance(event, DataMessageReceived)) == b"next"


def test_a_few_bytes_that_stand_for_gigabytes_are_lost_and_nothing_else() -> None:
    bomb = zlib.compress(bytes(50 << 20), 9)
    count = -(-len(bomb) // MAX_BODY_BYTES)
    pieces = [Piece(7, 0, 0, i, count, True, bomb[i * MAX_BODY_BYTES : (i + 1) * MAX_BODY_BYTES]) for i in range(count)]
    topic = ReliableTopicProtocol("state", "bob", 1)
    told = flooded(topic, [*pieces, Piece(7, 0, 1, 0, 1, True, b"no zlib"), Piece(7, 0, 2, 0, 1, False, b"fine")])
    seen = [e.message.data if isinstance(e, DataMessageReceived) else type(e) for e in told]
    assert seen == [DataMessagesLost, DataMessagesLost, b"fine"]


def test_acknowledgements_are_bounded_whatever_a_sender_claims() -> None:
    inbox = Inbox(Limits())
    inbox.standing("mallory", Standing(7, 0, 0xFFFFFFFF), 1.0)
    (ack,) = inbox.acknowledgements(2.0)
    assert len(ack.missing) == 250
    assert len(encode(ack)) <= 2048


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20))
def test_bytes_of_any_kind_harm_nothing(frames: list[bytes]) -> None:
    topic = ReliableTopicProtocol("state", "bob", 1)
    topic.send(b"mine", 0, 1.0)
    for number, frame in enumerate(frames):
        for data in (frame, b"\xff\xc5\x01" + frame):
            topic.receive(DataMessage("state", data, "mallory", "M", number), 1.0 + number)
        topic.tick(1.0 + number)
        while (out := topic.take(1.0 + number)) is not None:
            assert len(out[0]) <= 2048
    assert topic._inbox.size < 10_000


def test_plain_messages_of_others_are_handed_through() -> None:
    topic = ReliableTopicProtocol("state", "bob", 1)
    message = DataMessage("state", b'{"from":"a browser"}', "carol", "Carol", 1)
    assert topic.receive(message, 1.0) == [DataMessageReceived(message)]
    assert not topic.returned(message, 2.0)


def test_what_comes_back_of_ones_own_is_left_out() -> None:
    topic = ReliableTopicProtocol("state", "bob", 1)
    assert flooded(topic, [Piece(1, 0, 0, 0, 1, False, b"mine")], "bob") == []
