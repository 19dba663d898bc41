"""Session descriptions (RFC 8866) as the service and its clients write them, keyed by mid.

Reading is lenient where others are sloppy: repeated lines, several fingerprints, missing attributes. Writing is exact:
lines end in CRLF, and what a codec's fmtp line said is repeated to the letter, because browsers compare it as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from chime_messaging.errors import DecodeError

MAX_LENGTH = 512 * 1024
MAX_SECTIONS = 128
MAX_CODECS = 128
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
        component, priority, port = (_number(parts[index], "candidate") for index in (1, 3, 5))
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


@dataclass(slots=True)
class SessionDescription:
    """An offer or an answer.

    Attributes:
        sections: In order; a mid's place in it never changes, but a place may get another mid.
        origin: What the ``o=`` line says.
        ice_lite: Whether its writer only answers connectivity checks.
    """

    sections: list[MediaSection] = field(default_factory=list)
    origin: str = "- 0 0 IN IP4 127.0.0.1"
    ice_lite: bool = False

    @classmethod
    def parse(cls, text: str) -> SessionDescription:
        """Read a description.

        Raises:
            DecodeError: It is too long, has too many sections, or a line that has to be understood is not.
        """
        return _Reader(text).read()

    def section(self, mid: str) -> MediaSection | None:
        """The section with this mid that has not been stopped, or else a stopped one, or None."""
        found = None
        for section in self.sections:
            if section.mid == mid:
                if not section.is_stopped:
                    return section
                found = section
        return found

    @property
    def transport(self) -> TransportDescription | None:
        """The transport that all live sections share, with every section's candidates."""
        first: TransportDescription | None = None
        candidates = list[str]()
        for section in self.sections:
            if section.transport is None or section.is_stopped:
                continue
            first = first or section.transport
            candidates += (text for text in section.transport.candidates if text not in candidates)
        return None if first is None else replace(first, candidates=tuple(candidates), ice_lite=self.ice_lite)

    def __str__(self) -> str:
        bundled = " ".join(section.mid for section in self.sections if section.mid and not section.is_stopped)
        lines = ["v=0", f"o={self.origin}", "s=-", "t=0 0"]
        if self.ice_lite:
            lines.append("a=ice-lite")
        lines += [f"a=group:BUNDLE {bundled}".rstrip(), "a=extmap-allow-mixed", "a=msid-semantic: WMS *"]
        for section in self.sections:
            lines += section.lines()
        return "\r\n".join(lines) + "\r\n"


def _codec_lines(codec: Codec) -> Iterator[str]:
    channels = f"/{codec.channels}" if codec.channels != 1 else ""
    yield f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"
    for feedback in codec.feedback:
        yield f"a=rtcp-fb:{codec.payload_type} {feedback}"
    if codec.parameters:
        yield f"a=fmtp:{codec.payload_type} {codec.parameters}"


def _number(text: str, what: str, limit: int = 0xFFFFFFFF) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or int(text) > limit:
        raise DecodeError(f"bad number in {what}: {text[:40]!r}")
    return int(text)


@dataclass(slots=True)
class _Credentials:
    """Attributes of a transport; those of the session are every section's unless it has its own."""

    ufrag: str = ""
    pwd: str = ""
    fingerprints: list[str] = field(default_factory=list)
    setup: str = ""
    candidates: list[str] = field(default_factory=list)

    def description(self, session: _Credentials) -> TransportDescription | None:
        ufrag, pwd = self.ufrag or session.ufrag, self.pwd or session.pwd
        fingerprints = self.fingerprints or session.fingerprints
        if not (ufrag and pwd and fingerprints):
            return None
        best = next((text for text in fingerprints if text.lower().startswith("sha-256 ")), fingerprints[0])
        candidates = tuple(dict.fromkeys(self.candidates or session.candidates))
        return TransportDescription(ufrag, pwd, best, self.setup or session.setup or "actpass", candidates)


@dataclass(slots=True)
class _Codecs:
    """The lines of a section's payload types, in whatever order they come."""

    order: list[int] = field(default_factory=list)
    maps: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    parameters: dict[int, str] = field(default_factory=dict)
    feedback: dict[int, list[str]] = field(default_factory=dict)

    def list(self) -> list[Codec]:
        found = []
        for number in self.order:
            if number in self.maps:
                every = self.feedback.get(-1, [])
                texts = tuple(dict.fromkeys([*self.feedback.get(number, []), *every]))
                found.append(Codec(number, *self.maps[number], self.parameters.get(number, ""), texts))
        return found


class _Reader:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise DecodeError(f"a description of {len(text)} characters is too long")
        self._lines = text.splitlines()
        self._session = _Credentials()
        self._direction = SENDRECV
        self._ice_lite = False
        self._parts: list[tuple[MediaSection, _Credentials, _Codecs]] = []

    def read(self) -> SessionDescription:
        description = SessionDescription()
        for raw in self._lines:
            line = raw.strip("\r\n ")
            kind, separator, value = line.partition("=")
            if separator != "=" or len(kind) != 1:
                if line:
                    raise DecodeError(f"no line of a description: {line[:40]!r}")
                continue
            if kind == "o" and not self._parts:
                description.origin = value
            elif kind == "m":
                self._begin(value)
            elif kind == "c" and self._parts:
                self._parts[-1][0].address = value.split(" ")[-1].split("/")[0]
            elif kind == "a":
                self._attribute(value)
        if not self._parts:
            raise DecodeError("a description without media sections")
        for section, credentials, codecs in self._parts:
            section.codecs = codecs.list()
            section.transport = credentials.description(self._session)
            description.sections.append(section)
        description.ice_lite = self._ice_lite
        return description

    def _begin(self, value: str) -> None:
        parts = value.split()
        if len(parts) < 3 or len(self._parts) >= MAX_SECTIONS:
            raise DecodeError(f"bad media section: {value[:60]!r}")
        port = _number(parts[1].split("/")[0], "media port", 65535)
        section = MediaSection(
            parts[0], "", port, self._direction, protocol=parts[2], payload_types=" ".join(parts[3:])
        )
        section.rtcp_mux = section.rtcp_rsize = False
        codecs = _Codecs()
        if parts[0] in ("audio", "video"):
            numbers = dict.fromkeys(_number(text, "payload types", 127) for text in parts[3:])
            if len(numbers) > MAX_CODECS:
                raise DecodeError("too many payload types")
            codecs.order = list(numbers)
        self._parts.append((section, _Credentials(), codecs))

    def _attribute(self, text: str) -> None:
        name, _, value = text.partition(":")
        value = value.strip()
        if name == "ice-lite":
            self._ice_lite = True
        elif name in DIRECTIONS:
            if self._parts:
                self._parts[-1][0].direction = name
            else:
                self._direction = name
        elif name in _TRANSPORT:
            _TRANSPORT[name](self._parts[-1][1] if self._parts else self._session, value)
        elif self._parts:
            section, _, codecs = self._parts[-1]
            if name in _CODEC:
                _CODEC[name](codecs, value)
            elif name in _SECTION:
                _SECTION[name](section, value)


def _set_ufrag(credentials: _Credentials, value: str) -> None:
    credentials.ufrag = value


def _set_pwd(credentials: _Credentials, value: str) -> None:
    credentials.pwd = value


def _set_setup(credentials: _Credentials, value: str) -> None:
    credentials.setup = value


def _add_fingerprint(credentials: _Credentials, value: str) -> None:
    algorithm, _, digest = value.partition(" ")
    credentials.fingerprints.append(f"{algorithm.lower()} {digest.strip().upper()}")


def _add_candidate(credentials: _Credentials, value: str) -> None:
    credentials.candidates.append(f"candidate:{value}")


def _add_rtpmap(codecs: _Codecs, value: str) -> None:
    number, _, encoding = value.partition(" ")
    name, _, rest = encoding.strip().partition("/")
    rate, _, channels = rest.partition("/")
    codecs.maps[_number(number, "rtpmap", 127)] = (
        name,
        _number(rate, "clock rate"),
        _number(channels, "channels", 255) if channels else 1,
    )


def _add_fmtp(codecs: _Codecs, value: str) -> None:
    number, _, parameters = value.partition(" ")
    codecs.parameters[_number(number, "fmtp", 127)] = parameters.strip()


def _add_feedback(codecs: _Codecs, value: str) -> None:
    number, _, feedback = value.partition(" ")
    key = -1 if number == "*" else _number(number, "rtcp-fb", 127)
    codecs.feedback.setdefault(key, []).append(feedback.strip())


def _set_mid(section: MediaSection, value: str) -> None:
    section.mid = value


def _add_extension(section: MediaSection, value: str) -> None:
    number, _, uri = value.partition(" ")
    section.extensions.setdefault(_number(number.split("/")[0], "extmap", 4095), uri.strip().split(" ")[0])


def _set_msid(section: MediaSection, value: str) -> None:
    section.msid = section.msid or value


def _add_ssrc(section: MediaSection, value: str) -> None:
    number, _, attribute = value.partition(" ")
    name, _, content = attribute.strip().partition(":")
    ssrc = _number(number, "ssrc")
    if name == "cname":
        section.ssrcs[ssrc] = content
    else:
        section.ssrcs.setdefault(ssrc, "")
        if name == "msid":
            section.msid = section.msid or content


def _add_ssrc_group(section: MediaSection, value: str) -> None:
    semantics, *members = value.split()
    group = (semantics, tuple(_number(member, "ssrc-group") for member in members))
    if group not in section.ssrc_groups:
        section.ssrc_groups.append(group)


def _add_rid(section: MediaSection, value: str) -> None:
    parts = value.split()
    if len(parts) >= 2 and (parts[0], parts[1]) not in section.rids:
        section.rids.append((parts[0], parts[1]))


def _set_simulcast(section: MediaSection, value: str) -> None:
    section.simulcast = value


def _set_maxptime(section: MediaSection, value: str) -> None:
    section.maxptime = _number(value, "maxptime", 10_000)


def _set_bundle_only(section: MediaSection, _: str) -> None:
    # Such a section has port 0 to be rejected by those who do not know bundles (RFC 9143), and lives all the same.
    section.port = section.port or 9


def _set_rtcp_mux(section: MediaSection, _: str) -> None:
    section.rtcp_mux = True


def _set_rtcp_rsize(section: MediaSection, _: str) -> None:
    section.rtcp_rsize = True


_TRANSPORT: dict[str, Callable[[_Credentials, str], None]] = {
    "ice-ufrag": _set_ufrag,
    "ice-pwd": _set_pwd,
    "setup": _set_setup,
    "fingerprint": _add_fingerprint,
    "candidate": _add_candidate,
}
_CODEC: dict[str, Callable[[_Codecs, str], None]] = {
    "rtpmap": _add_rtpmap,
    "fmtp": _add_fmtp,
    "rtcp-fb": _add_feedback,
}
_SECTION: dict[str, Callable[[MediaSection, str], None]] = {
    "mid": _set_mid,
    "extmap": _add_extension,
    "msid": _set_msid,
    "ssrc": _add_ssrc,
    "ssrc-group": _add_ssrc_group,
    "rid": _add_rid,
    "simulcast": _set_simulcast,
    "maxptime": _set_maxptime,
    "bundle-only": _set_bundle_only,
    "rtcp-mux": _set_rtcp_mux,
    "rtcp-rsize": _set_rtcp_rsize,
}
