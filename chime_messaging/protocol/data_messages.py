"""Rules of data messages: what may be sent, how fast, how long it is kept, and what has been seen before.

Both sides use them. The client checks and paces before the wire, because the official service answers a bad message by
closing the connection and a fast one by returning it; the server counts, keeps and replays.

Official source: the developer guide's "Using data messages" (sizes, lifetimes, throttling).
"""

from __future__ import annotations

import heapq
import math
import re
from collections import OrderedDict
from enum import Enum
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from chime_messaging.errors import ConfigurationError, LimitError

MAX_TOPIC_CHARACTERS: Final = 36
MAX_DATA_BYTES: Final = 2048
MAX_LIFETIME: Final = 300.0
"""Seconds that a message may be kept for attendees who join later."""
_MAX_LIFETIME_NS: Final = int(MAX_LIFETIME * 1e9)
MAX_STORED: Final = 1024
"""Messages that a meeting keeps for them."""

MAX_SEEN: Final = 32768
"""Messages that `SeenDataMessages` remembers: what a meeting at its soft limit sends in `MAX_LIFETIME`, rounded up."""

_TIDY = 1024
"""Messages that `SeenDataMessages` remembers before it looks for what it can forget."""

_MAX_AT_ONCE = 256
"""Messages of the same nanosecond that are remembered; an honest service makes one."""

_TOPIC = re.compile(r"[a-zA-Z0-9_-]+")

T = TypeVar("T")


# What may be sent


def require_topic(topic: str) -> None:
    """Check a topic: 1 to 36 letters, digits, hyphens and underscores; ``aws:...`` is the service's own.

    Raises:
        LimitError: naming ``topic``, if it is empty or too long.
        ConfigurationError: naming ``topic``, if it has other characters or is no text.
    """
    if not isinstance(topic, str):
        raise ConfigurationError("topic", f"must be text, is {type(topic).__name__}")
    if not topic:
        raise LimitError("topic", 0, 1, "characters")
    if len(topic) > MAX_TOPIC_CHARACTERS:
        raise LimitError("topic", len(topic), MAX_TOPIC_CHARACTERS, "characters")
    if _TOPIC.fullmatch(topic) is None:
        raise ConfigurationError("topic", f"{topic!r} has other characters than letters, digits, hyphen and underscore")


def encode_data(data: object) -> bytes:
    """Return what goes into a message: bytes as they are, text as UTF-8, anything else as JSON.

    Raises:
        ConfigurationError: naming ``data``, if it is neither.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    try:
        return data.encode() if isinstance(data, str) else msgspec.json.encode(data)
    except UnicodeEncodeError as exc:
        raise ConfigurationError("data", "is not valid Unicode text (half of a surrogate pair)") from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise ConfigurationError("data", f"is neither bytes nor text nor JSON: {exc}") from exc


def require_data(data: bytes) -> None:
    """Check the size of what goes into a message: 2048 bytes at most.

    Raises:
        LimitError: naming ``data``.
    """
    if len(data) > MAX_DATA_BYTES:
        raise LimitError("data", len(data), MAX_DATA_BYTES, "bytes")


def require_lifetime(lifetime: float) -> int:
    """Check the seconds that a message is kept for later attendees, 0 for not at all; return them in milliseconds.

    Raises:
        LimitError: naming ``lifetime``, if it is below 0 or over 300 seconds.
        ConfigurationError: naming ``lifetime``, if it is no number.
    """
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or math.isnan(lifetime):
        raise ConfigurationError("lifetime", f"must be a number of seconds, is {lifetime!r}")
    if lifetime < 0:
        raise LimitError("lifetime", lifetime, 0, "seconds")
    if lifetime > MAX_LIFETIME:
        raise LimitError("lifetime", lifetime, MAX_LIFETIME, "seconds")
    # Up: a lifetime above 0 asks for storage, and 0 milliseconds would mean none.
    return math.ceil(lifetime * 1000)


# How fast


class Rate(NamedTuple):
    """So many messages a second in the long run, and so many at once."""

    per_second: float
    burst: float


SOFT_MEETING: Final = Rate(100, 200)
"""All attendees of a meeting together; a message above it is returned to its sender."""
HARD_ATTENDEE: Final = Rate(200, 2000)
"""One attendee, returned messages included; above it the service hangs up."""
HARD_MEETING: Final = Rate(500, 10000)
"""All attendees together, returned messages included; above it the service hangs up."""
PACE: Final = Rate(99, 180)
"""What a client allows itself: below `SOFT_MEETING` by what 200 ms of jitter on the way and two clocks can make up."""


class TokenBucket:
    """Counts messages against a `Rate`. Time is an argument, in seconds of any clock that does not go back.

    One number is its whole state: the moment at which the bucket will be full again. What was taken is the distance
    from now to there.
    """

    __slots__ = ("_depth", "_full_at", "_interval")

    def __init__(self, rate: Rate) -> None:
        if not (rate.per_second > 0 and rate.burst >= 1):
            raise ConfigurationError("rate", f"must allow at least one message and some a second, is {rate}")
        self._interval = 1 / rate.per_second
        # The addend keeps rounding errors from refusing the message that arrives exactly when its token does.
        self._depth = rate.burst * self._interval + 1e-6
        self._full_at = -math.inf

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        full_at = (self._full_at if self._full_at > now else now) + self._interval
        if full_at - now > self._depth:
            return False
        self._full_at = full_at
        return True

    def reserve(self, now: float) -> float:
        """Take the next token, now or in advance, and return how many seconds to wait until it is there."""
        self._full_at = (self._full_at if self._full_at > now else now) + self._interval
        return max(0.0, self._full_at - now - self._depth)

    def put_back(self) -> None:
        """Return a token that was reserved and not used."""
        self._full_at -= self._interval


class Verdict(Enum):
    """What the service does with a message."""

    DELIVER = "deliver"
    THROTTLED = "throttled"
    """Return it to its sender with ``ingest_time_ns`` present and 0; nobody else gets it."""
    HANG_UP = "hang up"
    """Close the sender's connection."""


class MeetingThrottle:
    """Judges the messages of one meeting by the service's limits.

    Args:
        soft: limit of what is delivered, over all attendees.
        hard: limit of what is received, over all attendees.
        attendee: limit of what is received from one.
    """

    def __init__(self, soft: Rate = SOFT_MEETING, hard: Rate = HARD_MEETING, attendee: Rate = HARD_ATTENDEE) -> None:
        self._soft = TokenBucket(soft)
        self._hard = TokenBucket(hard)
        self._attendee = attendee

    def attendee(self) -> TokenBucket:
        """Return the bucket to be kept with one attendee, over its reconnects."""
        return TokenBucket(self._attendee)

    def judge(self, attendee: TokenBucket, now: float) -> Verdict:
        """Count one message of an attendee and say what to do with it."""
        if not attendee.take(now) or not self._hard.take(now):
            return Verdict.HANG_UP
        return Verdict.DELIVER if self._soft.take(now) else Verdict.THROTTLED


# How long


class LifetimeBuffer(Generic[T]):
    """Messages of one meeting that are kept for those who join later, in the order they were sent.

    When it is full the oldest goes, whatever lifetime it had left. Times are seconds of a clock that does not go back.
    """

    def __init__(self, max_stored: int = MAX_STORED) -> None:
        if max_stored < 1:
            raise ConfigurationError("max_stored", f"must be at least 1, is {max_stored}")
        self._max_stored = max_stored
        self._kept: OrderedDict[int, T] = OrderedDict()
        self._expiries: list[tuple[float, int]] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def deadline(self) -> float | None:
        """When `sweep` will next find something to do; None if nothing is kept."""
        return self._expiries[0][0] if self._expiries else None

    def add(self, message: T, lifetime: float, now: float) -> None:
        """Keep a message for its lifetime in seconds, at most 300; not at all if it is 0."""
        self.sweep(now)
        if lifetime <= 0:
            return
        self._kept[self._next] = message
        heapq.heappush(self._expiries, (now + min(lifetime, MAX_LIFETIME), self._next))
        self._next += 1
        if len(self._kept) > self._max_stored:
            self._kept.popitem(last=False)
        if len(self._expiries) > 2 * self._max_stored:
            self._expiries = [entry for entry in self._expiries if entry[1] in self._kept]
            heapq.heapify(self._expiries)

    def replay(self, now: float) -> list[T]:
        """Return what somebody who joins now is sent."""
        self.sweep(now)
        return list(self._kept.values())

    def sweep(self, now: float) -> None:
        """Drop what has outlived its lifetime. `add` and `replay` do it, too."""
        expiries = self._expiries
        while expiries and expiries[0][0] <= now:
            self._kept.pop(heapq.heappop(expiries)[1], None)

    def clear(self) -> None:
        """Drop everything: the meeting is over."""
        self._kept.clear()
        self._expiries.clear()


# What has been seen before


class SeenDataMessages:
    """Tells messages that are new from those that a replay brings again.

    A message is known by its sender, the moment of its ingestion and its topic. Forgotten is what is more than
    `MAX_LIFETIME` older than the newest: it cannot be replayed any more.
    """

    def __init__(self, max_seen: int = MAX_SEEN) -> None:
        self.duplicates = 0
        """Messages that were not new."""
        self._max_seen = max_seen
        self._newest = 0
        # By the time of ingestion, which is practically a key of its own; the rest is for when it is not.
        self._seen: dict[int, tuple[str, str] | set[tuple[str, str]]] = {}
        self._tidy_at = min(_TIDY, max_seen)

    def __len__(self) -> int:
        return len(self._seen)

    def accept(self, sender_attendee_id: str, ingest_time_ns: int, topic: str) -> bool:
        """Whether a message is new; remembers it. One without a time cannot be known again and always is."""
        if ingest_time_ns > self._newest:
            # The path of every live message: nothing of that time can have been seen.
            self._newest = ingest_time_ns
            self._seen[ingest_time_ns] = (sender_attendee_id, topic)
        elif ingest_time_ns <= 0:
            return True
        elif not self._accept_older((sender_attendee_id, topic), ingest_time_ns):
            self.duplicates += 1
            return False
        if len(self._seen) > self._tidy_at:
            self._tidy()
        return True

    def _accept_older(self, key: tuple[str, str], ingest_time_ns: int) -> bool:
        known = self._seen.get(ingest_time_ns)
        if known is None:
            self._seen[ingest_time_ns] = key
        elif isinstance(known, set):
            if key in known:
                return False
            if len(known) < _MAX_AT_ONCE:
                known.add(key)
        elif known == key:
            return False
        else:
            self._seen[ingest_time_ns] = {known, key}
        return True

    def _tidy(self) -> None:
        """Forget what is too old, and the oldest half if there is still too much; rarely, so that it costs little."""
        oldest = self._newest - int(MAX_LIFETIME * 1e9)
        times = sorted(moment for moment in self._seen if moment >= oldest)
        if len(times) >= self._max_seen:
            times = times[-(self._max_seen // 2) :]
        self._seen = {moment: self._seen[moment] for moment in times}
        self._tidy_at = min(max(_TIDY, 2 * len(times)), self._max_seen)
