from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from hypothesis import given, settings
from hypothesis import strategies as st

from chime_media.rtc.certificate import Certificate, Fingerprint
from chime_media.rtc.dtls import MTU, DtlsSession, DtlsState
from chime_media.rtc.srtp import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES128_CM_SHA1_80,
    SRTP_PROFILES,
    SrtpError,
    SrtpProfile,
)
from chime_messaging.errors import ConfigurationError
from tests.media.listener import packet

OURS, THEIRS = Certificate.generate(), Certificate.generate()


def sessions(
    first: Sequence[SrtpProfile] = SRTP_PROFILES, second: Sequence[SrtpProfile] = SRTP_PROFILES
) -> tuple[DtlsSession, DtlsSession]:
    return (
        DtlsSession(OURS, Fingerprint(THEIRS.fingerprint), "active", first),
        DtlsSession(THEIRS, Fingerprint(OURS.fingerprint), "passive", second),
    )


def state_of(session: DtlsSession) -> DtlsState:
    """Read anew: a checker takes it for what it was asserted to be before."""
    return session.state


def shake_hands(active: DtlsSession, passive: DtlsSession, now: float = 0) -> int:
    there, back = active.start(now), passive.start(now)
    exchanged = 0
    while there or back:
        exchanged += len(there) + len(back)
        assert exchanged < 50
        assert all(len(datagram) <= MTU for datagram in [*there, *back])
        replies = [reply for datagram in there for reply in passive.receive(datagram, now)]
        there = [reply for datagram in back for reply in active.receive(datagram, now)]
        back = replies
    return exchanged


@pytest.mark.parametrize("profile", SRTP_PROFILES)
def test_both_sides_derive_the_same_keys(profile: SrtpProfile) -> None:
    active, passive = sessions([profile])
    shake_hands(active, passive)
    assert active.state is passive.state is DtlsState.CONNECTED
    assert active.profile is passive.profile is profile
    assert passive.inbound.process_rtp(active.outbound.process_rtp(packet(1))) == packet(1)
    assert active.inbound.process_rtp(passive.outbound.process_rtp(packet(1))) == packet(1)
    with pytest.raises(SrtpError):
        active.inbound.process_rtp(active.outbound.process_rtp(packet(2)))


def test_the_one_who_answers_chooses_by_its_own_preference() -> None:
    active, passive = sessions(SRTP_PROFILES, [AES128_CM_SHA1_80, AEAD_AES_256_GCM])
    shake_hands(active, passive)
    assert active.profile is AES128_CM_SHA1_80


def test_sides_without_a_common_encryption_do_not_connect() -> None:
    active, passive = sessions([AEAD_AES_128_GCM], [AES128_CM_SHA1_80])
    shake_hands(active, passive)
    assert DtlsState.CONNECTED not in {active.state, passive.state}
    assert active.failure or passive.failure


def test_another_certificate_than_announced_is_refused() -> None:
    active = DtlsSession(OURS, Fingerprint(OURS.fingerprint), "active")
    passive = DtlsSession(THEIRS, Fingerprint(OURS.fingerprint), "passive")
    shake_hands(active, passive)
    assert active.state is DtlsState.FAILED
    assert "fingerprint" in active.failure
    assert active.receive(b"\x16 anything", 1) == []


@pytest.mark.parametrize("algorithm", ["sha-256", "SHA-256", "sha-384", "sha-512"])
def test_fingerprints_of_several_hashes_are_understood(algorithm: str) -> None:
    from cryptography.hazmat.primitives import hashes

    hash_ = getattr(hashes, algorithm.upper().replace("-", ""))()
    digest = OURS.certificate.fingerprint(hash_).hex(":")
    assert Fingerprint(f"{algorithm} {digest}").matches(OURS.certificate)
    assert not Fingerprint(f"{algorithm} {digest}").matches(THEIRS.certificate)


def test_a_fingerprint_of_an_unknown_hash_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="sha-1"):
        Fingerprint("sha-1 AA")


def test_what_was_lost_is_sent_again_well_before_a_second_has_passed() -> None:
    active, passive = sessions()
    hello = active.start(0)
    assert len(hello) == 1
    due = active.next_timeout(0)
    assert due is not None
    assert due <= 0.11
    assert active.handle_timeout(0.05) == []
    assert active.handle_timeout(0.11) == hello
    assert active.handle_timeout(0.12) == []
    assert active.handle_timeout(0.21) == hello
    assert passive.receive(hello[0], 0) != []


def test_a_last_flight_that_was_lost_is_repeated_when_the_peer_repeats_its_own() -> None:
    active, passive = sessions()
    back = [reply for datagram in active.start(0) for reply in passive.receive(datagram, 0)]
    finishing = [reply for datagram in back for reply in active.receive(datagram, 0)]
    lost = [reply for datagram in finishing for reply in passive.receive(datagram, 0)]
    assert passive.state is DtlsState.CONNECTED
    assert state_of(active) is DtlsState.CONNECTING
    again = active.handle_timeout(0.2)
    assert again == finishing
    repeated = [reply for datagram in again for reply in passive.receive(datagram, 0.2)]
    assert set(lost) <= set(repeated)
    for datagram in repeated:
        active.receive(datagram, 0.2)
    assert state_of(active) is DtlsState.CONNECTED
    # Not without end: an attacker could make us send by this.
    assert sum(bool(passive.receive(again[-1], 1)) for _ in range(100)) <= 10


def test_a_closed_connection_tells_the_peer() -> None:
    active, passive = sessions()
    shake_hands(active, passive)
    for datagram in active.close():
        passive.receive(datagram, 0)
    assert passive.state is DtlsState.CLOSED
    assert active.close() == []
    assert active.next_timeout(0) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=100), max_size=5), st.integers(20, 63))
def test_garbage_does_not_disturb_a_connection(garbage: list[bytes], first: int) -> None:
    active, passive = sessions()
    shake_hands(active, passive)
    for datagram in garbage:
        passive.receive(bytes((first,)) + datagram, 0)
    assert passive.inbound.process_rtp(active.outbound.process_rtp(packet(1))) == packet(1)
    assert passive.state is DtlsState.CONNECTED


def test_a_handshake_survives_damaged_datagrams_between() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        active, passive = sessions()

        def damaged(datagram: bytes, chance: random.Random = chance) -> bytes:
            position = chance.randrange(1, len(datagram))
            return datagram[:position] + bytes((datagram[position] ^ 0x55,)) + datagram[position + 1 :]

        for datagram in active.start(0):
            passive.receive(damaged(datagram), 0)
            passive.receive(datagram, 0)
        # It may have failed, as one whose handshake is tampered with has to; it did not raise.
        assert passive.state in {DtlsState.CONNECTING, DtlsState.FAILED}


class Wire:
    """What aiortc's DTLS asks of an ICE transport."""

    def __init__(self, session: DtlsSession) -> None:
        self.session = session
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.role = "controlled"

    async def _recv(self) -> bytes:
        return await self.inbox.get()

    async def _send(self, data: bytes) -> None:
        for reply in self.session.receive(data, 0):
            self.inbox.put_nowait(reply)


@pytest.mark.anyio
@pytest.mark.parametrize("setup", ["active", "passive"])
async def test_aiortc_connects_with_us_in_both_parts(setup: str) -> None:
    certificate = RTCCertificate.generateCertificate()
    theirs = certificate.getFingerprints()[0]
    session = DtlsSession(
        OURS, Fingerprint(f"{theirs.algorithm} {theirs.value}"), "active" if setup == "active" else "passive"
    )
    wire = Wire(session)
    transport = RTCDtlsTransport(wire, [certificate])  # type: ignore[arg-type]
    transport._set_role("server" if setup == "active" else "client")
    for datagram in session.start(0):
        wire.inbox.put_nowait(datagram)
    algorithm, digest = OURS.fingerprint.split()
    async with asyncio.timeout(10):
        await transport.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, digest)]))
    assert transport.state == "connected"
    assert state_of(session) is DtlsState.CONNECTED
    assert session.inbound.process_rtp(transport._tx_srtp.protect(packet(3))) == packet(3)
    assert transport._rx_srtp.unprotect(session.outbound.process_rtp(packet(3))) == packet(3)
    await transport.stop()
    assert state_of(session) is DtlsState.CLOSED
