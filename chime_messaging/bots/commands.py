"""Commands: their names, their parameters, and the help that follows from both. Pure."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chime_messaging.bots.arguments import Parameters
from chime_messaging.bots.errors import CommandError
from chime_messaging.errors import ConfigurationError

_NAME = re.compile(r"\S{1,32}")


class Command:
    """A function that people call by a word.

    Args:
        function: Takes the context, then its parameters.
        name: The word; the function's name by default.
        aliases: Further words.
        hidden: Whether the help leaves it out.
        middleware: What stands around this command alone.

    Raises:
        ConfigurationError: if a name or a parameter cannot work.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        *,
        aliases: Iterable[str] = (),
        hidden: bool = False,
        middleware: Sequence[Any] = (),
    ) -> None:
        self.function = function
        self.name = str(name or getattr(function, "__name__", "")).casefold()
        self.names = (self.name, *(alias.casefold() for alias in aliases))
        for each in self.names:
            if _NAME.fullmatch(each) is None:
                raise ConfigurationError("name", f"{each[:40]!r} cannot be the name of a command: 1 to 32 characters")
        self.hidden = hidden
        self.middleware = tuple(middleware)
        self.parameters = Parameters(function)
        summary, _, details = (inspect.getdoc(function) or "").partition("\n")
        self.summary = summary
        """First line of the docstring."""
        self.details = details.strip()

    def usage(self, prefix: str) -> str:
        """How the command is written."""
        return f"{prefix}{self.name} {self.parameters.usage}".rstrip()

    def help(self, prefix: str) -> str:
        """Everything there is to say about it."""
        lines = [self.usage(prefix), self.summary, self.details]
        if len(self.names) > 1:
            lines.append("Also: " + ", ".join(prefix + name for name in self.names[1:]))
        return "\n".join(line for line in lines if line)


class Commands:
    """The commands of one bot.

    Args:
        prefix: What a message that is a command begins with.
    """

    def __init__(self, prefix: str) -> None:
        if not prefix or prefix != prefix.strip():
            raise ConfigurationError("prefix", "must be text without white space around it")
        self.prefix = prefix
        self._by_name: dict[str, Command] = {}

    def __len__(self) -> int:
        return len(self.all())

    def add(self, command: Command) -> None:
        """Take a command.

        Raises:
            ConfigurationError: if one of its names is taken.
        """
        for name in command.names:
            if name in self._by_name:
                raise ConfigurationError("name", f"there is a command {name!r} already")
        self._by_name.update(dict.fromkeys(command.names, command))

    def all(self) -> list[Command]:
        """Every command once, in the order they were added."""
        return list(dict.fromkeys(self._by_name.values()))

    def find(self, text: str, *, addressed: bool) -> tuple[Command, str] | None:
        """Find the command that a text calls, and what follows it.

        Args:
            text: The content of a message, without the mention it began with.
            addressed: Whether the message was for the bot in any case, so that the prefix may be missing.
        """
        text = text.lstrip()
        if text.startswith(self.prefix):
            text = text[len(self.prefix) :]
        elif not addressed:
            return None
        name, _, rest = _partition(text)
        command = self._by_name.get(name.casefold())
        return None if command is None else (command, rest)

    def help(self, name: str | None = None) -> str:
        """Write the help: all commands, or one.

        Raises:
            CommandError: if there is no such command.
        """
        if name is not None:
            command = self._by_name.get(name.removeprefix(self.prefix).casefold())
            if command is None:
                raise CommandError(f"There is no command {name[:40]!r}. {self.prefix}help lists them.")
            return command.help(self.prefix)
        shown = [command for command in self.all() if not command.hidden]
        return "\n".join(
            f"{command.usage(self.prefix)} - {command.summary}" if command.summary else command.usage(self.prefix)
            for command in shown
        )


def _partition(text: str) -> tuple[str, str, str]:
    name = re.match(r"\S*", text)
    end = name.end() if name is not None else 0
    return text[:end], "", text[end:]
