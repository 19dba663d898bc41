"""Live cursors: what attendees show each other is the latest only, however often it changes, and ends when they leave.

python examples/live_cursors.py            (asyncio)
python examples/live_cursors.py trio
"""

import sys

import anyio

from chime_messaging import DataMessageSession, MeetingSessionConfiguration
from chime_messaging.server import LocalServer
from chime_messaging.state import Presence, PresenceChanged


async def main() -> None:
    async with LocalServer() as server:
        meetings = server.client("chime-sdk-meetings")
        meeting = meetings.create_meeting(ClientRequestToken="draw", MediaRegion="us-east-1", ExternalMeetingId="draw")

        def attendee(name: str) -> DataMessageSession:
            answer = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
            return DataMessageSession(MeetingSessionConfiguration(meeting, answer))

        alice, bob = attendee("Alice"), attendee("Bob")
        told = 0

        @alice.on(PresenceChanged)
        def moved(event: PresenceChanged) -> None:
            nonlocal told
            told += 1

        async with alice, Presence(alice, "cursors") as seen:
            async with bob, Presence(bob, "cursors") as cursor:
                cursor.set({"name": "Bob", "x": 0, "y": 0})
                for x in range(1, 1001):
                    cursor.update(x=x)
                    await anyio.lowlevel.checkpoint()
                await seen.wait_for(lambda states: any(state.get("x") == 1000 for state in states.values()))
                print("Bob's cursor:", seen.states[bob.attendee_id])
                print("fewer messages than moves:", told < 100)
            await seen.wait_for(lambda states: not states)
            print("Bob is gone:", dict(seen.states))


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "trio" in sys.argv[1:] else "asyncio")
