"""A bot in a meeting: it plays a sound file, and says who is there and who speaks.

python examples/meeting_bot.py                        (a meeting of its own, with somebody who speaks)
python examples/meeting_bot.py hello.wav              (the same, with a sound of yours)
python examples/meeting_bot.py hello.wav join.json    (any meeting, Amazon's too)

join.json has the answers of CreateMeeting and CreateAttendee: {"Meeting": {...}, "Attendee": {...}}.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chime_media import ActiveSpeakersChanged, MeetingSession, Tone
from chime_media.server.local_server import LocalMeetingServer
from chime_messaging import AttendeeJoined, AttendeeLeft, MeetingSessionConfiguration


@asynccontextmanager
async def meeting_with_alice() -> AsyncIterator[MeetingSessionConfiguration]:
    """Open a meeting on a local server in which Alice speaks; give what the bot needs to join."""
    async with LocalMeetingServer() as server:
        meetings = server.client("chime-sdk-meetings")
        meeting = meetings.create_meeting(ClientRequestToken="bot", MediaRegion="us-east-1", ExternalMeetingId="bot")

        def joining(name: str) -> MeetingSessionConfiguration:
            attendee = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
            return MeetingSessionConfiguration(meeting, attendee)

        async with MeetingSession(joining("Alice")) as alice:
            speaking = asyncio.create_task(alice.audio.play(Tone(300, seconds=60)))
            yield joining("Bot")
            speaking.cancel()


async def take_part(configuration: MeetingSessionConfiguration, sound: str | None) -> None:
    """Join, say something, and leave when somebody else has spoken."""
    session = MeetingSession(configuration)

    @session.on(AttendeeJoined)
    def joined(event: AttendeeJoined) -> None:
        print(f"{event.attendee.external_user_id} is here")

    @session.on(AttendeeLeft)
    def left(event: AttendeeLeft) -> None:
        print(f"{event.attendee.external_user_id} has left")

    session.realtime.detect_speakers()
    async with session.events(ActiveSpeakersChanged) as speakers, session:
        await session.audio.play(sound if sound is not None else Tone(440, seconds=0.5))
        print("said it")
        async for changed in speakers:
            others = [attendee_id for attendee_id in changed.attendee_ids if attendee_id != session.attendee_id]
            if others:
                print(f"{session.roster[others[0]].external_user_id} speaks")
                break


async def main(sound: str | None = None, answers: str | None = None) -> None:
    if answers is not None:
        joining = json.loads(await asyncio.to_thread(Path(answers).read_text))
        await take_part(MeetingSessionConfiguration(joining["Meeting"], joining["Attendee"]), sound)
        return
    async with meeting_with_alice() as configuration:
        await take_part(configuration, sound)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
