"""Session descriptions that were recorded; see fixtures/README.md."""

from pathlib import Path

from chime_media.wire.sdp import SessionDescription, TransportDescription

FIXTURES = Path(__file__).parent / "fixtures"
OFFERS = sorted(path.stem for path in (FIXTURES / "chromium").glob("*.sdp"))
ANSWERS = sorted(path.stem for path in (FIXTURES / "service").glob("*.sdp"))
TRANSPORT = TransportDescription(
    ufrag="0123456789abcdef0123456789abcdef",
    pwd="fedcba9876543210fedcba9876543210",
    fingerprint="sha-256 " + ":".join(["AB"] * 32),
    setup="passive",
    candidates=("candidate:H0 1 udp 1694498815 127.0.0.1 40000 typ host",),
)


def text_of(name: str) -> str:
    """A recorded description by folder and name, with its line ends."""
    return (FIXTURES / f"{name}.sdp").read_bytes().decode()


def offer(name: str) -> SessionDescription:
    """An offer of Chromium."""
    return SessionDescription.parse(text_of(f"chromium/{name}"))


def service_answer(name: str) -> SessionDescription:
    """An answer of the service."""
    return SessionDescription.parse(text_of(f"service/{name}"))
