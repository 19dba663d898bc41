"""What attendees hear, measured in what they are sent."""

import gc
import itertools
import random

import numpy as np
import pytest

from chime_media.rtc.opus import OpusDecoder, OpusEncoder
from chime_media.server.audio_leg import AudioLeg
from chime_media.wire import red, rtcp, rtp
from chime_media.wire.opus_packet import SILENCE_MONO, is_stereo
from tests.media.server.audio_simulation import AudioSimulation, Network, level_of, tone, tone_to_noise

LOW, MIDDLE, HIGH = 440, 1000, 2300
SAID = -15.0
"""dB of the tones as they are said."""


@pytest.fixture(params=["levels told", "levels measured"])
def level(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "levels told")


def test_everybody_hears_the_others_and_not_itself(level: bool) -> None:
    meeting = AudioSimulation()
    low = meeting.join("low", tone(LOW, 1), level=level)
    high = meeting.join("high", tone(HIGH, 1), level=level)
    listener = meeting.join("listener", level=level)

    meeting.run(4)

    for speaker, own, other in ((low, LOW, HIGH), (high, HIGH, LOW)):
        assert level_of(speaker.heard(), other) == pytest.approx(SAID, abs=1)
        assert level_of(speaker.heard(), own) < -75
    assert level_of(listener.heard(), LOW) == pytest.approx(SAID, abs=1)
    assert level_of(listener.heard(), HIGH) == pytest.approx(SAID, abs=1)
    assert level_of(listener.heard(), MIDDLE) < -75


def test_one_packet_each_20_ms_is_numbered_without_a_gap() -> None:
    meeting = AudioSimulation()
    meeting.join("talker", tone(LOW, 1))
    listener = meeting.join("listener")

    meeting.run(2)

    packets = [rtp.parse(packet) for packet in listener.received]
    assert len(packets) == 100
    for before, after in itertools.pairwise(packets):
        assert rtp.sequence_distance(after.sequence_number, before.sequence_number) == 1
        assert rtp.timestamp_distance(after.timestamp, before.timestamp) == 960
        assert (after.ssrc, after.payload_type) == (2, 111)


def test_own_content_is_not_heard_and_does_not_hear_its_owner() -> None:
    meeting = AudioSimulation()
    owner = meeting.join("owner", tone(LOW, 1))
    content = meeting.join("owner#content", tone(HIGH, 1))
    other = meeting.join("other", tone(MIDDLE, 1))

    meeting.run(3)

    for heard in (owner.heard(), content.heard()):
        assert level_of(heard, MIDDLE) == pytest.approx(SAID, abs=1)
        assert level_of(heard, LOW) < -70
        assert level_of(heard, HIGH) < -70
    assert level_of(other.heard(), LOW) == pytest.approx(SAID, abs=1)
    assert level_of(other.heard(), HIGH) == pytest.approx(SAID, abs=1)


def test_a_meeting_in_which_nobody_talks_encodes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = AudioSimulation()
    attendees = [meeting.join(str(number)) for number in range(5)]

    def encoded(*_: object) -> bytes:
        raise AssertionError("nobody said anything")

    monkeypatch.setattr(OpusEncoder, "encode", encoded)
    monkeypatch.setattr(OpusDecoder, "decode", encoded)
    meeting.run(3)

    for attendee in attendees:
        assert {rtp.parse(packet).payload for packet in attendee.received} == {SILENCE_MONO}
        assert attendee.leg.level is None


def test_all_who_say_nothing_share_one_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = AudioSimulation()
    meeting.join("talker", tone(LOW, 1), sends=True)
    for number in range(20):
        meeting.join(str(number))
    meeting.run(1)
    count = 0
    encode = OpusEncoder.encode

    def counted(self: OpusEncoder, samples: np.ndarray) -> bytes:
        nonlocal count
        count += 1
        return encode(self, samples)

    talker = meeting.speakers["talker"]
    packets = [talker.next_packet() for _ in range(50)]
    monkeypatch.setattr(OpusEncoder, "encode", counted)
    talker.stopped = True
    for packet in packets:
        talker.leg.rtp_received(packet, meeting.clock.time + 0.02)
        meeting.run(0.02)

    assert 40 <= count <= 55
    payloads = [[rtp.parse(packet).payload for packet in meeting.speakers[str(n)].received[-40:]] for n in range(20)]
    assert all(other == payloads[0] for other in payloads)


def test_silence_after_speech_ends_in_ready_made_packets() -> None:
    meeting = AudioSimulation()
    talker = meeting.join("talker", tone(LOW, 1))
    listener = meeting.join("listener")
    meeting.run(1)

    talker.samples = None
    meeting.run(2)
    assert rtp.parse(listener.received[-1]).payload == SILENCE_MONO

    talker.samples = tone(HIGH, 1)
    meeting.run(2)
    assert level_of(listener.heard(3.5), HIGH) == pytest.approx(SAID, abs=1)


def test_the_loudest_are_heard_when_too_many_talk(level: bool) -> None:
    meeting = AudioSimulation(most_talkers=2)
    meeting.join("quiet", tone(LOW, 1, 600), level=level)
    meeting.join("loud", tone(MIDDLE, 1), level=level)
    meeting.join("louder", tone(HIGH, 1, 9000), level=level)
    listener = meeting.join("listener", level=level)

    meeting.run(3)

    assert level_of(listener.heard(), MIDDLE) == pytest.approx(SAID, abs=1)
    assert level_of(listener.heard(), HIGH) == pytest.approx(SAID + 3.5, abs=1)
    assert level_of(listener.heard(), LOW) < -70


def test_content_is_heard_before_louder_talkers() -> None:
    meeting = AudioSimulation(most_talkers=1)
    meeting.join("loud", tone(LOW, 1, 9000))
    meeting.join("sharer#content", tone(HIGH, 1, 2000))
    listener = meeting.join("listener")

    meeting.run(3)

    assert level_of(listener.heard(), HIGH) > -30
    assert level_of(listener.heard(), LOW) < -60


@pytest.mark.parametrize(("loss", "least"), [(0.05, 18.0), (0.15, 15.0)])
def test_speech_stays_intelligible_over_a_bad_network(loss: float, least: float, level: bool) -> None:
    meeting = AudioSimulation()
    network = Network(loss=loss, jitter=0.2, duplication=0.05)
    meeting.join("talker", tone(LOW, 1), network=network, level=level)
    listener = meeting.join("listener", level=level)

    meeting.run(14)

    assert tone_to_noise(listener.heard(4), LOW) > least


def test_redundant_audio_makes_up_for_losses() -> None:
    heard = {}
    for repetitions in (0, 2):
        meeting = AudioSimulation()
        meeting.join("talker", tone(LOW, 1), network=Network(loss=0.15, jitter=0.05), repetitions=repetitions)
        listener = meeting.join("listener")
        meeting.run(12)
        heard[repetitions] = tone_to_noise(listener.heard(4), LOW)

    assert heard[2] > heard[0] + 5


@pytest.mark.parametrize("drift", [3e-4, -3e-4, 2e-3])
def test_clocks_that_drift_apart_are_made_up_for(drift: float) -> None:
    meeting = AudioSimulation()
    meeting.join("talker", tone(LOW, 1), network=Network(drift=drift))
    listener = meeting.join("listener")

    meeting.run(40)

    assert tone_to_noise(listener.heard(3), LOW) > 25
    assert level_of(listener.heard(38), LOW) == pytest.approx(SAID, abs=1)


def test_the_mute_of_a_talker_is_heard_at_once_and_undone() -> None:
    meeting = AudioSimulation()
    talker = meeting.join("talker", tone(LOW, 1))
    listener = meeting.join("listener")
    meeting.run(1)
    levels = [talker.leg.level]

    talker.leg.muted = True
    meeting.run(1)
    levels.append(talker.leg.level)
    assert levels == [18, None]
    assert rtp.parse(listener.received[-1]).payload == SILENCE_MONO
    last = talker.leg.last_heard
    assert last is not None
    assert last > 1.9

    talker.leg.muted = False
    meeting.run(1)
    assert level_of(listener.heard(2.5), LOW) == pytest.approx(SAID, abs=1)


def test_who_may_not_speak_is_not_heard_and_who_may_not_hear_is_sent_reports_alone() -> None:
    meeting = AudioSimulation()
    meeting.join("silenced", tone(LOW, 1), speaks=False)
    meeting.join("talker", tone(MIDDLE, 1))
    deaf = meeting.join("deaf", tone(HIGH, 1), hears=False)
    listener = meeting.join("listener")

    meeting.run(4)

    assert level_of(listener.heard(), LOW) < -75
    assert level_of(listener.heard(), HIGH) == pytest.approx(SAID, abs=1)
    assert deaf.received == []
    assert deaf.reports
    deaf.leg.hears = True
    meeting.run(1)
    assert len(deaf.received) == 50


def test_two_channels_reach_those_who_asked_for_them_and_one_the_others() -> None:
    meeting = AudioSimulation()
    sides = np.stack([tone(LOW, 1), tone(HIGH, 1)], 1)
    meeting.join("music#content", sides, stereo=True)
    stereo = meeting.join("stereo", stereo=True)
    mono = meeting.join("mono")

    meeting.run(4)

    assert is_stereo(rtp.parse(stereo.received[-1]).payload)
    left, right = stereo.heard()[:, 0], stereo.heard()[:, 1]
    assert level_of(left, LOW) == pytest.approx(SAID, abs=1)
    assert level_of(left, HIGH) < -45
    assert level_of(right, HIGH) == pytest.approx(SAID, abs=1)
    assert not is_stereo(rtp.parse(mono.received[-1]).payload)
    assert level_of(mono.heard(), LOW) == pytest.approx(SAID - 6, abs=1)
    assert level_of(mono.heard(), HIGH) == pytest.approx(SAID - 6, abs=1)


def test_redundant_audio_is_sent_to_those_who_asked_for_it() -> None:
    meeting = AudioSimulation()
    meeting.join("talker", tone(LOW, 1))
    plain = meeting.join("plain")
    asked = meeting.join("asked", red=63)

    meeting.run(2)

    packets = [rtp.parse(packet) for packet in asked.received[50:]]
    assert {packet.payload_type for packet in packets} == {63}
    originals = [rtp.parse(packet).payload for packet in plain.received[50:]]
    for index in range(1, 50):
        blocks = red.parse(packets[index].payload)
        assert [(block.timestamp_offset, block.payload) for block in blocks] == [
            (960, originals[index - 1]),
            (0, originals[index]),
        ]


def test_who_begins_to_talk_goes_on_hearing_without_a_seam() -> None:
    """The mix without oneself takes over where the common one was, and back."""
    meeting = AudioSimulation()
    meeting.join("talker", tone(LOW, 1))
    other = meeting.join("other")
    meeting.run(2)
    other.samples = tone(HIGH, 1)
    meeting.run(1)
    other.samples = None
    meeting.run(2)

    assert tone_to_noise(other.heard(1), LOW) > 25


def test_loss_is_reported_both_ways_and_weakens_the_signal() -> None:
    meeting = AudioSimulation()
    talker = meeting.join("talker", tone(LOW, 1), network=Network(loss=0.3))
    listener = meeting.join("listener")
    meeting.run(5)

    assert talker.leg.signal_strength == 0
    assert listener.leg.signal_strength == 2
    report = rtcp.parse(talker.reports[-1])[0]
    assert isinstance(report, rtcp.SenderReport)
    assert report.packet_count > 100
    assert 0.15 < report.reports[0].fraction_lost / 256 < 0.45

    complaint = rtcp.ReceiverReport(9, (rtcp.ReportBlock(listener.leg.ssrc, 26, 10, 100, 0),)).pack()
    listener.leg.rtcp_received(complaint, meeting.clock.time)
    assert listener.leg.signal_strength == 1


def test_the_signal_of_who_sends_nothing_more_fades() -> None:
    meeting = AudioSimulation()
    talker = meeting.join("talker", tone(LOW, 1))
    meeting.run(1)
    talker.stopped = True

    meeting.run(0.5)
    assert talker.leg.level is None or talker.leg.signal_strength == 2
    meeting.run(4)

    assert talker.leg.signal_strength == 0
    assert talker.leg.level is None


def test_the_first_packet_is_told_once() -> None:
    meeting = AudioSimulation()
    talker = meeting.join("talker", sends=False)
    told = []
    talker.leg.on_first_packet = lambda: told.append(meeting.clock.time)
    meeting.run(1)
    assert told == []

    packet = talker.next_packet()
    talker.leg.rtp_received(packet, 1.0)
    talker.leg.rtp_received(talker.next_packet(), 1.02)

    assert len(told) == 1


def test_who_leaves_is_neither_heard_nor_sent_anything() -> None:
    meeting = AudioSimulation()
    talker = meeting.join("talker", tone(LOW, 1))
    listener = meeting.join("listener")
    meeting.run(1)
    talker.leg.leave()
    talker.leg.leave()
    count = len(talker.received)

    meeting.run(2)

    assert len(talker.received) == count
    assert rtp.parse(listener.received[-1]).payload == SILENCE_MONO
    listener.leg.leave()
    assert meeting.clock.beats == []


def test_a_rejoined_sender_with_another_stream_is_followed() -> None:
    meeting = AudioSimulation()
    talker = meeting.join("talker", tone(LOW, 1))
    listener = meeting.join("listener")
    meeting.run(2)
    talker.leg.key = "talker again"
    talker.sent = 5_000_000
    talker.start = meeting.clock.time - 5_000_000 * 0.02

    meeting.run(2)

    assert level_of(listener.heard(2.5), LOW) == pytest.approx(SAID, abs=1)


def test_hostile_packets_raise_nothing_and_harm_nobody() -> None:
    meeting = AudioSimulation()
    meeting.join("talker", tone(LOW, 1))
    listener = meeting.join("listener")
    attacker = meeting.join("attacker", sends=False)
    chance = random.Random(3)
    for round_ in range(150):
        for _ in range(5):
            payload_type = chance.choice((111, 63, 0))
            garbage = rtp.build(
                payload_type=payload_type,
                sequence_number=chance.getrandbits(16),
                timestamp=chance.getrandbits(32),
                ssrc=chance.choice((7, chance.getrandbits(32))),
                payload=chance.randbytes(chance.randrange(60)),
                extensions={1: chance.randbytes(1)} if chance.random() < 0.5 else None,
            )
            attacker.leg.rtp_received(garbage, meeting.clock.time)
            attacker.leg.rtp_received(chance.randbytes(chance.randrange(40)), meeting.clock.time)
            attacker.leg.rtcp_received(chance.randbytes(chance.randrange(80)), meeting.clock.time)
        if round_ % 50 == 49:
            attacker.leg.muted = not attacker.leg.muted
        meeting.run(0.02)
    attacker.leg.leave()
    meeting.run(2)

    assert attacker.leg.malformed > 0
    assert len(listener.received) == 250
    assert tone_to_noise(listener.heard(4), LOW) > 25


def test_who_comes_later_hears_at_once_what_is_being_said() -> None:
    meeting = AudioSimulation()
    meeting.join("talker", tone(LOW, 1))
    meeting.join("listener")
    meeting.run(2)

    late = meeting.join("late")
    meeting.run(0.5)

    assert level_of(late.heard(0.02), LOW) == pytest.approx(SAID, abs=1)
    assert tone_to_noise(late.heard(0.02), LOW) > 20


def test_nothing_is_left_of_those_who_came_and_went() -> None:
    meeting = AudioSimulation()
    meeting.join("talker", tone(LOW, 1))
    for number in range(100):
        guest = meeting.join(str(number), tone(HIGH, 1) if number % 3 == 0 else None)
        meeting.run(0.1)
        guest.stopped = True
        guest.leg.leave()
        del meeting.speakers[str(number)]
    del guest
    meeting.run(1)
    gc.collect()

    assert sum(isinstance(kept, AudioLeg) for kept in gc.get_objects()) == 1
    assert sum(isinstance(kept, OpusEncoder) for kept in gc.get_objects()) <= 2


def test_reports_name_the_sender_and_come_every_few_seconds() -> None:
    meeting = AudioSimulation()
    attendee = meeting.join("attendee")
    meeting.run(12)

    assert len(attendee.reports) == 5
    assert isinstance(rtcp.parse(attendee.reports[0])[-1], rtcp.SourceDescription)


def test_a_level_that_was_promised_and_does_not_come_is_measured() -> None:
    meeting = AudioSimulation()
    talker = meeting.join("talker", tone(LOW, 1))
    listener = meeting.join("listener")
    talker.level = False

    meeting.run(3)

    assert talker.leg.level == pytest.approx(18, abs=1)
    assert level_of(listener.heard(), LOW) == pytest.approx(SAID, abs=1)


@pytest.mark.parametrize("jitter", [0.0, 0.06])
def test_reports_tell_when_what_is_heard_came_to_the_node(jitter: float) -> None:
    meeting = AudioSimulation()
    clicks = tone(300, 1, 200)
    clicks[:4800] += tone(1000, 0.1, 16_000)
    meeting.join("talker", clicks, network=Network(jitter=jitter), hears=False)
    talker = meeting.speakers["talker"]
    listener = meeting.join("listener")
    reported: list[tuple[float, int]] = []

    def note(packet: bytes) -> None:
        report = rtcp.parse(packet)[0]
        assert isinstance(report, rtcp.SenderReport)
        reported.append((meeting.clock.time, report.rtp_timestamp))

    listener.leg._send_rtcp = note

    meeting.run(16)

    loud = np.flatnonzero(np.abs(listener.heard(0.0)) > 2000)
    first = rtp.parse(listener.received[0]).timestamp
    onsets = [at for before, at in itertools.pairwise(loud) if at - before > 20_000]
    errors = []
    for onset in onsets[8:]:
        time, timestamp = min(reported, key=lambda report: abs(report[1] - first - onset))
        came = time + rtp.timestamp_distance(first + int(onset) & 0xFFFFFFFF, timestamp) / 48_000
        # The first sample of a second comes with its packet, 20 ms after it was sent.
        errors.append((came - talker.start - 0.02 + 0.5) % 1.0 - 0.5)
    assert len(errors) >= 5
    assert np.median(errors) == pytest.approx(0.0, abs=0.008), errors
