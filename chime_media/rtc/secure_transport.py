"""DTLS and SRTP over any path that carries datagrams: what both sides' transports have in common."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from chime_media.rtc.certificate import Certificate, Fingerprint
from chime_media.rtc.dtls import DtlsSession, DtlsState, Setup
from chime_media.rtc.srtp import SrtpError, SrtpProfile
from chime_media.rtc.transport import MediaReceiver, TransportCounters

log = logging.getLogger(__name__)


class SecureTransport(ABC):
    """A `MediaTransport` without its path. A subclass says how a datagram is sent and hands in those that come.

    Args:
        loop: Whose time and timers are used.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._counters = TransportCounters()
        self._dtls: DtlsSession | None = None
        self._receiver: MediaReceiver | None = None
        self._connected = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> bool:
        """Whether what is sent now goes out."""
        return self._connected

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    @property
    def counters(self) -> TransportCounters:
        """What went through so far."""
        return self._counters

    @property
    def srtp_profile(self) -> SrtpProfile | None:
        """How media is encrypted, once connected."""
        return self._dtls.profile if self._dtls is not None else None

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send one RTP packet. Dropped and counted if there is no connection; never raises."""
        counters = self._counters
        if self._connected:
            try:
                datagram = self._protect(packet)
            except (SrtpError, ValueError, TypeError):
                # ValueError: longer than any datagram here.
                counters.dropped += 1
                return
            if self._transmit(datagram):
                counters.packets_sent += 1
                counters.bytes_sent += len(datagram)
                return
        counters.dropped += 1

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one RTCP packet, compound or of reduced size."""
        counters = self._counters
        if self._connected:
            try:
                datagram = self._protect_rtcp(packet)
            except (SrtpError, ValueError, TypeError):
                counters.dropped += 1
                return
            if self._transmit(datagram):
                counters.packets_sent += 1
                counters.bytes_sent += len(datagram)
                return
        counters.dropped += 1

    def close(self) -> None:
        """End the connection; harmless when it is over."""
        if self._dtls is not None and not self._closed:
            self._transmit_all(self._dtls.close())
        self._end("closed")

    @abstractmethod
    def _transmit(self, datagram: bytes) -> bool:
        """Send a datagram on the path; False if it could not be."""

    @abstractmethod
    def _release(self) -> None:
        """Give up the path. Called once, when it is over."""

    def _start_dtls(self, certificate: Certificate, remote: Fingerprint, setup: Setup) -> None:
        self._dtls = DtlsSession(certificate, remote, setup)
        self._handshake(self._dtls, self._dtls.start(self._loop.time()))

    def datagram_received(self, datagram: bytes, now: float) -> None:
        """Take DTLS, SRTP or SRTCP (RFC 7983); what is none of them or cannot be verified is counted."""
        counters = self._counters
        first = datagram[0]
        if 127 < first < 192:
            if not self._connected:
                counters.discarded += 1
                return
            try:
                if 192 <= datagram[1] <= 223:
                    packet = self._unprotect_rtcp(datagram)
                    deliver = self._rtcp_received
                else:
                    packet = self._unprotect(datagram)
                    deliver = self._rtp_received
            except (SrtpError, ValueError, IndexError):
                counters.discarded += 1
                return
            counters.packets_received += 1
            counters.bytes_received += len(datagram)
            counters.last_received = now
            deliver(packet, now)
        elif 19 < first < 64 and self._dtls is not None and not self._closed:
            self._handshake(self._dtls, self._dtls.receive(datagram, now))
        else:
            counters.discarded += 1

    def _handshake(self, dtls: DtlsSession, datagrams: list[bytes]) -> None:
        self._transmit_all(datagrams)
        if dtls.state is DtlsState.FAILED:
            self._end(dtls.failure)
        elif dtls.state is DtlsState.CLOSED:
            self._end("closed by the peer")
        else:
            if dtls.state is DtlsState.CONNECTED and not self._connected:
                self._become_connected(dtls)
            self._schedule(dtls)

    def _become_connected(self, dtls: DtlsSession) -> None:
        self._protect, self._protect_rtcp = dtls.outbound.process_rtp, dtls.outbound.process_rtcp
        self._unprotect, self._unprotect_rtcp = dtls.inbound.process_rtp, dtls.inbound.process_rtcp
        self._connected = True
        self._counters.last_received = self._loop.time()
        receiver = self._receiver
        if receiver is not None:
            self._rtp_received = receiver.rtp_received
            self._rtcp_received = receiver.rtcp_received
            receiver.transport_connected()

    def _schedule(self, dtls: DtlsSession) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        delay = dtls.next_timeout(self._loop.time())
        if delay is not None:
            # The library rounds down; a timer that fires too early would do nothing and fire again at once.
            self._timer = self._loop.call_later(delay + 0.001, self._timed_out, dtls)

    def _timed_out(self, dtls: DtlsSession) -> None:
        self._timer = None
        self._handshake(dtls, dtls.handle_timeout(self._loop.time()))

    def _transmit_all(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self._transmit(datagram)

    def _end(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        self._connected = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._release()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.transport_closed(reason)
