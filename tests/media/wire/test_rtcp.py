from __future__ import annotations

import aiortc.rtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.wire import rtcp
from chime_messaging.errors import DecodeError

SSRC = st.integers(0, 0xFFFFFFFF)
REPORTS = st.lists(
    st.builds(
        rtcp.ReportBlock,
        SSRC,
        st.integers(0, 255),
        st.integers(-0x800000, 0x7FFFFF),
        SSRC,
        SSRC,
        SSRC,
        SSRC,
    ),
    max_size=31,
).map(tuple)
PACKETS = st.one_of(
    st.builds(rtcp.SenderReport, SSRC, st.integers(0, 2**64 - 1), SSRC, SSRC, SSRC, REPORTS),
    st.builds(rtcp.ReceiverReport, SSRC, REPORTS),
    st.builds(rtcp.SourceDescription, SSRC, st.text(max_size=40)),
    st.builds(rtcp.Bye, st.lists(SSRC, max_size=31).map(tuple)),
    st.builds(rtcp.PictureLossIndication, SSRC, SSRC),
    st.builds(rtcp.FullIntraRequest, SSRC, st.lists(st.tuples(SSRC, st.integers(0, 255)), max_size=5).map(tuple)),
    st.builds(
        rtcp.GenericNack, SSRC, SSRC, st.sets(st.integers(0, 0xFFFF), max_size=50).map(lambda lost: tuple(sorted(lost)))
    ),
    st.builds(
        rtcp.ReceiverEstimatedMaximumBitrate,
        SSRC,
        st.integers(0, 0x3FFFF).map(lambda bitrate: bitrate << 9),
        st.lists(SSRC, max_size=9).map(tuple),
    ),
)


@given(st.lists(PACKETS, min_size=1, max_size=5))
def test_what_was_packed_is_parsed(packets: list[rtcp.RtcpPacket]) -> None:
    data = rtcp.compound(packets)
    assert len(data) % 4 == 0
    assert rtcp.is_rtcp(data)
    assert rtcp.parse(data) == packets


@given(st.binary(max_size=120))
def test_hostile_bytes_give_packets_or_a_decode_error(data: bytes) -> None:
    parses(data)


@given(
    st.sampled_from([200, 201, 202, 203, 204, 205, 206, 207]), st.integers(0, 63), st.binary(max_size=80), st.booleans()
)
def test_hostile_packets_of_known_kinds_give_packets_or_a_decode_error(
    kind: int, count: int, body: bytes, whole: bool
) -> None:
    body = body[: len(body) // 4 * 4] if whole else body
    parses(bytes((0x80 | count, kind, 0, len(body) // 4)) + body)


def parses(data: bytes) -> None:
    try:
        packets = rtcp.parse(data)
    except DecodeError:
        return
    for packet in packets:
        repr(packet)


def test_a_nack_names_packets_over_the_wrap_in_few_bytes() -> None:
    nack = rtcp.GenericNack(1, 2, (65534, 65535, 0, 14, 15, 40))
    assert len(nack.pack()) == 12 + 3 * 4
    assert rtcp.parse(nack.pack()) == [nack]


def test_aiortc_reads_what_we_write() -> None:
    remb = rtcp.ReceiverEstimatedMaximumBitrate(1, 2_500_000, (7, 8))
    report = rtcp.ReportBlock(5, 64, -2, 70000, 33, 1, 2)
    packets: list[rtcp.RtcpPacket] = [
        rtcp.SenderReport(1, 2, 3, 4, 5, (report,)),
        rtcp.SourceDescription(1, "name"),
        remb,
        rtcp.GenericNack(1, 2, (10, 12)),
        rtcp.Bye((1, 2)),
    ]
    sender, description, estimate, nack, bye = aiortc.rtp.RtcpPacket.parse(rtcp.compound(packets))
    assert isinstance(sender, aiortc.rtp.RtcpSrPacket)
    assert (sender.sender_info.packet_count, sender.reports[0].packets_lost) == (4, -2)
    assert (sender.reports[0].fraction_lost, sender.reports[0].highest_sequence) == (64, 70000)
    assert isinstance(description, aiortc.rtp.RtcpSdesPacket)
    assert description.chunks[0].items == [(1, b"name")]
    assert isinstance(estimate, aiortc.rtp.RtcpPsfbPacket)
    bitrate, ssrcs = aiortc.rtp.unpack_remb_fci(estimate.fci)
    assert abs(bitrate - remb.bitrate) < 16
    assert ssrcs == [7, 8]
    assert isinstance(nack, aiortc.rtp.RtcpRtpfbPacket)
    assert nack.lost == [10, 12]
    assert isinstance(bye, aiortc.rtp.RtcpByePacket)
    assert bye.sources == [1, 2]


def test_kinds_that_are_not_known_are_left_out() -> None:
    transport_wide = b"\x8f\xcd\x00\x02" + bytes(8)
    assert rtcp.parse(transport_wide + rtcp.Bye((1,)).pack()) == [rtcp.Bye((1,))]


def test_padding_is_taken_off() -> None:
    assert rtcp.parse(b"\xa1\xcb\x00\x02" + b"\x00\x00\x00\x07" + b"\x00\x00\x00\x04") == [rtcp.Bye((7,))]
    with pytest.raises(DecodeError, match="padding"):
        rtcp.parse(b"\xa1\xcb\x00\x01" + b"\x00\x00\x00\x09")


@pytest.mark.parametrize(
    "data", [b"", b"\x80\xc8", b"\x80\xc8\x00\x09", b"\x40\xc8\x00\x00", b"\x81\xc9\x00\x01" + bytes(4)]
)
def test_a_broken_packet_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="RTCP"):
        rtcp.parse(data)


def test_more_than_a_packet_holds_is_not_packed() -> None:
    with pytest.raises(ValueError, match="32 entries"):
        rtcp.Bye(tuple(range(32))).pack()
