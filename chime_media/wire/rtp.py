"""RTP packets (RFC 3550) with header extensions (RFC 8285), and the arithmetic of numbers that wrap.

A packet is parsed once when it comes in and rewritten for each receiver, so what is seldom needed (extensions, payload)
is read when it is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from struct import Struct

from chime_messaging.errors import DecodeError

HEADER_LENGTH = 12
MAX_CSRCS = 15
_HEADER = Struct("!BBHII")
_ONE_BYTE_PROFILE = 0xBEDE
_TWO_BYTE_PROFILE = 0x1000
_MAX_EXTENSIONS_LENGTH = 0xFFFF * 4


class RtpPacket:
    """One RTP packet as it came.

    Attributes:
        data: The whole packet.
        payload_offset: Where the payload begins in `data`.
        padding: Bytes of padding at the end of `data`.
    """

    __slots__ = (
        "_body",
        "_extensions",
        "data",
        "marker",
        "padding",
        "payload_offset",
        "payload_type",
        "sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(
        self,
        data: bytes,
        marker: bool,
        payload_type: int,
        sequence_number: int,
        timestamp: int,
        ssrc: int,
        payload_offset: int,
        padding: int,
    ) -> None:
        self.data = data
        self.marker = marker
        self.payload_type = payload_type
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.payload_offset = payload_offset
        self.padding = padding
        self._body: bytes | None = None
        self._extensions: dict[int, bytes] | None = None

    @property
    def payload(self) -> bytes:
        """The payload without padding."""
        if self.padding:
            return self.data[self.payload_offset : len(self.data) - self.padding]
        return self.body

    @property
    def body(self) -> bytes:
        """The payload with its padding: what is copied when the packet is rewritten."""
        body = self._body
        if body is None:
            body = self._body = self.data[self.payload_offset :]
        return body

    @property
    def csrcs(self) -> tuple[int, ...]:
        """Who contributed to a mixed packet."""
        count = self.data[0] & 0x0F
        return tuple(int.from_bytes(self.data[12 + 4 * i : 16 + 4 * i], "big") for i in range(count))

    @property
    def extensions(self) -> dict[int, bytes]:
        """Header extensions by their id; of broken ones those before the break, as RFC 8285 asks."""
        extensions = self._extensions
        if extensions is None:
            extensions = self._extensions = _extensions_of(self.data) if self.data[0] & 0x10 else {}
        return extensions

    def __repr__(self) -> str:
        return (
            f"RtpPacket(payload_type={self.payload_type}, sequence_number={self.sequence_number}, "
            f"timestamp={self.timestamp}, ssrc={self.ssrc}, marker={self.marker}, {len(self.data)} bytes)"
        )


def parse(packet: bytes) -> RtpPacket:
    """Read an RTP packet.

    Raises:
        DecodeError: These bytes are no RTP packet.
    """
    try:
        first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(packet)
    except struct.error:
        raise DecodeError("RTP packet shorter than its header", packet) from None
    if first >> 6 != 2:
        raise DecodeError("not of RTP version 2", packet)
    offset = HEADER_LENGTH
    padding = 0
    if first & 0x3F:
        offset += (first & 0x0F) * 4
        if first & 0x10:
            if len(packet) < offset + 4:
                raise DecodeError("RTP header extension beyond the packet", packet)
            offset += 4 + ((packet[offset + 2] << 8 | packet[offset + 3]) << 2)
        if first & 0x20:
            padding = packet[-1]
            if padding == 0 or offset + padding > len(packet):
                raise DecodeError("RTP padding of a wrong length", packet)
        if len(packet) < offset:
            raise DecodeError("RTP header beyond the packet", packet)
    return RtpPacket(packet, second > 127, second & 0x7F, sequence_number, timestamp, ssrc, offset, padding)


def build(
    *,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    marker: bool = False,
    extensions: Mapping[int, bytes] | None = None,
    csrcs: Sequence[int] = (),
    padding: int = 0,
) -> bytes:
    """Write an RTP packet.

    Args:
        payload_type: 0 to 127.
        sequence_number: Taken modulo 2**16.
        timestamp: Taken modulo 2**32.
        ssrc: Of the stream.
        payload: What the packet carries.
        marker: The marker bit.
        extensions: Header extensions by their id, 1 to 255, up to 255 bytes each.
        csrcs: Up to 15 contributing sources.
        padding: Bytes of padding to add, 0 to 255.

    Raises:
        ValueError: Something does not fit into its field.
    """
    if not 0 <= payload_type <= 127 or not 0 <= padding <= 255 or len(csrcs) > MAX_CSRCS:
        raise ValueError(f"no RTP packet has {payload_type=}, {padding=} and {len(csrcs)} contributing sources")
    first = 0x80 | len(csrcs) | (0x10 if extensions else 0) | (0x20 if padding else 0)
    packet = _HEADER.pack(
        first, payload_type | (marker << 7), sequence_number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc & 0xFFFFFFFF
    )
    if csrcs:
        packet += b"".join(csrc.to_bytes(4, "big") for csrc in csrcs)
    if extensions:
        packet += pack_extensions(extensions)
    if padding:
        payload += bytes(padding - 1) + bytes((padding,))
    return packet + payload


def rewrite(
    packet: RtpPacket,
    *,
    ssrc: int,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    strip_extensions: bool = True,
    marker: bool | None = None,
) -> bytes:
    """Make `packet` one of another stream.

    Args:
        packet: What came in.
        ssrc: Of the stream that goes out.
        payload_type: As the receiver knows the codec.
        sequence_number: Taken modulo 2**16.
        timestamp: Taken modulo 2**32.
        strip_extensions: Leave header extensions and contributing sources out; their ids are the sender's.
        marker: The marker bit; None keeps it.
    """
    first = packet.data[0]
    if strip_extensions:
        first &= 0xE0
        body = packet.body
    else:
        body = packet.data[HEADER_LENGTH:]
    second = payload_type | 0x80 if (packet.marker if marker is None else marker) else payload_type
    return _HEADER.pack(first, second, sequence_number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + body


def pack_extensions(extensions: Mapping[int, bytes]) -> bytes:
    """Write header extensions with their header, in the one-byte form where it can hold them.

    Raises:
        ValueError: An id or a value that neither form can hold.
    """
    short = all(0 < identifier < 15 and 0 < len(value) <= 16 for identifier, value in extensions.items())
    parts = bytearray()
    for identifier, value in extensions.items():
        if short:
            parts.append(identifier << 4 | (len(value) - 1))
        elif 0 < identifier < 256 and len(value) < 256:
            parts += bytes((identifier, len(value)))
        else:
            raise ValueError(f"no header extension has id {identifier} and {len(value)} bytes")
        parts += value
    parts += bytes(-len(parts) % 4)
    if len(parts) > _MAX_EXTENSIONS_LENGTH:
        raise ValueError(f"{len(parts)} bytes of header extensions")
    profile = _ONE_BYTE_PROFILE if short else _TWO_BYTE_PROFILE
    return profile.to_bytes(2, "big") + (len(parts) // 4).to_bytes(2, "big") + bytes(parts)


def _extensions_of(packet: bytes) -> dict[int, bytes]:
    offset = HEADER_LENGTH + (packet[0] & 0x0F) * 4
    profile = packet[offset] << 8 | packet[offset + 1]
    end = offset + 4 + ((packet[offset + 2] << 8 | packet[offset + 3]) << 2)
    if profile == _ONE_BYTE_PROFILE:
        return _one_byte_elements(packet, offset + 4, end)
    if profile & 0xFFF0 == _TWO_BYTE_PROFILE:
        return _two_byte_elements(packet, offset + 4, end)
    return {}


def _one_byte_elements(packet: bytes, offset: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while offset < end:
        head = packet[offset]
        offset += 1
        if head == 0:
            continue
        identifier = head >> 4
        stop = offset + (head & 0x0F) + 1
        if identifier == 15 or stop > end:
            break
        if identifier:
            found[identifier] = packet[offset:stop]
        offset = stop
    return found


def _two_byte_elements(packet: bytes, offset: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while offset < end:
        identifier = packet[offset]
        offset += 1
        if identifier == 0:
            continue
        if offset >= end:
            break
        stop = offset + 1 + packet[offset]
        if stop > end:
            break
        found[identifier] = packet[offset + 1 : stop]
        offset = stop
    return found


def sequence_distance(later: int, earlier: int) -> int:
    """How far sequence number `later` is ahead of `earlier`: -32768 to 32767."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(later: int, earlier: int) -> int:
    """How far timestamp `later` is ahead of `earlier`: -2**31 to 2**31 - 1."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Unwrapper:
    """Numbers that wrap, as numbers that do not: each is taken for the nearest to the one before.

    Args:
        bits: 16 for sequence numbers, 32 for timestamps.
    """

    __slots__ = ("_half", "_last", "_mask")

    def __init__(self, bits: int = 16) -> None:
        self._mask = (1 << bits) - 1
        self._half = 1 << (bits - 1)
        self._last: int | None = None

    def unwrap(self, value: int) -> int:
        """Extend `value`; what came a little before the first may be negative."""
        last = self._last
        if last is None:
            self._last = value
            return value
        extended = last + ((value - last + self._half) & self._mask) - self._half
        self._last = extended
        return extended

    def peek(self, value: int) -> int:
        """Extend `value` without taking it for the latest."""
        last = self._last
        return value if last is None else last + ((value - last + self._half) & self._mask) - self._half
