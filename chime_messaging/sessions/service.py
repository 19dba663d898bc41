"""What a messaging session asks the control plane: where to connect, and what it missed."""

from __future__ import annotations

import functools
import os
import ssl
from typing import Any, Protocol

import msgspec

from chime_messaging.aws.clients import open_client
from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.aws.credentials import resolve_credentials
from chime_messaging.aws.endpoint import parse_endpoint, resolve_endpoint
from chime_messaging.aws.signing import presign_connect_url
from chime_messaging.aws.threads import run_in_thread
from chime_messaging.errors import UsageError
from chime_messaging.protocol.resume import ChannelActivity, Listing
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.history import to_message
from chime_messaging.sessions.pages import PAGE, Items
from chime_messaging.transport.base import Connector
from chime_messaging.transport.websocket import WebSocketConnector
from chime_messaging.wire.payloads import ChannelMessage, MembershipForUser


class MessagePage(msgspec.Struct, frozen=True):
    """Part of a channel's history, oldest message first."""

    messages: list[ChannelMessage]
    next_token: str | None = None


class SessionService(Protocol):
    """What a session needs of the control plane."""

    @property
    def control_plane(self) -> ControlPlane:
        """Calls in the name of the session's user; `UsageError` where there are none."""

    async def connector(self) -> Connector:
        """Make what opens the websockets of these URLs."""

    async def connect_url(self, *, first: bool) -> str:
        """Find out where to connect and sign it, afresh. The URL is a secret.

        Args:
            first: Whether the session has never tried to connect before.

        Raises:
            ChimeError: whether another try may help is told by `protocol.reconnect.is_retryable`.
        """

    async def activities(self) -> list[ChannelActivity]:
        """List all channels that the user is in."""

    async def messages(self, listing: Listing, next_token: str | None) -> MessagePage:
        """List a page of a channel, ascending."""


class AwsSessionService:
    """The real one, on a boto3 client."""

    def __init__(self, configuration: MessagingSessionConfiguration) -> None:
        self._configuration = configuration
        self._client: Any = configuration.chime_client

    @property
    def control_plane(self) -> ControlPlane:
        """Calls in the name of the session's user.

        Raises:
            UsageError: if the configuration names no client and the session has not made one yet.
        """
        if self._client is None:
            raise UsageError("there is no client yet: enter the session first, or give chime_client")
        return ControlPlane(self._client, self._configuration.user_arn)

    async def open(self) -> None:
        """Make the client, if none was given."""
        if self._client is None:
            self._client = await open_client()

    async def connect_url(self, *, first: bool) -> str:
        """See `SessionService.connect_url`."""
        await self.open()
        configuration, control_plane = self._configuration, self.control_plane
        timeout = configuration.connect_timeout
        if first and configuration.endpoint_url is not None:
            endpoint = parse_endpoint(configuration.endpoint_url, default_scheme=control_plane.session_scheme)
        else:
            endpoint = await resolve_endpoint(self._client, timeout=timeout)
        credentials = await resolve_credentials(self._client, timeout=timeout)
        sort_by = configuration.prefetch_sort_by
        return presign_connect_url(
            endpoint.host,
            user_arn=configuration.user_arn,
            session_id=configuration.session_id,
            region=control_plane.region,
            credentials=credentials,
            scheme=configuration.scheme or endpoint.scheme,
            prefetch=configuration.prefetch is not None,
            prefetch_sort_by=None if sort_by is None else sort_by.value,
        )

    async def activities(self) -> list[ChannelActivity]:
        """See `SessionService.activities`. Official name: ListChannelMembershipsForAppInstanceUser."""
        call = self.control_plane.call
        activities = Items(call, "ListChannelMembershipsForAppInstanceUser", "ChannelMemberships", _activity)
        return [activity async for activity in activities]

    async def messages(self, listing: Listing, next_token: str | None) -> MessagePage:
        """See `SessionService.messages`. Official name: ListChannelMessages."""
        response = await self.control_plane.call(
            "ListChannelMessages",
            ChannelArn=listing.channel_arn,
            SortOrder="ASCENDING",
            NotBefore=listing.not_before,
            SubChannelId=listing.sub_channel_id,
            MaxResults=PAGE,
            NextToken=next_token,
        )
        messages = [to_message(item, listing.channel_arn) for item in response.get("ChannelMessages") or ()]
        return MessagePage(messages, response.get("NextToken") or None)

    async def connector(self) -> Connector:
        """Websockets verified as the configuration says, else as the client verifies its HTTPS."""
        await self.open()
        configuration = self._configuration
        context = configuration.ssl_context or await run_in_thread(self._client_ssl_context)
        return WebSocketConnector(
            ssl_context=context,
            ping_interval=configuration.ping_interval,
            ping_timeout=configuration.ping_timeout,
        )

    def _client_ssl_context(self) -> ssl.SSLContext | None:
        # boto3 resolves `verify=`, AWS_CA_BUNDLE and the profile's ca_bundle into this; it has no public name.
        verify = getattr(getattr(self._client._endpoint, "http_session", None), "_verify", True)
        if verify is True or verify is None:
            return None
        if verify is False:
            return _ssl_context(None, 0)
        return _ssl_context(str(verify), os.stat(verify).st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _ssl_context(ca_path: str | None, modified: int) -> ssl.SSLContext:
    # Shared by all sessions of a process: each holds its certificates, half a megabyte of a system's bundle.
    del modified
    if ca_path is not None:
        return ssl.create_default_context(cafile=ca_path)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _activity(record: dict[str, Any]) -> ChannelActivity:
    found = msgspec.convert(record, MembershipForUser)
    return ChannelActivity(
        found.channel.channel_arn, found.channel.last_message_timestamp, found.membership.sub_channel_id
    )
