"""``chime env``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from chime_messaging.server.environment import client_environment


def _powershell(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


LINES: Mapping[str, Callable[[str, str], str]] = {
    "sh": lambda name, value: f"export {name}={shlex.quote(value)}",
    "fish": lambda name, value: f"set -gx {name} {_fish(value)}",
    "powershell": lambda name, value: f"$Env:{name} = {_powershell(value)}",
    "dotenv": lambda name, value: f"{name}={shlex.quote(value)}",
}


def write(*, host: str, port: int, tls: bool, shell: str) -> None:
    """Print the variables for a server at this address in the syntax of a shell."""
    ca_path: Path | None = None
    if tls:
        from chime_messaging.server.tls import identify

        # Makes the authority when no server has made it yet, so that the path is good at once.
        ca_path = identify().ca_path
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    variables = client_environment(f"{'https' if tls else 'http'}://{address}", ca_path=ca_path)
    if shell == "json":
        print(msgspec.json.format(msgspec.json.encode(variables)).decode())
        return
    for name, value in variables.items():
        print(LINES[shell](name, value))
    if shell == "sh" and sys.stdout.isatty():
        print('# To use them in this shell: eval "$(chime env)"', file=sys.stderr)
