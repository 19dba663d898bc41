"""Members, jobs, order, faults, and the bots that the service invokes."""

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from chime_messaging import (
    MembershipCreated,
    MessageCreated,
    MessageUpdated,
    MessagingSession,
    MessagingSessionConfiguration,
    SessionRejectedError,
)
from chime_messaging.bots import Bot, Context, reaction_of, run_bots
from chime_messaging.bots.store import BotStore
from chime_messaging.bots.turn import TOKEN_TRUST
from chime_messaging.errors import ConfigurationError, UsageError
from tests.messaging.bots.conftest import Chat

pytestmark = pytest.mark.anyio


async def test_bot_greets_those_who_come_and_says_good_bye(chat: Chat) -> None:
    bot = Bot(name="dice")

    @bot.welcome
    async def hello(context: Context) -> str:
        return "Here I am."

    @bot.joined
    async def joined(context: Context) -> str:
        return f"Welcome, {context.sender_name}!"

    @bot.left
    async def left(context: Context) -> str:
        return f"Good bye, {context.sender_name}!"

    carol = await chat.server.create_user("Carol")
    async with chat.running(bot):
        await chat.channel().add_member(carol)
        await chat.channel().remove_member(carol)
        assert await chat.until(2) == ["Welcome, Carol!", "Good bye, Carol!"]
        other = await chat.add_channel("other", members=[])
        await chat.channel(channel_arn=other).add_member(chat.bot)
        assert await chat.until(1, other) == ["Here I am."]


async def test_any_event_can_be_heard_but_not_the_bots_own_messages(chat: Chat) -> None:
    bot = Bot(name="dice")
    seen: list[str] = []

    @bot.on(MessageUpdated, MembershipCreated)
    async def note(context: Context) -> None:
        seen.append(type(context.event).__name__)

    @bot.message
    async def echo(context: Context) -> None:
        answer = await context.reply("hm")
        await context.edit(answer, "well")

    async with chat.running(bot) as serving:
        message = await chat.say("one")
        await chat.until(1)
        await chat.channel().edit(message, "two")
        await chat.channel().add_member(await chat.server.create_user("Carol"))
        with anyio.fail_after(20):
            while len(seen) < 2:
                await anyio.lowlevel.checkpoint()
        await serving.wait_idle()
        assert await chat.said() == ["well"]
    assert seen == ["MessageUpdated", "MembershipCreated"]


async def test_slow_channel_keeps_its_order_and_holds_up_no_other(chat: Chat) -> None:
    other = await chat.add_channel("other")
    bot = Bot(name="dice")
    go_on = anyio.Event()

    @bot.message
    async def echo(context: Context) -> str:
        if context.text == "slow":
            await go_on.wait()
        return context.text

    async with chat.running(bot):
        await chat.say("slow")
        await chat.say("next")
        await chat.channel(channel_arn=other).send("quick")
        assert await chat.until(1, other) == ["quick"]
        assert await chat.said() == []
        go_on.set()
        assert await chat.until(2) == ["slow", "next"]


async def test_lost_connection_loses_and_doubles_nothing(chat: Chat) -> None:
    bot = Bot(name="dice")

    @bot.message
    async def echo(context: Context) -> str:
        return context.text

    async with chat.running(bot) as serving:
        for number in range(6):
            if number % 2:
                await chat.server.control.close(chat.bot, 1011)
            await chat.say(str(number))
        assert await chat.until(6) == [str(number) for number in range(6)]
        await serving.wait_idle()
        assert len(await chat.said()) == 6


async def test_throttled_and_failing_sends_are_tried_again_and_said_once(chat: Chat) -> None:
    bot = Bot(name="dice")

    @bot.message
    async def echo(context: Context) -> str:
        chat.server.control.fail("SendChannelMessage", "ThrottledClientException", times=6)
        return context.text

    async with chat.running(bot) as serving:
        await chat.say("one")
        assert await chat.until(1) == ["one"]
        await serving.wait_idle()
        assert serving.statistics().tries_again > 0


@pytest.mark.parametrize("late", [False, True], ids=["at once", "after the token may be forgotten"])
async def test_answer_under_way_when_the_bot_died_is_finished_with_the_same_words(
    chat: Chat, tmp_path: Path, late: bool
) -> None:
    path = tmp_path / "dice.db"
    words = ["first run"]

    def bot() -> Bot:
        made = Bot(name="dice", state=path)

        @made.message
        async def answer(context: Context) -> None:
            await context.reply(words[0])
            if words[0] == "first run":
                died.set()
                await anyio.sleep_forever()
            await context.reply("and on")

        return made

    died = anyio.Event()
    async with anyio.create_task_group() as tasks, chat.running(bot()):
        await chat.say("hello")
        await died.wait()
        # Leaving waits for handlers; this one never ends, and is cut off as a kill would.
        tasks.cancel_scope.cancel()
    words[0] = "second run"
    if late:
        store = BotStore(path, chat.bot)
        (message,) = store.interrupted
        send = store.sends(message)[0]
        store.will_send(message, 0, send.request, send.begun - 2 * TOKEN_TRUST)
        store.close()
    async with chat.running(bot()) as serving:
        await serving.wait_idle()
        assert await chat.said() == ["first run", "and on"]


async def test_job_is_called_again_and_again_also_after_an_error(chat: Chat) -> None:
    bot = Bot(name="dice")
    calls = 0

    @bot.every(0.01)
    async def tick(bot: Bot) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("once")
        if calls == 2:
            with bot.state(chat.channel_arn) as state:
                state["ticks"] = calls
            await bot.channel(chat.channel_arn).send("tick")

    async with chat.running(bot) as serving:
        assert (await chat.until(1))[0] == "tick"
        assert serving.store.state(chat.channel_arn)["ticks"] == 2


async def test_reaction_is_a_signal_that_is_not_stored(chat: Chat) -> None:
    bot = Bot(name="dice")

    @bot.message
    async def like(context: Context) -> None:
        await context.react("\N{THUMBS UP SIGN}")

    configuration = MessagingSessionConfiguration(chat.alice, chime_client=chat.client)
    async with (
        chat.running(bot),
        MessagingSession(configuration) as session,
        session.events(MessageCreated) as events,
    ):
        message = await chat.say("good?")
        with anyio.fail_after(20):
            async for event in events:
                if event.message.type == "CONTROL":
                    assert reaction_of(event.message) == ("\N{THUMBS UP SIGN}", message)
                    break
    assert await chat.said() == []


async def test_app_instance_bot_hears_what_its_mention_rule_says(chat: Chat) -> None:
    alias = "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIJ/TSTALIASID"
    rule = {"StandardMessages": "MENTIONS", "TargetedMessages": "ALL"}
    identity: Any = chat.server.client("chime-sdk-identity")
    made = identity.create_app_instance_bot(
        AppInstanceArn=chat.alice.partition("/user/")[0],
        Name="helper",
        Configuration={"Lex": {"LexBotAliasArn": alias, "LocaleId": "en_US", "InvokedBy": rule}},
    )
    chat.bot = made["AppInstanceBotArn"]
    await chat.channel().add_member(chat.bot)
    bot = Bot(name="helper")

    @bot.command()
    async def roll(context: Context, sides: int) -> str:
        context.state["rolls"] = context.state.get("rolls", 0) + 1
        return f"{context.state['rolls']} of {sides}"

    async with chat.running(bot):
        chat.server.processors.register(alias, bot.invoke)
        await chat.say("roll 1")
        await chat.say("roll 2", attributes={"CHIME.mentions": [chat.bot]})
        await chat.say("/roll 3", target=chat.bot)
        assert await chat.until(2) == ["1 of 2", "2 of 3"]
        targets = [message.target for message in (await chat.history())[-2:]]
        assert targets[1] is not None
        assert targets[1][0].member_arn == chat.alice


async def test_several_bots_run_side_by_side_until_all_are_stopped(chat: Chat) -> None:
    bots = [Bot(chat.bot, name="one"), Bot(chat.bob, name="two")]
    ready = 0

    for bot in bots:

        @bot.command(bot.name)
        async def which(context: Context) -> str:
            return f"I am {context.bot.name}"

    def count(bot: Bot) -> None:
        nonlocal ready
        ready += 1

    async def stop_after_two() -> None:
        with anyio.fail_after(20):
            while ready < 2:
                await anyio.lowlevel.checkpoint()
            await chat.say("/one")
            await chat.say("/two")
            while sum((message.content or "").startswith("I am") for message in await chat.history()) < 2:
                continue
        for bot in bots:
            bot.stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_after_two)
        await run_bots(bots, client=chat.client, on_ready=count)


async def test_bot_says_why_it_cannot_run(chat: Chat) -> None:
    bot = Bot(name="dice")
    with pytest.raises(ConfigurationError):
        await bot.run(client=chat.client)
    with pytest.raises(UsageError):
        bot.channel(chat.channel_arn)
    async with chat.running(bot):
        with pytest.raises(UsageError):
            await bot.run(chat.bot, client=chat.client)
    chat.server.control.refuse(4401, 1)
    with pytest.raises(SessionRejectedError):
        await bot.run(chat.bot, client=chat.client)
    async with chat.running(bot):
        assert bot.is_running
