"""An attendee's end of one media connection: what comes in goes to whom it is for, and reports go out."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from chime_media.protocol.negotiated import Negotiated, NegotiatedSession
from chime_media.protocol.offer import AUDIO_MID, AudioOffer, CameraOffer
from chime_media.rtc.audio_receiver import AudioReceiver
from chime_media.rtc.audio_sender import AudioOutlet, AudioSender
from chime_media.rtc.ice import ClientTransport
from chime_media.wire import rtcp
from chime_media.wire.rtp import parse
from chime_media.wire.sdp import AUDIO_LEVEL
from chime_messaging.errors import DecodeError, ProtocolError

if TYPE_CHECKING:
    from chime_media.rtc.video_streams import VideoStreams

REPORT_INTERVAL = 1.0
_NTP_EPOCH = 2_208_988_800

log = logging.getLogger(__name__)


class Peer:
    """One connection with the media node, made before its first offer. Belongs to the media thread.

    Sound is the session's and goes on over connections; the peer that is the present one lends it its transport.

    Args:
        transport: The connection, with its addresses gathered.
        sender: What the attendee says.
        receiver: What it hears.
        on_closed: Told once why the connection is over, unless `close` was called.
    """

    def __init__(
        self,
        transport: ClientTransport,
        sender: AudioSender,
        receiver: AudioReceiver,
        on_closed: Callable[[Peer, str], None],
    ) -> None:
        self.transport = transport
        self.cname = secrets.token_urlsafe(12)
        self.audio_ssrc = secrets.randbits(31) + 1
        self.malformed = 0
        """Packets that were none."""
        self._sender = sender
        self._receiver = receiver
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._audio: Negotiated | None = None
        self._sections: dict[str, Negotiated] = {}
        self._video: VideoStreams | None = None
        self._current = False
        self._closed = False
        self._report_at = 0.0

    @property
    def video(self) -> VideoStreams:
        """The video of the connection. What it takes is loaded when this is first asked for."""
        if self._video is None:
            from chime_media.rtc.video_streams import VideoStreams

            self._video = VideoStreams(self.transport, self.cname)
            # Pictures are acknowledged, asked for again and shown between two beats, too.
            self.transport.listen(True)
            if self._sections:
                self._video.settle(self._sections)
        return self._video

    @property
    def has_video(self) -> bool:
        """Whether video was sent or received."""
        return self._video is not None

    @property
    def hears(self) -> bool:
        """Whether sound is received, as agreed."""
        return self._audio is not None and self._audio.receives

    @property
    def speaks(self) -> bool:
        """Whether sound is sent, as agreed."""
        return self._audio is not None and self._audio.sends

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    def audio_offer(self) -> AudioOffer:
        """What the offers say of audio."""
        audio_format = self._sender.format
        return AudioOffer(
            self.audio_ssrc, self.cname, audio_format.stereo, audio_format.bitrate, audio_format.redundancy
        )

    def camera_offer(self) -> CameraOffer:
        """What the offers say of the camera while video is sent."""
        return CameraOffer(self.video.sender.ssrc, self.video.sender.rtx_ssrc)

    def settle(self, negotiated: NegotiatedSession) -> None:
        """Take an answer.

        Raises:
            ProtocolError: There is no sound in it.
        """
        audio = negotiated.sections.get(AUDIO_MID)
        if audio is None or audio.codec("opus") is None:
            raise ProtocolError("an answer without audio")
        self._sections = negotiated.sections
        self._audio = audio
        if self._video is not None:
            self._video.settle(negotiated.sections)

    def begin(self) -> None:
        """Let the session's sound go over this connection, and no longer over another."""
        audio = self._audio
        opus = audio.codec("opus") if audio is not None else None
        if audio is None or opus is None:
            raise ProtocolError("sound before an answer")
        self._current = True
        self._receiver.attach(opus.payload_type, audio.red)
        if audio.sends:
            self._sender.attach(
                AudioOutlet(
                    self.transport,
                    self.audio_ssrc,
                    self.cname,
                    opus.payload_type,
                    audio.red,
                    audio.extensions.get(AUDIO_LEVEL),
                )
            )
        else:
            self._sender.detach()
        self._report_at = self._loop.time() + REPORT_INTERVAL / 2
        self.transport.listen(self._video is not None)

    def tick(self, now: float) -> None:
        """Take what came, and report when it is time to. Called with each beat of the present connection."""
        self.transport.look()
        if now >= self._report_at and self._current:
            self._report_at = now + REPORT_INTERVAL
            self._sender.report(ntp_now(), self._receiver.reports(now))

    def close(self) -> None:
        """End it."""
        if not self._closed:
            self._end()
            self.transport.close()

    # MediaReceiver

    def transport_connected(self) -> None:
        """The session looks at what `connect` returns."""

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        """Take one RTP packet."""
        try:
            parsed = parse(packet)
        except DecodeError:
            self.malformed += 1
            return
        video = self._video
        if video is not None and video.rtp_received(parsed, arrival):
            return
        if self._current and self._receiver.takes(parsed.payload_type):
            self._receiver.rtp_received(parsed, arrival)

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        """Take one RTCP packet."""
        try:
            reports = rtcp.parse(packet)
        except DecodeError:
            self.malformed += 1
            return
        if self._current:
            for report in reports:
                if isinstance(report, rtcp.SenderReport):
                    self._receiver.sender_reported(report, arrival)
                if isinstance(report, rtcp.SenderReport | rtcp.ReceiverReport):
                    came = ntp_now(self._loop.time() - arrival)
                    for block in report.reports:
                        self._sender.reported(block, came)
        if self._video is not None:
            self._video.rtcp_received(reports, arrival)

    def transport_closed(self, reason: str) -> None:
        """The connection is over."""
        if not self._closed:
            self._end()
            self._on_closed(self, reason)

    def _end(self) -> None:
        self._closed = True
        self._current = False
        if self._video is not None:
            self._video.close()


def ntp_now(ago: float = 0.0) -> int:
    """The present time, or that some seconds ago, as RTCP has it, in 64 bits."""
    return int((time.time() - ago + _NTP_EPOCH) * (1 << 32))
