import random

from hypothesis import given
from hypothesis import strategies as st

from chime_media.protocol.jitter_buffer import JitterBuffer, Playout, PlayoutKind

FRAME = 960
TICK = 0.02


def packet(number: int) -> bytes:
    return b"packet %d" % number


def fill(buffer: JitterBuffer, number: int, arrival: float) -> bool:
    return buffer.insert(number & 0xFFFF, number * FRAME & 0xFFFFFFFF, packet(number), FRAME, arrival)


def play(buffer: JitterBuffer, arrivals: dict[int, float], ticks: int) -> list[Playout | None]:
    """Let packets arrive at their times and take one stretch each 20 ms."""
    order = sorted(arrivals.items(), key=lambda item: item[1])
    taken = []
    for tick in range(ticks):
        now = tick * TICK
        while order and order[0][1] <= now:
            number, arrival = order.pop(0)
            fill(buffer, number, arrival)
        taken.append(buffer.take(now))
    return taken


def played(taken: list[Playout | None]) -> list[bytes]:
    return [stretch.payload for stretch in taken if stretch is not None and stretch.kind is PlayoutKind.PACKET]


def test_packets_are_played_in_their_order() -> None:
    taken = play(JitterBuffer(), {n: n * TICK + 0.005 for n in range(50)}, 60)

    assert played(taken) == [packet(n) for n in range(50)]


def test_packets_that_overtake_each_other_are_put_in_order() -> None:
    chance = random.Random(1)
    arrivals = {n: n * TICK + chance.random() * 0.05 for n in range(500)}

    taken = play(JitterBuffer(initial_delay=0.06), arrivals, 520)

    numbers = [int(payload.split()[1]) for payload in played(taken)]
    assert numbers == sorted(numbers)
    assert len(numbers) > 490


def test_the_delay_follows_the_jitter_of_the_path() -> None:
    chance = random.Random(2)
    buffer = JitterBuffer()

    play(buffer, {n: n * TICK + chance.random() * 0.15 for n in range(300)}, 300)
    assert 0.1 < buffer.target_delay < 0.16

    for number in range(300, 3000):
        fill(buffer, number, number * TICK)
        buffer.take(number * TICK)
    assert buffer.target_delay < 0.01


def test_a_lost_packet_is_hidden_with_the_help_of_the_one_after_it() -> None:
    arrivals = {n: n * TICK for n in range(20) if n != 10}

    taken = play(JitterBuffer(initial_delay=0.03), arrivals, 25)

    hidden = [stretch for stretch in taken if stretch is not None and stretch.kind is PlayoutKind.REDUNDANCY]
    assert hidden == [Playout(PlayoutKind.REDUNDANCY, packet(11), FRAME)]


def test_a_packet_lost_when_nothing_is_waiting_costs_no_delay() -> None:
    buffer = JitterBuffer(initial_delay=0.0)
    arrivals = {n: n * TICK for n in range(40) if n != 10}

    taken = play(buffer, arrivals, 40)

    assert taken[10] == Playout(PlayoutKind.CONCEALMENT, b"", FRAME)
    assert taken[11] == Playout(PlayoutKind.PACKET, packet(11), FRAME)
    assert taken[39] == Playout(PlayoutKind.PACKET, packet(39), FRAME)


def test_what_is_late_or_came_before_is_counted_and_not_played() -> None:
    buffer = JitterBuffer(initial_delay=0.0)
    assert fill(buffer, 5, 0.0)
    assert not fill(buffer, 5, 0.0)
    buffer.take(0.0)

    assert not fill(buffer, 5, 0.001)
    assert not fill(buffer, 4, 0.001)

    assert (buffer.statistics.duplicates, buffer.statistics.late) == (1, 2)


def test_a_sender_that_falls_silent_is_not_waited_for() -> None:
    buffer = JitterBuffer(initial_delay=0.0)
    fill(buffer, 0, 0.0)
    assert buffer.take(0.0) is not None

    hidden = 0
    for tick in range(1, 20):
        hidden += buffer.take(tick * TICK) is not None

    assert hidden == 5
    assert buffer.idle


def test_a_pause_that_was_announced_is_not_hidden() -> None:
    buffer = JitterBuffer(initial_delay=0.0)
    fill(buffer, 0, 0.0)
    buffer.pause()

    assert buffer.take(0.0) is not None
    assert buffer.take(TICK) is None
    assert buffer.idle


def test_discontinuous_transmission_is_no_loss() -> None:
    buffer = JitterBuffer(initial_delay=0.1)
    buffer.insert(1, 0, b"speech", FRAME, 0.0)
    buffer.insert(2, 4 * FRAME, b"comfort", FRAME, 0.08)

    taken = [buffer.take(0.1 + tick * TICK) for tick in range(5)]

    assert played(taken) == [b"speech", b"comfort"]
    assert taken[1:4] == [None, None, None]
    assert buffer.statistics.concealed == 0


def test_a_repetition_takes_the_place_of_what_is_missing() -> None:
    buffer = JitterBuffer(initial_delay=0.03)
    buffer.insert(1, 0, packet(0), FRAME, 0.0)
    buffer.insert(3, 2 * FRAME, packet(2), FRAME, 0.04)
    assert buffer.insert(2, FRAME, packet(1), FRAME, 0.04, repeated=True)
    assert not buffer.insert(1, 0, packet(0), FRAME, 0.04, repeated=True)

    assert played([buffer.take(0.04), buffer.take(0.06), buffer.take(0.08)]) == [packet(n) for n in range(3)]
    assert (buffer.statistics.recovered, buffer.statistics.duplicates, buffer.statistics.late) == (1, 0, 0)


def test_repetitions_that_came_too_late_make_the_delay_grow() -> None:
    buffer = JitterBuffer(initial_delay=0.0)
    for number in range(100):
        if number % 5 != 4:
            fill(buffer, number, number * TICK)
            if number % 5 == 0 and number:
                before = number - 1
                buffer.insert(before, before * FRAME, packet(before), FRAME, number * TICK, repeated=True)
        buffer.take(number * TICK)

    assert buffer.target_delay > 0.01
    assert buffer.statistics.recovered > 5


def test_numbers_that_wrap_make_no_gap() -> None:
    buffer = JitterBuffer(initial_delay=0.0)
    base = 0x10000 * FRAME
    for index in range(20):
        number = (0xFFFA + index) & 0xFFFF
        timestamp = (base - 6 * FRAME + index * FRAME + 0xFFFF0000) & 0xFFFFFFFF
        buffer.insert(number, timestamp, packet(index), FRAME, index * TICK)
        assert buffer.take(index * TICK) == Playout(PlayoutKind.PACKET, packet(index), FRAME)


def test_a_sender_that_starts_anew_is_followed() -> None:
    buffer = JitterBuffer(initial_delay=0.0)
    fill(buffer, 0, 0.0)
    buffer.take(0.0)

    buffer.insert(1, 0x70000000, b"anew", FRAME, TICK)

    assert buffer.take(TICK) == Playout(PlayoutKind.PACKET, b"anew", FRAME)


def test_too_old_sound_is_played_faster_and_scarce_sound_slower() -> None:
    buffer = JitterBuffer(initial_delay=0.0)
    for number in range(10):
        fill(buffer, number, number * TICK)
    buffer.take(0.0)
    assert buffer.stretch(0.02, 0) == 0
    assert buffer.stretch(0.08, 0) == -1
    assert buffer.stretch(0.01, 0) == 1


@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(1, 5760), st.booleans(), st.floats(0, 0.1)
        ),
        max_size=60,
    )
)
def test_no_packets_can_upset_it(packets: list[tuple[int, int, int, bool, float]]) -> None:
    buffer = JitterBuffer()
    now = 0.0
    for number, timestamp, samples, repeated, later in packets:
        now += later
        buffer.insert(number, timestamp, b"x", samples, now, repeated=repeated)
        taken = buffer.take(now)
        assert taken is None or 0 < taken.samples <= 5760
        assert len(buffer) <= 128
        assert buffer.stretch(now, 0) in {-1, 0, 1}


def test_who_was_held_up_is_heard_again_at_once_and_not_later_than_others() -> None:
    buffer = JitterBuffer()
    play(buffer, {number: number * 0.02 for number in range(50)}, 50)
    # Two seconds come at a time, and go on at their pace.
    for number in range(50, 150):
        fill(buffer, number, 3.0)
    taken = []
    for number in range(150, 250):
        fill(buffer, number, number * 0.02)
        taken.append(buffer.take(number * 0.02))
    assert [playout.kind for playout in taken if playout is not None] == [PlayoutKind.PACKET] * 100
    assert len(buffer) < 45
    assert buffer.statistics.overflowed > 50


def test_a_buffer_that_is_full_is_played_on_without_a_gap() -> None:
    buffer = JitterBuffer(largest_delay=10.0)
    for number in range(20):
        fill(buffer, number, number * 0.02)
        buffer.take(number * 0.02)
    for number in range(20, 420):
        fill(buffer, number, 9.0)
    taken = [buffer.take(9.0 + 0.02 * number) for number in range(50)]
    assert [playout.kind for playout in taken if playout is not None] == [PlayoutKind.PACKET] * 50
