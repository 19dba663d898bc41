from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.protocol.receive_statistics import ReceiveStatistics


def test_numbers_go_on_beyond_the_wrap_and_late_packets_keep_theirs() -> None:
    statistics = ReceiveStatistics(5)
    numbers = [statistics.count(number, 100) for number in (65534, 65535, 1, 0, 2)]
    assert [number - numbers[0] for number in numbers] == [0, 1, 3, 2, 4]
    report = statistics.report(1.0)
    assert (report.packets_lost, report.fraction_lost) == (0, 0)
    assert report.highest_sequence == 65536 + 2
    assert report.ssrc == 5


def test_loss_is_reported_for_the_time_since_the_last_report() -> None:
    statistics = ReceiveStatistics(5)
    for number in range(0, 100, 2):
        statistics.count(number, 100)
    first = statistics.report(1.0)
    assert first.packets_lost == 49
    assert first.fraction_lost == 49 * 256 // 99
    for number in range(99, 150):
        statistics.count(number, 100)
    second = statistics.report(2.0)
    assert second.fraction_lost == 0
    assert second.packets_lost == 49
    assert statistics.fraction_lost == 0


def test_a_repeated_number_is_no_loss() -> None:
    statistics = ReceiveStatistics(5)
    for number in (1, 2, 2, 2, 3):
        statistics.count(number, 100)
    assert statistics.report(1.0).packets_lost == -2


def test_the_report_refers_to_the_senders_last_one() -> None:
    statistics = ReceiveStatistics(5)
    statistics.count(1, 100)
    assert statistics.report(1.0).last_sender_report == 0
    statistics.sender_reported(0x11112222_33334444, 2.0)
    report = statistics.report(2.5)
    assert report.last_sender_report == 0x22223333
    assert report.delay_since_sender_report == 32768


def test_jitter_follows_what_arrives_unevenly_and_ignores_pauses() -> None:
    steady, uneven = ReceiveStatistics(1), ReceiveStatistics(2)
    for index in range(200):
        steady.time_frame(index * 3000, index / 30)
        uneven.time_frame(index * 3000, index / 30 + (0.01 if index % 2 else 0))
    assert steady.jitter < 0.0001
    assert uneven.jitter == pytest.approx(0.01, rel=0.05)
    steady.time_frame(0, 1000.0)
    assert steady.jitter < 0.001


def test_the_rate_is_of_the_time_between_two_looks() -> None:
    statistics = ReceiveStatistics(1)
    assert statistics.measure(10.0) == 0
    for number in range(100):
        statistics.count(number, 125)
    assert statistics.measure(12.0) == 50_000
    assert statistics.measure(13.0) == 0


def test_a_sender_that_began_anew_is_noticed_and_a_stray_packet_ignored() -> None:
    statistics = ReceiveStatistics(1)
    statistics.count(40000, 1)
    assert statistics.count(20000, 1) == -1
    assert statistics.count(40001, 1) > 0
    assert statistics.count(10000, 1) == -1
    assert statistics.count(10001, 1) == -2


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=300))
def test_any_numbers_can_be_counted_and_reported(numbers: list[int]) -> None:
    statistics = ReceiveStatistics(1)
    for index, number in enumerate(numbers):
        extended = statistics.count(number, 100)
        assert extended < 0 or extended % 65536 == number
        if index % 7 == 0:
            statistics.time_frame(number * 4_000_000 % (1 << 32), index / 10)
            assert len(statistics.report(float(index)).pack()) == 24
