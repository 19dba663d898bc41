"""What an offer and its answer have settled for each media section, from either side's point of view."""

from __future__ import annotations

from dataclasses import dataclass, field

from chime_media.wire.sdp import (
    INACTIVE,
    RECVONLY,
    SENDONLY,
    SENDRECV,
    Codec,
    MediaSection,
    SessionDescription,
    TransportDescription,
)

_REDUNDANCY = frozenset({"red", "ulpfec", "flexfec-03"})
_REVERSED = {SENDONLY: RECVONLY, RECVONLY: SENDONLY, SENDRECV: SENDRECV, INACTIVE: INACTIVE}


@dataclass(frozen=True, slots=True)
class Negotiated:
    """One media section as both sides have agreed.

    Attributes:
        mid: The section's name.
        kind: "audio" or "video".
        direction: What we do: "sendrecv", "sendonly", "recvonly" or "inactive".
        codecs: By payload type, in order of preference; neither retransmission nor redundancy.
        rtx: The payload types that are repeated, by the payload type that repeats them.
        red: The payload type of redundant audio (RFC 2198), or None.
        extensions: Ids of header extensions by URI.
        rids: Names of the simulcast layers that the client sends, in order; empty without simulcast.
        ssrc: The peer's main SSRC, or None if it does not say.
        rtx_ssrc: The peer's SSRC of retransmissions, or None.
        ssrcs: All SSRCs of the peer with their canonical names.
        msid: Stream and track of the peer, for example "v_2 track_2".
    """

    mid: str
    kind: str
    direction: str
    codecs: dict[int, Codec]
    rtx: dict[int, int] = field(default_factory=dict)
    red: int | None = None
    extensions: dict[str, int] = field(default_factory=dict)
    rids: tuple[str, ...] = ()
    ssrc: int | None = None
    rtx_ssrc: int | None = None
    ssrcs: dict[int, str] = field(default_factory=dict)
    msid: str = ""

    @property
    def sends(self) -> bool:
        """Whether we may send."""
        return self.direction in (SENDRECV, SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the peer may send."""
        return self.direction in (SENDRECV, RECVONLY)

    def codec(self, name: str) -> Codec | None:
        """The preferred codec of a name, in any case, or None."""
        wanted = name.lower()
        return next((codec for codec in self.codecs.values() if codec.name.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class NegotiatedSession:
    """All sections that live, by mid, and the peer's end of the connection."""

    sections: dict[str, Negotiated]
    remote: TransportDescription


def section_of_answer(answer: MediaSection, peer: MediaSection, *, answered_by_us: bool) -> Negotiated:
    """What an answered section says.

    Args:
        answer: The section as answered.
        peer: The section as the other side wrote it: the offered one if the answer is ours, else the answer.
        answered_by_us: Whose point of view `answer.direction` is.
    """
    codecs = {codec.payload_type: codec for codec in answer.codecs if _is_media(codec)}
    red = next((codec.payload_type for codec in answer.codecs if _is_audio_redundancy(codec, codecs)), None)
    ssrc, rtx_ssrc = _ssrcs(peer)
    return Negotiated(
        mid=answer.mid,
        kind=answer.kind,
        direction=answer.direction if answered_by_us else _REVERSED[answer.direction],
        codecs=codecs,
        rtx={repeating: repeated for repeating, repeated in answer.rtx.items() if repeated in codecs},
        red=red,
        extensions={uri: number for number, uri in answer.extensions.items()},
        rids=tuple(answer.layers("recv")),
        ssrc=ssrc,
        rtx_ssrc=rtx_ssrc,
        ssrcs=dict(peer.ssrcs),
        msid=peer.msid,
    )


def sections_of_answer(
    answer: SessionDescription, offer: SessionDescription, *, answered_by_us: bool
) -> dict[str, Negotiated]:
    """What an answer says of all its live sections, by mid; see `section_of_answer`."""
    return {
        section.mid: section_of_answer(section, offered if answered_by_us else section, answered_by_us=answered_by_us)
        for section, offered in zip(answer.sections, offer.sections, strict=False)
        if not section.is_stopped and not offered.is_stopped
    }


def _is_media(codec: Codec) -> bool:
    return not codec.is_retransmission and codec.name.lower() not in _REDUNDANCY


def _is_audio_redundancy(codec: Codec, codecs: dict[int, Codec]) -> bool:
    if codec.name.lower() != "red":
        return False
    first = codec.parameters.split("/")[0]
    return first.isdecimal() and int(first) in codecs


def _ssrcs(section: MediaSection) -> tuple[int | None, int | None]:
    for semantics, members in section.ssrc_groups:
        if semantics == "FID" and len(members) == 2:
            return members
    return next(iter(section.ssrcs), None), None
