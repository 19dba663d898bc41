import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.wire.sdp_compression import DICTIONARY_LENGTH, compress, decompress
from chime_messaging.errors import DecodeError
from tests.media.descriptions import text_of

OFFER = text_of("chromium/camera-and-video")
PREVIOUS = text_of("chromium/join")


def test_a_description_survives() -> None:
    compressed = compress(OFFER)
    assert len(compressed) < len(OFFER) / 3
    assert decompress(compressed) == OFFER


def test_the_previous_description_makes_the_next_one_small() -> None:
    compressed = compress(OFFER, PREVIOUS)
    assert len(compressed) < len(compress(OFFER)) / 2
    assert decompress(compressed, PREVIOUS) == OFFER
    with pytest.raises(DecodeError):
        decompress(compressed)


def test_what_needs_no_dictionary_is_read_with_one() -> None:
    assert decompress(compress(OFFER), PREVIOUS) == OFFER


def test_only_the_beginning_of_a_long_description_is_the_dictionary() -> None:
    long = PREVIOUS * 10
    assert decompress(compress(OFFER, long), long[:DICTIONARY_LENGTH]) == OFFER


def test_a_stream_that_ends_with_an_empty_block_is_read() -> None:
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(OFFER.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH) + b"\x01\x00\x00\xff\xff"
    assert decompress(data) == OFFER


def test_no_more_is_inflated_than_a_description_may_have() -> None:
    bomb = zlib.compressobj(wbits=-15)
    data = bomb.compress(bytes(10_000_000)) + bomb.flush()
    with pytest.raises(DecodeError, match="longer"):
        decompress(data)


@pytest.mark.parametrize("data", [b"", compress(OFFER)[:-10], compress(""), b"\xff" * 40, compress(OFFER)[1:]])
def test_what_is_no_compressed_description_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decompress(data)


@given(st.binary(max_size=200))
def test_nonsense_is_read_or_refused(data: bytes) -> None:
    try:
        decompress(data, PREVIOUS)
    except DecodeError:
        return
