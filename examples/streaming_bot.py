"""A bot that answers as a language model does: word by word, while people watch. The model here only pretends.

    chime serve &
    eval "$(chime env)"
    chime channel create lab --member alice --member oracle
    chime bot run examples/streaming_bot.py &
    chime send lab "@oracle what is the meaning of life?" --as alice

Or without ``chime``: python examples/streaming_bot.py USER_ARN
"""

import sys
from collections.abc import AsyncIterator

import anyio

from chime_messaging.bots import Bot, Context, run

bot = Bot(name="oracle")


async def model(question: str) -> AsyncIterator[str]:
    """Put your model's stream here."""
    for word in f"You ask: {question} That is a good question, and the answer is forty-two.".split(" "):
        await anyio.sleep(0.05)
        yield word + " "


@bot.mention
async def answer(context: Context) -> None:
    async with context.stream(interval=0.2) as growing:
        await growing.write_all(model(context.text))


if __name__ == "__main__":
    bot.user_arn = sys.argv[1]
    run(bot)
