"""The client's part of a negotiation: complete offers on one connection, and what their answers say."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chime_media.protocol.negotiated import NegotiatedSession, section_of_answer
from chime_media.wire.sdp import (
    ABSOLUTE_SEND_TIME,
    AUDIO_LEVEL,
    INACTIVE,
    MID,
    RECVONLY,
    REPAIRED_RID,
    RID,
    SENDRECV,
    Candidate,
    Codec,
    MediaSection,
    SessionDescription,
    TransportDescription,
)
from chime_messaging.errors import ProtocolError, UsageError

AUDIO_MID, CAMERA_MID = "0", "1"
MAX_REMOTE_VIDEOS = 25
_ORIGIN = "mozilla-chime"
_AUDIO_EXTENSIONS = {1: AUDIO_LEVEL, 2: ABSOLUTE_SEND_TIME}
_VIDEO_EXTENSIONS = {2: ABSOLUTE_SEND_TIME, 4: MID}
_LAYER_EXTENSIONS = {10: RID, 11: REPAIRED_RID}
_FEEDBACK = ("goog-remb", "ccm fir", "nack", "nack pli")
_OPUS, _RED = 111, 63

VP8 = (Codec(96, "VP8", 90000, feedback=_FEEDBACK), Codec(97, "rtx", 90000, parameters="apt=96"))
H264 = (
    Codec(
        108,
        "H264",
        90000,
        parameters="level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        feedback=_FEEDBACK,
    ),
    Codec(109, "rtx", 90000, parameters="apt=108"),
)
"""Constrained baseline, as every peer has it."""


class AnswerRefusedError(ProtocolError):
    """An answer that does not fit the offer."""


@dataclass(frozen=True, slots=True)
class AudioOffer:
    """What we send and take as audio.

    Attributes:
        ssrc: Of what we send.
        cname: The canonical name of all that we send.
        stereo: Ask for and announce two channels.
        max_average_bitrate: Bits per second that the other side should encode with, 6000 to 510000; None leaves it
            to the service.
        red: Offer redundant audio, as the first choice.
    """

    ssrc: int
    cname: str
    stereo: bool = False
    max_average_bitrate: int | None = None
    red: bool = False

    @property
    def codecs(self) -> list[Codec]:
        """The codecs in order of preference."""
        parameters = "minptime=10;useinbandfec=1"
        if self.max_average_bitrate is not None:
            parameters += f";maxaveragebitrate={max(6000, min(510_000, self.max_average_bitrate))}"
        if self.stereo:
            parameters += ";stereo=1;sprop-stereo=1"
        opus = Codec(_OPUS, "opus", 48000, 2, parameters)
        red = Codec(_RED, "red", 48000, 2, f"{_OPUS}/{_OPUS}")
        return [red, opus] if self.red else [opus]


@dataclass(frozen=True, slots=True)
class CameraOffer:
    """What we send as video.

    Attributes:
        ssrc: Of what we send; with layers, of the first.
        rtx_ssrc: Of what we send again.
        rids: Names of simulcast layers from the smallest; empty for one stream.
    """

    ssrc: int
    rtx_ssrc: int
    rids: tuple[str, ...] = ()


class _SlotState(enum.Enum):
    LIVE = enum.auto()
    STOPPED = enum.auto()
    FREE = enum.auto()


@dataclass(slots=True)
class _Slot:
    """One place among the sections, which remote videos use one after another."""

    mid: str
    stream_id: int
    state: _SlotState = _SlotState.LIVE
    offered: bool = False
    """Whether the peer has heard of this mid."""
    placed: bool = False
    """Whether it has heard of the place, under any mid."""


class Negotiation:
    """All offers of one connection.

    The first section is our audio, the second our camera (inactive until there is something to send), and each
    further one a video that is received. `offer` and `read_answer` take turns.

    Args:
        transport: Our end; `setup` is usually "actpass".
        audio: What we send and take as audio.
        video_codecs: Of what we send and take, with their retransmission, in order of preference.
    """

    def __init__(
        self,
        transport: TransportDescription,
        audio: AudioOffer,
        video_codecs: Sequence[tuple[Codec, ...]] = (VP8, H264),
    ) -> None:
        self.camera: CameraOffer | None = None
        """What is sent as video; None while nothing is. Takes effect with the next offer."""
        self._transport = transport
        self._audio = audio
        self._video_codecs = [codec for codecs in video_codecs for codec in codecs]
        self._slots = list[_Slot]()
        self._next_mid = 2
        self._version = 1
        self._offered: SessionDescription | None = None

    @property
    def received(self) -> dict[str, int]:
        """The streams that are received, by mid."""
        return {slot.mid: slot.stream_id for slot in self._slots if slot.state is _SlotState.LIVE}

    @property
    def receive_stream_ids(self) -> list[int]:
        """What SUBSCRIBE says beside the offer: one stream per video section in order, 0 for ours and stopped ones."""
        ids = (slot.stream_id if slot.state is _SlotState.LIVE else 0 for slot in self._slots)
        return [0, *ids]

    def receive(self, stream_id: int) -> str:
        """Ask for a video with the next offer.

        Returns:
            The mid under which it will come.

        Raises:
            UsageError: 25 videos are received already.
        """
        if len(self.received) >= MAX_REMOTE_VIDEOS:
            raise UsageError(f"no more than {MAX_REMOTE_VIDEOS} videos can be received")
        mid = str(self._next_mid)
        self._next_mid += 1
        for slot in self._slots:
            if slot.state is _SlotState.FREE:
                slot.mid, slot.stream_id, slot.state, slot.offered = mid, stream_id, _SlotState.LIVE, False
                return mid
        self._slots.append(_Slot(mid, stream_id))
        return mid

    def switch(self, mid: str, stream_id: int) -> None:
        """Note that another stream of the same sender comes under a mid: REMOTE_VIDEO_UPDATE does it without offer."""
        self._slot(mid).stream_id = stream_id

    def stop(self, mid: str) -> None:
        """Give up a video with the next offer; harmless if that has happened."""
        for slot in self._slots:
            if slot.mid == mid and slot.state is _SlotState.LIVE:
                slot.state = _SlotState.STOPPED if slot.offered else _SlotState.FREE
        while self._slots and self._slots[-1].state is _SlotState.FREE and not self._slots[-1].placed:
            self._slots.pop()

    def offer(self) -> SessionDescription:
        """Write the next offer; candidates are inside."""
        sections = [self._audio_section(), self._camera_section()]
        for slot in self._slots:
            slot.offered = slot.placed = True
            sections.append(self._remote_section(slot))
        sections[0].transport = self._transport
        if self._transport.candidates:
            best = max(map(Candidate.parse, self._transport.candidates), key=lambda candidate: candidate.priority)
            sections[0].port, sections[0].address = best.port, best.address
        self._version += 1
        session_id = self._audio.ssrc << 20
        self._offered = SessionDescription(sections, f"{_ORIGIN} {session_id} {self._version} IN IP4 127.0.0.1")
        return self._offered

    def read_answer(self, answer: SessionDescription) -> NegotiatedSession:
        """Read what the service says to the latest offer.

        Raises:
            AnswerRefusedError: Its sections are not those that were offered, or it has no transport.
            UsageError: Nothing has been offered since the last answer.
        """
        offer = self._offered
        if offer is None:
            raise UsageError("an answer without an offer")
        if len(answer.sections) != len(offer.sections):
            raise AnswerRefusedError(f"{len(answer.sections)} sections for the {len(offer.sections)} that were offered")
        remote = answer.transport
        if remote is None:
            raise AnswerRefusedError("an answer without ICE credentials or fingerprint")
        sections = {}
        for offered, answered in zip(offer.sections, answer.sections, strict=True):
            fitting = _fit(offered, answered)
            if not (fitting.is_stopped or offered.is_stopped):
                sections[fitting.mid] = section_of_answer(fitting, fitting, answered_by_us=False)
        self._offered = None
        # The places that this answer saw stopped may be used again; those stopped since must be offered so first.
        for slot, offered in zip(self._slots, offer.sections[2:], strict=False):
            if offered.is_stopped and slot.state is _SlotState.STOPPED:
                slot.state = _SlotState.FREE
        return NegotiatedSession(sections, remote.without_reflexive())

    def _slot(self, mid: str) -> _Slot:
        for slot in self._slots:
            if slot.mid == mid and slot.state is _SlotState.LIVE:
                return slot
        raise UsageError(f"nothing is received under mid {mid!r}")

    def _audio_section(self) -> MediaSection:
        audio = self._audio
        section = MediaSection("audio", AUDIO_MID, direction=SENDRECV, codecs=audio.codecs)
        section.extensions = dict(_AUDIO_EXTENSIONS)
        section.msid = f"{audio.cname} audio"
        section.ssrcs = {audio.ssrc: audio.cname}
        section.transport = self._bare_transport
        return section

    def _camera_section(self) -> MediaSection:
        section = self._video_section(CAMERA_MID, INACTIVE)
        section.extensions |= _LAYER_EXTENSIONS
        camera = self.camera
        if camera is None:
            return section
        section.direction = SENDRECV
        section.msid = f"{self._audio.cname} camera"
        if camera.rids:
            section.rids = [(name, "send") for name in camera.rids]
            section.simulcast = f"send {';'.join(camera.rids)}"
        else:
            section.ssrc_groups = [("FID", (camera.ssrc, camera.rtx_ssrc))]
            section.ssrcs = {camera.ssrc: self._audio.cname, camera.rtx_ssrc: self._audio.cname}
        return section

    def _remote_section(self, slot: _Slot) -> MediaSection:
        if slot.state is _SlotState.LIVE:
            return self._video_section(slot.mid, RECVONLY)
        return MediaSection("video", slot.mid, port=0, direction=INACTIVE, codecs=self._video_codecs[:1])

    def _video_section(self, mid: str, direction: str) -> MediaSection:
        section = MediaSection("video", mid, direction=direction, codecs=list(self._video_codecs))
        section.extensions = dict(_VIDEO_EXTENSIONS)
        section.transport = self._bare_transport
        return section

    @property
    def _bare_transport(self) -> TransportDescription:
        return replace(self._transport, candidates=())


def _fit(offered: MediaSection, answered: MediaSection) -> MediaSection:
    """The answered section, reduced to what was offered."""
    if answered.kind != offered.kind or (answered.mid and answered.mid != offered.mid):
        raise AnswerRefusedError(
            f"a section {answered.kind!r} {answered.mid!r} for the offered {offered.kind!r} {offered.mid!r}"
        )
    known = {codec.payload_type: codec.name.lower() for codec in offered.codecs}
    fitting = replace(answered, mid=offered.mid)
    fitting.codecs = [codec for codec in answered.codecs if known.get(codec.payload_type) == codec.name.lower()]
    fitting.extensions = {
        number: uri for number, uri in answered.extensions.items() if offered.extensions.get(number) == uri
    }
    return fitting
