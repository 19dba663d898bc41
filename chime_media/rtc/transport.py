"""What media travels on: one encrypted connection with a peer, as those above it see it.

The client's (full ICE, over TURN if need be) and the media node's (ICE-lite on one UDP port) look alike from here, so
that what sends and receives RTP serves both roles. Everything is synchronous and belongs to one event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class MediaReceiver(Protocol):
    """Who gets what a peer sends. None of the methods may raise or wait."""

    def transport_connected(self) -> None:
        """ICE and DTLS are done: media may flow."""

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        """Take one decrypted RTP packet. `arrival` is the loop's time in seconds."""

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        """Take one decrypted RTCP packet, which may be compound."""

    def transport_closed(self, reason: str) -> None:
        """The connection is over: failed, timed out, or closed by either side. Called once."""


class MediaTransport(Protocol):
    """One connection with one peer."""

    @property
    def connected(self) -> bool:
        """Whether what is sent now goes out."""

    @property
    def counters(self) -> TransportCounters:
        """What went through so far."""

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send one RTP packet. Dropped and counted if there is no connection; never raises."""

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one RTCP packet, compound or of reduced size."""

    def close(self) -> None:
        """End the connection; harmless when it is over."""


@dataclass(slots=True)
class TransportCounters:
    """What went through a transport since it was made."""

    packets_sent: int = 0
    bytes_sent: int = 0
    packets_received: int = 0
    bytes_received: int = 0
    stun_sent: int = 0
    stun_received: int = 0
    dropped: int = 0
    """Packets that could not be sent."""
    discarded: int = 0
    """Datagrams that were no packet of this peer: bad authentication, replays, garbage."""
    last_received: float = 0.0
    """When anything valid last came, in the loop's time."""
