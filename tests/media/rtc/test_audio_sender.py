"""What an attendee says, packet by packet, without a clock."""

from __future__ import annotations

import numpy as np
import pytest

from chime_media.devices.audio_sources import ArraySource, OpusPackets, Tone
from chime_media.devices.sources import Samples, SourceEnded
from chime_media.rtc.audio_receiver import AudioReceiver
from chime_media.rtc.audio_sender import AudioFormat, AudioOutlet, AudioSender, FrameSource
from chime_media.rtc.opus import OpusEncoder
from chime_media.rtc.transport import TransportCounters
from chime_media.wire import red, rtcp, rtp
from chime_media.wire.opus_packet import SILENCE_MONO, carries_redundancy

PAYLOAD_TYPE, RED, LEVEL = 111, 63, 1


class Wire:
    """A transport that keeps what it is given."""

    connected = True

    def __init__(self) -> None:
        self.counters = TransportCounters()
        self.sent: list[rtp.RtpPacket] = []
        self.reports: list[rtcp.RtcpPacket] = []

    def send_rtp(self, packet: bytes) -> None:
        self.sent.append(rtp.parse(packet))

    def send_rtcp(self, packet: bytes) -> None:
        self.reports += rtcp.parse(packet)

    def close(self) -> None:
        """Nothing to close."""


def attached(*, red_type: int | None = None, level: int | None = LEVEL) -> tuple[AudioSender, Wire]:
    wire = Wire()
    sender = AudioSender(AudioFormat())
    sender.attach(AudioOutlet(wire, 77, "me", PAYLOAD_TYPE, red_type, level))
    return sender, wire


def test_silence_goes_out_while_there_is_nothing_to_say() -> None:
    sender, wire = attached()
    for number in range(5):
        sender.tick(number)
    assert [packet.payload for packet in wire.sent] == [SILENCE_MONO] * 5
    assert [packet.marker for packet in wire.sent] == [True, False, False, False, False]
    assert all(packet.extensions[LEVEL][0] & 0x7F == 127 for packet in wire.sent)
    assert sender._encoder is None


def test_timestamps_follow_the_beat_and_sequence_numbers_the_packets() -> None:
    sender, wire = attached()
    for number in (0, 1, 2, 52, 53):
        sender.tick(number)
    first = wire.sent[0]
    assert [(packet.timestamp - first.timestamp) % 2**32 for packet in wire.sent] == [0, 960, 1920, 49920, 50880]
    assert [rtp.sequence_distance(packet.sequence_number, first.sequence_number) for packet in wire.sent] == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_what_is_muted_is_read_but_not_heard() -> None:
    sender, wire = attached()
    sender.source = Tone(440)
    sender.tick(0)
    sender.muted = True
    sender.tick(1)
    sender.muted = False
    sender.tick(2)
    assert [packet.payload == SILENCE_MONO for packet in wire.sent] == [False, True, False]
    assert [packet.extensions[LEVEL][0] & 0x7F for packet in wire.sent] == [23, 127, 23]


def test_ready_made_packets_go_out_as_they_are() -> None:
    sender, wire = attached()
    packets = [bytes([0x78, number]) * 20 for number in range(3)]
    sender.source = OpusPackets(packets)
    for number in range(3):
        sender.tick(number)
    assert [packet.payload for packet in wire.sent] == packets
    assert all(LEVEL not in packet.extensions for packet in wire.sent)
    assert sender._encoder is None


def test_digital_silence_is_not_encoded_for_long() -> None:
    sender, wire = attached()
    sender.source = ArraySource(np.zeros(960 * 30, np.int16))
    for number in range(30):
        sender.tick(number)
    assert {packet.payload for packet in wire.sent} == {SILENCE_MONO}


def test_the_end_of_a_source_is_told_once_and_silence_follows() -> None:
    sender, wire = attached()
    ended: list[tuple[FrameSource, Exception]] = []
    sender.on_source_error = lambda source, error: ended.append((source, error))
    source = Tone(440, seconds=0.04)
    sender.source = source
    for number in range(5):
        sender.tick(number)
    assert [packet.payload == SILENCE_MONO for packet in wire.sent] == [False, False, True, True, True]
    assert [(which, type(error)) for which, error in ended] == [(source, SourceEnded)]


def test_packets_are_repeated_once_some_get_lost() -> None:
    sender, wire = attached(red_type=RED)
    sender.source = Tone(440)
    sender.tick(0)
    assert len(red.parse(wire.sent[-1].payload)) == 1
    assert wire.sent[-1].payload_type == RED
    sender.reported(rtcp.ReportBlock(77, 51, 10, 0, 0), 0)
    for number in range(1, 4):
        sender.tick(number)
    blocks = red.parse(wire.sent[-1].payload)
    assert [block.timestamp_offset for block in blocks] == [1920, 960, 0]
    assert blocks[1].payload == red.parse(wire.sent[-2].payload)[-1].payload


def test_stereo_is_made_of_mono_and_mono_of_stereo() -> None:
    receiver = AudioReceiver(2)
    heard: list[Samples] = []
    receiver.add(lambda samples, now: heard.append(samples))
    receiver.attach(PAYLOAD_TYPE, None)
    wire = Wire()
    sender = AudioSender(AudioFormat(stereo=True))
    sender.attach(AudioOutlet(wire, 77, "me", PAYLOAD_TYPE))
    sender.source = Tone(440)
    for number in range(30):
        sender.tick(number)
        receiver.rtp_received(wire.sent[-1], number * 0.02)
        receiver.tick(number * 0.02 + 0.001)
    samples = np.concatenate(heard[15:])
    assert samples.shape[1] == 2
    assert np.abs(samples[:, 0]).max() > 2000
    assert np.array_equal(np.sign(samples[100:, 0]), np.sign(samples[100:, 1]))


def test_reports_say_what_was_sent_and_give_the_round_trip() -> None:
    sender, wire = attached()
    for number in range(10):
        sender.tick(number)
    now = 0x1234_5678_0000_0000
    sender.report(now, ())
    report, description = wire.reports
    assert isinstance(report, rtcp.SenderReport)
    assert (report.ssrc, report.packet_count, report.octet_count) == (77, 10, 30)
    assert report.rtp_timestamp == wire.sent[-1].timestamp
    assert isinstance(description, rtcp.SourceDescription)
    later = now + (1 << 31)
    sender.reported(rtcp.ReportBlock(77, 0, 0, 0, 480, now >> 16 & 0xFFFFFFFF, 0x4000), later)
    assert sender.round_trip == pytest.approx(0.25)
    assert sender.remote_jitter == pytest.approx(0.01)


def test_nobody_who_listens_means_nothing_is_kept() -> None:
    receiver = AudioReceiver()
    receiver.attach(PAYLOAD_TYPE, RED)
    encoder, tone = OpusEncoder(), Tone(440)
    for number in range(20):
        packet = rtp.build(
            payload_type=PAYLOAD_TYPE,
            sequence_number=number,
            timestamp=960 * number,
            ssrc=5,
            payload=encoder.encode(tone.read()),
        )
        receiver.rtp_received(rtp.parse(packet), number * 0.02)
        receiver.tick(number * 0.02)
    assert receiver.packets_received == 20
    assert len(receiver._playout.buffer) == 0
    assert receiver._playout._decoder is None
    (block,) = receiver.reports(1.0)
    assert block.packets_lost == 0


def test_a_listener_that_fails_hears_no_more_and_harms_no_other() -> None:
    receiver = AudioReceiver()
    heard: list[Samples] = []

    def fail(samples: Samples, now: float) -> None:
        raise ValueError("broken")

    receiver.add(fail)
    receiver.add(lambda samples, now: heard.append(samples))
    for number in range(3):
        receiver.tick(number * 0.02)
    assert [len(samples) for samples in heard] == [960] * 3
    receiver.close()
    assert not receiver.listens


def test_packets_carry_copies_of_lost_ones_where_redundant_audio_was_not_agreed_on() -> None:
    sender, wire = attached()
    rng = np.random.default_rng(1)
    hum = 3000 * np.sin(np.arange(960 * 60) * 2 * np.pi * 180 / 48000) + rng.normal(0, 300, 960 * 60)
    sender.source = ArraySource(hum.astype(np.int16))
    for number in range(20):
        sender.tick(number)
    assert not any(carries_redundancy(packet.payload) for packet in wire.sent)
    sender.reported(rtcp.ReportBlock(77, 40, 10, 0, 0), 0)
    for number in range(20, 60):
        sender.tick(number)
    assert sum(carries_redundancy(packet.payload) for packet in wire.sent[20:]) > 5


def test_it_is_known_how_long_ago_what_is_heard_was_said() -> None:
    receiver = AudioReceiver()
    receiver.attach(PAYLOAD_TYPE, None)
    errors: list[float] = []
    encoder, tone = OpusEncoder(), Tone(440)

    def hear(samples: Samples, now: float) -> None:
        # Said 50 ms before it is sent, on its way for 80 ms; its reports are on their way for as long.
        errors.append(now - receiver.behind - (now_playing() * 0.02 + 0.03))

    def now_playing() -> float:
        position = receiver._playout.position
        return 0.0 if position is None else (position - 960) / 960

    receiver.add(hear)
    for number in range(300):
        at = number * 0.02 + 0.08
        packet = rtp.build(
            payload_type=PAYLOAD_TYPE,
            sequence_number=number,
            timestamp=960 * number,
            ssrc=5,
            payload=encoder.encode(tone.read()),
        )
        receiver.rtp_received(rtp.parse(packet), at)
        if number % 50 == 10:
            report = rtcp.SenderReport(5, 1, 960 * number + 2400, number, number, ())
            receiver.sender_reported(report, at)
        receiver.tick(at + 0.013)
    assert max(abs(error) for error in errors[150:]) < 0.004
    assert 0.06 < receiver.behind < 0.12
