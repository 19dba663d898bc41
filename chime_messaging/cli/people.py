"""``chime user`` and ``chime channel``."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec

from chime_messaging.cli.directory import directory
from chime_messaging.errors import ConfigurationError, ConflictError
from chime_messaging.sessions.pages import Items


def create_user(name: str, *, admin: bool, url: str | None, app_instance: str | None) -> None:
    """Make a user and print its ARN."""

    async def work() -> None:
        async with directory(url, app_instance) as names:
            print(await names.create_user(name, admin=admin))

    anyio.run(work)


def list_users(*, json: bool, url: str | None, app_instance: str | None) -> None:
    """Print the users of the app instance: name, then ARN."""

    async def work() -> None:
        async with directory(url, app_instance) as names:
            app = await names.app_instance()
            async for user in Items(
                names.identity.call, "ListAppInstanceUsers", "AppInstanceUsers", dict, AppInstanceArn=app
            ):
                _print_item(user.get("Name") or "", user["AppInstanceUserArn"], user if json else None)

    anyio.run(work)


def create_channel(
    name: str,
    *,
    creator: str,
    members: list[str],
    public: bool,
    unrestricted: bool,
    metadata: str | None,
    url: str | None,
    app_instance: str | None,
) -> None:
    """Make a channel and print its ARN.

    Raises:
        ConfigurationError: if there is one with this name as its id.
    """

    async def work() -> None:
        async with directory(url, app_instance) as names:
            creator_arn = await names.user(creator)
            arns = [arn for member in members if (arn := await names.user(member)) != creator_arn]
            try:
                channel = await names.create_channel(
                    name,
                    creator_arn,
                    arns,
                    privacy="PUBLIC" if public else "PRIVATE",
                    mode="UNRESTRICTED" if unrestricted else "RESTRICTED",
                    metadata=metadata,
                )
            except ConflictError as exc:
                raise ConfigurationError("channel", f"there is a channel {name!r} already") from exc
            print(channel.arn)

    anyio.run(work)


def list_channels(user: str, *, json: bool, url: str | None, app_instance: str | None) -> None:
    """Print the channels of a user: name, then ARN; unread ones are marked."""

    async def work() -> None:
        async with directory(url, app_instance) as names:
            async for item in names.channels(await names.user(user)).mine():
                mark = " (unread)" if item.unread else ""
                record = msgspec.to_builtins(item) if json else None
                _print_item(f"{item.channel.name}{mark}", item.channel.channel_arn, record)

    anyio.run(work)


def _print_item(name: str, arn: str, record: dict[str, Any] | None) -> None:
    if record is not None:
        print(msgspec.json.encode(record).decode())
    else:
        print(f"{name:<24} {arn}")
