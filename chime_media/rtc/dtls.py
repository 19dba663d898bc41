"""DTLS-SRTP (RFC 5764) without IO: handshake datagrams go in and out, and the keys for the media come of it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal

from OpenSSL import SSL

from chime_media.rtc.certificate import Certificate, Fingerprint
from chime_media.rtc.srtp import SRTP_PROFILES, SrtpDirection, SrtpProfile

Setup = Literal["active", "passive"]
"""Who begins the handshake: ``active`` is the DTLS client. As in SDP."""

MTU = 1200
_BIO_READ = 65536
_RECORD_HEADER = 13
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"
_REPEAT_AFTER = (0.1, 0.2, 0.4)
_MAX_ANSWERED_REPEATS = 10


class DtlsState(enum.Enum):
    """How far a handshake is."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


class DtlsSession:
    """One handshake and the keys of it.

    Every call returns the datagrams to send to the peer; `state` says what has come of it.

    Args:
        certificate: Ours.
        remote: What the peer's certificate must hash to.
        setup: Our part.
        profiles: What may encrypt the media, the preferred first.

    Attributes:
        state: How far it is.
        failure: Why it failed.
        inbound: Decrypts what the peer sends, once connected.
        outbound: Encrypts what we send, once connected.
        profile: What was agreed on, once connected.
    """

    def __init__(
        self,
        certificate: Certificate,
        remote: Fingerprint,
        setup: Setup,
        profiles: Sequence[SrtpProfile] = SRTP_PROFILES,
    ) -> None:
        self.state = DtlsState.CONNECTING
        self.failure = ""
        self.inbound: SrtpDirection
        self.outbound: SrtpDirection
        self.profile: SrtpProfile | None = None
        self._remote = remote
        self._setup = setup
        self._profiles = {profile.name: profile for profile in profiles}
        self._connection = SSL.Connection(_context(certificate, profiles))
        self._connection.set_ciphertext_mtu(MTU)
        if setup == "active":
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._flight: list[bytes] = []
        self._repeat_at: list[float] = []
        self._answered_repeats = 0
        self._handshaking = True

    def start(self, now: float) -> list[bytes]:
        """Begin; the passive side has nothing to send yet."""
        return self._advance(now)

    def receive(self, datagram: bytes, now: float) -> list[bytes]:
        """Take a DTLS datagram of the peer. Garbage is ignored, as RFC 6347 asks."""
        if self.state in {DtlsState.FAILED, DtlsState.CLOSED}:
            return []
        self._connection.bio_write(datagram)
        if self.state is DtlsState.CONNECTING:
            return self._advance(now)
        return self._receive_connected(datagram, now)

    def next_timeout(self, now: float) -> float | None:
        """In how many seconds `handle_timeout` is due; None: never."""
        if self.state in {DtlsState.FAILED, DtlsState.CLOSED} or not self._handshaking:
            return None
        library = self._connection.DTLSv1_get_timeout()
        ours = max(0.0, self._repeat_at[0] - now) if self._repeat_at else None
        if library is None:
            return ours
        return library if ours is None else min(library, ours)

    def handle_timeout(self, now: float) -> list[bytes]:
        """Send again what the peer has not answered."""
        if self.state in {DtlsState.FAILED, DtlsState.CLOSED}:
            return []
        try:
            due = self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            return self._fail(f"the DTLS handshake was not answered ({_reason(error)})")
        if due:
            return self._flush(now)
        if self._repeat_at and self._repeat_at[0] <= now:
            # The library waits a second before its first repetition. To the peer these are duplicates made by the
            # network, which it discards unless the first ones were lost.
            self._repeat_at.pop(0)
            return list(self._flight)
        return []

    def close(self) -> list[bytes]:
        """Tell the peer that it is over."""
        if self.state is not DtlsState.CONNECTED:
            self.state = DtlsState.CLOSED
            return []
        self.state = DtlsState.CLOSED
        try:
            self._connection.shutdown()
        except SSL.Error:
            return []
        return self._read()

    def _advance(self, now: float) -> list[bytes]:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return self._flush(now)
        except SSL.Error as error:
            return self._fail(f"the DTLS handshake failed ({_reason(error)})")
        sent = self._flush(now)
        problem = self._take_keys()
        if problem:
            return [*sent, *self._fail(problem)]
        self.state = DtlsState.CONNECTED
        self._repeat_at.clear()
        self._handshaking = self._connection.DTLSv1_get_timeout() is not None
        return sent

    def _receive_connected(self, datagram: bytes, now: float) -> list[bytes]:
        try:
            while self._connection.recv(_BIO_READ):
                pass
        except SSL.ZeroReturnError:
            self.state = DtlsState.CLOSED
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            return self._fail(f"the DTLS connection broke ({_reason(error)})")
        sent = self._read()
        repeats_handshake = datagram[0] in {20, 22}
        if not sent and repeats_handshake and self._answered_repeats < _MAX_ANSWERED_REPEATS:
            self._answered_repeats += 1
            return list(self._flight)
        return sent

    def _take_keys(self) -> str:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not self._remote.matches(certificate):
            return "the peer's certificate is not the one of its fingerprint"
        profile = self._profiles.get(self._connection.get_selected_srtp_profile().decode())
        if profile is None:
            return "the peer agreed to no encryption of media"
        self.profile = profile
        key, salt = profile.key_length, profile.salt_length
        material = self._connection.export_keying_material(_EXPORTER_LABEL, 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        ours, theirs = (client, server) if self._setup == "active" else (server, client)
        self.inbound = SrtpDirection(profile, theirs, "inbound")
        self.outbound = SrtpDirection(profile, ours, "outbound")
        return ""

    def _fail(self, reason: str) -> list[bytes]:
        self.state = DtlsState.FAILED
        self.failure = reason
        return self._read()

    def _flush(self, now: float) -> list[bytes]:
        datagrams = self._read()
        if datagrams:
            self._flight = datagrams
            self._repeat_at = [now + delay for delay in _REPEAT_AFTER]
        return datagrams

    def _read(self) -> list[bytes]:
        written = bytearray()
        try:
            while True:
                written += self._connection.bio_read(_BIO_READ)
        except SSL.Error:
            # Nothing more to read is an error here.
            return _datagrams(bytes(written))


def _datagrams(written: bytes) -> list[bytes]:
    """Divide a flight, in which the library has run all records together, into datagrams."""
    found: list[bytes] = []
    begin = offset = 0
    while offset + _RECORD_HEADER <= len(written):
        end = offset + _RECORD_HEADER + int.from_bytes(written[offset + 11 : offset + 13], "big")
        if end - begin > MTU and offset > begin:
            found.append(written[begin:offset])
            begin = offset
        offset = end
    if begin < len(written):
        found.append(written[begin:])
    return found


def _context(certificate: Certificate, profiles: Sequence[SrtpProfile]) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
    # Certificates are self-signed: it is the fingerprint that is verified, after the handshake.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept)
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.key)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(":".join(profile.name for profile in profiles).encode())
    return context


def _accept(*_: object) -> bool:
    return True


def _reason(error: SSL.Error) -> str:
    details = error.args[0] if error.args else ()
    if isinstance(details, list) and details:
        return str(details[0][-1]) or type(error).__name__
    return type(error).__name__
