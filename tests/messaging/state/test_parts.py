from __future__ import annotations

import random

import pytest

from chime_messaging.meeting_events import DataMessage
from chime_messaging.state.parts import PART_BYTES, Parts, in_parts

NOISE = random.Random(1).randbytes(3 * PART_BYTES + 5)


def message(data: bytes, sender: str = "alice") -> DataMessage:
    return DataMessage("notes-large", data, sender)


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, len(NOISE)])
def test_a_message_of_any_size_comes_out_as_it_went_in(size: int) -> None:
    parts, data = Parts(), b"\x00" + NOISE[:size]
    got = [parts.add(message(part)) for part in in_parts(data)]
    assert got[-1] == data
    assert got[:-1] == [None] * (len(got) - 1)


def test_messages_of_different_senders_do_not_mix() -> None:
    parts, other = Parts(), bytes(len(NOISE))
    pairs = list(zip(in_parts(NOISE), in_parts(other), strict=True))
    got = [(parts.add(message(one)), parts.add(message(two, "bob"))) for one, two in pairs]
    assert got[-1] == (NOISE, other)


def test_a_message_of_which_a_part_is_missing_is_left_out_and_the_next_one_is_whole() -> None:
    parts = Parts()
    first, _, *rest = in_parts(NOISE)
    assert [parts.add(message(part)) for part in (first, *rest)] == [None] * 3
    assert [parts.add(message(part)) for part in in_parts(NOISE)][-1] == NOISE


@pytest.mark.parametrize("data", [b"\x66", b"\x66\x05\x01x", b"\x66\x00", b"\x66\xff\xff\xff"])
def test_what_is_no_part_harms_nothing(data: bytes) -> None:
    parts = Parts()
    assert parts.add(message(data)) is None
    assert [parts.add(message(part)) for part in in_parts(NOISE)][-1] == NOISE
