"""A shared whiteboard in the terminal: two attendees draw, one of them for a while without a connection.

python examples/whiteboard.py            (asyncio)
python examples/whiteboard.py trio

The same board in a browser is in examples/whiteboard: a page that joins the meeting with the official signalling client
and keeps a Yjs document by a small provider.
"""

import sys

import anyio
from pycrdt import Array

from chime_messaging import DataMessageSession, MeetingReconnectScheduled, MeetingSessionConfiguration
from chime_messaging.server import LocalServer
from chime_messaging.state import SharedDocument

WIDTH, HEIGHT = 16, 5


class Board:
    """Points of a shared document, drawn as text."""

    def __init__(self, document: SharedDocument) -> None:
        self.document = document
        self.points = document.get("points", type=Array)

    def line(self, x: int, y: int, dx: int, dy: int, steps: int) -> None:
        """Draw a line; others get all of its points in one message."""
        with self.document.doc.transaction():
            for step in range(steps):
                self.points.append({"x": x + dx * step, "y": y + dy * step})

    def __str__(self) -> str:
        drawn = {(int(point["x"]), int(point["y"])) for point in self.points.to_py() or []}
        rows = ("".join("#" if (x, y) in drawn else "." for x in range(WIDTH)) for y in range(HEIGHT))
        return "\n".join(rows)


async def main() -> None:
    async with LocalServer() as server:
        meetings = server.client("chime-sdk-meetings")
        meeting = meetings.create_meeting(ClientRequestToken="draw", MediaRegion="us-east-1", ExternalMeetingId="draw")

        def board(name: str) -> Board:
            answer = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
            session = DataMessageSession(MeetingSessionConfiguration(meeting, answer))
            return Board(SharedDocument(session, "board"))

        alice, bob = board("Alice"), board("Bob")
        async with alice.document.session, bob.document.session as his, alice.document, bob.document:
            alice.line(0, 0, 1, 0, WIDTH)
            await bob.document.wait_for(lambda: len(bob.points) == WIDTH)
            async with his.events(MeetingReconnectScheduled) as lost:
                server.control.meetings.abort(his.attendee_id)
                await anext(lost)
            bob.line(0, HEIGHT - 1, 1, 0, WIDTH)
            alice.line(0, 0, 3, 1, HEIGHT)
            for one in (alice, bob):
                await one.document.wait_for(lambda points=one.points: len(points) == 2 * WIDTH + HEIGHT)  # type: ignore[misc]
            print(bob)
            print("the same board:", str(alice) == str(bob))


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "trio" in sys.argv[1:] else "asyncio")
