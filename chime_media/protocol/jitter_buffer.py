"""Puts the packets of one audio stream in order and decides what is played when.

Pure: time comes in with each call. The delay follows the path: as small as the jitter of the last seconds allows,
larger as soon as packets come too late. Clocks that drift, and delay that is no longer needed, are made up for by
playing a little faster or slower, which the one who decodes does (`time_stretch`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE, carries_redundancy
from chime_media.wire.rtp import sequence_distance, timestamp_distance

FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE

_CAPACITY: Final = 128
_CONCEALED_IN_A_ROW: Final = 5
_RESYNCHRONISE_SAMPLES: Final = 10 * SAMPLE_RATE
_DELAY_WINDOW_SECONDS: Final = 5.0
_ATTACK: Final = 0.6
_DECAY: Final = 0.9985
_SPARE_MOST: Final = 0.035
_SPARE_LEAST: Final = -0.003
_MOST_WAITING: Final = 0.25
_FEW: Final = 8


class PlayoutKind(Enum):
    """What is to be done for a stretch of the playout."""

    PACKET = "packet"
    """Decode the payload."""
    REDUNDANCY = "redundancy"
    """The packet is lost, but the payload is of the one after it, which may hold a copy."""
    CONCEALMENT = "concealment"
    """Nothing is there: hide it."""


class Playout(NamedTuple):
    """One stretch to be played."""

    kind: PlayoutKind
    payload: bytes
    samples: int
    """Its length at 48 kHz."""


@dataclass(slots=True)
class JitterStatistics:
    """What became of a stream's packets."""

    received: int = 0
    late: int = 0
    """Came when their time was over."""
    duplicates: int = 0
    overflowed: int = 0
    """Thrown away because too much waited."""
    recovered: int = 0
    """Lost packets that came as the repetition within another."""
    concealed: int = 0
    """Stretches that had to be hidden."""


class _Packet(NamedTuple):
    sequence_number: int
    payload: bytes
    samples: int
    arrival: float


class JitterBuffer:
    """The packets of one audio stream between arrival and decoding.

    Args:
        initial_delay: Seconds of delay before anything is known of the path.
        largest_delay: Seconds of jitter that are made up for at most; what is later counts as lost.
    """

    __slots__ = (
        "_borrowed",
        "_concealed_in_a_row",
        "_fastest",
        "_fastest_before",
        "_hidden",
        "_jitter",
        "_largest_delay",
        "_last_sequence",
        "_last_timestamp",
        "_next",
        "_packets",
        "_paused",
        "_playing",
        "_sequence",
        "_window_end",
        "statistics",
    )

    def __init__(self, *, initial_delay: float = 0.02, largest_delay: float = 0.5) -> None:
        self.statistics = JitterStatistics()
        self._largest_delay = largest_delay
        self._jitter = initial_delay
        self._forget()

    def _forget(self) -> None:
        self._packets: dict[int, _Packet] = {}
        self._last_timestamp: int | None = None
        self._last_sequence = 0
        self._next: int | None = None
        self._sequence = 0
        self._playing = False
        self._paused = False
        self._borrowed = 0
        self._hidden: deque[int] = deque(maxlen=_CONCEALED_IN_A_ROW)
        self._concealed_in_a_row = 0
        self._fastest = self._fastest_before = float("inf")
        self._window_end = 0.0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to play, and nothing was being played that would have to be hidden."""
        return not self._playing and not self._packets

    @property
    def playing(self) -> bool:
        """Whether playout has begun and not come to its end."""
        return self._playing

    @property
    def target_delay(self) -> float:
        """Seconds between a packet of no jitter and its playout that are being aimed at."""
        return min(self._jitter, self._largest_delay)

    @property
    def position(self) -> int | None:
        """RTP timestamp, unwrapped, of what is to be taken next; None while nothing is played."""
        return self._next + self._borrowed if self._playing and self._next is not None else None

    def age(self, position: int, now: float) -> float:
        """Seconds at `now` since a packet of no jitter with this timestamp came or would have."""
        return now - position / SAMPLE_RATE - min(self._fastest, self._fastest_before)

    def __len__(self) -> int:
        return len(self._packets)

    def insert(
        self,
        sequence_number: int,
        timestamp: int,
        payload: bytes,
        samples: int,
        arrival: float,
        *,
        repeated: bool = False,
    ) -> bool:
        """Take a packet that came at `arrival`.

        Args:
            sequence_number: 16 bits; of a repetition what the lost packet's would have been.
            timestamp: 32 bits.
            payload: What is to be decoded.
            samples: Its length, at least 1.
            arrival: In seconds.
            repeated: It is a repetition within a later packet, of use only if the original is missing.

        Returns:
            Whether it will be played: it is neither late nor a duplicate.
        """
        at = self._unwrap(timestamp, sequence_number, repeated)
        if at is None:
            return False
        if at in self._packets:
            if not repeated:
                self.statistics.duplicates += 1
            return False
        if not repeated:
            self.statistics.received += 1
        if self._next is not None and at < self._next:
            if not repeated:
                self.statistics.late += 1
            if not repeated or at in self._hidden:
                self._measure(arrival - at / SAMPLE_RATE, arrival)
            return False
        self._measure(arrival - at / SAMPLE_RATE, arrival)
        if repeated:
            self.statistics.recovered += 1
        self._packets[at] = _Packet(sequence_number, payload, samples, arrival)
        self._paused = False
        if len(self._packets) > _CAPACITY:
            self._drop_oldest()
        return True

    def pause(self) -> None:
        """What follows is silence that is not inserted: play what is there, then stop without hiding anything."""
        self._paused = True

    def stop(self) -> None:
        """Forget the packets, keep what is known of the path."""
        self._packets.clear()
        self._playing = False
        self._borrowed = 0

    def reset(self) -> None:
        """Another stream follows: everything but the measured jitter is forgotten."""
        self._forget()

    def take(self, now: float, backlog: int = 0) -> Playout | None:
        """The next stretch to decode at `now`, None if nothing is due.

        Args:
            now: In seconds, of the same clock as the arrivals.
            backlog: Samples that were taken before and not played yet.
        """
        if not self._playing and not self._begin(now):
            return None
        at = self._next
        assert at is not None
        if len(self._packets) > _FEW:
            at = self._caught_up(at)
        packet = self._packets.pop(at, None)
        while packet is None:
            if not self._packets:
                return self._run_dry()
            following = min(self._packets)
            gap = following - at
            if gap < 0:
                # It overlaps what was played: a sender whose timestamps do not fit its packets.
                del self._packets[following]
                self.statistics.late += 1
                continue
            if self._skipped(following):
                self._playing = False
                return self.take(now, backlog)
            if self._borrowed:
                skip = min(self._borrowed, gap)
                self._borrowed -= skip
                self._was_hidden(at, following)
                at += skip
                self._next = at
                packet = self._packets.pop(at, None)
                continue
            return self._hide(at, following)
        self._next = at + packet.samples
        self._sequence = packet.sequence_number
        self._borrowed = 0
        self._concealed_in_a_row = 0
        return Playout(PlayoutKind.PACKET, packet.payload, packet.samples)

    def stretch(self, now: float, backlog: int) -> int:
        """Whether what is played now should be played faster (-1) or slower (1) than it was spoken, or as it is (0).

        Faster when what is played is older than it must be, slower when the packet after it is needed sooner than it
        can be relied upon. In between lies more than one tick, for the phase of the ticks is what it is.
        """
        if self._next is None or not self._playing:
            return 0
        spare = now - self._next / SAMPLE_RATE - min(self._fastest, self._fastest_before) - self.target_delay
        if spare < _SPARE_LEAST:
            return 1
        return -1 if spare + backlog / SAMPLE_RATE > _SPARE_MOST else 0

    def _begin(self, now: float) -> bool:
        if not self._packets:
            return False
        first = min(self._packets)
        if now - first / SAMPLE_RATE - min(self._fastest, self._fastest_before) < self.target_delay:
            return False
        self._playing = True
        self._go_on_at(first)
        return True

    def _caught_up(self, at: int) -> int:
        """Where to go on if so much waits, after a stall, that to play it faster would take too long."""
        newest = max(self._packets)
        if newest - at <= (self.target_delay + _MOST_WAITING) * SAMPLE_RATE:
            return at
        least = newest - self.target_delay * SAMPLE_RATE
        for old in [old for old in self._packets if old < least]:
            del self._packets[old]
            self.statistics.overflowed += 1
        at = min(self._packets)
        self._go_on_at(at)
        return at

    def _go_on_at(self, at: int) -> None:
        self._next = at
        self._borrowed = 0
        self._concealed_in_a_row = 0

    def _drop_oldest(self) -> None:
        del self._packets[min(self._packets)]
        self.statistics.overflowed += 1
        oldest = min(self._packets)
        if self._next is not None and self._next < oldest:
            self._go_on_at(oldest)

    def _skipped(self, following: int) -> bool:
        """Whether the sender itself left out what is missing, as with discontinuous transmission."""
        return sequence_distance(self._packets[following].sequence_number, self._sequence) == 1

    def _run_dry(self) -> Playout | None:
        if self._paused or self._concealed_in_a_row >= _CONCEALED_IN_A_ROW:
            self._playing = False
            self._borrowed = 0
            return None
        self._borrowed += FRAME_SAMPLES
        return self._conceal(FRAME_SAMPLES)

    def _hide(self, at: int, following: int) -> Playout:
        gap = following - at
        self._next = at + min(gap, FRAME_SAMPLES)
        self._hidden.append(at)
        if gap <= FRAME_SAMPLES:
            self.statistics.concealed += 1
            return Playout(PlayoutKind.REDUNDANCY, self._packets[following].payload, gap)
        return self._conceal(FRAME_SAMPLES)

    def _was_hidden(self, at: int, following: int) -> None:
        """Sound was hidden that the packet after it could have brought back, had the delay been larger."""
        self._hidden.append(at)
        packet = self._packets[following]
        if carries_redundancy(packet.payload):
            self._measure(packet.arrival - at / SAMPLE_RATE, packet.arrival)

    def _conceal(self, samples: int) -> Playout:
        self._concealed_in_a_row += 1
        self.statistics.concealed += 1
        return Playout(PlayoutKind.CONCEALMENT, b"", samples)

    def _unwrap(self, timestamp: int, sequence_number: int, repeated: bool) -> int | None:
        last = self._last_timestamp
        if last is None:
            if repeated:
                return None
            self._last_timestamp = timestamp
            self._last_sequence = sequence_number
            return timestamp
        at = last + timestamp_distance(timestamp, last & 0xFFFFFFFF)
        if repeated:
            return at
        ahead = sequence_distance(sequence_number, self._last_sequence)
        if abs(at - last) > _RESYNCHRONISE_SAMPLES and abs(ahead) * FRAME_SAMPLES * 4 < abs(at - last):
            self._forget()
            at, ahead = timestamp, 1
        if ahead > 0 or self._last_timestamp is None:
            self._last_timestamp = at
            self._last_sequence = sequence_number
        return at

    def _measure(self, transit: float, arrival: float) -> None:
        if arrival >= self._window_end:
            recent = arrival < self._window_end + _DELAY_WINDOW_SECONDS
            self._fastest_before = self._fastest if recent else transit
            self._window_end = arrival + _DELAY_WINDOW_SECONDS
            self._fastest = transit
        elif transit < self._fastest:
            self._fastest = transit
        late = transit - min(self._fastest, self._fastest_before)
        if late > self._jitter:
            self._jitter += (min(late, self._largest_delay) - self._jitter) * _ATTACK
        else:
            self._jitter *= _DECAY
