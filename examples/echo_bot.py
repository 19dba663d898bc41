"""A bot that answers every message addressed to nobody in particular.

    chime serve &
    eval "$(chime env)"
    BOT=$(chime user create echo)
    chime channel create general --member alice --member echo
    python examples/echo_bot.py "$BOT" &
    chime send general "is anybody there?" --as alice

Without the variables of ``chime env`` the same program runs against Amazon.
"""

import sys

import anyio

from chime_messaging import MessageCreated, MessagingSession, MessagingSessionConfiguration


async def main(user_arn: str) -> None:
    session = MessagingSession(MessagingSessionConfiguration(user_arn))

    @session.on(MessageCreated)
    async def answer(event: MessageCreated) -> None:
        message = event.message
        if message.sender is None or message.sender.arn == user_arn or message.type != "STANDARD":
            return
        await session.channel(message.channel_arn).send(f"{message.sender.name} said: {message.content}")

    async with session:
        print("listening", flush=True)
        stopped = await session.wait_stopped()
    if stopped.error is not None:
        raise stopped.error


if __name__ == "__main__":
    try:
        anyio.run(main, sys.argv[1])
    except KeyboardInterrupt:
        print("good bye")
