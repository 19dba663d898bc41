"""A poll in a meeting without media: everybody sets a key of a shared map, and everybody counts the same.

python examples/poll.py            (asyncio)
python examples/poll.py trio
"""

import sys
from collections import Counter
from contextlib import AsyncExitStack

import anyio

from chime_messaging import DataMessageSession, MeetingSessionConfiguration
from chime_messaging.server import LocalServer
from chime_messaging.state import SharedDocument, SharedMap

VOTES = {"Alice": "pizza", "Bob": "salad", "Carol": "pizza"}


def open_documents(server: LocalServer) -> dict[str, SharedDocument]:
    """Create a meeting; return the poll as each of its attendees holds it."""
    meetings = server.client("chime-sdk-meetings")
    meeting = meetings.create_meeting(ClientRequestToken="poll", MediaRegion="us-east-1", ExternalMeetingId="poll")
    documents = {}
    for name in VOTES:
        attendee = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
        documents[name] = SharedDocument(DataMessageSession(MeetingSessionConfiguration(meeting, attendee)), "poll")
    return documents


async def main() -> None:
    async with LocalServer() as server, AsyncExitStack() as stack:
        documents = open_documents(server)
        votes = {name: SharedMap(document, "votes") for name, document in documents.items()}
        for name, document in documents.items():
            await stack.enter_async_context(document.session)
            await stack.enter_async_context(document)
            votes[name][name] = "undecided"
        for name, vote in VOTES.items():
            votes[name][name] = vote
        for name, document in documents.items():
            await document.wait_for(lambda seen=votes[name]: dict(seen) == VOTES)  # type: ignore[misc]
            print(f"{name} counts:", dict(Counter(votes[name].values())))


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "trio" in sys.argv[1:] else "asyncio")
