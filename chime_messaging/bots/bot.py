"""A bot: what it answers, and how. Running it is in `chime_messaging.bots.serving`.

bot = Bot(name="dice", state="dice.db")

@bot.command()
async def roll(context: Context, sides: int = 6) -> str:
    '''Roll a die.'''
    return f"{context.sender_name} rolls {context.random.randint(1, sides)}"

run(bot, "arn:aws:chime:...:user/dice")
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from chime_messaging.bots.commands import Command, Commands
from chime_messaging.bots.context import Context
from chime_messaging.bots.errors import CommandError
from chime_messaging.bots.middleware import Middleware, explain
from chime_messaging.bots.routing import Handler, Routes
from chime_messaging.bots.serving import Serving, serve
from chime_messaging.bots.state import ChannelState
from chime_messaging.errors import ConfigurationError, UsageError
from chime_messaging.events import Event
from chime_messaging.sessions.channel import Channel
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.seconds import require_seconds

F = TypeVar("F", bound=Callable[..., Awaitable[object]])
Job = Callable[["Bot"], Awaitable[object]]


class Bot:
    """Commands, patterns and events, and what is done with them.

    A bot never hears itself. It answers each message once, whatever happens to the connection, the server and its own
    process; the channels side by side, each channel in its order.

    Args:
        user_arn: Whose session it is: an app instance user, or an app instance bot (see `invoke`). May be given when it
            is run instead.
        name: What people call it, for ``@name``.
        prefix: What commands begin with.
        state: File of its memory. None keeps everything in memory: then what is said while it does not run is not
            answered.
        help: Whether it has a command ``help``.
        ignore_bots: Whether it hears no app instance bots.
        concurrency: Channels that are handled at the same time.
        stop_timeout: Seconds that handlers get to end when the bot is stopped; one that does not is begun anew at the
            next start.
        patience: Seconds that its calls are tried again while the service throttles or is away.
        explain: Says errors to people, see `chime_messaging.bots.explain`.
    """

    def __init__(
        self,
        user_arn: str | None = None,
        *,
        name: str | None = None,
        prefix: str = "/",
        state: str | os.PathLike[str] | None = None,
        help: bool = True,
        ignore_bots: bool = True,
        concurrency: int = 32,
        stop_timeout: float = 10.0,
        patience: float = 300.0,
        explain: Callable[[Context, Exception], str | None] = explain,
    ) -> None:
        if concurrency < 1:
            raise ConfigurationError("concurrency", "must be at least 1")
        require_seconds("stop_timeout", stop_timeout, zero=True)
        require_seconds("patience", patience, zero=True)
        self.user_arn = user_arn
        self.name = name
        self.state_path = None if state is None else Path(state)
        self.ignore_bots = ignore_bots
        self.concurrency = concurrency
        self.stop_timeout = stop_timeout
        self.patience = patience
        self.explain = explain
        self.routes = Routes(Commands(prefix))
        self.middleware: list[Middleware] = []
        self.events: list[tuple[tuple[type[Event], ...], Handler]] = []
        self.welcomes: list[Handler] = []
        self.arrivals: list[Handler] = []
        self.departures: list[Handler] = []
        self.jobs: list[tuple[float, Job]] = []
        self._serving: Serving | None = None
        if help:
            self.command("help")(_help)

    def __repr__(self) -> str:
        return f"Bot({self.name or self.user_arn!r})"

    @property
    def prefix(self) -> str:
        """What commands begin with."""
        return self.routes.commands.prefix

    # What it answers

    def command(
        self,
        name: str | None = None,
        *,
        aliases: Sequence[str] = (),
        hidden: bool = False,
        middleware: Sequence[Middleware] = (),
    ) -> Callable[[F], F]:
        """Return a decorator that makes a function a command; its parameters are read by their annotations.

        Args:
            name: The word; the function's name by default.
            aliases: Further words.
            hidden: Whether the help leaves it out.
            middleware: What stands around this command alone, inside what `use` was given.
        """

        def register(function: F) -> F:
            command = Command(function, name, aliases=aliases, hidden=hidden, middleware=middleware)
            self.routes.commands.add(command)
            return function

        return register

    def pattern(self, pattern: str | re.Pattern[str], flags: int = re.IGNORECASE) -> Callable[[F], F]:
        """Return a decorator for messages in which a regular expression is found; its named groups are parameters.

        Beware of expressions that take exponential time: what is said comes from anybody.
        """
        compiled = re.compile(pattern, flags) if isinstance(pattern, str) else pattern

        def register(function: F) -> F:
            self.routes.patterns.append((compiled, function))
            return function

        return register

    def mention(self, function: F) -> F:
        """Decorate what answers messages that mention the bot and are no command."""
        self.routes.mentions.append(function)
        return function

    def message(self, function: F) -> F:
        """Decorate what answers every message that nothing else answers."""
        self.routes.messages.append(function)
        return function

    def on(self, *types: type[Event]) -> Callable[[F], F]:
        """Return a decorator for events of these classes, or every event; messages that are answered, too.

        Messages of the bot's own are left out. Events that are not messages are told while the bot is connected, and
        not after it was away.
        """

        def register(function: F) -> F:
            self.events.append((types or (Event,), function))
            return function

        return register

    def welcome(self, function: F) -> F:
        """Decorate what is called when the bot itself becomes a member of a channel."""
        self.welcomes.append(function)
        return function

    def joined(self, function: F) -> F:
        """Decorate what is called for each other user who becomes a member; `Context.member` says who."""
        self.arrivals.append(function)
        return function

    def left(self, function: F) -> F:
        """Decorate what is called for each other user who is no member any more."""
        self.departures.append(function)
        return function

    def every(self, seconds: float) -> Callable[[Job], Job]:
        """Return a decorator for a job in the background, called again and again with so many seconds in between.

        Its errors are logged, and it is called again.
        """
        require_seconds("every", seconds, zero=False)

        def register(job: Job) -> Job:
            self.jobs.append((seconds, job))
            return job

        return register

    def use(self, *middleware: Middleware) -> None:
        """Stand around every handler of a message; the first one used is the outermost."""
        self.middleware += middleware

    # Its life

    def serving(
        self,
        user_arn: str | None = None,
        *,
        configuration: MessagingSessionConfiguration | None = None,
        client: Any = None,
    ) -> AbstractAsyncContextManager[Serving]:
        """Run while inside ``async with``. Entering returns when the bot is connected.

        Args:
            user_arn: Who it is, if the bot does not say.
            configuration: Settings of the session instead of the usual ones.
            client: boto3 client of ``chime-sdk-messaging``; made from the environment by default.

        Raises:
            UsageError: if the bot runs already.
            ConfigurationError: if it is not clear who it is.
            SessionError: if the service does not let it connect.
        """
        arn = configuration.user_arn if configuration is not None else user_arn or self.user_arn
        if arn is None:
            raise ConfigurationError("user_arn", "say who the bot is")
        return serve(self, arn, configuration, client)

    async def run(
        self,
        user_arn: str | None = None,
        *,
        configuration: MessagingSessionConfiguration | None = None,
        client: Any = None,
    ) -> None:
        """Run until `stop` is called. Arguments and errors are those of `serving`.

        Raises:
            SessionError: if the service ends the session for good.
        """
        async with self.serving(user_arn, configuration=configuration, client=client) as serving:
            await serving.wait_stopped()

    def stop(self) -> None:
        """End the bot in good order: what is being handled is finished, the rest waits for the next start."""
        if self._serving is not None:
            self._serving.stop()

    @property
    def is_running(self) -> bool:
        """Whether it is connected and answers."""
        return self._serving is not None and self._serving.begun

    @property
    def live(self) -> Serving:
        """The running bot.

        Raises:
            UsageError: if it does not run.
        """
        if self._serving is None:
            raise UsageError("the bot does not run")
        return self._serving

    def attach(self, serving: Serving | None) -> None:
        """Take what runs the bot. Called by it."""
        if serving is not None and self._serving is not None:
            raise UsageError("a bot runs once at a time")
        self._serving = serving

    def channel(self, arn: str) -> Channel:
        """Take hold of a channel, as for a job. The bot must run."""
        return self.live.channel(arn)

    @contextmanager
    def state(self, channel_arn: str) -> Iterator[ChannelState]:
        """Open the state of a channel outside of handlers; changes are stored at the end of the block.

        Value by value the last one who stores wins.
        """
        store = self.live.store
        state = store.state(channel_arn)
        yield state
        store.write(channel_arn, state.changes())

    def invoke(self, request: Mapping[str, Any]) -> None:
        """Hand over what the service asks an app instance bot, from any thread; returns once it is answered.

        Register it for the bot's ARN: ``server.processors.register(bot_arn, bot.invoke)``. What it answers is sent by
        the bot itself, so there is nothing to return.
        """
        self.live.invoke(request)


async def _help(context: Context, command: str | None = None) -> str:
    """List the commands, or explain one."""
    commands = context.bot.routes.commands
    try:
        return commands.help(command)
    except CommandError as exc:
        return str(exc)
