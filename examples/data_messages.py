"""Three attendees of a meeting without media: data messages, who is there, and one who comes late.

python examples/data_messages.py            (asyncio)
python examples/data_messages.py trio
"""

import sys
from collections.abc import Callable

import anyio

from chime_messaging import AttendeeJoined, DataMessage, DataMessageSession, MeetingSessionConfiguration
from chime_messaging.server import LocalServer


def open_meeting(server: LocalServer) -> Callable[[str], DataMessageSession]:
    """Create a meeting; return what makes a session of a new attendee of it."""
    meetings = server.client("chime-sdk-meetings")
    meeting = meetings.create_meeting(ClientRequestToken="lunch", MediaRegion="us-east-1", ExternalMeetingId="lunch")

    def attendee(name: str) -> DataMessageSession:
        answer = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
        return DataMessageSession(MeetingSessionConfiguration(meeting, answer))

    return attendee


async def main() -> None:
    async with LocalServer() as server:
        attendee = open_meeting(server)
        alice, bob = attendee("Alice"), attendee("Bob")
        answered = anyio.Event()

        @alice.on_topic("chat")
        def hear(message: DataMessage) -> None:
            print(f"{message.sender_external_user_id}: {message.text()}")
            answered.set()

        async with alice, alice.events(AttendeeJoined) as joined, bob:
            while len(alice.roster) < 2:
                await anext(joined)
            print("present:", sorted(one.external_user_id for one in alice.roster.values()))

            async with bob.topic("chat").messages() as messages:
                await alice.topic("chat").send("Pizza at twelve?", lifetime=300)
                print("Bob reads:", (await anext(messages)).text())
            await bob.send("chat", "With pleasure.")
            await answered.wait()

            # Carol comes late and gets what is kept for five minutes.
            carol = attendee("Carol")
            messages = carol.messages("chat")
            async with messages, carol:
                print("Carol reads:", (await anext(messages)).text())

            # Larger than 2048 bytes, and nothing lost: both sides have to agree on it.
            menu = bob.topic("menu", reliable=True).messages()
            async with menu:
                await alice.topic("menu", reliable=True).send({"pizza": list(range(5000))})
                print("pizzas:", len((await anext(menu)).json()["pizza"]))


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "trio" in sys.argv[1:] else "asyncio")
