import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.wire import red
from chime_messaging.errors import DecodeError


def test_a_payload_without_repetitions_has_one_byte_more() -> None:
    assert red.build(111, b"sound") == b"\x6fsound"


def test_repetitions_come_oldest_first_and_the_packets_own_audio_last() -> None:
    payload = red.build(111, b"new", [(1920, b"oldest"), (960, b"old")])

    assert red.parse(payload) == [
        red.Block(111, 1920, b"oldest"),
        red.Block(111, 960, b"old"),
        red.Block(111, 0, b"new"),
    ]


def test_what_browsers_send_is_understood() -> None:
    # One repetition of 4 bytes, 960 samples back, then the packet's own.
    assert red.parse(bytes.fromhex("ef0f00046f010203040506")) == [
        red.Block(111, 960, b"\x01\x02\x03\x04"),
        red.Block(111, 0, b"\x05\x06"),
    ]


def test_what_does_not_fit_is_left_out_from_the_oldest_on() -> None:
    payload = red.build(111, bytes(500), [(1920, bytes(400)), (960, bytes(300))])

    assert [len(block.payload) for block in red.parse(payload)] == [300, 500]
    assert len(payload) <= red.LARGEST_PAYLOAD


def test_a_repetition_too_far_back_is_left_out() -> None:
    assert len(red.parse(red.build(111, b"new", [(red.LARGEST_OFFSET + 1, b"old")]))) == 1


@pytest.mark.parametrize(
    "payload", [b"", b"\xef", b"\xef\x0f\x00\x04", b"\xef\x0f\x00\x04\x6f\x01", b"\xef\x00\x00\x00" * 40]
)
def test_headers_that_do_not_fit_are_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        red.parse(payload)


@given(st.binary(max_size=200))
def test_any_bytes_are_blocks_or_refused(payload: bytes) -> None:
    try:
        blocks = red.parse(payload)
    except DecodeError:
        return
    assert blocks[-1].timestamp_offset == 0
    assert sum(len(block.payload) for block in blocks) < len(payload)
