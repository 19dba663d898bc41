"""Commands that other packages bring, found by their entry points; the media add-on is one.

An entry point of the group ``chime_messaging.cli`` names a function that takes the groups of commands by their names,
``""`` for ``chime`` itself, and adds to them. One of the group ``chime_messaging.demo`` is a play for ``chime demo``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

import typer

from chime_messaging.errors import ConfigurationError

COMMANDS = "chime_messaging.cli"
DEMOS = "chime_messaging.demo"


def extend(groups: Mapping[str, typer.Typer]) -> None:
    """Let every package that brings commands add them."""
    for entry in entry_points(group=COMMANDS):
        entry.load()(groups)


def find_demo(name: str) -> Callable[..., int]:
    """Find a play of another package; it returns the exit code.

    Raises:
        ConfigurationError: if no package brings it.
    """
    for entry in entry_points(group=DEMOS, name=name):
        play: Callable[..., int] = entry.load()
        return play
    raise ConfigurationError("demo", f"{name!r} is not installed: pip install 'chime-messaging[media]'")
