"""The parts of a session description: one stream of media, its codecs and addresses, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from chime_messaging.errors import DecodeError

SENDRECV, SENDONLY, RECVONLY, INACTIVE = DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
ABSOLUTE_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of a section.

    Attributes:
        payload_type: 0 to 127.
        name: As written: "opus", "VP8", "H264", "rtx", "red".
        clock_rate: Of RTP timestamps, in Hz.
        channels: Of audio; 1 if not said.
        parameters: The fmtp line's text to the letter, without the payload type.
        feedback: The rtcp-fb lines' texts, in order.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""
    feedback: tuple[str, ...] = ()

    def parameter(self, name: str) -> str | None:
        """One parameter of the fmtp line, or None."""
        for part in self.parameters.split(";"):
            key, separator, value = part.partition("=")
            if separator and key.strip().lower() == name:
                return value.strip()
        return None

    @property
    def is_retransmission(self) -> bool:
        """Whether this repeats packets of another payload type (RFC 4588)."""
        return self.name.lower() == "rtx"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a peer may be reached.

    Attributes:
        foundation: Equal for candidates that are alike.
        component: 1 is RTP.
        protocol: "udp" or "tcp".
        priority: The higher the better.
        address: An IP address, or an mDNS name.
        port: 1 to 65535; 9 for TCP that only connects.
        kind: "host", "srflx", "prflx" or "relay".
        rest: What follows, for example "generation 0".
    """

    foundation: str
    component: int
    protocol: str
    priority: int
    address: str
    port: int
    kind: str
    rest: str = ""

    @classmethod
    def parse(cls, text: str) -> Candidate:
        """Read an attribute's text, with or without the leading ``candidate:``.

        Raises:
            DecodeError: It is none.
        """
        parts = text.removeprefix("a=").removeprefix("candidate:").split(" ", 8)
        if len(parts) < 8 or parts[6] != "typ":
            raise DecodeError(f"no candidate: {text[:80]!r}")
        component, priority, port = (number_of(parts[index], "candidate") for index in (1, 3, 5))
        rest = parts[8] if len(parts) > 8 else ""
        return cls(parts[0], component, parts[2].lower(), priority, parts[4], port, parts[7], rest)

    def __str__(self) -> str:
        text = (
            f"candidate:{self.foundation} {self.component} {self.protocol} {self.priority} "
            f"{self.address} {self.port} typ {self.kind}"
        )
        return f"{text} {self.rest}" if self.rest else text


@dataclass(frozen=True, slots=True)
class TransportDescription:
    """What one side tells the other about its end of the connection.

    Attributes:
        ufrag: User fragment of its connectivity checks.
        pwd: Their password.
        fingerprint: Of its certificate, ``sha-256 AB:CD:...``.
        setup: Its part in the DTLS handshake: "active", "passive" or "actpass".
        candidates: Texts that begin with ``candidate:``.
        ice_lite: Whether it only answers checks, and says so.
    """

    ufrag: str
    pwd: str
    fingerprint: str
    setup: str
    candidates: tuple[str, ...] = ()
    ice_lite: bool = False

    def without_reflexive(self) -> TransportDescription:
        """The same without what a STUN server saw: official clients do not use these candidates of an answer."""
        kept = tuple(text for text in self.candidates if " typ srflx" not in text)
        return replace(self, candidates=kept)


@dataclass(slots=True)
class MediaSection:
    """One ``m=`` section.

    Attributes:
        kind: "audio" or "video".
        mid: Its name in the session; empty if it has none.
        port: 0 if it is rejected or has been stopped.
        direction: From its writer's point of view.
        codecs: In order of preference, retransmission and redundancy included.
        extensions: URIs of RTP header extensions by id.
        msid: Stream and track, separated by a space; empty if not said.
        ssrcs: Canonical names (possibly empty) by SSRC.
        ssrc_groups: Semantics ("FID", "SIM") and the SSRCs that belong together.
        rids: Names of simulcast layers with "send" or "recv", in order.
        simulcast: The simulcast attribute's text, for example "send low;mid;hi".
        maxptime: Longest packet in ms, if said.
        transport: None if the section carries no credentials.
        extra: Further attributes' texts, written at the end.
    """

    kind: str
    mid: str
    port: int = 9
    direction: str = SENDRECV
    codecs: list[Codec] = field(default_factory=list)
    extensions: dict[int, str] = field(default_factory=dict)
    msid: str = ""
    ssrcs: dict[int, str] = field(default_factory=dict)
    ssrc_groups: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    rids: list[tuple[str, str]] = field(default_factory=list)
    simulcast: str = ""
    maxptime: int | None = None
    transport: TransportDescription | None = None
    rtcp_mux: bool = True
    rtcp_rsize: bool = True
    address: str = "0.0.0.0"
    protocol: str = "UDP/TLS/RTP/SAVPF"
    payload_types: str = ""
    extra: list[str] = field(default_factory=list)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing will flow under this mid any more."""
        return self.port == 0

    @property
    def rtx(self) -> dict[int, int]:
        """The payload types that are repeated, by the payload type that repeats them."""
        known = {codec.payload_type for codec in self.codecs}
        found = dict[int, int]()
        for codec in self.codecs:
            repeated = codec.parameter("apt") if codec.is_retransmission else None
            if repeated is not None and repeated.isdecimal() and int(repeated) in known:
                found[codec.payload_type] = int(repeated)
        return found

    def extension(self, uri: str) -> int | None:
        """The id of a header extension, or None."""
        return next((number for number, known in self.extensions.items() if known == uri), None)

    def layers(self, way: str) -> list[str]:
        """Names of the simulcast layers that its writer will "send" or "recv", paused ones included, in order."""
        declared = [name for name, direction in self.rids if direction == way]
        ways = self.simulcast.split()
        for index in range(0, len(ways) - 1, 2):
            if ways[index] == way:
                listed = [name.split(",")[0].lstrip("~") for name in ways[index + 1].split(";")]
                return [name for name in listed if name in declared] if declared else listed
        return declared

    def lines(self) -> Iterator[str]:
        """The section's lines, without line ends."""
        numbers = " ".join(str(codec.payload_type) for codec in self.codecs) or self.payload_types or "0"
        yield f"m={self.kind} {self.port} {self.protocol} {numbers}"
        family = "IP6" if ":" in self.address else "IP4"
        yield f"c=IN {family} {self.address}"
        if self.is_stopped:
            if self.mid:
                yield f"a=mid:{self.mid}"
            yield f"a={INACTIVE}"
            return
        yield f"a=rtcp:{self.port} IN {family} {self.address}"
        yield from self._transport_lines()
        if self.mid:
            yield f"a=mid:{self.mid}"
        for number, uri in self.extensions.items():
            yield f"a=extmap:{number} {uri}"
        yield f"a={self.direction}"
        if self.msid:
            yield f"a=msid:{self.msid}"
        if self.rtcp_mux:
            yield "a=rtcp-mux"
        if self.rtcp_rsize:
            yield "a=rtcp-rsize"
        for codec in self.codecs:
            yield from _codec_lines(codec)
        yield from self._source_lines()

    def _transport_lines(self) -> Iterator[str]:
        if self.transport is None:
            return
        for candidate in self.transport.candidates:
            yield f"a={candidate}"
        yield f"a=ice-ufrag:{self.transport.ufrag}"
        yield f"a=ice-pwd:{self.transport.pwd}"
        yield f"a=fingerprint:{self.transport.fingerprint}"
        yield f"a=setup:{self.transport.setup}"

    def _source_lines(self) -> Iterator[str]:
        if self.maxptime is not None:
            yield f"a=maxptime:{self.maxptime}"
        for semantics, members in self.ssrc_groups:
            yield f"a=ssrc-group:{semantics} {' '.join(map(str, members))}"
        for ssrc, cname in self.ssrcs.items():
            yield f"a=ssrc:{ssrc} cname:{cname}"
        for name, way in self.rids:
            yield f"a=rid:{name} {way}"
        if self.simulcast:
            yield f"a=simulcast:{self.simulcast}"
        for attribute in self.extra:
            yield f"a={attribute}"


def _codec_lines(codec: Codec) -> Iterator[str]:
    channels = f"/{codec.channels}" if codec.channels != 1 else ""
    yield f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"
    for feedback in codec.feedback:
        yield f"a=rtcp-fb:{codec.payload_type} {feedback}"
    if codec.parameters:
        yield f"a=fmtp:{codec.payload_type} {codec.parameters}"


def number_of(text: str, what: str, limit: int = 0xFFFFFFFF) -> int:
    """Read a number of decimal digits.

    Raises:
        DecodeError: It is none, or larger than `limit`.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or int(text) > limit:
        raise DecodeError(f"bad number in {what}: {text[:40]!r}")
    return int(text)
