from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chime_messaging.errors import ConfigurationError, LimitError
from chime_messaging.protocol.data_messages import (
    HARD_ATTENDEE,
    HARD_MEETING,
    MAX_LIFETIME,
    PACE,
    SOFT_MEETING,
    LifetimeBuffer,
    MeetingThrottle,
    Rate,
    SeenDataMessages,
    TokenBucket,
    Verdict,
    encode_data,
    require_data,
    require_lifetime,
    require_topic,
)

SECOND = 10**9


# What may be sent


@pytest.mark.parametrize("topic", ["a", "chat", "A-b_9", "x" * 36])
def test_a_topic_of_36_letters_digits_hyphens_and_underscores_is_fine(topic: str) -> None:
    require_topic(topic)


@pytest.mark.parametrize("topic", ["a b", "aws:chime", "ä", "chat\n", "a/b", "\u0661"])
def test_other_characters_in_a_topic_are_named(topic: str) -> None:
    with pytest.raises(ConfigurationError, match="topic") as caught:
        require_topic(topic)
    assert caught.value.field == "topic"
    assert repr(topic) in str(caught.value)


@pytest.mark.parametrize(("topic", "limit"), [("", 1), ("x" * 37, 36)])
def test_a_topic_without_or_with_too_many_characters_names_value_and_limit(topic: str, limit: int) -> None:
    with pytest.raises(LimitError) as caught:
        require_topic(topic)
    assert (caught.value.field, caught.value.value, caught.value.limit) == ("topic", len(topic), limit)


def test_a_topic_is_text() -> None:
    with pytest.raises(ConfigurationError, match="must be text, is bytes"):
        require_topic(b"chat")  # type: ignore[arg-type]


@dataclasses.dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ("grüße", "grüße".encode()),
        ("", b""),
        ({"a": [1, None, True]}, b'{"a":[1,null,true]}'),
        (7, b"7"),
        (None, b"null"),
        (Point(1, 2), b'{"x":1,"y":2}'),
    ],
)
def test_bytes_stay_text_becomes_utf8_and_the_rest_json(data: object, encoded: bytes) -> None:
    assert encode_data(data) == encoded


def _endless() -> list[object]:
    knot: list[object] = []
    knot.append(knot)
    return knot


@pytest.mark.parametrize("data", [object(), "\ud800", _endless(), {1j: 2}])
def test_what_cannot_be_sent_is_an_error_that_names_data(data: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        encode_data(data)
    assert caught.value.field == "data"


def test_2048_bytes_are_fine_and_one_more_is_not() -> None:
    require_data(bytes(2048))
    with pytest.raises(LimitError, match="data: is 2049 bytes, the limit is 2048 bytes"):
        require_data(bytes(2049))


@pytest.mark.parametrize(("lifetime", "ms"), [(0, 0), (0.0004, 1), (1.5, 1500), (300, 300_000), (0.001, 1)])
def test_lifetimes_are_seconds_and_never_rounded_to_none(lifetime: float, ms: int) -> None:
    assert require_lifetime(lifetime) == ms


@pytest.mark.parametrize(("lifetime", "limit"), [(-1, 0), (300.001, 300), (math.inf, 300), (-math.inf, 0)])
def test_a_lifetime_outside_its_limits_names_both(lifetime: float, limit: float) -> None:
    with pytest.raises(LimitError) as caught:
        require_lifetime(lifetime)
    assert (caught.value.field, caught.value.value, caught.value.limit) == ("lifetime", lifetime, limit)


@pytest.mark.parametrize("lifetime", [math.nan, True, "5", None])
def test_a_lifetime_is_a_number(lifetime: float) -> None:
    with pytest.raises(ConfigurationError, match="lifetime: must be a number"):
        require_lifetime(lifetime)


# How fast


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(Rate(10, 3))
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(100.05)
    assert bucket.take(100.1)
    assert not bucket.take(100.1)
    assert [bucket.take(200.0) for _ in range(4)] == [True, True, True, False]


def test_reserving_tells_how_long_to_wait_and_waits_add_up() -> None:
    bucket = TokenBucket(Rate(10, 2))
    delays = [bucket.reserve(5.0) for _ in range(4)]
    assert delays == pytest.approx([0, 0, 0.1, 0.2], abs=1e-5)
    bucket.put_back()
    assert bucket.reserve(5.0) == pytest.approx(0.2, abs=1e-5)


@pytest.mark.parametrize("rate", [Rate(0, 1), Rate(-1, 5), Rate(1, 0.5), Rate(math.nan, 1)])
def test_a_rate_that_lets_nothing_through_is_refused(rate: Rate) -> None:
    with pytest.raises(ConfigurationError, match="rate"):
        TokenBucket(rate)


@given(st.lists(st.floats(0, 2), max_size=80), st.integers(1, 5), st.sampled_from([0.5, 1.0, 3.0, 100.0]))
def test_no_window_of_time_has_more_than_burst_and_rate_allow(gaps: list[float], burst: int, rate: float) -> None:
    bucket, now, taken = TokenBucket(Rate(rate, burst)), 1000.0, []
    for gap in gaps:
        now += gap
        if bucket.take(now):
            taken.append(now)
    for i, first in enumerate(taken):
        for count, last in enumerate(taken[i:], start=1):
            assert count <= burst + (last - first) * rate + 1e-3


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=500), st.integers(1, 400))
def test_a_paced_sender_is_never_throttled_however_its_messages_are_delayed(jitter: list[float], at_once: int) -> None:
    client, server = TokenBucket(PACE), MeetingThrottle()
    attendee = server.attendee()
    now, arrived = 50.0, 0.0
    for number in range(1000):
        if number % at_once == 0:
            now += 0.5
        sent = now + client.reserve(now)
        arrived = max(arrived, sent + jitter[number % len(jitter)])
        assert server.judge(attendee, arrived) is Verdict.DELIVER


def test_above_the_soft_limit_messages_are_returned_and_above_the_hard_one_the_sender_is_hung_up_on() -> None:
    throttle = MeetingThrottle()
    attendee = throttle.attendee()
    verdicts = [throttle.judge(attendee, 9.0) for _ in range(2001)]
    assert verdicts.count(Verdict.DELIVER) == SOFT_MEETING.burst == 200
    assert verdicts[:200] == [Verdict.DELIVER] * 200
    assert verdicts[200:2000] == [Verdict.THROTTLED] * 1800
    assert verdicts[2000] is Verdict.HANG_UP
    assert HARD_ATTENDEE.burst == 2000


def test_what_others_send_uses_up_the_limits_of_the_meeting() -> None:
    throttle = MeetingThrottle()
    crowd = [throttle.attendee() for _ in range(10)]
    for number in range(int(HARD_MEETING.burst)):
        assert throttle.judge(crowd[number % 10], 0.0) is not Verdict.HANG_UP
    assert throttle.judge(throttle.attendee(), 0.0) is Verdict.HANG_UP
    assert throttle.judge(throttle.attendee(), 1.0) is Verdict.DELIVER


# How long


def test_what_is_kept_is_replayed_in_the_order_it_was_sent_until_it_is_too_old() -> None:
    buffer: LifetimeBuffer[str] = LifetimeBuffer()
    buffer.add("long", 300, 0.0)
    buffer.add("not at all", 0, 0.0)
    buffer.add("short", 1, 0.5)
    buffer.add("middle", 100, 0.6)
    assert buffer.replay(1.0) == ["long", "short", "middle"]
    assert buffer.deadline == 1.5
    assert buffer.replay(1.5) == ["long", "middle"]
    assert buffer.replay(299.9) == ["long"]
    assert buffer.replay(300.0) == []
    assert buffer.deadline is None


def test_nothing_is_kept_longer_than_five_minutes() -> None:
    buffer: LifetimeBuffer[int] = LifetimeBuffer()
    buffer.add(1, 4000.0, 10.0)
    assert buffer.replay(309.9) == [1]
    assert buffer.replay(310.0) == []


def test_the_1025th_message_pushes_out_the_first() -> None:
    buffer: LifetimeBuffer[int] = LifetimeBuffer()
    for number in range(1025):
        buffer.add(number, 300, 0.0)
    assert buffer.replay(0.0) == list(range(1, 1025))
    buffer.clear()
    assert len(buffer) == 0
    assert buffer.replay(0.0) == []


def test_a_buffer_keeps_at_least_one() -> None:
    with pytest.raises(ConfigurationError, match="max_stored"):
        LifetimeBuffer(0)


class LifetimeBufferAgainstAList(RuleBasedStateMachine):
    """The buffer against a list that is searched from end to end each time."""

    SIZE = 5

    def __init__(self) -> None:
        super().__init__()
        self.buffer: LifetimeBuffer[int] = LifetimeBuffer(self.SIZE)
        self.model: list[tuple[int, float]] = []
        self.now = 0.0
        self.number = 0

    @rule(lifetime=st.sampled_from([0, 0.5, 1, 2, 3, 10, 299.5, 300, 301, 1e6]))
    def add(self, lifetime: float) -> None:
        self.buffer.add(self.number, lifetime, self.now)
        alive = [(message, ends) for message, ends in self.model if ends > self.now]
        if lifetime > 0:
            alive.append((self.number, self.now + min(lifetime, MAX_LIFETIME)))
        self.model = alive[-self.SIZE :]
        self.number += 1

    @rule(seconds=st.sampled_from([0, 0.25, 0.5, 1, 3, 150, 300]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: bool(self.model))
    @rule()
    def clear(self) -> None:
        self.buffer.clear()
        self.model.clear()

    @rule()
    def replay(self) -> None:
        assert self.buffer.replay(self.now) == [message for message, ends in self.model if ends > self.now]

    @invariant()
    def never_holds_more_than_it_may(self) -> None:
        assert len(self.buffer) <= self.SIZE
        assert len(self.buffer._expiries) <= 2 * self.SIZE


LifetimeBufferAgainstAList.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLifetimeBuffer = LifetimeBufferAgainstAList.TestCase


# What has been seen before


def test_a_message_that_comes_again_is_not_new() -> None:
    seen = SeenDataMessages()
    assert seen.accept("alice", 5 * SECOND, "chat")
    assert not seen.accept("alice", 5 * SECOND, "chat")
    assert seen.accept("bob", 5 * SECOND, "chat")
    assert seen.accept("alice", 5 * SECOND, "other")
    assert seen.accept("alice", 5 * SECOND + 1, "chat")
    assert seen.duplicates == 1


def test_messages_without_a_time_are_always_new() -> None:
    seen = SeenDataMessages()
    assert seen.accept("alice", 0, "chat")
    assert seen.accept("alice", 0, "chat")
    assert len(seen) == 0


def test_what_cannot_be_replayed_any_more_is_forgotten() -> None:
    seen = SeenDataMessages()
    for second in range(10_000):
        assert seen.accept("alice", (second + 1) * SECOND, "chat")
        assert len(seen) <= 1024
        assert not seen.accept("alice", max(1, second - 298) * SECOND, "chat")


def test_two_messages_of_the_same_moment_are_told_apart() -> None:
    seen = SeenDataMessages()
    assert seen.accept("alice", 9 * SECOND, "chat")
    for sender in ("alice", "bob", "carol", "dave"):
        assert seen.accept(sender, 5 * SECOND, "chat")
        assert not seen.accept(sender, 5 * SECOND, "chat")
    assert not seen.accept("alice", 5 * SECOND, "chat")
    assert seen.duplicates == 5


def test_a_flood_costs_bounded_memory() -> None:
    seen = SeenDataMessages(max_seen=100)
    for number in range(1000):
        assert seen.accept("alice", SECOND + number, "chat")
        assert len(seen) <= 100
    assert not seen.accept("alice", SECOND + 999, "chat")


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 6), st.sampled_from("xy")), max_size=60))
def test_within_five_minutes_each_message_is_new_exactly_once(arrivals: list[tuple[str, int, str]]) -> None:
    seen, known = SeenDataMessages(), set()
    for sender, second, topic in arrivals:
        key = (sender, second, topic)
        assert seen.accept(sender, second * SECOND, topic) is (key not in known)
        known.add(key)
