"""Room: how does a bot answer? Commands, replies, memory. May import `sessions` and what stands below it."""

from chime_messaging.bots.answers import Answer, GrowingAnswer
from chime_messaging.bots.bot import Bot
from chime_messaging.bots.context import Context, Reaction, reaction_of
from chime_messaging.bots.errors import ArgumentError, CommandError, NotAllowedError, RateLimitedError
from chime_messaging.bots.middleware import Allow, Middleware, Next, RateLimit, explain
from chime_messaging.bots.running import run, run_bots
from chime_messaging.bots.serving import BotStatistics, Serving
from chime_messaging.bots.state import ChannelState

__all__ = [
    "Allow",
    "Answer",
    "ArgumentError",
    "Bot",
    "BotStatistics",
    "ChannelState",
    "CommandError",
    "Context",
    "GrowingAnswer",
    "Middleware",
    "Next",
    "NotAllowedError",
    "RateLimit",
    "RateLimitedError",
    "Reaction",
    "Serving",
    "explain",
    "reaction_of",
    "run",
    "run_bots",
]
