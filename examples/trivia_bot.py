"""A quiz in every channel that remembers the score, also when it is started again.

    chime serve &
    eval "$(chime env)"
    chime channel create pub --member alice --member trivia
    chime bot run examples/trivia_bot.py --state trivia.db &
    chime send pub "/quiz" --as alice
    chime send pub "paris" --as alice

Or without ``chime``: python examples/trivia_bot.py USER_ARN
"""

import sys

from chime_messaging.bots import Bot, Context, RateLimit, run

QUESTIONS = {
    "What is the capital of France?": "Paris",
    "How many legs has a spider?": "8",
    "Which planet is the largest?": "Jupiter",
}

bot = Bot(name="trivia")
bot.use(RateLimit(10, per=10))


@bot.welcome
async def hello(context: Context) -> None:
    await context.send(f"Hello! {bot.prefix}quiz asks a question, {bot.prefix}score says who knows the most.")


@bot.command(aliases=["q"])
async def quiz(context: Context) -> str:
    """Ask a question."""
    question: str = context.random.choice(sorted(QUESTIONS))
    context.state["question"] = question
    return question


@bot.command()
async def score(context: Context, top: int = 3) -> str:
    """Say who knows the most."""
    scores: dict[str, int] = context.state.get("scores", {})
    best = sorted(scores.items(), key=lambda item: -item[1])[:top]
    return ", ".join(f"{name}: {points}" for name, points in best) or "Nobody has a point yet."


@bot.message
async def guess(context: Context) -> None:
    question = context.state.get("question")
    if question is None or context.text.casefold() != QUESTIONS[question].casefold():
        return
    del context.state["question"]
    scores = context.state.setdefault("scores", {})
    scores[context.sender_name] = scores.get(context.sender_name, 0) + 1
    await context.react("\N{PARTY POPPER}")
    await context.reply(f"{QUESTIONS[question]}! {context.sender_name} has {scores[context.sender_name]}.")


if __name__ == "__main__":
    bot.user_arn = sys.argv[1]
    run(bot)
