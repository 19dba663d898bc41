"""``chime send``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import Literal

import msgspec
from anyio.from_thread import start_blocking_portal

from chime_messaging.cli.directory import directory
from chime_messaging.errors import ConfigurationError

MAX_LINE = 64 << 10
"""Characters of one line of stdin that are read at a time; the service takes 4096 bytes."""


def run(
    channel: str,
    text: str | None,
    *,
    sender: str,
    control: bool,
    persistent: bool,
    metadata: str | None,
    attributes: list[str],
    target: str | None,
    json: bool,
    url: str | None,
    app_instance: str | None,
) -> None:
    """Send `text`, or each line of stdin, in order; print the ids.

    Raises:
        ConfigurationError: if a name means nothing, or an attribute is not NAME=VALUE.
        ServiceError: if the service refuses a message; those before it are sent.
    """
    values = _attributes(attributes)
    kind: Literal["CONTROL", "STANDARD"] = "CONTROL" if control else "STANDARD"
    # The event loop runs beside, so that Ctrl-C ends the wait for a line at once: a thread that waits for one cannot be
    # stopped.
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(directory(url, app_instance)) as names,
    ):
        sender_arn = portal.call(names.user, sender)
        place = portal.call(names.channel, channel, sender_arn)
        member = None if target is None else portal.call(names.user, target)
        for content in _lines() if text is None else [text]:
            sent = portal.call(
                partial(
                    place.send,
                    content,
                    type=kind,
                    persistence="PERSISTENT" if persistent else "NON_PERSISTENT",
                    metadata=metadata,
                    attributes=values,
                    target=member,
                )
            )
            print(msgspec.json.encode(sent).decode() if json else sent.message_id, flush=True)


def _lines() -> Iterator[str]:
    while line := sys.stdin.readline(MAX_LINE):
        if content := line.rstrip("\r\n"):
            yield content


def _attributes(given: list[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigurationError("attribute", f"{text!r} is not NAME=VALUE")
        values.setdefault(name, []).append(value)
    return values
