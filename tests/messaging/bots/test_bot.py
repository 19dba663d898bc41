"""A bot in a channel of a local server."""

from __future__ import annotations

from typing import Literal

import anyio
import pytest

from chime_messaging.bots import Bot, Context
from tests.messaging.bots.conftest import Chat

pytestmark = pytest.mark.anyio


def dice() -> Bot:
    bot = Bot(name="dice")

    @bot.command(aliases=["r"])
    async def roll(context: Context, sides: int = 6, mood: Literal["calm", "wild"] = "calm") -> str:
        """Roll a die."""
        return f"{context.sender_name} rolls one of {sides}, {mood}"

    @bot.pattern(r"my name is (?P<name>\w+)")
    async def greet(context: Context, name: str) -> None:
        await context.reply(f"Hello, {name}!")

    @bot.mention
    async def asked(context: Context) -> str:
        return f"You said: {context.text}"

    return bot


async def test_command_is_answered_with_what_its_function_returns(chat: Chat) -> None:
    async with chat.running(dice()):
        await chat.say("/roll 20 wild")
        assert await chat.until(1) == ["Alice rolls one of 20, wild"]


async def test_each_kind_of_message_goes_to_its_handler(chat: Chat) -> None:
    async with chat.running(dice()):
        for text in ("my name is Ann", "@dice are you there?", "nothing for you", "@dice: r 3", "/r"):
            await chat.say(text)
        assert await chat.until(4) == [
            "Hello, Ann!",
            "You said: are you there?",
            "Alice rolls one of 3, calm",
            "Alice rolls one of 6, calm",
        ]


async def test_wrong_arguments_are_explained(chat: Chat) -> None:
    async with chat.running(dice()):
        await chat.say("/roll many")
        assert await chat.until(1) == ["sides should be a whole number, not 'many'. Usage: /roll [sides] [mood]"]


async def test_help_is_made_from_the_functions(chat: Chat) -> None:
    async with chat.running(dice()):
        await chat.say("/help")
        await chat.say("/help roll")
        listed, one = await chat.until(2)
        assert listed == "/help [command] - List the commands, or explain one.\n/roll [sides] [mood] - Roll a die."
        assert one == "/roll [sides] [mood]\nRoll a die.\nAlso: /r"


async def test_what_is_said_to_the_bot_alone_is_answered_to_the_sender_alone(chat: Chat) -> None:
    async with chat.running(dice()):
        await chat.say("/roll", target=chat.bot)
        await chat.until(1)
        answer = (await chat.history())[-1]
        assert answer.target is not None
        assert answer.target[0].member_arn == chat.alice


async def test_what_was_said_while_the_bot_was_away_is_answered_once(chat: Chat, tmp_path: object) -> None:
    def bot() -> Bot:
        made = Bot(name="dice", state=f"{tmp_path}/dice.db")

        @made.message
        async def echo(context: Context) -> str:
            context.state["count"] = context.state.get("count", 0) + 1
            return f"{context.state['count']}: {context.text}"

        return made

    await chat.say("before it first ran")
    async with chat.running(bot()):
        await chat.say("a")
        await chat.until(1)
    await chat.say("b")
    await chat.say("c")
    other = await chat.add_channel("later")
    await chat.channel(channel_arn=other).send("new here")
    async with chat.running(bot()) as serving:
        await serving.wait_idle()
        assert await chat.said() == ["1: a", "2: b", "3: c"]
        assert await chat.said(other) == ["1: new here"]
    async with chat.running(bot()) as serving:
        await serving.wait_idle()
        assert await chat.said() == ["1: a", "2: b", "3: c"]


async def test_failing_handler_is_told_to_those_who_spoke_to_the_bot(chat: Chat) -> None:
    bot = Bot(name="dice")

    @bot.command()
    async def fail(context: Context) -> None:
        raise ValueError("secret")

    async with chat.running(bot) as serving:
        await chat.say("/fail")
        assert await chat.until(1) == ["Sorry, something went wrong."]
        await serving.wait_idle()
        assert serving.statistics().failures == 1


async def test_bot_stops_in_good_order(chat: Chat) -> None:
    bot = Bot(name="dice")
    begun, go_on = anyio.Event(), anyio.Event()

    @bot.message
    async def slow(context: Context) -> str:
        begun.set()
        await go_on.wait()
        return "done"

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, chat.running(bot) as serving:
            await chat.say("hello")
            await begun.wait()
            tasks.start_soon(serving.end)
            go_on.set()
    assert await chat.said() == ["done"]
