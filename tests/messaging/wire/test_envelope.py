"""Frames of the messaging session."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.errors import DecodeError, FrameTooLargeError
from chime_messaging.wire.envelope import MAX_FRAME_BYTES, decode, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_a_frame_carries_its_payload_as_json_text() -> None:
    frame = json.loads(encode("CREATE_CHANNEL_MESSAGE", {"Content": "hi 🚀"}, message_type="STANDARD"))
    assert frame["Headers"] == {
        "x-amz-chime-event-type": "CREATE_CHANNEL_MESSAGE",
        "x-amz-chime-message-type": "STANDARD",
    }
    assert json.loads(frame["Payload"]) == {"Content": "hi 🚀"}


@given(st.text(), JSON, st.none() | st.text())
def test_what_is_encoded_is_decoded(event_type: str, payload: object, reason: str | None) -> None:
    envelope = decode(encode(event_type, payload, reason=reason).decode())
    assert envelope.type == event_type
    assert envelope.headers.get("x-amz-chime-event-reason") == reason
    assert (None if envelope.payload is None else json.loads(envelope.payload)) == payload


def test_a_missing_payload_is_none() -> None:
    assert decode('{"Headers":{"x-amz-chime-event-type":"SESSION_ESTABLISHED"}}').payload is None


@pytest.mark.parametrize(
    "frame",
    ["", "hello", "{", "[]", "null", '{"Payload":"x"}', '{"Headers":1}', '{"Headers":{},"Payload":{}}', "[" * 100_000],
)
def test_text_that_is_not_an_envelope_is_a_decode_error_with_an_excerpt(frame: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(frame)
    assert caught.value.excerpt == frame[:80]


def test_a_binary_frame_is_a_decode_error() -> None:
    with pytest.raises(DecodeError, match="binary"):
        decode(b"{}")


def test_a_frame_over_the_limit_is_refused_before_parsing() -> None:
    with pytest.raises(FrameTooLargeError) as caught:
        decode("x" * (5 << 20))
    assert (caught.value.size, caught.value.limit) == (5 << 20, MAX_FRAME_BYTES)


@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_no_frame_raises_anything_but_the_declared_errors(frame: str | bytes) -> None:
    try:
        decode(frame)
    except (DecodeError, FrameTooLargeError) as error:
        assert str(error)
