"""Prints what is said in a user's channels, until two messages have come.

python examples/listen.py USER_ARN
"""

import sys

import anyio

from chime_messaging import MessageCreated, MessagingSession, MessagingSessionConfiguration


async def main(user_arn: str) -> None:
    configuration = MessagingSessionConfiguration(user_arn)
    async with MessagingSession(configuration) as session, session.events(MessageCreated) as messages:
        print("listening", flush=True)
        for _ in range(2):
            message = (await anext(messages)).message
            print(f"{message.sender.name if message.sender else '?'}: {message.content}", flush=True)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
