"""The certificate that a side of a media connection has: self-signed, trusted by its fingerprint in the SDP."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chime_messaging.errors import ConfigurationError

VALIDITY = timedelta(days=365)
_BACKDATED = timedelta(days=1)

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256,
    "sha-384": hashes.SHA384,
    "sha-512": hashes.SHA512,
}


class Certificate:
    """A P-256 key with the self-signed certificate of it. One can serve any number of connections."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate
        self.fingerprint = f"sha-256 {fingerprint_of(certificate)}"
        """The value of SDP's fingerprint attribute: ``sha-256 AB:CD:...``."""

    @classmethod
    def generate(cls) -> Self:
        """Make a new key and its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{x509.random_serial_number():x}"[:16])])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        # A peer's clock may be behind ours.
        builder = builder.not_valid_before(now - _BACKDATED).not_valid_after(now + VALIDITY)
        return cls(key, builder.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256()))


def fingerprint_of(certificate: x509.Certificate, algorithm: str = "sha-256") -> str:
    """The hash of a certificate as in SDP: upper-case pairs of hexadecimal digits with colons between."""
    digest = certificate.fingerprint(_HASHES[algorithm]())
    return digest.hex(":").upper()


class Fingerprint:
    """What the certificate of a peer has to hash to.

    Args:
        text: The value of SDP's fingerprint attribute, ``sha-256 AB:CD:...``; without a name it is SHA-256.

    Raises:
        ConfigurationError: It is of a hash that is not supported.
    """

    def __init__(self, text: str) -> None:
        algorithm, _, digest = text.strip().rpartition(" ")
        self.algorithm = algorithm.strip().lower() or "sha-256"
        self.digest = digest.upper()
        if self.algorithm not in _HASHES:
            raise ConfigurationError("fingerprint", f"{self.algorithm!r} is none of {', '.join(_HASHES)}")

    def matches(self, certificate: x509.Certificate) -> bool:
        """Whether this is the peer's certificate."""
        return hmac.compare_digest(fingerprint_of(certificate, self.algorithm).encode(), self.digest.encode())
