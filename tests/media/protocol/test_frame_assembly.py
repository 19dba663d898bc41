from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chime_media.protocol.frame_assembly import AssembledFrame, FrameAssembler

KEY, DELTA = b"K", b"d"


def assembler(capacity: int = 1024) -> FrameAssembler:
    return FrameAssembler(lambda payload: payload.startswith(KEY), capacity)


def packets(frames: str, each: int = 3) -> list[tuple[int, int, bool, bytes]]:
    """Packets of frames like "KddK", numbered from 100."""
    found = []
    for frame, kind in enumerate(frames):
        for place in range(each):
            first = KEY if kind == "K" and place == 0 else DELTA
            number = 100 + frame * each + place
            found.append((number, frame * 3000, place == each - 1, first + bytes((frame, place))))
    return found


def times(frames: list[AssembledFrame]) -> list[int]:
    return [frame.timestamp // 3000 for frame in frames]


def test_frames_come_whole_and_in_order() -> None:
    under_test = assembler()
    frames = [frame for packet in packets("Kdd") for frame in under_test.add(*packet)]
    assert times(frames) == [0, 1, 2]
    assert [frame.key_frame for frame in frames] == [True, False, False]
    assert frames[0].payloads == (b"K\0\0", b"d\0\1", b"d\0\2")


def test_it_begins_at_a_key_frame() -> None:
    under_test = assembler()
    assert under_test.waits_for_key_frame
    frames = [frame for packet in packets("ddKd") for frame in under_test.add(*packet)]
    assert times(frames) == [2, 3]


@given(st.permutations(packets("Kddd")))
def test_whatever_the_order_of_packets_behind_the_first_frames_are_in_order(
    shuffled: list[tuple[int, int, bool, bytes]],
) -> None:
    under_test = assembler()
    frames = [frame for packet in shuffled for frame in under_test.add(*packet)]
    assert times(frames) == [0, 1, 2, 3]
    assert all(len(frame.payloads) == 3 for frame in frames)


def test_packets_that_come_twice_make_no_second_frame() -> None:
    under_test = assembler()
    frames = [frame for packet in packets("Kd") for _ in range(2) for frame in under_test.add(*packet)]
    assert times(frames) == [0, 1]


def test_behind_a_gap_it_waits() -> None:
    under_test, sent = assembler(), packets("Kddd")
    lost = sent.pop(4)
    frames = [frame for packet in sent for frame in under_test.add(*packet)]
    assert times(frames) == [0]
    assert times(under_test.add(*lost)) == [1, 2, 3]


def test_a_whole_key_frame_behind_a_gap_ends_the_waiting() -> None:
    under_test, sent = assembler(), packets("KddKd")
    sent.pop(4)
    frames = [frame for packet in sent for frame in under_test.add(*packet)]
    assert times(frames) == [0, 3, 4]
    assert under_test.dropped == 5


def test_given_up_it_waits_for_a_key_frame() -> None:
    under_test, sent = assembler(), packets("KdddKd")
    sent.pop(4)
    frames = [frame for packet in sent[:8] for frame in under_test.add(*packet)]
    assert times(frames) == [0]
    assert not under_test.give_up()
    assert under_test.waits_for_key_frame
    assert times([frame for packet in sent[8:] for frame in under_test.add(*packet)]) == [4, 5]


def test_given_up_it_goes_on_where_a_key_frame_has_begun() -> None:
    under_test, sent = assembler(), packets("KdKd")
    sent.pop(4)
    frames = [frame for packet in sent[:6] for frame in under_test.add(*packet)]
    assert times(frames) == [0]
    assert under_test.give_up()
    assert times([frame for packet in sent[6:] for frame in under_test.add(*packet)]) == [2, 3]


def test_a_frame_without_marker_ends_where_the_next_begins() -> None:
    under_test = assembler()
    frames = []
    for number, timestamp, _, payload in packets("Kdd"):
        frames += under_test.add(number, timestamp, False, payload)
    assert times(frames) == [0, 1]


def test_what_is_kept_is_bounded() -> None:
    under_test = assembler(capacity=20)
    for number in range(1000):
        under_test.add(number, number * 3000, True, DELTA)
    assert under_test.dropped == 980
    under_test.reset()
    assert under_test.dropped == 1000
