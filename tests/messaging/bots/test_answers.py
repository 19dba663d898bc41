"""Answers that grow."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.bots import Bot, Context
from chime_messaging.bots.answers import GrowingAnswer, fitting
from tests.messaging.bots.conftest import Chat

pytestmark = pytest.mark.anyio


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(4, 100))
def test_what_fits_is_within_the_limit_and_never_nothing(text: str, limit: int) -> None:
    end = fitting(text, limit)
    assert len(text[:end].encode()) <= limit
    assert (end > 0) is bool(text)
    assert end == len(text) or len(text.encode()) > limit


async def test_growing_answer_is_one_message_with_few_edits(chat: Chat) -> None:
    bot = Bot(name="dice")
    edits: list[int] = []

    @bot.message
    async def answer(context: Context) -> None:
        async with context.stream(interval=3600.0) as growing:
            for word in range(100):
                await growing.write(f"{word} ")
        edits.append(growing.edits)

    async with chat.running(bot):
        await chat.say("count")
        with anyio.fail_after(20):
            while (await chat.until(1))[0] == "0 ":
                continue
        assert await chat.said() == ["".join(f"{word} " for word in range(100))]
    assert edits == [1]


async def test_answer_too_long_for_a_message_goes_on_in_the_next(chat: Chat) -> None:
    bot = Bot(name="dice")

    @bot.message
    async def answer(context: Context) -> None:
        async with context.stream() as growing:
            await growing.write("first ")
            await growing.write("word " * 1000)

    async with chat.running(bot) as serving:
        await chat.say("talk")
        await chat.until(2)
        await serving.wait_idle()
        said = [content or "" for content in await chat.said()]
        assert "".join(said) == "first " + "word " * 1000
        assert all(len(content) <= 4096 for content in said)


async def test_throttled_edits_are_left_out_and_the_end_is_shown(chat: Chat) -> None:
    bot = Bot(name="dice")
    grown: list[GrowingAnswer] = []

    @bot.message
    async def answer(context: Context) -> None:
        async with context.stream(interval=0.0) as growing:
            grown.append(growing)
            await growing.write("a")
            chat.server.control.fail("UpdateChannelMessage", "ThrottledClientException", times=5)
            await growing.write("b")
            await growing.write("c")

    async with chat.running(bot) as serving:
        await chat.say("talk")
        with anyio.fail_after(20):
            while await chat.until(1) != ["abc"]:
                continue
        await serving.wait_idle()
        assert grown[0].edits < 3
