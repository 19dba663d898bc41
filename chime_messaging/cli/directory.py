"""Who and what a name on the command line means.

A name belongs to an app instance: ``alice`` is the user with the id ``alice`` in it, ``general`` the channel with that
id or name among those of the user who acts. ARNs mean themselves. On a local server users and the app instance are
made when they are first named; on AWS nothing is ever made unasked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import boto3

from chime_messaging.aws.clients import open_client
from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.errors import ConfigurationError, ConflictError, ForbiddenError
from chime_messaging.ids import is_resource_id, new_uuid, require_arn
from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_REGION, LOCAL_SECRET_KEY
from chime_messaging.sessions.channels import Channel, Channels
from chime_messaging.sessions.pages import Items

LOCAL_APP_INSTANCE = "chime"
"""Name of the app instance that is made on a local server."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Directory:
    """The control planes of one installation, and the names in it."""

    def __init__(self, messaging: ControlPlane, identity: ControlPlane, app_instance: str | None) -> None:
        self.messaging = messaging
        self.identity = identity
        self._app_instance = app_instance

    @property
    def local(self) -> bool:
        """Whether this is a server on this machine, where names come into being by being used."""
        return urlsplit(str(self.identity.client.meta.endpoint_url)).hostname in LOCAL_HOSTS

    async def app_instance(self) -> str:
        """Give the ARN of the app instance that names belong to.

        Raises:
            ConfigurationError: if it is not clear which.
        """
        if self._app_instance is None:
            self._app_instance = await self._find_app_instance()
        return self._app_instance

    async def _find_app_instance(self) -> str:
        found = [item async for item in Items(self.identity.call, "ListAppInstances", "AppInstances", dict)]
        named = [item for item in found if item.get("Name") == LOCAL_APP_INSTANCE]
        if self.local and not named and len(found) != 1:
            made = await self.identity.call("CreateAppInstance", Name=LOCAL_APP_INSTANCE)
            return str(made["AppInstanceArn"])
        choice = named or found
        if len(choice) != 1:
            raise ConfigurationError("app instance", f"there are {len(choice)}; say which: --app-instance ARN")
        return str(choice[0]["AppInstanceArn"])

    async def user(self, name: str) -> str:
        """Give the ARN of a user.

        Raises:
            ConfigurationError: if the text is neither an ARN nor a possible name, or there is no such user.
        """
        if name.startswith("arn:"):
            return require_arn(name, "user", "user", "bot").text
        arn = f"{await self.app_instance()}/user/{_slug(name)}"
        try:
            await self.identity.call("DescribeAppInstanceUser", AppInstanceUserArn=arn)
        except ForbiddenError:
            if not self.local:
                raise ConfigurationError("user", f"there is no {name!r} in {await self.app_instance()}") from None
            await self.create_user(name)
        return arn

    async def create_user(self, name: str, *, admin: bool = False) -> str:
        """Make a user, or find the one that another command has just made; gives the ARN."""
        app_instance = await self.app_instance()
        user_id = _slug(name)
        with suppress(ConflictError):
            await self.identity.call(
                "CreateAppInstanceUser", AppInstanceArn=app_instance, AppInstanceUserId=user_id, Name=name
            )
        arn = f"{app_instance}/user/{user_id}"
        if admin:
            await self.identity.call("CreateAppInstanceAdmin", AppInstanceArn=app_instance, AppInstanceAdminArn=arn)
        return arn

    def channels(self, user_arn: str) -> Channels:
        """Give the channels as a user sees them."""
        return Channels(self.messaging, user_arn)

    async def channel(self, name: str, user_arn: str) -> Channel:
        """Give the channel that a text means to a user.

        Raises:
            ConfigurationError: if the user has no such channel, or several.
        """
        channels = self.channels(user_arn)
        if name.startswith("arn:"):
            return channels.channel(require_arn(name, "channel", "channel").text)
        mine = [item.channel async for item in channels.mine()]
        found = [item for item in mine if item.channel_arn.endswith(f"/{name}")]
        found = found or [item for item in mine if item.name == name]
        if len(found) == 1:
            return channels.channel(found[0].channel_arn)
        who = user_arn.rpartition("/")[2]
        if found:
            arns = ", ".join(item.channel_arn for item in found)
            raise ConfigurationError("channel", f"{who} has several called {name!r}: {arns}")
        known = ", ".join(sorted(item.name or item.channel_arn for item in mine)) or "none"
        raise ConfigurationError("channel", f"{who} is in no channel {name!r}; in: {known}")

    async def create_channel(self, name: str, creator: str, members: list[str], **settings: Any) -> Channel:
        """Make a channel whose id is its name, where that is possible.

        Raises:
            ConflictError: if there is one with this id.
        """
        channel_id = name if is_resource_id(name) else new_uuid()
        first, rest = members[:10], members[10:]
        channel = await self.channels(creator).create(name, members=first, channel_id=channel_id, **settings)
        if rest:
            await channel.add_members(rest)
        return channel


@asynccontextmanager
async def directory(url: str | None, app_instance: str | None) -> AsyncIterator[Directory]:
    """Open the control planes: at `url` with the local keys, else as boto3 finds them in the environment.

    Raises:
        ConfigurationError: if `url` or `app_instance` cannot be one.
    """
    if app_instance is not None:
        require_arn(app_instance, "app-instance", "app-instance")
    session = None
    if url is not None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigurationError("url", f"{url!r} is not like http://127.0.0.1:8765")
        session = boto3.Session(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, region_name=LOCAL_REGION)
    messaging = await open_client("chime-sdk-messaging", session=session, endpoint_url=url)
    identity = await open_client("chime-sdk-identity", session=session, endpoint_url=url)
    try:
        yield Directory(ControlPlane(messaging), ControlPlane(identity), app_instance)
    finally:
        messaging.close()
        identity.close()


def _slug(name: str) -> str:
    if not is_resource_id(name):
        raise ConfigurationError(
            "user", f"{name!r} cannot be an id: 1 to 64 letters, digits and any of : - _ . @ between them"
        )
    return name
