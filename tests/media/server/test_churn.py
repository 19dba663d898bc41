"""A thousand attendees come and go, in every way there is to go: nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
from statistics import median

import psutil
import pytest

from chime_media.server.attendee_media import NodeAttendee
from chime_media.server.audio_leg import AudioLeg
from chime_media.server.local_server import LocalMeetingServer
from chime_media.server.media_port import NodeTransport
from chime_messaging.protocol import signal_frames
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.wire.signaling_pb2 import SignalFrame
from tests.media.server.node_client import attending
from tests.messaging.server.attendee_client import Meeting

CYCLES = 1000
SAMPLE_EVERY = 20
ALLOWED_MIB = 4.0
"""What the process may grow by over 700 cycles; a leak of one attendee's media (80 KiB) would be ten times that."""


def alive() -> dict[str, int]:
    gc.collect()
    found = gc.get_objects()
    return {
        kind.__name__: sum(isinstance(each, kind) for each in found) for kind in (NodeAttendee, NodeTransport, AudioLeg)
    }


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.anyio
async def test_a_thousand_attendees_come_and_go_and_nothing_of_them_stays() -> None:
    process = psutil.Process()
    with LocalMeetingServer(ServerConfiguration(port=0, quotas=False)) as server:
        meeting = Meeting(server)
        stays, goes = [await asyncio.to_thread(meeting.attendee, name) for name in ("stays", "goes")]
        sizes = []
        async with attending(meeting, stays) as one:
            await one.subscribe()
            for number in range(CYCLES):
                one.speak(b"\xf8\xff\xfe")
                async with attending(meeting, goes, session_id=number % 5 + 1) as other:
                    if number % 2:
                        other.start_camera()
                    await other.subscribe()
                    other.speak(b"\xf8\xff\xfe")
                    if number % 3:
                        await other.client.send(signal_frames.leave())
                        await other.client.next(SignalFrame.LEAVE_ACK)
                if number % SAMPLE_EVERY == 0:
                    gc.collect()
                    sizes.append(process.memory_info().rss / 2**20)
            # One who stays, and the last who may be expected back.
            assert max(alive().values()) <= 2
    third = len(sizes) // 3
    assert median(sizes[-third:]) - median(sizes[third // 2 : third + third // 2]) < ALLOWED_MIB, sizes
