from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.protocol import rtx
from chime_media.protocol.nack import NackGenerator
from chime_media.protocol.rtp_history import RtpHistory
from chime_media.protocol.video_rate import LEAST, DownlinkLimit, UplinkEstimate
from chime_media.wire import rtp


def test_a_gap_is_asked_for_at_once_and_again_after_the_round_trip() -> None:
    nack = NackGenerator()
    assert list(nack.received(10, 0.0)) == []
    assert list(nack.received(14, 0.0)) == [11, 12, 13]
    assert nack.due(0.01) == []
    due = nack.next_due
    assert due is not None
    assert list(nack.received(12, 0.02, resent=True)) == []
    assert nack.due(due) == [11, 13]
    assert len(nack) == 2


def test_the_round_trip_is_learned_from_answers() -> None:
    nack = NackGenerator()
    nack.received(0, 0.0)
    for number in range(2, 60, 2):
        at = float(number)
        assert list(nack.received(number, at)) == [number - 1]
        nack.received(number - 1, at + 0.03, resent=True)
    assert nack.round_trip == pytest.approx(0.03, rel=0.05)


def test_packets_that_overtake_each_other_make_it_wait_and_ask_for_less() -> None:
    nack = NackGenerator()
    nack.received(0, 0.0)
    asked = 0
    for number in range(2, 400, 2):
        at = number * 0.01
        asked += len(list(nack.received(number, at)))
        asked += len(nack.due(at + 0.015))
        nack.received(number - 1, at + 0.02)
    assert asked < 5
    assert nack.given_up == 0


def test_what_never_comes_is_doubted_and_then_given_up() -> None:
    nack = NackGenerator()
    nack.received(0, 0.0)
    nack.received(2, 0.0)
    now, asked = 0.0, 1
    while len(nack):
        assert nack.next_due is not None
        now = nack.next_due
        asked += len(nack.due(now))
        if nack.doubted:
            assert now < 1.2
    assert nack.doubted == nack.given_up == 1
    assert 4 <= asked <= 12
    assert now < 1.5


def test_a_hole_too_large_to_fill_is_given_up_at_once() -> None:
    nack = NackGenerator(capacity=100)
    nack.received(0, 0.0)
    assert list(nack.received(5000, 0.0)) == []
    assert nack.given_up == 4999
    assert nack.next_due is None


def test_nothing_before_a_key_frame_is_asked_for() -> None:
    nack = NackGenerator()
    nack.received(0, 0.0)
    nack.received(10, 0.0)
    nack.forget_before(8)
    assert [number for number in range(12) if nack.is_missing(number)] == [8, 9]


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=120))
def test_only_what_is_missing_is_asked_for(events: list[tuple[int, bool]]) -> None:
    nack = NackGenerator()
    received: set[int] = set()
    for step, (number, resent) in enumerate(events):
        now = step * 0.01
        asked = set(nack.received(number, now, resent=resent)) | set(nack.due(now))
        received.add(number)
        assert not asked & received
        assert all(min(received) < missing < max(received) for missing in asked)


@given(st.binary(min_size=1, max_size=50), st.integers(0, 65535), st.booleans())
def test_a_retransmission_brings_back_the_packet(payload: bytes, number: int, marker: bool) -> None:
    packet = rtp.parse(
        rtx.wrap(payload, number, marker=marker, timestamp=1 << 31, ssrc=9, payload_type=97, sequence_number=65536 + 4)
    )
    assert (packet.payload_type, packet.sequence_number, packet.ssrc) == (97, 4, 9)
    assert (packet.marker, packet.timestamp) == (marker, 1 << 31)
    assert rtx.unwrap(packet.payload) == (number, payload)


@pytest.mark.parametrize("padding", [b"", b"\x01", b"\x01\x02"])
def test_a_probe_for_bandwidth_is_no_retransmission(padding: bytes) -> None:
    assert rtx.unwrap(padding) is None


def test_history_forgets_by_age_and_by_number() -> None:
    history: RtpHistory[str] = RtpHistory(seconds=1, capacity=3)
    assert history.add(1, "a", 0.0)
    assert not history.add(1, "again", 0.0)
    for number in (2, 3, 4):
        history.add(number, str(number), 0.1)
    assert history.get(1) is None
    assert [history.get(number) for number in (2, 3, 4)] == ["2", "3", "4"]
    assert history.after(2) == ["3", "4"]
    history.add(5, "5", 2.0)
    history.add(6, "6", 2.0)
    assert len(history) == 2
    assert 5 in history
    assert 3 not in history


def test_the_uplink_estimate_falls_with_harmful_loss_and_recovers() -> None:
    estimate = UplinkEstimate(2_000_000)
    for _ in range(30):
        estimate.measured(300_000, 0.3)
    assert LEAST <= estimate.bitrate < 400_000
    low = estimate.bitrate
    estimate.measured(300_000, 0.05)
    assert estimate.bitrate == low
    for _ in range(60):
        estimate.measured(300_000, 0.0)
    assert estimate.bitrate == 2_000_000


def test_an_estimate_above_what_is_sent_is_no_limit() -> None:
    limit = DownlinkLimit()
    limit.estimated(900_000, 600_000, 0.5, 0.0)
    assert not limit.bitrate
    limit.estimated(400_000, 600_000, 0.5, 1.0)
    assert limit.bitrate == 200_000
    limit.estimated(900_000, 400_000, 0.5, 2.0)
    assert limit.bitrate == pytest.approx(216_000)
    for second in range(3, 20):
        limit.estimated(900_000, 400_000, 0.5, float(second))
    assert limit.bitrate is None
