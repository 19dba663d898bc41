"""An hour without a server, survived in less than a second: a session in memory, on a clock that jumps.

python examples/virtual_time.py
"""

import logging

import anyio
from trio.testing import MockClock

from chime_messaging import MessagingSession, MessagingSessionConfiguration, ReconnectScheduled, SessionEstablished
from chime_messaging.aws import ControlPlane
from chime_messaging.errors import UsageError
from chime_messaging.protocol import ChannelActivity, Listing
from chime_messaging.sessions.service import MessagePage
from chime_messaging.testing import EventRecorder
from chime_messaging.transport import Connector, MemoryConnector

ALICE = "arn:aws:chime:us-east-1:123456789012:app-instance/7f6e5c4d-0000-4000-8000-000000000001/user/alice"
ESTABLISHED = '{"Headers": {"x-amz-chime-event-type": "SESSION_ESTABLISHED"}, "Payload": null}'
HOUR = 3600.0


class NoService:
    """What a session asks of AWS, for a test without one."""

    def __init__(self, memory: MemoryConnector) -> None:
        self.memory = memory

    async def connect_url(self, *, first: bool) -> str:
        """Where to connect."""
        return "ws://memory/connect"

    async def connector(self) -> Connector:
        """How to connect."""
        return self.memory

    @property
    def control_plane(self) -> ControlPlane:
        """For channels."""
        raise UsageError("there is nobody to call")

    async def activities(self) -> list[ChannelActivity]:
        """For resume: Alice is in no channel."""
        return []

    async def messages(self, listing: Listing, next_token: str | None) -> MessagePage:
        """For resume: nobody has said anything."""
        return MessagePage([])


async def serve(memory: MemoryConnector) -> None:
    """The other end: establish, break, be away for an hour, establish again."""
    _, socket = await memory.accept()
    await socket.send(ESTABLISHED)
    await socket.aclose(1012, "restart")
    memory.refuse()
    await anyio.sleep(HOUR)
    memory.allow()
    _, socket = await memory.accept()
    await socket.send(ESTABLISHED)


async def main() -> None:
    memory = MemoryConnector()
    configuration = MessagingSessionConfiguration(ALICE, resume=False)
    session = MessagingSession(configuration, service=NoService(memory), connector=memory)
    recorder = EventRecorder(session.hub)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, memory)
        began = anyio.current_time()
        async with session:
            await recorder.wait_for(SessionEstablished, lambda event: event.reconnected, timeout=2 * HOUR)
            waited = anyio.current_time() - began
    print(f"back after {waited / 60:.0f} minutes")
    assert len(recorder.of(ReconnectScheduled)) > 500
    recorder.assert_order(SessionEstablished, ReconnectScheduled, SessionEstablished)


if __name__ == "__main__":
    logging.getLogger("chime_messaging").setLevel(logging.ERROR)  # it logs every one of a thousand tries
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
