import math

import pytest

from chime_messaging.cli.deliveries import MIN_BYTES, Deliveries

MS = 1_000_000


def test_message_has_the_asked_size() -> None:
    assert len(Deliveries(2, 256).send(0)) == 256
    assert len(Deliveries(2, MIN_BYTES).send(0)) == MIN_BYTES


def test_everyone_but_the_sender_is_expected() -> None:
    load = Deliveries(3, 64)
    data = load.send(0)
    assert (load.expected, load.lost) == (2, 2)
    load.receive(1, data, 1 * MS)
    assert load.lost == 1
    load.receive(2, data, 3 * MS)
    assert load.is_complete
    assert load.latency(0.5) == pytest.approx(0.001)
    assert load.latency(1) == pytest.approx(0.003)


def test_second_copy_is_a_duplicate_and_no_delivery() -> None:
    load = Deliveries(2, 64)
    data = load.send(0)
    for _ in range(3):
        load.receive(1, data, 0)
    assert (load.delivered, load.duplicated, load.lost) == (1, 2, 0)
    assert not load.is_complete


def test_throttled_message_is_nobodys() -> None:
    load = Deliveries(5, 64)
    first, second = load.send(0), load.send(0)
    load.bounce(second)
    load.bounce(second)
    for attendee in range(1, 5):
        load.receive(attendee, first, 0)
    assert load.throttled == {1}
    assert load.is_complete


def test_message_that_did_not_get_out_is_not_missed() -> None:
    load = Deliveries(2, 64)
    load.send(0)
    load.unsent()
    assert load.is_complete


@pytest.mark.parametrize("data", [b"", b"short", b"\xff" * 64])
def test_messages_of_others_are_counted_apart(data: bytes) -> None:
    load = Deliveries(2, 64)
    load.send(0)
    load.receive(1, data, 0)
    load.bounce(data)
    assert (load.foreign, load.delivered, load.throttled) == (2, 0, set())


def test_percentiles_are_of_all_deliveries() -> None:
    load = Deliveries(2, 64)
    for number in range(1, 101):
        load.receive(1, load.send(0), number * MS)
    assert [round(load.latency(share) * 1000) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert math.isnan(Deliveries(2, 64).latency(0.5))
