"""A meeting's audio in virtual time: attendees who say tones over networks that lose, delay and repeat packets."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from chime_media.protocol.audio_levels import attenuation_of
from chime_media.rtc.opus import OpusDecoder, OpusEncoder, Samples
from chime_media.server.audio_clock import INTERVAL, AudioBeat, AudioClock
from chime_media.server.audio_leg import AudioLeg
from chime_media.server.audio_mixer import AudioMixer
from chime_media.wire import audio_level, red, rtp
from chime_media.wire.opus_packet import SILENCE_MONO

PAYLOAD_TYPE = 111
RED = 63
LEVEL = 1
FRAME = 960


class HandClock(AudioClock):
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.number = 0
        self.beats: list[AudioBeat] = []

    def add(self, tick: Callable[[float, int], None]) -> AudioBeat:
        beat = AudioBeat(tick, 0)
        self.beats.append(beat)
        return beat

    def remove(self, beat: AudioBeat) -> None:
        self.beats.remove(beat)

    def now(self) -> float:
        return self.time

    def beat(self) -> None:
        for beat in tuple(self.beats):
            beat.tick(self.time, self.number)
        self.number += 1


def tone(frequency: float, seconds: float, amplitude: float = 6000) -> Samples:
    time = np.arange(int(seconds * 48000)) / 48000
    return (amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def level_of(samples: Samples, frequency: float) -> float:
    """dB below full scale of a tone in samples."""
    wave = samples.astype(float) * np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(wave)) * 4 / len(wave) / 32768
    frequencies = np.fft.rfftfreq(len(wave), 1 / 48000)
    return float(20 * np.log10(spectrum[np.abs(frequencies - frequency) < 12].max() + 1e-9))


def tone_to_noise(samples: Samples, frequency: float) -> float:
    """dB of a tone over everything else."""
    wave = samples.astype(float) * np.hanning(len(samples))
    power = np.abs(np.fft.rfft(wave)) ** 2
    near = np.abs(np.fft.rfftfreq(len(wave), 1 / 48000) - frequency) < 25
    return float(10 * np.log10(power[near].sum() / (power[~near].sum() + 1e-9)))


@dataclass
class Network:
    """What happens to packets on their way."""

    loss: float = 0.0
    jitter: float = 0.0
    duplication: float = 0.0
    drift: float = 0.0
    """How much slower the sender's clock runs."""


@dataclass
class Speaker:
    """One attendee."""

    leg: AudioLeg
    samples: Samples | None
    network: Network
    encoder: OpusEncoder
    level: bool
    repetitions: int
    stereo: bool
    received: list[bytes] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    sent: int = 0
    history: list[bytes] = field(default_factory=list)
    start: float = 0.0
    stopped: bool = False

    def next_packet(self) -> bytes:
        """What it says in the next 20 ms; None of samples is silence."""
        at = self.sent * FRAME
        self.sent += 1
        if self.samples is None:
            payload, attenuation = SILENCE_MONO, 127
        else:
            block = self.samples[np.arange(at, at + FRAME) % len(self.samples)]
            payload, attenuation = self.encoder.encode(block), attenuation_of(block)
        payload_type = PAYLOAD_TYPE
        self.history.append(payload)
        if self.repetitions:
            earlier = self.history[-1 - self.repetitions : -1]
            repeated = [((len(earlier) - index) * FRAME, old) for index, old in enumerate(earlier)]
            payload, payload_type = red.build(PAYLOAD_TYPE, payload, repeated), RED
        return rtp.build(
            payload_type=payload_type,
            sequence_number=self.sent + 65500,
            timestamp=self.sent * FRAME + 0xFFFF0000,
            ssrc=hash(self.leg.key) & 0xFFFFFFFF,
            payload=payload,
            extensions={LEVEL: audio_level.build(attenuation)} if self.level else None,
        )

    def heard(self, skip: float = 1.0) -> Samples:
        """What came to it, decoded, without the first second."""
        decoder = OpusDecoder(channels=2 if self.stereo else 1)
        frames = []
        for packet in self.received:
            parsed = rtp.parse(packet)
            payload = parsed.payload
            if parsed.payload_type == RED:
                payload = red.parse(payload)[-1].payload
            frames.append(decoder.decode(payload))
        return np.concatenate(frames)[int(skip * 48000) :]


class AudioSimulation:
    """One meeting in virtual time."""

    def __init__(self, seed: int = 1, most_talkers: int = 8) -> None:
        self.clock = HandClock()
        self.mixer = AudioMixer(self.clock, most_talkers=most_talkers)
        self.speakers: dict[str, Speaker] = {}
        self._chance = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def join(
        self,
        key: str,
        samples: Samples | None = None,
        *,
        network: Network | None = None,
        level: bool = True,
        repetitions: int = 0,
        stereo: bool = False,
        sends: bool = True,
        speaks: bool = True,
        hears: bool = True,
        red: int | None = None,
    ) -> Speaker:
        received: list[bytes] = []
        reports: list[bytes] = []
        leg = self.mixer.join(
            key,
            key.partition("#")[0],
            received.append,
            ssrc=len(self.speakers) + 1,
            payload_type=PAYLOAD_TYPE,
            stereo=stereo,
            red=RED if repetitions else red,
            level_extension=LEVEL if level else None,
            speaks=speaks,
            hears=hears,
            send_rtcp=reports.append,
        )
        encoder = OpusEncoder(channels=2 if stereo else 1, application="audio" if stereo else "voip")
        speaker = Speaker(leg, samples, network or Network(), encoder, level, repetitions, stereo, received, reports)
        self.speakers[key] = speaker
        if sends:
            speaker.start = self.clock.time + 0.001 * (7 * len(self.speakers) % 20)
            self._at(speaker.start, partial(self._send, speaker))
        return speaker

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / INTERVAL)):
            self.clock.time += INTERVAL
            while self._events and self._events[0][0] <= self.clock.time:
                heapq.heappop(self._events)[2]()
            self.clock.beat()

    def _at(self, time: float, action: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (time, self._number, action))

    def _send(self, speaker: Speaker) -> None:
        network, chance = speaker.network, self._chance
        interval = INTERVAL * (1 + network.drift)
        sent = speaker.start + speaker.sent * interval
        packet = speaker.next_packet()
        if chance.random() >= network.loss:
            copies = 2 if chance.random() < network.duplication else 1
            for _ in range(copies):
                arrival = sent + 0.02 + chance.random() * network.jitter
                self._at(arrival, partial(speaker.leg.rtp_received, packet, arrival))
        if not speaker.stopped:
            self._at(sent + interval, partial(self._send, speaker))
