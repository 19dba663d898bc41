"""What an application is told when its connection breaks, and that it misses nothing.

python examples/outage.py
"""

import anyio

from chime_messaging import (
    MessageCreated,
    MessagingSession,
    MessagingSessionConfiguration,
    ReconnectScheduled,
    Recovered,
    SessionEstablished,
)
from chime_messaging.server import LocalServer


async def main() -> None:
    async with LocalServer() as server:
        alice, bob = await server.create_user("Alice"), await server.create_user("Bob")
        client = server.client("chime-sdk-messaging")
        bobs = MessagingSession(MessagingSessionConfiguration(bob, chime_client=client, reconnect_fixed_wait=0.5))
        async with MessagingSession(MessagingSessionConfiguration(alice, chime_client=client)) as session, bobs:
            channel = await session.channels.create("news", members=[bob])
            async with bobs.events(MessageCreated, ReconnectScheduled, SessionEstablished, Recovered) as events:
                await channel.send("before the outage")
                server.control.abort(bob)
                async for event in events:
                    if isinstance(event, MessageCreated):
                        print(f"message: {event.message.content}{' (recovered)' if event.recovered else ''}")
                    elif isinstance(event, ReconnectScheduled):
                        print(f"connection lost: code {event.code}")
                        await channel.send("during the outage")
                    elif isinstance(event, SessionEstablished):
                        print("connected again")
                    else:
                        print(f"complete: {event.messages} message fetched")
                        break


if __name__ == "__main__":
    anyio.run(main)
