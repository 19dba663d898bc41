"""An attendee of a meeting with media that does nothing by itself: signalling frames, offers, and real packets."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count

import numpy as np

from chime_media.protocol.negotiated import NegotiatedSession
from chime_media.protocol.offer import AudioOffer, CameraOffer, Negotiation
from chime_media.rtc.ice import ClientTransport
from chime_media.rtc.opus import OpusEncoder
from chime_media.wire import rtp
from chime_media.wire.sdp import AUDIO_LEVEL, SessionDescription
from chime_media.wire.sdp_compression import compress, decompress
from chime_messaging.wire.signaling_pb2 import (
    AUDIO,
    DUPLEX,
    RX,
    VIDEO,
    AudioStreamIdInfo,
    IndexFrame,
    JoinFrame,
    SignalFrame,
    StreamDescriptor,
    SubscribeAckFrame,
    SubscribeFrame,
)
from tests.media.listener import Listener
from tests.messaging.server.attendee_client import Client, Meeting


class MediaClient:
    """One attendee: its signalling, and its media once `subscribe` was answered."""

    def __init__(self, client: Client, transport: ClientTransport) -> None:
        self.client = client
        self.transport = transport
        self.listener = Listener()
        self.ssrc = secrets.randbelow(1 << 31) + 1
        self.negotiation = Negotiation(transport.description, AudioOffer(self.ssrc, "test"))
        self.session: NegotiatedSession | None = None
        self._numbers = count(1000)
        self._pictures = count(2000)
        self._offer = self._answer = ""

    @property
    def attendee_id(self) -> str:
        return self.client.attendee_id

    def frame(self, *, compressed: bool = False, kbps: int = 1400) -> SubscribeFrame:
        """The SUBSCRIBE for what is wanted now."""
        frame = SubscribeFrame(duplex=RX, receive_stream_ids=self.negotiation.receive_stream_ids, audio_muted=False)
        frame.send_streams.append(StreamDescriptor(media_type=AUDIO, stream_id=1, group_id=1))
        if self.negotiation.camera is not None:
            frame.duplex = DUPLEX
            frame.send_streams.append(
                StreamDescriptor(media_type=VIDEO, stream_id=2, group_id=2, max_bitrate_kbps=kbps, framerate=15)
            )
        text = str(self.negotiation.offer())
        if compressed:
            frame.compressed_sdp_offer = compress(text, self._offer)
        else:
            frame.sdp_offer = text
        self._offer = text
        return frame

    async def ask(self, frame: SubscribeFrame) -> SignalFrame:
        """Send a SUBSCRIBE; its answer."""
        await self.client.send(SignalFrame(type=SignalFrame.SUBSCRIBE, sub=frame))
        return await self.client.next(SignalFrame.SUBSCRIBE_ACK)

    async def subscribe(self, *, compressed: bool = False) -> SubscribeAckFrame:
        """Negotiate what is wanted now, and connect the first time."""
        answered = await self.ask(self.frame(compressed=compressed))
        assert not answered.HasField("error"), answered.error
        ack = answered.suback
        text = decompress(ack.compressed_sdp_answer, self._answer) if compressed else ack.sdp_answer
        self._answer = text
        self.session = self.negotiation.read_answer(SessionDescription.parse(text))
        if not self.transport.connected:
            await self.transport.connect(self.session.remote, self.listener)
        return ack

    def speak(self, payload: bytes, attenuation: int = 20) -> None:
        """Send one packet of audio."""
        number = next(self._numbers)
        assert self.session is not None
        level = self.session.sections["0"].extensions[AUDIO_LEVEL]
        self.transport.send_rtp(
            rtp.build(
                payload_type=111,
                sequence_number=number & 0xFFFF,
                timestamp=960 * number,
                ssrc=self.ssrc,
                payload=payload,
                extensions={level: bytes([attenuation])},
            )
        )

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Send a tone, a packet every 20 ms."""
        loop = asyncio.get_running_loop()
        encoder = OpusEncoder()
        wave = (8000 * np.sin(np.arange(960) * 2 * np.pi * 440 / 48000)).astype(np.int16)
        sound = encoder.encode(wave.reshape(-1, 1))
        timers: list[asyncio.TimerHandle] = []

        def send() -> None:
            self.speak(sound)
            timers[:] = [loop.call_later(0.02, send)]

        send()
        try:
            yield
        finally:
            timers[0].cancel()

    def show(self, payload: bytes, *, ssrc: int | None = None) -> None:
        """Send one packet of VP8, a frame of its own."""
        number = next(self._pictures)
        self.transport.send_rtp(
            rtp.build(
                payload_type=96,
                sequence_number=number,
                timestamp=6000 * number,
                ssrc=ssrc or self.ssrc + 1,
                payload=payload,
                marker=True,
            )
        )

    def start_camera(self) -> None:
        self.negotiation.camera = CameraOffer(self.ssrc + 1, self.ssrc + 2)

    async def entries(self, count: int = 1) -> list[AudioStreamIdInfo]:
        return await self.client.entries(count)

    async def index(self) -> IndexFrame:
        return (await self.client.next(SignalFrame.INDEX)).index

    async def told_of(self, *attendee_ids: str) -> IndexFrame:
        """Wait for the INDEX that lists these and no others."""
        while True:
            index = await self.index()
            if sorted(source.attendee_id for source in index.sources) == sorted(attendee_ids):
                return index


@asynccontextmanager
async def attending(
    meeting: Meeting,
    name: str | dict[str, str],
    *,
    session_id: int = 1,
    suffix: str = "",
    max_num_of_videos: int | None = None,
    flags: int = 2,
    key_frame_requests: bool = True,
) -> AsyncIterator[MediaClient]:
    """An attendee that has joined and not subscribed yet."""
    credentials = await asyncio.to_thread(meeting.attendee, name) if isinstance(name, str) else name
    credentials = {
        **credentials,
        "AttendeeId": credentials["AttendeeId"] + suffix,
        "JoinToken": credentials["JoinToken"] + suffix,
    }
    transport = await ClientTransport.gather(addresses=["127.0.0.1"])
    async with meeting.socket(credentials) as client:
        body = JoinFrame(protocol_version=2, flags=flags, audio_session_id=session_id, wants_compressed_sdp=True)
        body.disable_periodic_keyframe_request_on_content_sender = not key_frame_requests
        if max_num_of_videos is not None:
            body.max_num_of_videos = max_num_of_videos
        await client.send(SignalFrame(type=SignalFrame.JOIN, join=body))
        await client.next(SignalFrame.JOIN_ACK)
        try:
            yield MediaClient(client, transport)
        finally:
            await transport.aclose()
