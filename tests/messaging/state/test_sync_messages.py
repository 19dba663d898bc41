from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Snapshot, Text, create_sync_message, create_update_message

from chime_messaging.errors import DecodeError
from chime_messaging.state.sync_messages import (
    AwarenessUpdate,
    Offer,
    QueryAwareness,
    Standing,
    Step1,
    Step2,
    Update,
    decode,
    encode,
    joined,
    lacks,
    read_vector,
    standing_of,
    write_vector,
)

vectors = st.dictionaries(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1), max_size=20)


@pytest.mark.parametrize(
    "message",
    [
        Step1(b"vector"),
        Step2(b""),
        Update(b"x" * 300),
        Standing(b"vector", 2**32 - 1, wants_word=True),
        Standing(b"", 0),
        Offer("0123-äö", 1 << 40),
        AwarenessUpdate(b"\x01"),
        QueryAwareness(),
    ],
)
def test_what_is_written_is_read(message: Step1) -> None:
    data = encode(message)
    assert decode(data) == message
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            decode(data[:size])


def test_steps_and_updates_are_those_of_y_websocket() -> None:
    document = Doc()  # type: ignore[var-annotated]
    document.get("text", type=Text).insert(0, "hello" * 100)
    assert encode(Step1(document.get_state())) == create_sync_message(document)
    assert encode(Update(document.get_update())) == create_update_message(document.get_update())


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except DecodeError:
        return
    assert data


@given(vectors)
def test_state_vectors_are_read_as_they_were_written(vector: dict[int, int]) -> None:
    assert read_vector(write_vector(vector)) == vector


@given(vectors, vectors)
def test_whoever_has_both_lacks_neither(one: dict[int, int], other: dict[int, int]) -> None:
    both = joined(one, other)
    assert not lacks(both, one)
    assert not lacks(both, other)
    assert lacks(one, other) or not lacks(one, both)


def test_the_same_content_has_the_same_standing_however_it_came_about() -> None:
    first, second = Doc(client_id=1), Doc(client_id=2)  # type: ignore[var-annotated]
    text = first.get("text", type=Text)
    text += "hello world"
    before = standing_of(Snapshot.from_doc(first).encode())
    del text[0:3]
    del text[5:7]
    del text[0:1]
    second.apply_update(first.get_update())
    standing = standing_of(Snapshot.from_doc(first).encode())
    assert standing == standing_of(Snapshot.from_doc(second).encode())
    assert (standing.vector, standing.vector) == (before.vector, first.get_state())
    assert standing.deleted != before.deleted


def test_a_vector_of_too_many_clients_is_refused() -> None:
    with pytest.raises(DecodeError, match="clients"):
        read_vector(b"\xff\xff\xff\x7f")
