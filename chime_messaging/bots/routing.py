"""Which handler a message goes to: the first that fits of commands, patterns, mentions, and the rest. Pure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chime_messaging.bots.commands import Command, Commands
from chime_messaging.bots.context import Context

Handler = Callable[[Context], Awaitable[object]]
"""Takes the context. Text that it returns is sent as a reply."""


@dataclass(frozen=True)
class Route:
    """The handler that a message goes to."""

    function: Callable[..., Awaitable[object]]
    command: Command | None = None
    rest: str = ""
    """What follows the command."""
    match: re.Match[str] | None = None
    addressed: bool = False

    @property
    def middleware(self) -> Sequence[Any]:
        """What stands around this handler alone."""
        return self.command.middleware if self.command is not None else ()

    def arguments(self, prefix: str) -> tuple[list[Any], dict[str, Any]]:
        """Read what the handler takes besides the context.

        Raises:
            ArgumentError: if the words after the command are not what it takes.
        """
        if self.command is not None:
            return self.command.parameters.read(self.rest, self.command.usage(prefix))
        return [], self.match.groupdict() if self.match is not None else {}


@dataclass
class Routes:
    """Everything a bot answers messages with."""

    commands: Commands
    patterns: list[tuple[re.Pattern[str], Callable[..., Awaitable[object]]]] = field(default_factory=list)
    mentions: list[Handler] = field(default_factory=list)
    messages: list[Handler] = field(default_factory=list)

    def find(self, text: str, *, addressed: bool) -> Route | None:
        """Find the handler of a message; None if nobody answers it.

        Args:
            text: What was said, without the mention of the bot.
            addressed: Whether it mentions the bot, or the service handed it over.
        """
        called = self.commands.find(text, addressed=addressed)
        if called is not None:
            command, rest = called
            return Route(command.function, command=command, rest=rest, addressed=True)
        for pattern, handler in self.patterns:
            match = pattern.search(text)
            if match is not None:
                return Route(handler, match=match, addressed=addressed)
        if addressed and self.mentions:
            return Route(self.mentions[0], addressed=True)
        return Route(self.messages[0], addressed=addressed) if self.messages else None
