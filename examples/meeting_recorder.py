"""A meeting to a file: two attendees show themselves and speak, a third records them.

python examples/meeting_recorder.py
python examples/meeting_recorder.py meeting.mp4
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from chime_media import MeetingRecorder, MeetingSession, TestCard, Tone, VideoTileUpdated
from chime_media.server.local_server import LocalMeetingServer
from chime_messaging import MeetingSessionConfiguration

SECONDS = 3


def open_meeting(server: LocalMeetingServer) -> Callable[[str], MeetingSession]:
    """Create a meeting; return what makes a session of a new attendee of it."""
    meetings = server.client("chime-sdk-meetings")
    meeting = meetings.create_meeting(ClientRequestToken="film", MediaRegion="us-east-1", ExternalMeetingId="film")

    def attendee(name: str) -> MeetingSession:
        answer = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
        return MeetingSession(MeetingSessionConfiguration(meeting, answer))

    return attendee


async def record(path: Path) -> None:
    async with LocalMeetingServer() as server:
        attendee = open_meeting(server)
        async with attendee("Alice") as alice, attendee("Bob") as bob, attendee("Recorder") as recorder:
            async with recorder.events(VideoTileUpdated) as tiles:
                alice.video.start_local_tile(TestCard(width=640, height=360, frame_rate=15))
                bob.video.start_local_tile(TestCard(width=640, height=360, frame_rate=15))
                while len(recorder.video.remote_tiles) < 2:
                    await anext(tiles)
            async with MeetingRecorder(recorder, path, layout="grid", width=640, height=360) as recording:
                await alice.audio.play(Tone(440, seconds=SECONDS / 2))
                await bob.audio.play(Tone(660, seconds=SECONDS / 2))
            summary = recording.summary
            assert summary is not None
            print(f"attendees seen: {len(summary.attendees)}")
            print(f"about {SECONDS} seconds: {abs(summary.seconds - SECONDS) < 0.5}")
            print(f"pictures: {summary.frames > 5 * SECONDS}")


async def main() -> None:
    if len(sys.argv) > 1:
        await record(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        await record(Path(folder) / "meeting.mp4")


if __name__ == "__main__":
    asyncio.run(main())
