"""Two people, a channel and a local Chime in one process: history, live messages, edits, members.

python examples/chat.py            (asyncio)
python examples/chat.py trio
"""

import sys

import anyio

from chime_messaging import Channel, MessageUpdated, MessagingSession, MessagingSessionConfiguration
from chime_messaging.server import LocalServer


async def read(channel: Channel, count: int) -> None:
    """Print everything that was and is said, from the first message on, until `count` messages have come."""
    messages = channel.messages(live=True)
    for _ in range(count):
        message = await anext(messages)
        print(f"  {message.sender.name if message.sender else '?'}: {message.content}")


async def main() -> None:
    async with LocalServer() as server:
        alice, bob = await server.create_user("Alice"), await server.create_user("Bob")
        client = server.client("chime-sdk-messaging")

        async with MessagingSession(MessagingSessionConfiguration(alice, chime_client=client)) as session:
            channel = await session.channels.create("lunch", members=[bob])
            print("members:", sorted([member.name or "" async for member in channel.members()]))
            typo = await channel.send("Pizza at twelf?")
            await channel.send("My treat.", attributes={"CHIME.mentions": [bob]})

            # Bob comes late. His reading begins with what was said before, and goes on with what is said now.
            async with MessagingSession(MessagingSessionConfiguration(bob, chime_client=client)) as late:
                lunch = late.channel(channel.arn)
                print("unread:", (await lunch.own_membership()).unread)
                async with anyio.create_task_group() as tasks, late.events(MessageUpdated) as edits:
                    tasks.start_soon(read, lunch, 3)
                    await channel.edit(typo, "Pizza at twelve?")
                    print("edited:", (await anext(edits)).message.content)
                    await lunch.send("With pleasure.")
                await lunch.mark_read()
                print("unread:", (await lunch.own_membership()).unread)


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "trio" in sys.argv[1:] else "asyncio")
