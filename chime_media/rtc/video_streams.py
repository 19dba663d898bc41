"""All video of one connection: what is sent in the camera section, and what comes in the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from chime_media.protocol.negotiated import Negotiated
from chime_media.protocol.video_rate import UplinkEstimate
from chime_media.rtc.transport import MediaTransport
from chime_media.rtc.video_receiver import VideoReceiver
from chime_media.rtc.video_sender import VideoSender
from chime_media.wire import rtcp
from chime_media.wire.rtp import RtpPacket

_REPORT_SECONDS = 1.0
_MOST = 15_000_000
_DECODING_THREADS = 2


class VideoStreams:
    """Video of one connection, made before the first offer, as that names what will be sent.

    Args:
        transport: What it goes over.
        cname: The canonical name of all that is sent.
        camera_mid: The section that we send in.
    """

    def __init__(self, transport: MediaTransport, cname: str, camera_mid: str = "1") -> None:
        self._transport = transport
        self._camera_mid = camera_mid
        # Threads begin when they are needed: who neither sends nor looks has none.
        self._encoding = ThreadPoolExecutor(1, "chime-video-encoding")
        self._decoding = ThreadPoolExecutor(_DECODING_THREADS, "chime-video-decoding")
        self._loop = asyncio.get_running_loop()
        self.sender = VideoSender(transport, cname, self._encoding)
        self._receivers: dict[str, VideoReceiver] = {}
        self._by_ssrc: dict[int, VideoReceiver] = {}
        self._estimate = UplinkEstimate(_MOST)
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(_REPORT_SECONDS, self._report)

    @property
    def receivers(self) -> Mapping[str, VideoReceiver]:
        """What comes, by mid."""
        return self._receivers

    @property
    def estimated_bitrate(self) -> int:
        """What the downlink seems to carry, in bit/s, by the loss on it."""
        return int(self._estimate.bitrate)

    def settle(self, sections: Mapping[str, Negotiated]) -> None:
        """Take what an answer says of the video sections; what is not among them any more ends."""
        self.sender.settle(sections.get(self._camera_mid))
        wanted = {
            mid: section
            for mid, section in sections.items()
            if section.kind == "video" and mid != self._camera_mid and section.receives
        }
        for mid in [mid for mid in self._receivers if mid not in wanted]:
            self._receivers.pop(mid).close()
        for mid, section in wanted.items():
            receiver = self._receivers.get(mid)
            if receiver is None:
                receiver = VideoReceiver(mid, self._transport, self.sender.ssrc, self._decoding)
                self._receivers[mid] = receiver
            receiver.settle(section)
        self._by_ssrc = {}
        for receiver in self._receivers.values():
            for ssrc in (receiver.ssrc, receiver.rtx_ssrc):
                if ssrc is not None:
                    self._by_ssrc[ssrc] = receiver

    def rtp_received(self, packet: RtpPacket, arrival: float) -> bool:
        """Take a packet if it is of a video; answers whether it was."""
        receiver = self._by_ssrc.get(packet.ssrc)
        if receiver is None:
            return False
        receiver.rtp_received(packet, arrival)
        return True

    def rtcp_received(self, packets: Iterable[rtcp.RtcpPacket], arrival: float) -> None:
        """Take reports and requests, whatever they are about."""
        for packet in packets:
            self.sender.rtcp_received(packet, arrival)
            if isinstance(packet, rtcp.SenderReport):
                receiver = self._by_ssrc.get(packet.ssrc)
                if receiver is not None:
                    receiver.rtcp_received(packet, arrival)

    def close(self) -> None:
        """End all; what is being encoded or decoded at the moment ends by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.sender.close()
        for receiver in self._receivers.values():
            receiver.close()
        self._receivers.clear()
        self._by_ssrc.clear()
        self._encoding.shutdown(wait=False, cancel_futures=True)
        self._decoding.shutdown(wait=False, cancel_futures=True)

    def _report(self) -> None:
        self._timer = self._loop.call_later(_REPORT_SECONDS, self._report)
        now = self._loop.time()
        packets = self.sender.report(now)
        blocks = [block for receiver in self._receivers.values() if (block := receiver.report(now)) is not None]
        if blocks:
            # One report has room for 31; there are 25 videos at most.
            packets.append(rtcp.ReceiverReport(self.sender.ssrc, tuple(blocks)))
            rate = sum(receiver.statistics.bitrate for receiver in self._receivers.values())
            loss = max(block.fraction_lost for block in blocks) / 256
            estimate = int(self._estimate.measured(rate, loss))
            ssrcs = tuple(block.ssrc for block in blocks)
            packets.append(rtcp.ReceiverEstimatedMaximumBitrate(self.sender.ssrc, estimate, ssrcs))
        if packets:
            self._transport.send_rtcp(rtcp.compound(packets))
