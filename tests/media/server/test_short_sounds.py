"""Sounds too short to be missed in part, from one attendee to another, after silence."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from chime_media.rtc.audio_receiver import AudioReceiver
from chime_media.rtc.audio_sender import AudioFormat, AudioOutlet, AudioSender
from chime_media.rtc.opus import Samples
from chime_media.rtc.transport import TransportCounters
from chime_media.wire import rtp
from tests.media.server.audio_simulation import LEVEL, PAYLOAD_TYPE, RED, AudioSimulation, Speaker, tone

BEEP_SAMPLES = 1440


class Wire:
    """Takes packets to the node in 20 ms."""

    connected = True

    def __init__(self, meeting: AudioSimulation, speaker: Speaker) -> None:
        self.counters = TransportCounters()
        self._meeting = meeting
        self._speaker = speaker

    def send_rtp(self, packet: bytes) -> None:
        arrival = self._meeting.clock.time + 0.02
        self._meeting._at(arrival, partial(self._speaker.leg.rtp_received, packet, arrival))

    def send_rtcp(self, packet: bytes) -> None:
        """Nobody asks."""

    def close(self) -> None:
        """Nothing to close."""


class Beep:
    """One second again and again."""

    channels = 1

    def __init__(self, second: Samples) -> None:
        self._second = second
        self._at = 0

    def read(self) -> Samples:
        self._at += 960
        return self._second[np.arange(self._at - 960, self._at) % 48_000]


def power(samples: Samples) -> float:
    return float(np.sum(samples.astype(float) ** 2))


@pytest.mark.parametrize("offset", [0, 480], ids="from {} on".format)
@pytest.mark.parametrize("frequency", [440, 3000])
@pytest.mark.parametrize("made_by", ["this library", "a browser"])
@pytest.mark.parametrize("levels", [True, False], ids=["levels told", "levels measured"])
@pytest.mark.parametrize("redundancy", [None, RED], ids=["plain", "redundant"])
def test_each_beep_of_30_ms_is_as_loud_as_it_was_made(
    offset: int, frequency: int, made_by: str, levels: bool, redundancy: int | None
) -> None:
    second = np.zeros(48_000, np.int16)
    second[24_000 + offset :][:BEEP_SAMPLES] = tone(frequency, BEEP_SAMPLES / 48_000, 8000)
    meeting = AudioSimulation()
    browser = made_by == "a browser"
    talker = meeting.join("talker", second, level=levels, hears=False, sends=browser, red=redundancy)
    listener = meeting.join("listener")
    sender, receiver = AudioSender(AudioFormat()), AudioReceiver()
    if not browser:
        level = LEVEL if levels else None
        sender.attach(AudioOutlet(Wire(meeting, talker), 77, "me", PAYLOAD_TYPE, redundancy, level))
        sender.source = Beep(second)
    receiver.attach(PAYLOAD_TYPE, None)
    frames: list[Samples] = []
    receiver.add(lambda samples, now: frames.append(samples))

    for number in range(300):
        sender.tick(number)
        meeting.run(0.02)
        for packet in listener.received:
            receiver.rtp_received(rtp.parse(packet), meeting.clock.time + 0.005)
        listener.received.clear()
        receiver.tick(meeting.clock.time + 0.011)

    heard = np.concatenate(frames).reshape(6, 48_000)
    levels_heard = [10 * np.log10((power(part) + 1) / power(second)) for part in heard]
    assert levels_heard == pytest.approx([0.0] * 6, abs=1.0)
