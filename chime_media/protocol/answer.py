"""The service's part of a negotiation: answers to what clients offer, in the shape of the live service's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from chime_media.protocol.negotiated import Negotiated, sections_of_answer
from chime_media.wire.sdp import (
    AUDIO_LEVEL,
    INACTIVE,
    MID,
    RECVONLY,
    REPAIRED_RID,
    RID,
    SENDONLY,
    SENDRECV,
    VIDEO_ORIENTATION,
    Candidate,
    Codec,
    MediaSection,
    SessionDescription,
    TransportDescription,
)
from chime_messaging.errors import ProtocolError

VIDEO_CODECS = ("VP8", "H264", "VP9", "AV1")
AUDIO_EXTENSIONS = (AUDIO_LEVEL,)
CAMERA_EXTENSIONS = (MID, RID, REPAIRED_RID)
VIDEO_FEEDBACK = ("ccm fir", "nack", "goog-remb", "nack pli")
_PLAIN_CODECS = frozenset({"VP8", "AV1"})


class OfferRefusedError(ProtocolError):
    """An offer that cannot be answered: the service says "failed to initialize video session"."""


@dataclass(frozen=True, slots=True)
class RemoteVideo:
    """What a section that receives somebody's video is sent on."""

    ssrc: int
    rtx_ssrc: int


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """What the service's side of a connection is like.

    Attributes:
        transport: Our end; `setup` is our part: "passive" as the live service does, or "active".
        audio_ssrc: Of the mixed audio.
        cname: The canonical name of all that we send.
        videos: What a section receives, by its mid; those that are not named are answered inactive.
        video_codecs: Names of the codecs that may be used, whatever the offer's order is.
        red: Whether redundant audio is taken, if it is the first choice of the offer.
        audio_level: Whether the level of each audio packet is asked for.
        video_orientation: Whether senders may leave the turning of pictures to receivers.
    """

    transport: TransportDescription
    audio_ssrc: int
    cname: str = "chime"
    videos: Mapping[str, RemoteVideo] = field(default_factory=dict)
    video_codecs: Collection[str] = VIDEO_CODECS
    red: bool = True
    audio_level: bool = True
    video_orientation: bool = False


def answer(offer: SessionDescription, plan: AnswerPlan) -> tuple[SessionDescription, dict[str, Negotiated]]:
    """Answer an offer.

    Args:
        offer: The client's, of a new connection or of one that goes on.
        plan: Our side.

    Returns:
        The answer, and what it settles for each live section by mid, from the service's point of view.

    Raises:
        OfferRefusedError: Sections without names, two sections of one name, or none that is alive.
    """
    _check(offer)
    sections = [_answer_section(section, plan) for section in offer.sections]
    first = next((section for section in sections if not section.is_stopped), None)
    if first is None:
        raise OfferRefusedError("an offer without a live section")
    _place_transport(first, plan.transport)
    description = SessionDescription(sections, ice_lite=plan.transport.ice_lite)
    return description, sections_of_answer(description, offer, answered_by_us=True)


def _check(offer: SessionDescription) -> None:
    seen = set[str]()
    for section in offer.sections:
        if section.is_stopped:
            continue
        if not section.mid:
            raise OfferRefusedError("a media section without a mid")
        if section.mid in seen:
            raise OfferRefusedError(f"two media sections with mid {section.mid!r}")
        seen.add(section.mid)


def _answer_section(offered: MediaSection, plan: AnswerPlan) -> MediaSection:
    if offered.is_stopped or offered.kind not in ("audio", "video") or "RTP/SAVP" not in offered.protocol:
        return _stopped(offered)
    answered = _audio(offered, plan) if offered.kind == "audio" else _video(offered, plan)
    if not answered.codecs:
        return _stopped(offered)
    answered.transport = replace(plan.transport, candidates=())
    return answered


def _stopped(offered: MediaSection) -> MediaSection:
    return MediaSection(
        offered.kind,
        offered.mid,
        port=0,
        direction=INACTIVE,
        protocol=offered.protocol,
        payload_types=offered.payload_types.split(" ")[0],
    )


def _place_transport(section: MediaSection, transport: TransportDescription) -> None:
    section.transport = transport
    for text in transport.candidates:
        candidate = Candidate.parse(text)
        section.port, section.address = candidate.port, candidate.address
        return


def _audio(offered: MediaSection, plan: AnswerPlan) -> MediaSection:
    opus = next((codec for codec in offered.codecs if codec.name.lower() == "opus"), None)
    section = MediaSection("audio", offered.mid, direction=_audio_direction(offered.direction))
    if opus is None:
        return section
    section.codecs.append(replace(opus, feedback=()))
    red = offered.codecs[0]
    if plan.red and red.name.lower() == "red" and red.parameters.split("/")[0] == str(opus.payload_type):
        # Redundancy is used by those only who put it first.
        section.codecs.insert(0, replace(red, feedback=()))
    wanted = AUDIO_EXTENSIONS if plan.audio_level else ()
    section.extensions = _extensions(offered, wanted)
    section.maxptime = offered.maxptime
    section.rtcp_rsize = offered.rtcp_rsize
    if section.direction in (SENDRECV, SENDONLY):
        section.msid = "audio audio"
        section.ssrcs = {plan.audio_ssrc: plan.cname}
    return section


def _audio_direction(offered: str) -> str:
    return {SENDRECV: SENDRECV, SENDONLY: RECVONLY, RECVONLY: SENDONLY}.get(offered, INACTIVE)


def _video(offered: MediaSection, plan: AnswerPlan) -> MediaSection:
    section = MediaSection("video", offered.mid, direction=INACTIVE, rtcp_rsize=offered.rtcp_rsize)
    section.codecs = _video_codecs(offered, plan.video_codecs)
    if offered.direction == RECVONLY:
        video = plan.videos.get(offered.mid)
        section.extensions = _extensions(offered, (VIDEO_ORIENTATION,) if plan.video_orientation else ())
        if video is not None:
            _send_video(section, video, plan.cname)
        return section
    wanted = (*CAMERA_EXTENSIONS, VIDEO_ORIENTATION) if plan.video_orientation else CAMERA_EXTENSIONS
    section.extensions = _extensions(offered, wanted)
    if offered.direction in (SENDRECV, SENDONLY):
        # Clients look for the text "sendrecv" to find the codecs that they may send.
        section.direction = SENDRECV if offered.direction == SENDRECV else RECVONLY
        # As the service does; without, browsers warn of a track that belongs to no stream.
        section.msid = offered.msid
        layers = offered.layers("send")
        if layers:
            section.rids = [(name, "recv") for name in layers]
            section.simulcast = f"recv {';'.join(layers)}"
    return section


def _send_video(section: MediaSection, video: RemoteVideo, cname: str) -> None:
    section.direction = SENDONLY
    section.msid = f"v_{section.mid} track_{section.mid}"
    section.ssrcs = {video.ssrc: cname}
    if section.rtx:
        section.ssrcs[video.rtx_ssrc] = cname
        section.ssrc_groups = [("FID", (video.ssrc, video.rtx_ssrc))]


def _extensions(offered: MediaSection, wanted: Collection[str]) -> dict[int, str]:
    # A URI that is offered under two ids would have to be told apart by direction; the first is enough.
    found = dict[int, str]()
    for number, uri in offered.extensions.items():
        if uri in wanted and uri not in found.values():
            found[number] = uri
    return found


def _video_codecs(offered: MediaSection, allowed: Collection[str]) -> list[Codec]:
    names = {name.upper() for name in allowed}
    kept = {codec.payload_type: _video_codec(codec) for codec in offered.codecs if codec.name.upper() in names}
    repeating = {repeated: number for number, repeated in offered.rtx.items()}
    by_number = {codec.payload_type: codec for codec in offered.codecs}
    codecs = list[Codec]()
    for number, codec in kept.items():
        codecs.append(codec)
        if number in repeating:
            codecs.append(replace(by_number[repeating[number]], feedback=()))
    return codecs


def _video_codec(codec: Codec) -> Codec:
    # Clients compare the text with what they would write themselves, which has no parameters for these.
    parameters = "" if codec.name.upper() in _PLAIN_CODECS else codec.parameters
    feedback = tuple(text for text in VIDEO_FEEDBACK if text in codec.feedback)
    return replace(codec, parameters=parameters, feedback=feedback)
