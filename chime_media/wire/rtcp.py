"""RTCP packets (RFC 3550, 4585, 5104 and Google's REMB): those that a media node and an attendee exchange."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import TypeAlias

from chime_messaging.errors import DecodeError

_SENDER_REPORT = 200
_RECEIVER_REPORT = 201
_SOURCE_DESCRIPTION = 202
_BYE = 203
_TRANSPORT_FEEDBACK = 205
_PAYLOAD_FEEDBACK = 206
_NACK = 1
_PLI = 1
_FIR = 4
_APPLICATION = 15
_CNAME = 1
_REMB = b"REMB"
_MAX_REPORTS = 31

_REPORT = Struct("!IIIIII")
_SENDER_INFO = Struct("!QIII")
_TWO_SSRCS = Struct("!II")


def is_rtcp(packet: bytes) -> bool:
    """Whether a packet of a connection that carries both is RTCP (RFC 5761)."""
    return len(packet) > 1 and 192 <= packet[1] <= 223


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one stream arrives at who reports."""

    ssrc: int
    fraction_lost: int
    """Of the packets since the last report, in 1/256."""
    packets_lost: int
    """In all; negative if there are duplicates."""
    highest_sequence: int
    """Highest sequence number, extended to 32 bits by how often it wrapped."""
    jitter: int
    """In units of the stream's clock."""
    last_sender_report: int = 0
    """Middle 32 bits of the NTP time of the last sender report; 0 if there was none."""
    delay_since_sender_report: int = 0
    """In 1/65536 s."""

    def pack(self) -> bytes:
        """The block's 24 bytes."""
        return _REPORT.pack(
            self.ssrc,
            (self.fraction_lost & 0xFF) << 24 | max(-0x800000, min(0x7FFFFF, self.packets_lost)) & 0xFFFFFF,
            self.highest_sequence & 0xFFFFFFFF,
            min(self.jitter, 0xFFFFFFFF),
            self.last_sender_report,
            min(self.delay_since_sender_report, 0xFFFFFFFF),
        )


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a sender sent, and which wall-clock time a timestamp stands for."""

    ssrc: int
    ntp_time: int
    """64-bit NTP time: seconds since 1900 in the upper half."""
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()

    def pack(self) -> bytes:
        """The packet's bytes."""
        info = _SENDER_INFO.pack(
            self.ntp_time,
            self.rtp_timestamp & 0xFFFFFFFF,
            self.packet_count & 0xFFFFFFFF,
            self.octet_count & 0xFFFFFFFF,
        )
        body = self.ssrc.to_bytes(4, "big") + info + b"".join(report.pack() for report in self.reports)
        return _packet(_SENDER_REPORT, len(self.reports), body)


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """How streams arrive at one who may send nothing itself."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()

    def pack(self) -> bytes:
        """The packet's bytes."""
        body = self.ssrc.to_bytes(4, "big") + b"".join(report.pack() for report in self.reports)
        return _packet(_RECEIVER_REPORT, len(self.reports), body)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical name of a sender, the same for streams that belong together."""

    ssrc: int
    cname: str

    def pack(self) -> bytes:
        """The packet's bytes."""
        name = self.cname.encode()[:255]
        chunk = self.ssrc.to_bytes(4, "big") + bytes((_CNAME, len(name))) + name + b"\0"
        return _packet(_SOURCE_DESCRIPTION, 1, chunk + bytes(-len(chunk) % 4))


@dataclass(frozen=True, slots=True)
class Bye:
    """Streams that end."""

    ssrcs: tuple[int, ...]

    def pack(self) -> bytes:
        """The packet's bytes."""
        return _packet(_BYE, len(self.ssrcs), b"".join(ssrc.to_bytes(4, "big") for ssrc in self.ssrcs))


@dataclass(frozen=True, slots=True)
class PictureLossIndication:
    """A receiver that needs a key frame."""

    sender_ssrc: int
    media_ssrc: int

    def pack(self) -> bytes:
        """The packet's bytes."""
        return _packet(_PAYLOAD_FEEDBACK, _PLI, _TWO_SSRCS.pack(self.sender_ssrc, self.media_ssrc))


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """A receiver that wants a key frame, by command numbers that tell repetitions from new commands."""

    sender_ssrc: int
    requests: tuple[tuple[int, int], ...]
    """SSRC and command number of each."""

    def pack(self) -> bytes:
        """The packet's bytes."""
        entries = b"".join(_TWO_SSRCS.pack(ssrc, (number & 0xFF) << 24) for ssrc, number in self.requests)
        return _packet(_PAYLOAD_FEEDBACK, _FIR, _TWO_SSRCS.pack(self.sender_ssrc, 0) + entries)


@dataclass(frozen=True, slots=True)
class GenericNack:
    """Packets that a receiver misses."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]
    """Sequence numbers."""

    def pack(self) -> bytes:
        """The packet's bytes. Sequence numbers in ascending (wrapping) order need the fewest."""
        pairs: list[list[int]] = []
        for number in self.lost:
            ahead = (number - pairs[-1][0]) & 0xFFFF if pairs else 0
            if pairs and 0 < ahead <= 16:
                pairs[-1][1] |= 1 << (ahead - 1)
            elif not pairs or ahead:
                pairs.append([number & 0xFFFF, 0])
        fields = b"".join((first << 16 | mask).to_bytes(4, "big") for first, mask in pairs)
        return _packet(_TRANSPORT_FEEDBACK, _NACK, _TWO_SSRCS.pack(self.sender_ssrc, self.media_ssrc) + fields)


@dataclass(frozen=True, slots=True)
class ReceiverEstimatedMaximumBitrate:
    """How much a receiver thinks it can take (REMB)."""

    sender_ssrc: int
    bitrate: int
    """In bits per second, for the streams named together."""
    ssrcs: tuple[int, ...]

    def pack(self) -> bytes:
        """The packet's bytes. The bit rate is kept to 18 significant bits."""
        exponent = max(0, self.bitrate.bit_length() - 18)
        mantissa = self.bitrate >> exponent
        head = _REMB + (len(self.ssrcs) << 24 | exponent << 18 | mantissa).to_bytes(4, "big")
        body = _TWO_SSRCS.pack(self.sender_ssrc, 0) + head + b"".join(ssrc.to_bytes(4, "big") for ssrc in self.ssrcs)
        return _packet(_PAYLOAD_FEEDBACK, _APPLICATION, body)


RtcpPacket: TypeAlias = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Bye
    | PictureLossIndication
    | FullIntraRequest
    | GenericNack
    | ReceiverEstimatedMaximumBitrate
)


def parse(packet: bytes) -> list[RtcpPacket]:
    """Read a compound RTCP packet, or one of reduced size. Kinds not known here are left out.

    Raises:
        DecodeError: These bytes are no RTCP packet.
    """
    found: list[RtcpPacket] = []
    offset = 0
    if not packet:
        raise DecodeError("RTCP packet of no bytes", packet)
    while offset < len(packet):
        if len(packet) - offset < 4:
            raise DecodeError("RTCP packet shorter than its header", packet)
        first, kind = packet[offset], packet[offset + 1]
        end = offset + 4 + ((packet[offset + 2] << 8 | packet[offset + 3]) << 2)
        if first >> 6 != 2 or end > len(packet):
            raise DecodeError("RTCP header of a wrong version or length", packet)
        body = packet[offset + 4 : end]
        if first & 0x20:
            padding = body[-1] if body else 0
            if padding == 0 or padding > len(body):
                raise DecodeError("RTCP padding of a wrong length", packet)
            body = body[:-padding]
        try:
            _read(found, kind, first & 0x1F, body)
        except (struct.error, IndexError):
            raise DecodeError("RTCP packet shorter than what it announces", packet) from None
        offset = end
    return found


def compound(packets: Iterable[RtcpPacket]) -> bytes:
    """The bytes of several RTCP packets sent as one."""
    return b"".join(packet.pack() for packet in packets)


def _read(found: list[RtcpPacket], kind: int, count: int, body: bytes) -> None:
    if kind == _SENDER_REPORT:
        ssrc = _ssrc_at(body, 0)
        ntp_time, timestamp, packet_count, octet_count = _SENDER_INFO.unpack_from(body, 4)
        reports = _reports(body, 24, count)
        found.append(SenderReport(ssrc, ntp_time, timestamp, packet_count, octet_count, reports))
    elif kind == _RECEIVER_REPORT:
        found.append(ReceiverReport(_ssrc_at(body, 0), _reports(body, 4, count)))
    elif kind == _SOURCE_DESCRIPTION:
        _read_descriptions(found, count, body)
    elif kind == _BYE:
        found.append(Bye(tuple(_ssrc_at(body, 4 * index) for index in range(count))))
    elif kind == _TRANSPORT_FEEDBACK and count == _NACK:
        sender_ssrc, media_ssrc = _TWO_SSRCS.unpack_from(body)
        found.append(GenericNack(sender_ssrc, media_ssrc, _lost(body)))
    elif kind == _PAYLOAD_FEEDBACK:
        _read_payload_feedback(found, count, body)


def _read_payload_feedback(found: list[RtcpPacket], count: int, body: bytes) -> None:
    sender_ssrc, media_ssrc = _TWO_SSRCS.unpack_from(body)
    if count == _PLI:
        found.append(PictureLossIndication(sender_ssrc, media_ssrc))
    elif count == _FIR:
        entries = [_TWO_SSRCS.unpack_from(body, offset) for offset in range(8, len(body), 8)]
        found.append(FullIntraRequest(sender_ssrc, tuple((ssrc, field >> 24) for ssrc, field in entries)))
    elif count == _APPLICATION and body[8:12] == _REMB:
        field = _ssrc_at(body, 12)
        bitrate = (field & 0x3FFFF) << ((field >> 18) & 0x3F)
        ssrcs = tuple(_ssrc_at(body, 16 + 4 * index) for index in range(field >> 24))
        found.append(ReceiverEstimatedMaximumBitrate(sender_ssrc, bitrate, ssrcs))


def _read_descriptions(found: list[RtcpPacket], count: int, body: bytes) -> None:
    offset = 0
    for _ in range(count):
        ssrc = _ssrc_at(body, offset)
        offset += 4
        while body[offset]:
            kind, length = body[offset], body[offset + 1]
            value = body[offset + 2 : offset + 2 + length]
            if len(value) < length:
                raise IndexError
            if kind == _CNAME:
                found.append(SourceDescription(ssrc, value.decode(errors="replace")))
            offset += 2 + length
        offset += 4 - offset % 4


def _reports(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    reports = []
    for index in range(count):
        ssrc, loss, highest, jitter, last, delay = _REPORT.unpack_from(body, offset + 24 * index)
        lost = ((loss & 0xFFFFFF) ^ 0x800000) - 0x800000
        reports.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last, delay))
    return tuple(reports)


def _lost(body: bytes) -> tuple[int, ...]:
    lost: list[int] = []
    for offset in range(8, len(body), 4):
        field = _ssrc_at(body, offset)
        first, mask = field >> 16, field & 0xFFFF
        lost.append(first)
        while mask:
            bit = mask & -mask
            lost.append((first + bit.bit_length()) & 0xFFFF)
            mask ^= bit
    return tuple(lost)


def _ssrc_at(body: bytes, offset: int) -> int:
    if len(body) < offset + 4:
        raise IndexError
    return int.from_bytes(body[offset : offset + 4], "big")


def _packet(kind: int, count: int, body: bytes) -> bytes:
    if count > _MAX_REPORTS:
        raise ValueError(f"one RTCP packet cannot hold {count} entries")
    return bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body
