"""Session descriptions (RFC 8866) as the service and its clients write them, keyed by mid.

Reading is lenient where others are sloppy: repeated lines, several fingerprints, missing attributes. Writing is exact:
lines end in CRLF, and what a codec's fmtp line said is repeated to the letter, because browsers compare it as text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chime_media.wire.media_section import (
    ABSOLUTE_SEND_TIME,
    AUDIO_LEVEL,
    DIRECTIONS,
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
    TransportDescription,
    number_of,
)
from chime_messaging.errors import DecodeError

__all__ = [
    "ABSOLUTE_SEND_TIME",
    "AUDIO_LEVEL",
    "DIRECTIONS",
    "INACTIVE",
    "MAX_CODECS",
    "MAX_LENGTH",
    "MAX_SECTIONS",
    "MID",
    "RECVONLY",
    "REPAIRED_RID",
    "RID",
    "SENDONLY",
    "SENDRECV",
    "VIDEO_ORIENTATION",
    "Candidate",
    "Codec",
    "MediaSection",
    "SessionDescription",
    "TransportDescription",
]

MAX_LENGTH = 512 * 1024
MAX_SECTIONS = 128
MAX_CODECS = 128


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
        port = number_of(parts[1].split("/")[0], "media port", 65535)
        section = MediaSection(
            parts[0], "", port, self._direction, protocol=parts[2], payload_types=" ".join(parts[3:])
        )
        section.rtcp_mux = section.rtcp_rsize = False
        codecs = _Codecs()
        if parts[0] in ("audio", "video"):
            numbers = dict.fromkeys(number_of(text, "payload types", 127) for text in parts[3:])
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
    codecs.maps[number_of(number, "rtpmap", 127)] = (
        name,
        number_of(rate, "clock rate"),
        number_of(channels, "channels", 255) if channels else 1,
    )


def _add_fmtp(codecs: _Codecs, value: str) -> None:
    number, _, parameters = value.partition(" ")
    codecs.parameters[number_of(number, "fmtp", 127)] = parameters.strip()


def _add_feedback(codecs: _Codecs, value: str) -> None:
    number, _, feedback = value.partition(" ")
    key = -1 if number == "*" else number_of(number, "rtcp-fb", 127)
    codecs.feedback.setdefault(key, []).append(feedback.strip())


def _set_mid(section: MediaSection, value: str) -> None:
    section.mid = value


def _add_extension(section: MediaSection, value: str) -> None:
    number, _, uri = value.partition(" ")
    section.extensions.setdefault(number_of(number.split("/")[0], "extmap", 4095), uri.strip().split(" ")[0])


def _set_msid(section: MediaSection, value: str) -> None:
    section.msid = section.msid or value


def _add_ssrc(section: MediaSection, value: str) -> None:
    number, _, attribute = value.partition(" ")
    name, _, content = attribute.strip().partition(":")
    ssrc = number_of(number, "ssrc")
    if name == "cname":
        section.ssrcs[ssrc] = content
    else:
        section.ssrcs.setdefault(ssrc, "")
        if name == "msid":
            section.msid = section.msid or content


def _add_ssrc_group(section: MediaSection, value: str) -> None:
    semantics, *members = value.split()
    group = (semantics, tuple(number_of(member, "ssrc-group") for member in members))
    if group not in section.ssrc_groups:
        section.ssrc_groups.append(group)


def _add_rid(section: MediaSection, value: str) -> None:
    parts = value.split()
    if len(parts) >= 2 and (parts[0], parts[1]) not in section.rids:
        section.rids.append((parts[0], parts[1]))


def _set_simulcast(section: MediaSection, value: str) -> None:
    section.simulcast = value


def _set_maxptime(section: MediaSection, value: str) -> None:
    section.maxptime = number_of(value, "maxptime", 10_000)


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
