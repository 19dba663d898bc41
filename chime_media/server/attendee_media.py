"""The media of one connection of an attendee: its transport, its audio, and video both ways."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chime_media.protocol.answer import AnswerPlan, OfferRefusedError, RemoteVideo, answer
from chime_media.protocol.negotiated import Negotiated
from chime_media.server import subscribe
from chime_media.server.audio_connection import AudioConnection
from chime_media.server.media_port import NodeTransport
from chime_media.server.subscribe import BAD_REQUEST, FAILED, SOURCE_CAPACITY, VIEW_ONLY, RefusedError, Subscribe
from chime_media.server.video_connection import VideoConnection
from chime_media.wire import rtcp
from chime_media.wire.sdp_compression import compress
from chime_messaging.errors import ConfigurationError, DecodeError
from chime_messaging.meeting_events import VideoSource
from chime_messaging.protocol import signal_frames
from chime_messaging.server.attendee_socket import AttendeeSocket
from chime_messaging.server.party import Party
from chime_messaging.wire.signaling_pb2 import DUPLEX, RX, SignalFrame, SubscribeFrame

if TYPE_CHECKING:
    from chime_media.server.audio_leg import AudioLeg
    from chime_media.server.meeting_media import NodeMeeting

DATA_ONLY_AFTER = 3.0
"""Seconds without SUBSCRIBE after which an attendee is taken to bring no media, and shown to the others."""
DROPPED_AFTER = 15.0
"""Seconds without media after which an attendee is dropped."""
REFRESH_INTERVAL = 10.0
"""Seconds between the key frames that senders of content are asked for, unless they do not want it."""

_AUDIO_OK = 200
_log = logging.getLogger(__name__)


class NodeAttendee:
    """What `NodeMeeting.join` returns; also the `MediaReceiver` of its transport.

    Args:
        meeting: It is in.
        socket: Takes frames for it.
        party: Who it is.
    """

    def __init__(self, meeting: NodeMeeting, socket: AttendeeSocket, party: Party) -> None:
        self.party = party
        self.lingers = False
        """Whether its signalling is lost."""
        self.connected_once = False
        """Whether it has got as far as an answer."""
        self._meeting = meeting
        self._socket = socket
        self._since = meeting.loop.time()
        self._refresh_at = self._since + REFRESH_INTERVAL
        self._present = False
        self._muted = False
        self._closed = False
        self._transport: NodeTransport | None = None
        self._peer: tuple[str, str] | None = None
        self._audio_ssrc = _random_ssrc()
        self._cname = secrets.token_urlsafe(12)
        self._audio: AudioConnection | None = None
        self._video = VideoConnection(meeting, party)
        self._offer = self._answer = ""

    # What the meeting asks

    @property
    def transport(self) -> NodeTransport | None:
        """Its connection, once it was answered."""
        return self._transport

    @property
    def leg(self) -> AudioLeg | None:
        """Its place in the mix, once it was answered."""
        return self._audio.leg if self._audio is not None else None

    @property
    def shows_video(self) -> bool:
        """Whether it sends video."""
        return self._video.is_sending

    @property
    def receives_video(self) -> bool:
        """Whether senders should mind what it can decode."""
        return bool(self.decodes) and not self.party.is_content and self.party.wants_videos

    @property
    def decodes(self) -> frozenset[int]:
        """The service's codecs that it can decode."""
        return self._video.decodes

    def sources(self, rates: Mapping[int, int]) -> list[VideoSource]:
        """The streams it sends, for INDEX."""
        return self._video.sources(rates)

    def care(self, now: float) -> None:
        """Do what is due about once a second."""
        transport = self._transport
        if transport is None:
            if now - self._since >= DATA_ONLY_AFTER:
                self._appear()
            return
        if self.party.is_content and self.party.key_frame_requests and now >= self._refresh_at:
            self._refresh_at = now + REFRESH_INTERVAL
            self._video.refresh(now)
        if self._present and now - self._last_media(now) >= DROPPED_AFTER:
            self._vanish()

    def _last_media(self, now: float) -> float:
        if self._transport is None or self._transport.closed:
            return 0.0
        if self._audio is not None and self._audio.expects_audio:
            heard = self._audio.leg.last_heard
            return heard if heard is not None else self._since
        return self._transport.counters.last_received or now

    # What signalling hands in

    def take(self, frame: SignalFrame) -> None:
        """Take a frame that concerns media."""
        kind = frame.type
        if kind == SignalFrame.SUBSCRIBE:
            self._subscribe(frame.sub)
        elif kind == SignalFrame.PAUSE:
            self._video.pause(frame.pause.stream_ids)
        elif kind == SignalFrame.RESUME:
            self._video.resume(frame.pause.stream_ids)
        elif kind == SignalFrame.REMOTE_VIDEO_UPDATE:
            self._video.update(frame.remote_video_update)

    def mute(self, muted: bool) -> None:
        """Do not let its voice through, or do again."""
        self._muted = muted
        if self._audio is not None:
            self._audio.leg.muted = muted

    def change(self, party: Party) -> None:
        """Take note of other capabilities, or that it speaks for somebody else."""
        self.party = party
        self._video.change(party)
        if self._audio is not None:
            self._audio.change(party)

    def linger(self) -> None:
        """Go on with nobody to write frames to."""
        self.lingers = True

    def close(self) -> None:
        """Stop; harmless when it has."""
        if self._closed:
            return
        self._closed = True
        self._video.close()
        if self._audio is not None:
            self._audio.leg.leave()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
        self._meeting.left(self)

    # SUBSCRIBE

    def _subscribe(self, frame: SubscribeFrame) -> None:
        try:
            wanted = subscribe.read(frame, self._offer)
            if self.party.is_content and not self._meeting.has_room_for_share(self.party):
                raise RefusedError(SOURCE_CAPACITY, "too many content shares")
            self._answer_offer(wanted)
        except (RefusedError, OfferRefusedError, ConfigurationError) as error:
            refused = error if isinstance(error, RefusedError) else RefusedError(BAD_REQUEST, FAILED)
            _log.info("SUBSCRIBE of %s refused: %s", self.party.attendee_id, error)
            ack = SignalFrame(type=SignalFrame.SUBSCRIBE_ACK)
            ack.suback.duplex = RX
            self._socket.send(signal_frames.with_error(ack, refused.status, refused.description))

    def _answer_offer(self, wanted: Subscribe) -> None:
        party, meeting = self.party, self._meeting
        may_send = party.shows and not meeting.is_full(party)
        view_only = not party.wants_videos or (bool(wanted.sending) and not may_send)
        transport = self._connect(wanted)
        receiving = {
            mid: stream_id for mid, stream_id in wanted.receiving.items() if meeting.see_stream(party, stream_id)
        }
        plan = AnswerPlan(
            transport.description,
            self._audio_ssrc,
            self._cname,
            {mid: RemoteVideo(*self._video.ssrcs(mid)) for mid in receiving},
        )
        description, sections = answer(wanted.offer, plan)
        self._offer, text = wanted.text, str(description)
        self._settle_audio(wanted, sections)
        self._video.settle(transport, wanted.sending if may_send else (), receiving, sections, self._cname)
        self.connected_once = True
        ack = SignalFrame(type=SignalFrame.SUBSCRIBE_ACK)
        ack.suback.duplex = DUPLEX if self._video.is_sending else RX
        if wanted.compressed:
            ack.suback.compressed_sdp_answer = compress(text, self._answer)
        else:
            ack.suback.sdp_answer = text
        self._answer = text
        self._video.describe(ack.suback)
        if view_only:
            signal_frames.with_error(ack, VIEW_ONLY, "video is for viewing only")
        self._socket.send(ack)

    def _connect(self, wanted: Subscribe) -> NodeTransport:
        """Give the transport of the peer that wrote the offer: the one there is, unless it is another peer."""
        remote = wanted.offer.transport
        assert remote is not None
        peer = (remote.ufrag, remote.fingerprint)
        if self._transport is not None and not self._transport.closed and self._peer == peer:
            return self._transport
        # The peer takes the other part; who leaves it to us is asked to begin, as the live service does.
        setup = "active" if remote.setup == "passive" else "passive"
        transport = self._meeting.port.add(remote.fingerprint, "active" if setup == "active" else "passive", self)
        older, self._transport, self._peer = self._transport, transport, peer
        self._since = self._meeting.loop.time()
        if older is not None:
            self._video.disconnect()
            if self._audio is not None:
                self._audio.leg.leave()
                self._audio = None
            self._audio_ssrc = _random_ssrc()
            older.close()
        return transport

    def _settle_audio(self, wanted: Subscribe, sections: Mapping[str, Negotiated]) -> None:
        section = next((each for each in sections.values() if each.kind == "audio"), None)
        transport = self._transport
        if section is None or transport is None or self._audio is not None:
            return
        codec = section.codec("opus")
        if codec is None:
            return
        self._audio = AudioConnection(
            self._meeting.mixer, self.party, transport, self._audio_ssrc, section, codec, self._cname
        )
        self._audio.leg.on_first_packet = self._heard
        self._audio.leg.muted = self._muted

    # MediaReceiver

    def transport_connected(self) -> None:
        """Media may flow."""
        if self._audio is None or not self._audio.expects_audio:
            self._appear()
        self._video.connected()

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        """Take one RTP packet."""
        audio = self._audio
        if audio is not None and packet[1] & 0x7F in audio.payload_types:
            audio.leg.rtp_received(packet, arrival)
            if not self._present:
                self._appear()
        else:
            self._video.rtp_received(packet, arrival)

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        """Take one RTCP packet."""
        try:
            packets = rtcp.parse(packet)
        except DecodeError:
            return
        if self._audio is not None:
            self._audio.leg.rtcp_received(packet, arrival)
        self._video.rtcp_received(packets, arrival)

    def transport_closed(self, reason: str) -> None:
        """The connection is over. Its signalling may bring another."""
        _log.info("media of %s is over: %s", self.party.attendee_id, reason)
        if self._closed or (self._transport is not None and not self._transport.closed):
            return  # another peer of the attendee has taken over
        if self.lingers:
            self.close()
            return
        self._video.disconnect()
        self._vanish()

    # Presence

    def _heard(self) -> None:
        if not self.lingers:
            self._socket.send(signal_frames.audio_status(_AUDIO_OK))

    def _appear(self) -> None:
        if not self._present and not self._closed and not self.lingers:
            self._present = True
            self._meeting.stage.appear(self._socket)

    def _vanish(self) -> None:
        if self._present and not self.lingers:
            self._present = False
            self._meeting.stage.vanish(self._socket)


def _random_ssrc() -> int:
    return secrets.randbelow(0xFFFFFFFF) + 1
