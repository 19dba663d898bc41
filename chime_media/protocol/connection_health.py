"""How well a session is connected, judged once a second from what came and went.

The rules and numbers are those of the official clients (ConnectionHealthPolicyConfiguration): a connection that brings
nothing for 25 s is made anew, one that brings less than half of the sound of 15 s is called poor, at most twice, and an
attendee whose sound does not leave is told so.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

START_GRACE = 10.0
"""Seconds from the beginning of a connection in which it is not given up."""
SILENT_SAMPLES = 25
"""Samples in a row without a single byte, after which the connection is given up."""
MOST_AUDIO_DELAY = 60.0
"""Seconds of audio delay that are no longer bearable, if they last for more than `DELAYED_SAMPLES`."""
DELAYED_SAMPLES = 10
LOSS_SAMPLES = 15
PACKETS_EXPECTED = 50
"""Audio packets a second."""
POOR_LOSS = 0.5
COOLDOWN = 60.0
"""Seconds after a warning in which there is no other."""
MOST_WARNINGS = 2
SENDING_GRACE = 3.0
UNSENT_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class HealthSample:
    """What is known of the last second. Counts go up from the beginning of the connection."""

    bytes_received: int
    stun_messages: int
    """Checks and answers that came, of the connection: they come even where nobody may send media."""
    audio_packets_received: int
    audio_packets_sent: int
    audio_delay: float = 0.0
    """Seconds between what is played and what was sent."""
    hears: bool = True
    """Whether sound is to be expected at all."""
    sends: bool = True


class Verdict(Enum):
    """What a sample says."""

    RECONNECT = "reconnect"
    POOR = "poor"
    GOOD = "good"
    SENDING_FAILED = "sending failed"
    SENDING_RECOVERED = "sending recovered"


class ConnectionHealth:
    """Judges one session over all its connections."""

    def __init__(self) -> None:
        self._warnings = _Warnings()
        self._sending = _Warnings()
        self._began = 0.0
        self._last: HealthSample | None = None
        self._heard_once = False
        self._silent = 0
        self._delayed = 0
        self._unsent = 0
        self._received: deque[int] = deque(maxlen=LOSS_SAMPLES)

    @property
    def silent_samples(self) -> int:
        """Samples in a row that brought nothing."""
        return self._silent

    @property
    def loss(self) -> float:
        """Part of the expected audio packets of the last 15 samples that did not come; 0 until there are so many."""
        if len(self._received) < LOSS_SAMPLES:
            return 0.0
        return min(max(1 - sum(self._received) / (LOSS_SAMPLES * PACKETS_EXPECTED), 0.0), 1.0)

    def connected(self, now: float) -> None:
        """Say that a connection begins, the first or another."""
        self._began = now
        self._last = None
        self._heard_once = False
        self._silent = self._delayed = self._unsent = 0
        self._received.clear()

    def sample(self, sample: HealthSample, now: float) -> list[Verdict]:
        """Take the sample of a second; only what has changed is told."""
        before, self._last = self._last, sample
        if before is None:
            return []
        self._count(before, sample)
        told: list[Verdict] = []
        if now - self._began >= START_GRACE and (self._silent >= SILENT_SAMPLES or self._delayed > DELAYED_SAMPLES):
            self._silent = self._delayed = 0
            told.append(Verdict.RECONNECT)
        told += self._warnings.judge(self.loss >= POOR_LOSS, now, Verdict.POOR, Verdict.GOOD)
        if now - self._began >= SENDING_GRACE:
            unsent = self._unsent >= UNSENT_SAMPLES
            told += self._sending.judge(unsent, now, Verdict.SENDING_FAILED, Verdict.SENDING_RECOVERED, at_once=True)
        return told

    def _count(self, before: HealthSample, sample: HealthSample) -> None:
        news = sample.bytes_received - before.bytes_received, sample.stun_messages - before.stun_messages
        if max(news) > 0:
            self._silent = 0
            self._heard_once = True
        elif self._heard_once:
            self._silent += 1
        self._delayed = self._delayed + 1 if sample.audio_delay > MOST_AUDIO_DELAY else 0
        if sample.hears:
            self._received.append(max(0, sample.audio_packets_received - before.audio_packets_received))
        else:
            # No sound is no loss where none is sent.
            self._received.clear()
        sent = sample.audio_packets_sent - before.audio_packets_sent
        self._unsent = self._unsent + 1 if sample.sends and sent <= 0 else 0


class _Warnings:
    """A condition that is told when it begins and ends, not too often."""

    def __init__(self) -> None:
        self._bad = False
        self._count = 0
        self._warned: float | None = None

    def judge(self, bad: bool, now: float, begins: Verdict, ends: Verdict, *, at_once: bool = False) -> list[Verdict]:
        """Tell a change. `at_once`: its end is told at once, not only after the cool-down."""
        recently = self._warned is not None and now - self._warned < COOLDOWN
        if recently and (bad or not at_once):
            return []
        if bad == self._bad:
            return []
        if not bad:
            self._bad = False
            return [ends]
        if self._count >= MOST_WARNINGS:
            return []
        self._count += 1
        self._warned = now
        self._bad = True
        return [begins]
