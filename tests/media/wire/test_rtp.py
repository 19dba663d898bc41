from __future__ import annotations

import pytest
from aiortc.rtp import RtpPacket as TheirPacket
from hypothesis import given
from hypothesis import strategies as st

from chime_media.wire import rtp
from chime_messaging.errors import DecodeError

EXTENSIONS = st.dictionaries(st.integers(1, 255), st.binary(max_size=255), max_size=6)


@given(
    st.integers(0, 127),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=50),
    st.booleans(),
    EXTENSIONS,
    st.lists(st.integers(0, 0xFFFFFFFF), max_size=15),
    st.integers(0, 255),
)
def test_what_was_built_is_parsed(
    kind: int,
    number: int,
    timestamp: int,
    payload: bytes,
    marker: bool,
    extensions: dict[int, bytes],
    csrcs: list[int],
    padding: int,
) -> None:
    data = rtp.build(
        payload_type=kind,
        sequence_number=number,
        timestamp=timestamp,
        ssrc=77,
        payload=payload,
        marker=marker,
        extensions=extensions,
        csrcs=csrcs,
        padding=padding,
    )
    packet = rtp.parse(data)
    assert (packet.payload_type, packet.sequence_number, packet.timestamp) == (kind, number, timestamp)
    assert (packet.ssrc, packet.marker, packet.padding) == (77, marker, padding)
    assert packet.payload == payload
    assert packet.extensions == extensions
    assert packet.csrcs == tuple(csrcs)
    theirs = TheirPacket.parse(data)
    assert (theirs.payload, theirs.csrc, theirs.padding_size) == (payload, csrcs, padding)


@given(st.binary(max_size=100))
def test_hostile_bytes_give_a_packet_or_a_decode_error(data: bytes) -> None:
    parses(data)


@given(st.binary(max_size=60), st.integers(0, 0x3F))
def test_hostile_headers_give_a_packet_or_a_decode_error(rest: bytes, flags: int) -> None:
    parses(bytes((0x80 | flags,)) + rest)
    parses(bytes((0x90 | flags, 0)) + bytes(10 + 4 * (flags & 15)) + b"\xbe\xde\x00\x02" + rest)


def parses(data: bytes) -> None:
    try:
        packet = rtp.parse(data)
    except DecodeError:
        return
    assert len(packet.payload) <= len(data)
    assert all(len(value) <= len(data) for value in packet.extensions.values())
    assert len(packet.csrcs) <= 15
    repr(packet)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "shorter than its header"),
        (bytes(12), "version 2"),
        (b"\x90" + bytes(11), "extension beyond"),
        (b"\x81" + bytes(11), "beyond the packet"),
        (b"\x90" + bytes(11) + b"\xbe\xde\xff\xff", "beyond the packet"),
        (b"\xa0" + bytes(11), "padding"),
        (b"\xa0" + bytes(11) + b"\x02", "padding"),
    ],
)
def test_a_broken_packet_is_told_apart(data: bytes, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        rtp.parse(data)


def test_short_extensions_take_the_one_byte_form_and_others_the_two_byte_form() -> None:
    assert rtp.pack_extensions({1: b"\x85", 4: b"0"}) == bytes.fromhex("bede0001 1085 4030")
    assert rtp.pack_extensions({15: b"a"}) == bytes.fromhex("10000001 0f0161 00")
    assert rtp.pack_extensions({1: b""}) == bytes.fromhex("10000001 0100 0000")
    with pytest.raises(ValueError, match="id 256"):
        rtp.pack_extensions({256: b"a"})


def test_of_broken_extensions_those_before_the_break_are_kept() -> None:
    one_byte = b"\x90\x6f" + bytes(10) + bytes.fromhex("bede0002 10aa 3f000000 0000") + b"payload"
    assert rtp.parse(one_byte).extensions == {1: b"\xaa"}
    assert rtp.parse(one_byte).payload == b"payload"
    stop = b"\x90\x6f" + bytes(10) + bytes.fromhex("bede0001 10aa f011")
    assert rtp.parse(stop).extensions == {1: b"\xaa"}
    unknown = b"\x90\x6f" + bytes(10) + bytes.fromhex("12340001 10aa f011")
    assert rtp.parse(unknown).extensions == {}


def test_a_rewritten_packet_is_the_same_media_of_another_stream() -> None:
    data = rtp.build(
        payload_type=96,
        sequence_number=5,
        timestamp=6,
        ssrc=7,
        payload=b"media",
        marker=True,
        extensions={3: b"mid"},
        csrcs=[1, 2],
        padding=4,
    )
    packet = rtp.parse(data)
    out = rtp.parse(
        rtp.rewrite(packet, ssrc=8, payload_type=100, sequence_number=65536 + 9, timestamp=2**32 + 10, marker=None)
    )
    assert (out.ssrc, out.payload_type, out.sequence_number, out.timestamp) == (8, 100, 9, 10)
    assert (out.payload, out.marker, out.padding) == (b"media", True, 4)
    assert (out.extensions, out.csrcs) == ({}, ())
    kept = rtp.parse(
        rtp.rewrite(
            packet, ssrc=8, payload_type=100, sequence_number=1, timestamp=1, strip_extensions=False, marker=False
        )
    )
    assert (kept.extensions, kept.csrcs, kept.marker, kept.payload) == ({3: b"mid"}, (1, 2), False, b"media")


@given(st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF))
def test_distances_go_over_the_wrap(earlier: int, ahead: int) -> None:
    assert rtp.sequence_distance((earlier + ahead) & 0xFFFF, earlier) == ahead
    assert rtp.timestamp_distance((earlier + ahead) & 0xFFFFFFFF, earlier) == ahead


@given(st.integers(0, 0xFFFF), st.lists(st.integers(-3000, 3000), max_size=200))
def test_unwrapped_numbers_never_wrap(first: int, steps: list[int]) -> None:
    unwrapper = rtp.Unwrapper(16)
    real = unwrapper.unwrap(first)
    assert real == first
    for step in steps:
        real += step
        assert unwrapper.unwrap(real & 0xFFFF) == real


def test_a_packet_that_cannot_be_is_not_built() -> None:
    with pytest.raises(ValueError, match="payload_type=128"):
        rtp.build(payload_type=128, sequence_number=0, timestamp=0, ssrc=0, payload=b"")
