"""Limits, permissions, and layers of one's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.bots import Allow, Bot, Context, Next, RateLimit
from chime_messaging.errors import ConfigurationError
from tests.messaging.bots.conftest import Chat

pytestmark = pytest.mark.anyio


def test_sender_has_so_many_messages_in_so_many_seconds() -> None:
    now = 100.0
    limit = RateLimit(3, per=6.0, clock=lambda: now)
    assert [limit.take("ann") for _ in range(3)] == [0.0] * 3
    assert limit.take("ann") == pytest.approx(2.0)
    assert limit.take("bob") == 0.0
    now += 2.0
    assert limit.take("ann") == 0.0
    assert limit.take("ann") == pytest.approx(2.0)


@given(st.lists(st.floats(0, 10), max_size=60), st.integers(1, 5), st.floats(0.5, 20))
def test_never_more_than_twice_the_rate_in_any_window(gaps: list[float], times: int, per: float) -> None:
    now = 0.0
    limit = RateLimit(times, per=per, clock=lambda: now)
    taken = []
    for gap in gaps:
        now += gap
        if limit.take("ann") == 0:
            taken.append(now)
    for start in taken:
        assert len([moment for moment in taken if start <= moment < start + per * 0.999]) <= 2 * times


def test_limits_that_let_nobody_through_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        RateLimit(0, per=1)
    with pytest.raises(ConfigurationError):
        Allow()


async def test_too_many_messages_get_an_explanation(chat: Chat) -> None:
    bot = Bot(name="dice")
    bot.use(RateLimit(1, per=3600))

    @bot.message
    async def echo(context: Context) -> str:
        return context.text

    async with chat.running(bot):
        await chat.say("one")
        await chat.say("two")
        await chat.say("three", chat.bob)
        assert await chat.until(3) == ["one", "Slow down, please: try again in 3600 s.", "three"]


async def test_only_those_who_may_are_let_through(chat: Chat) -> None:
    staff = await chat.add_channel("staff", members=[chat.bot])
    await chat.channel().add_moderator(chat.bot)
    bot = Bot(name="dice")

    @bot.command(middleware=[Allow(moderators=True)])
    async def reset(context: Context) -> str:
        return "reset"

    @bot.command(middleware=[Allow(members_of=staff)])
    async def secret(context: Context) -> str:
        return "secret"

    @bot.command(middleware=[Allow(users=[chat.bob])])
    async def bobs(context: Context) -> str:
        return "bob's"

    async with chat.running(bot):
        for command in ("/reset", "/secret", "/bobs"):
            await chat.say(command)
            await chat.say(command, chat.bob)
        refused = "You may not do this."
        assert await chat.until(6) == ["reset", refused, "secret", refused, refused, "bob's"]


async def test_layers_stand_around_the_handler_in_their_order(chat: Chat) -> None:
    bot = Bot(name="dice")
    seen: list[str] = []

    def layer(name: str) -> object:
        async def middleware(context: Context, call_next: Next) -> None:
            seen.append(f"{name} in")
            await call_next()
            seen.append(f"{name} out")

        bot.use(middleware)
        return middleware

    layer("outer")
    layer("inner")

    @bot.message
    async def handler(context: Context) -> str:
        seen.append("handler")
        return "done"

    async with chat.running(bot) as serving:
        await chat.say("go")
        await chat.until(1)
        await serving.wait_idle()
    assert seen == ["outer in", "inner in", "handler", "inner out", "outer out"]
