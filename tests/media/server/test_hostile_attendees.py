"""An attendee that sends nonsense in frames and packets harms nobody else, and mostly not even itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from chime_media.server.local_server import LocalMeetingServer
from chime_media.wire import rtcp, rtp
from chime_messaging.protocol import signal_frames
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.wire.signaling_pb2 import (
    DUPLEX,
    RX,
    TX,
    ClientMetricFrame,
    PauseResumeFrame,
    RemoteVideoUpdateFrame,
    SignalFrame,
    SubscribeFrame,
    VideoSubscriptionConfiguration,
)
from tests.media.descriptions import OFFERS, text_of
from tests.media.server.node_client import MediaClient, attending
from tests.messaging.server.attendee_client import Meeting

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server() -> Iterator[LocalMeetingServer]:
    with LocalMeetingServer(ServerConfiguration(port=0)) as running:
        yield running


def some_frame(chance: random.Random) -> SignalFrame:
    """A frame about media that few clients would send."""
    ids = [chance.choice([0, 1, 2, 3, 7, 2**32 - 1]) for _ in range(chance.randrange(6))]
    kind = chance.randrange(5)
    if kind == 0:
        pause = PauseResumeFrame(stream_ids=ids, group_ids=ids)
        return SignalFrame(type=chance.choice([SignalFrame.PAUSE, SignalFrame.RESUME]), pause=pause)
    if kind == 1:
        subscriptions = [VideoSubscriptionConfiguration(mid=str(each), stream_id=each) for each in ids]
        update = RemoteVideoUpdateFrame(
            added_or_updated_video_subscriptions=subscriptions, removed_video_subscription_mids=["", "2", "x"]
        )
        return SignalFrame(type=SignalFrame.REMOTE_VIDEO_UPDATE, remote_video_update=update)
    if kind == 2:
        return SignalFrame(type=SignalFrame.CLIENT_METRIC, client_metric=ClientMetricFrame())
    if kind == 3:
        # No body at all.
        return SignalFrame(type=chance.choice([SignalFrame.SUBSCRIBE, SignalFrame.PAUSE, SignalFrame.AUDIO_CONTROL]))
    text = text_of(f"chromium/{chance.choice(OFFERS)}")
    lines = text.split("\r\n")
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(lines))
        lines[place : place + 1] = chance.choice([[], [lines[place]] * 2, [lines[place][: chance.randrange(20)]]])
    frame = SubscribeFrame(
        duplex=chance.choice([RX, TX, DUPLEX]),
        receive_stream_ids=ids,
        sdp_offer="\r\n".join(lines),
        compressed_sdp_offer=chance.randbytes(9) if chance.random() < 0.2 else b"",
    )
    for number in ids:
        frame.send_streams.add(stream_id=number, media_type=chance.choice([1, 2]), max_bitrate_kbps=number)
    return SignalFrame(type=SignalFrame.SUBSCRIBE, sub=frame)


def some_packet(chance: random.Random) -> tuple[bytes, bool]:
    """A packet that is encrypted as it should be, and whose content is not; whether it goes as RTCP."""
    if chance.random() < 0.5:
        kind = chance.choice([111, 63, 96, 97, 108, 109, 0, 127])
        packet = rtp.build(
            payload_type=kind,
            sequence_number=chance.randrange(1 << 16),
            timestamp=chance.randrange(1 << 32),
            ssrc=chance.choice([1, 2, chance.randrange(1 << 32)]),
            payload=chance.randbytes(chance.randrange(60)),
            marker=chance.random() < 0.5,
            extensions={number: chance.randbytes(chance.randrange(1, 4)) for number in (1, 4, 10)},
        )
        return packet, False
    reports = rtcp.compound((rtcp.ReceiverReport(1), rtcp.PictureLossIndication(1, chance.randrange(1 << 32))))
    broken = bytearray(reports[: chance.randrange(8, len(reports) + 1)])
    broken[chance.randrange(8, len(broken)) if len(broken) > 8 else 0] ^= 1 << chance.randrange(6)
    return bytes(broken), True


async def settled(attendee: MediaClient) -> None:
    await attendee.client.send(signal_frames.ping(7))
    while (await attendee.client.next(SignalFrame.PING_PONG)).ping_pong.ping_id != 7:
        pass


@pytest.mark.parametrize("seed", range(3))
async def test_nonsense_in_frames_and_packets_harms_nobody(
    server: LocalMeetingServer, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(seed)
    meeting = await asyncio.to_thread(Meeting, server, f"hostile{seed}")
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(attending(meeting, "alice"))
        mallory = await stack.enter_async_context(attending(meeting, "mallory"))
        await alice.subscribe()
        await mallory.subscribe()
        for _ in range(40):
            for packet, is_rtcp in (some_packet(chance) for _ in range(20)):
                (mallory.transport.send_rtcp if is_rtcp else mallory.transport.send_rtp)(packet)

        await settled(mallory)
        for _ in range(60):
            await mallory.client.send(some_frame(chance))
        await settled(mallory)
        before = len(alice.listener.rtp)
        await alice.listener.until(lambda: len(alice.listener.rtp) > before + 10)
        assert not alice.listener.closed
        # And it can begin anew itself.
        again = await stack.enter_async_context(attending(meeting, "mallory again"))
        await again.subscribe()
        await again.listener.until(lambda: len(again.listener.rtp) > 5)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
