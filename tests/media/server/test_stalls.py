"""A meeting in virtual time in which the node, talkers and listeners stand still now and then, and go on."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from chime_media.rtc.audio_receiver import AudioReceiver
from chime_media.rtc.opus import Samples
from chime_media.server.audio_leg import AudioLeg
from chime_media.wire import rtp
from tests.media.server.audio_simulation import PAYLOAD_TYPE, RED, AudioSimulation, Network, level_of, tone

FREQUENCIES = (400, 1100, 2500)
STEP = 0.005
STALLS_BEGIN, STALLS_END = 1.0, 7.0
PART = 24_000


@dataclass
class Stalls:
    """When something stands still."""

    spans: list[tuple[float, float]]

    def at(self, time: float) -> bool:
        return any(begin <= time < end for begin, end in self.spans)

    @property
    def end(self) -> float:
        return max((end for _, end in self.spans), default=0.0)


@dataclass
class Beat:
    """Ticks of 20 ms; what is too late to be caught up is left out."""

    most_behind: int
    due: float = 0.0
    number: int = 0

    def ticks(self, now: float) -> list[tuple[float, int]]:
        """The ticks that are due."""
        found = []
        while self.due <= now:
            behind = int((now - self.due) / 0.02)
            if behind > self.most_behind:
                self.number += behind
                self.due += behind * 0.02
            found.append((self.due, self.number))
            self.number += 1
            self.due += 0.02
        return found


@dataclass
class Way:
    """The way of packets, on which they wait, or get lost, while it stands still."""

    key: str
    stalls: Stalls
    loses: bool
    waiting: list[bytes] = field(default_factory=list)

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        """In place of the node's leg."""
        if not (self.loses and self.stalls.at(arrival)):
            self.waiting.append(packet)

    def take(self, now: float) -> list[bytes]:
        """What has come through."""
        if self.stalls.at(now):
            return []
        came, self.waiting = self.waiting, []
        return came


class StalledMeeting:
    """Everybody talks and listens."""

    def __init__(self, seed: int, *, levels: bool, repetitions: int) -> None:
        chance = self._chance = random.Random(seed)
        self.simulation = AudioSimulation(seed)
        self.node = self._stalls(4)
        self.ways: list[Way] = []
        self.legs: list[AudioLeg] = []
        self.listeners: list[tuple[AudioReceiver, Stalls, Beat, list[tuple[float, Samples]]]] = []
        self.received: list[list[bytes]] = []
        for frequency in FREQUENCIES:
            network = Network(jitter=chance.choice([0, 0.01, 0.05]), drift=chance.choice([0, 1e-4, -1e-4]))
            attendee = self.simulation.join(
                str(frequency), tone(frequency, 1), network=network, level=levels, repetitions=repetitions
            )
            self.legs.append(attendee.leg)
            way = Way(attendee.leg.key, self._stalls(3), chance.random() < 0.5)
            attendee.leg = way  # type: ignore[assignment]
            self.ways.append(way)
            self.received.append(attendee.received)
            receiver, heard = AudioReceiver(), list[tuple[float, Samples]]()
            receiver.attach(PAYLOAD_TYPE, RED if repetitions else None)
            receiver.add(lambda samples, now, heard=heard: heard.append((now, samples)))  # type: ignore[misc]
            self.listeners.append((receiver, self._stalls(3), Beat(5), heard))

    @property
    def end(self) -> float:
        """When nothing stands still any more."""
        every = [self.node, *(way.stalls for way in self.ways), *(stalls for _, stalls, _, _ in self.listeners)]
        return max(stalls.end for stalls in every)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        simulation, clock, beat = self.simulation, self.simulation.clock, Beat(10)
        while clock.time < seconds:
            clock.time += STEP
            now, events = clock.time, simulation._events
            while events and events[0][0] <= now:
                heapq.heappop(events)[2]()
            if not self.node.at(now):
                self._node(now, beat)
            for (receiver, stalls, own_beat, _), received in zip(self.listeners, self.received, strict=True):
                if not stalls.at(now):
                    for packet in received:
                        receiver.rtp_received(rtp.parse(packet), now)
                    received.clear()
                    for _ in own_beat.ticks(now):
                        receiver.tick(now)

    def _node(self, now: float, beat: Beat) -> None:
        for way, leg in zip(self.ways, self.legs, strict=True):
            for packet in way.take(now):
                leg.rtp_received(packet, now)
        for due, number in beat.ticks(now):
            for subscription in tuple(self.simulation.clock.beats):
                subscription.tick(due, number)

    def _stalls(self, most: int) -> Stalls:
        chance = self._chance
        begins = [chance.uniform(STALLS_BEGIN, STALLS_END) for _ in range(chance.randrange(most + 1))]
        return Stalls([(begin, begin + chance.choice([0.05, 0.15, 0.3, 0.8, 2.0, 3.0])) for begin in begins])


@pytest.mark.parametrize("repetitions", [0, 2], ids="{} repetitions".format)
@pytest.mark.parametrize("levels", [True, False], ids=["levels told", "levels measured"])
@pytest.mark.parametrize("seed", range(3))
def test_everybody_is_heard_by_everybody_a_second_after_all_stalls(seed: int, levels: bool, repetitions: int) -> None:
    meeting = StalledMeeting(seed * 4 + 2 * levels + repetitions, levels=levels, repetitions=repetitions)
    begin = meeting.end + 1.0
    meeting.run(begin + 2.0)
    for own, (_, _, _, heard) in zip(FREQUENCIES, meeting.listeners, strict=True):
        samples = np.concatenate([part for time, part in heard if time > begin])
        assert len(samples) > 1.9 * 48_000
        for other in FREQUENCIES:
            parts = [samples[at : at + PART] for at in range(0, len(samples) - PART, PART)]
            levels_heard = [round(level_of(part, other), 1) for part in parts]
            if other == own:
                assert max(levels_heard) < -40
            else:
                assert min(levels_heard) > -22, (own, other, levels_heard)
