"""Two ends of video without a network: what one sends the other gets at once, or as a script says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chime_media.protocol.negotiated import Negotiated
from chime_media.rtc.transport import TransportCounters
from chime_media.rtc.video_frame import VideoFrame
from chime_media.rtc.video_streams import VideoStreams
from chime_media.wire import rtcp, rtp
from chime_media.wire.sdp import ABSOLUTE_SEND_TIME, MID, Codec

PAYLOAD_TYPES = {"VP8": 96, "H264": 108, "VP9": 98}


class Wire:
    """One direction; `rule` may leave packets out."""

    def __init__(self) -> None:
        self.connected = True
        self.counters = TransportCounters()
        self.peer: VideoStreams | None = None
        self.rule: Callable[[rtp.RtpPacket], bool] = lambda packet: True
        self.rtp: list[rtp.RtpPacket] = []
        self.rtcp: list[rtcp.RtcpPacket] = []

    def send_rtp(self, packet: bytes) -> None:
        parsed = rtp.parse(packet)
        self.rtp.append(parsed)
        if self.rule(parsed):
            asyncio.get_running_loop().call_soon(self._rtp, parsed)

    def send_rtcp(self, packet: bytes) -> None:
        packets = rtcp.parse(packet)
        self.rtcp += packets
        asyncio.get_running_loop().call_soon(self._rtcp, packets)

    def close(self) -> None:
        self.connected = False

    def _rtp(self, packet: rtp.RtpPacket) -> None:
        if self.peer is not None:
            self.peer.rtp_received(packet, asyncio.get_running_loop().time())

    def _rtcp(self, packets: list[rtcp.RtcpPacket]) -> None:
        if self.peer is not None:
            self.peer.rtcp_received(packets, asyncio.get_running_loop().time())


class Pair:
    """A sender and a receiver that have agreed on one codec, as `async with`."""

    def __init__(self, codec: str = "VP8", *, with_rtx: bool = True) -> None:
        self.there, self.back = Wire(), Wire()
        self.codec = codec
        self.with_rtx = with_rtx

    async def __aenter__(self) -> Pair:
        self.sending = VideoStreams(self.there, "cname")
        self.receiving = VideoStreams(self.back, "other")
        self.there.peer, self.back.peer = self.receiving, self.sending
        self.sending.settle({"1": self.section("1", "sendrecv", None, None)})
        sender = self.sending.sender
        self.receiving.settle({"2": self.section("2", "recvonly", sender.ssrc, sender.rtx_ssrc)})
        self.receiver = self.receiving.receivers["2"]
        self.sender = sender
        self.frames: list[VideoFrame] = []
        self._changed = asyncio.Event()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.sender.stop()
        self.sending.close()
        self.receiving.close()

    def section(self, mid: str, direction: str, ssrc: int | None, rtx_ssrc: int | None) -> Negotiated:
        payload_type = PAYLOAD_TYPES[self.codec]
        return Negotiated(
            mid,
            "video",
            direction,
            {payload_type: Codec(payload_type, self.codec, 90_000)},
            rtx={payload_type + 1: payload_type} if self.with_rtx else {},
            extensions={MID: 4, ABSOLUTE_SEND_TIME: 2},
            ssrc=ssrc,
            rtx_ssrc=rtx_ssrc if self.with_rtx else None,
        )

    def look(self) -> None:
        self.receiver.bind(self._seen)

    async def until(self, condition: Callable[[], object], timeout: float = 10) -> None:
        """Wait until what is true after some picture."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _seen(self, frame: VideoFrame) -> None:
        self.frames.append(frame)
        self._changed.set()
