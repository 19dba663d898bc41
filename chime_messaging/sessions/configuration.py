"""What a messaging session is told before it starts."""

from __future__ import annotations

import ssl
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Any

from chime_messaging.aws.endpoint import parse_endpoint
from chime_messaging.aws.signing import Scheme
from chime_messaging.errors import ConfigurationError, TransportError
from chime_messaging.ids import new_session_id, require_arn
from chime_messaging.sessions.seconds import require_seconds


class PrefetchOn(StrEnum):
    """When the service sends the details of the user's channels by itself."""

    CONNECT = "connect"


class PrefetchSortBy(StrEnum):
    """Which channels prefetch takes when the user has more than it sends."""

    UNREAD = "unread"
    """Those with unread messages first, then the most recently active. The service's default."""
    LAST_MESSAGE_TIMESTAMP = "last-message-timestamp"
    """The most recently active first."""


@dataclass(frozen=True)
class MessagingSessionConfiguration:
    """Settings of a `MessagingSession`. Mirrors MessagingSessionConfiguration of the official client.

    Durations are seconds. Every default is safe for a program that runs unattended.

    Raises:
        ConfigurationError: naming the field that cannot work.
    """

    user_arn: str
    """ARN of the app instance user that connects."""
    messaging_session_id: str | None = None
    """Id of the session, kept over reconnects; None or empty makes a random one. A second session with the same id may
    displace the first."""
    endpoint_url: str | None = None
    """Where the first connection goes, as GetMessagingSessionEndpoint would tell it (host or host:port); reconnects ask
    the control plane, as the official client does. None asks for the first one, too."""
    chime_client: Any = field(default=None, repr=False)
    """boto3 client of ``chime-sdk-messaging``, for endpoint, region, credentials and channel calls; None makes one from
    the environment."""

    _: KW_ONLY
    reconnect_timeout: float | None = None
    """How long to try before the session ends, counted from the first try since it was last established; None for ever,
    0 for one try. (Official client: 10 s, counted from the last socket that opened.)"""
    reconnect_fixed_wait: float = 0.0
    """Added to every wait between tries."""
    reconnect_short_backoff: float = 1.0
    """Bound of the first random wait; doubles from try to try."""
    reconnect_long_backoff: float = 5.0
    """Bound that no random wait exceeds."""
    prefetch: PrefetchOn | None = None
    """Whether CHANNEL_DETAILS of up to 50 channels come after the session is established."""
    prefetch_sort_by: PrefetchSortBy | None = None
    connect_timeout: float = 10.0
    """For each step of a try: the endpoint, the credentials, and the websocket with its TLS."""
    establish_timeout: float = 10.0
    """From the open websocket to SESSION_ESTABLISHED. Silence ends a session that has never been established, and is
    another try for one that has. (Official client: waits for ever.)"""
    ping_interval: float | None = 20.0
    """Silence after which the peer is pinged; None never pings, and then a dead connection may go unnoticed."""
    ping_timeout: float = 20.0
    """How long the peer may take to answer a ping before the connection counts as lost."""
    idle_timeout: float | None = None
    """Time without any event after which the connection is made anew, although pings are answered; None for quiet
    channels, where that is ordinary."""
    resume: bool = True
    """Whether messages missed during a reconnect are fetched, merged and told as recovered."""
    scheme: Scheme | None = None
    """``wss`` or ``ws``; None follows the client: ``ws`` for a plain http endpoint such as a local server."""
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    """How to verify the websocket's server; None verifies as the client does (``AWS_CA_BUNDLE``, ``verify``)."""

    def __post_init__(self) -> None:
        require_arn(self.user_arn, "user_arn", "user")
        self._set("messaging_session_id", self.messaging_session_id or new_session_id())
        if len(str(self.messaging_session_id)) > 128:
            raise ConfigurationError("messaging_session_id", "is longer than 128 characters")
        if self.endpoint_url is not None:
            try:
                parse_endpoint(self.endpoint_url)
            except (TransportError, ValueError) as exc:
                raise ConfigurationError("endpoint_url", str(exc)) from exc
        if self.scheme not in (None, "ws", "wss"):
            raise ConfigurationError("scheme", f"must be ws, wss or None, is {self.scheme!r}")
        self._set("prefetch", _member("prefetch", PrefetchOn, self.prefetch))
        self._set("prefetch_sort_by", _member("prefetch_sort_by", PrefetchSortBy, self.prefetch_sort_by))
        self._check_durations()

    @property
    def session_id(self) -> str:
        """The session's id, made when none was given."""
        return str(self.messaging_session_id)

    def _check_durations(self) -> None:
        for name in ("reconnect_fixed_wait", "reconnect_short_backoff", "reconnect_long_backoff"):
            require_seconds(name, getattr(self, name), zero=True)
        for name in ("connect_timeout", "establish_timeout", "ping_timeout"):
            require_seconds(name, getattr(self, name), zero=False)
        for name in ("ping_interval", "idle_timeout"):
            if getattr(self, name) is not None:
                require_seconds(name, getattr(self, name), zero=False)
        if self.reconnect_timeout is not None:
            require_seconds("reconnect_timeout", self.reconnect_timeout, zero=True)
        if self.reconnect_long_backoff < self.reconnect_short_backoff:
            raise ConfigurationError("reconnect_long_backoff", "is shorter than reconnect_short_backoff")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def _member(name: str, kind: type[StrEnum], value: object) -> StrEnum | None:
    if value is None:
        return None
    try:
        return kind(str(value))
    except ValueError:
        raise ConfigurationError(name, f"must be one of {', '.join(kind)}, is {value!r}") from None
