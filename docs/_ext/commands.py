"""``{chime-command} NAME``: usage, text and options of a command, read from the command itself."""

import re
from typing import Any

import typer
from docutils import nodes
from docutils.parsers.rst import Directive
from tables import build, inline

from chime_messaging.cli.app import app

ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, prefix: str = "chime") -> dict[str, Any]:
    """Every command by its full name, without the groups."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        found |= commands(command, full) if hasattr(command, "commands") else {full: command}
    return found


def plain(text: str | None) -> str:
    """Take rich's markup out; what it colours as a command becomes code."""
    coloured = re.sub(r"\[(cyan|bold)\](.*?)\[/\1\]", r"`\2`", text or "")
    return re.sub(r"\[/?(?:bold|dim|cyan)\]", "", coloured).strip()


class ChimeCommand(Directive):
    """Insert the help of one command."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Build the nodes."""
        name = self.arguments[0]
        command = commands()[name]
        made: list[nodes.Node] = [nodes.literal_block(text=" ".join([name, *self._usage(command)]))]
        parts = [part for part in (*plain(command.help).split("\n\n"), plain(command.epilog)) if part]
        made += [nodes.paragraph("", "", *inline(" ".join(part.split()))) for part in parts]
        rows = [("Argument or option", "Default", "Meaning"), *map(self._row, self._shown(command))]
        return [*made, build(rows)] if len(rows) > 1 else made

    @staticmethod
    def _shown(command: Any) -> list[Any]:
        return [param for param in command.params if param.name != "help"]

    def _usage(self, command: Any) -> list[str]:
        arguments = [param for param in self._shown(command) if param.param_type_name == "argument"]
        names = [_name(param) for param in arguments]
        shown = [name if param.required else f"[{name}]" for name, param in zip(names, arguments, strict=True)]
        return ["[OPTIONS]", *shown]

    @staticmethod
    def _row(param: Any) -> tuple[str, str, str]:
        if param.param_type_name == "argument":
            name = f"`{_name(param)}`"
        else:
            value = "" if param.is_flag else f" {param.metavar or _kind(param)}"
            name = f"`{', '.join(param.opts)}{value}`"
        default = (
            ""
            if param.default in (None, False) or param.required
            else f"`{getattr(param.default, 'value', param.default)}`"
        )
        meaning = plain(getattr(param, "help", None))
        if getattr(param, "envvar", None):
            meaning += f" Also: `{param.envvar}`."
        return name, default, meaning


def _name(param: Any) -> str:
    """What stands for an argument."""
    return str(param.metavar or param.name).upper()


def _kind(param: Any) -> str:
    """Name of a value's type: typer keeps it in a descriptor, or leaves it to click."""
    descriptor = getattr(param, "type_descriptor", None)
    if descriptor is None:
        return str(param.type.name).upper()
    name = str(descriptor.annotation.__name__)
    return "TEXT" if name == "str" else name.upper()


def setup(app: Any) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("chime-command", ChimeCommand)
    return {"parallel_read_safe": True}
