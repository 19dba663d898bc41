"""Attendees whose media goes through a real relay and over networks that lose, delay, mix up and double packets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chime_media.devices.audio_sources import Tone
from chime_media.events import MediaConnected
from chime_media.server.local_server import LocalMeetingServer
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.testing.impairments import Impairment, UdpProxy
from chime_media.wire.sdp import Candidate
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from tests.media.relay import PASSWORD, TURNSERVER, USER, Relay, running_relay

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(TURNSERVER is None, reason="needs coturn"),
]

RATE = 48_000


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    async with running_relay(tmp_path) as relay:
        yield relay


def relayed(*uris: str) -> LocalMeetingServer:
    configuration = ServerConfiguration(port=0, turn_uris=uris, turn_username=USER, turn_password=PASSWORD)
    return LocalMeetingServer(configuration)


async def attendees(server: LocalMeetingServer, count: int) -> list[MeetingSessionConfiguration]:
    def create() -> list[MeetingSessionConfiguration]:
        client: Any = server.client("chime-sdk-meetings")
        meeting = client.create_meeting(ClientRequestToken="one", MediaRegion="us-east-1", ExternalMeetingId="bad")
        identifier = meeting["Meeting"]["MeetingId"]
        return [
            MeetingSessionConfiguration(
                meeting, client.create_attendee(MeetingId=identifier, ExternalUserId=f"user-{number}")
            )
            for number in range(count)
        ]

    return await asyncio.to_thread(create)


async def heard(session: MeetingSession, seconds: float, after: float) -> NDArray[np.int16]:
    """What is heard for some seconds, from `after` seconds after the first sound on."""
    frames: list[NDArray[np.int16]] = []
    async with asyncio.timeout(30), session.audio.frames() as stream:
        async for frame in stream:
            if frames or np.abs(frame).max() > 500:
                frames.append(frame)
            if len(frames) * 0.02 >= after + seconds:
                return np.concatenate(frames)[int(after * RATE) :]
    raise AssertionError("the session ended")


def tone_to_rest(samples: NDArray[np.int16], frequency: float) -> float:
    """How much louder a tone is than all the rest, in dB."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    at = round(frequency * len(samples) / RATE)
    # Concealment and a clock that is followed widen a tone by some hertz.
    wide = round(25 * len(samples) / RATE)
    inside = power[at - wide : at + wide + 1].sum()
    return float(10 * np.log10(inside / (power.sum() - inside)))


@pytest.mark.parametrize(
    ("impairment", "least"),
    [
        pytest.param(Impairment(), 20.0, id="good"),
        pytest.param(Impairment(loss=0.05, delay=0.02, jitter=0.02), 14.0, id="5% lost"),
        pytest.param(Impairment(loss=0.15, delay=0.02, jitter=0.02), 10.0, id="15% lost"),
        pytest.param(Impairment(jitter=0.2), 12.0, id="200 ms of jitter"),
        pytest.param(Impairment(delay=0.03, reorder=0.1, duplication=0.1), 14.0, id="mixed up"),
    ],
)
async def test_speech_gets_through_a_relay_and_a_bad_network(
    relay: Relay, impairment: Impairment, least: float
) -> None:
    async with (
        await UdpProxy.open(("127.0.0.1", relay.port), impairment, impairment, seed=5) as proxy,
        relayed(f"turn:127.0.0.1:{proxy.address[1]}?transport=udp") as server,
    ):
        speaking, hearing = await attendees(server, 2)
        async with MeetingSession(speaking) as speaker, MeetingSession(hearing) as listener:
            speaker.audio.start_input(Tone(440))
            samples = await heard(listener, seconds=3, after=1.5)
            for session in (speaker, listener):
                peer = session.engine.peer
                assert peer is not None
                assert peer.transport.relay is not None
    assert tone_to_rest(samples, 440) > least


async def test_attendees_whose_relay_goes_away_come_back_over_another(relay: Relay, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with running_relay(tmp_path / "other") as other, relayed(relay.tcp, other.tcp) as server:
        speaking, hearing = await attendees(server, 2)
        async with MeetingSession(speaking) as speaker, MeetingSession(hearing) as listener:
            speaker.audio.start_input(Tone(440))
            await heard(listener, seconds=0.5, after=0)
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                for session in (speaker, listener):
                    tasks.create_task(back(session))
                await asyncio.sleep(0)
                relay.process.kill()
            for session in (speaker, listener):
                peer = session.engine.peer
                assert peer is not None
                assert str(peer.transport.relay) == other.tcp
            assert tone_to_rest(await heard(listener, seconds=1, after=1.5), 440) > 10


async def back(session: MeetingSession) -> None:
    """Wait until the session has media again."""
    async with session.events(MediaConnected) as events:
        async for event in events:
            if event.reconnected:
                return


async def test_the_relayed_address_is_free_when_the_session_is_over(relay: Relay) -> None:
    async with relayed(relay.udp) as server:
        (configuration,) = await attendees(server, 1)
        async with MeetingSession(configuration) as session:
            peer = session.engine.peer
            assert peer is not None
            ports = [Candidate.parse(text).port for text in peer.transport.candidates]
            assert is_bound(ports[0])
        async with asyncio.timeout(1):  # The relay answers that it frees the address a moment before it does.
            while is_bound(ports[0]):  # noqa: ASYNC110 - another process frees it
                await asyncio.sleep(0)


def is_bound(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False
