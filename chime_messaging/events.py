"""What can happen in a messaging session.

One class per event type; every observer face (objects, decorators, iteration) is told in these. The names on the
wire stand in `EVENT_TYPES`. What is unknown or unreadable is an event too, never an exception.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from chime_messaging.wire import payloads
from chime_messaging.wire.envelope import EVENT_REASON, Envelope


class Event(msgspec.Struct, frozen=True):
    """Base of everything a session can tell."""

    is_terminal: ClassVar[bool] = False
    """Whether it is the one that ends a session: promised to everybody, so a full mailbox takes it all the same."""


# --- the life of the session -------------------------------------------------------------------------------------


class SessionConnecting(Event, frozen=True):
    """A socket is being opened. Official name: messagingSessionDidStartConnecting."""

    reconnecting: bool
    attempt: int = 1
    """Counts from 1 since the session was last established."""


class SessionEstablished(Event, frozen=True):
    """The service will deliver every event from now on. Official name: messagingSessionDidStart."""

    session_id: str
    reconnected: bool


class ReconnectScheduled(Event, frozen=True):
    """The connection was lost, or could not be made, and will be tried again."""

    delay: float
    """Seconds until the next try."""
    attempt: int
    """Number of the try that is scheduled, from 1."""
    code: int
    """Close code that led here; 4999 when the endpoint could not be looked up."""
    reason: str


class SessionStopped(Event, frozen=True):
    """The one terminal event of a session. Official name: messagingSessionDidStop."""

    is_terminal = True

    code: int
    """Close code; 1005 after an ordinary stop."""
    reason: str = ""
    error: Exception | None = None
    """Why the session ended; None when the application ended it."""


class Recovered(Event, frozen=True):
    """After a reconnect: everything that was said in between has been delivered."""

    since: datetime
    """When the connection was lost."""
    messages: int
    """Messages that were fetched and delivered."""
    channels: int
    """Channels that were looked through."""


class GapDetected(Event, frozen=True):
    """After a reconnect: part of what was said in between could not be fetched."""

    channel_arn: str
    """Empty when the user's channels could not be listed: the gap may be in any of them."""
    since: datetime
    """Up to here nothing is missing. What is fetched from here on may contain messages that were delivered."""
    until: datetime
    """From here on the stream is complete again."""
    reason: str


class HandlerFailed(Event, frozen=True):
    """A handler or observer raised. It keeps its subscription; nobody else notices."""

    handler: str
    event: Event
    error: Exception


# --- channel events ----------------------------------------------------------------------------------------------


class ChannelEvent(Event, frozen=True):
    """Base of the events that arrive in frames."""

    envelope: Envelope
    """The frame as it came: headers and the payload's JSON text."""

    @property
    def type(self) -> str:
        """Name on the wire, for example ``CREATE_CHANNEL_MESSAGE``."""
        return self.envelope.type

    @property
    def reason(self) -> str | None:
        """Header ``x-amz-chime-event-reason``, where the service gives one."""
        value: Any = self.envelope.headers.get(EVENT_REASON)
        return value if isinstance(value, str) else None


class MessageEvent(ChannelEvent, frozen=True):
    """Base of the events about one message."""

    message: payloads.ChannelMessage
    recovered: bool = False
    """Fetched after a reconnect instead of received live."""


class MessageCreated(MessageEvent, frozen=True):
    """CREATE_CHANNEL_MESSAGE."""


class MessageUpdated(MessageEvent, frozen=True):
    """UPDATE_CHANNEL_MESSAGE."""


class MessageRedacted(MessageEvent, frozen=True):
    """REDACT_CHANNEL_MESSAGE."""


class MessageDeleted(MessageEvent, frozen=True):
    """DELETE_CHANNEL_MESSAGE."""


class MessageCreatePending(MessageEvent, frozen=True):
    """PENDING_CREATE_CHANNEL_MESSAGE: the channel flow looks at the sender's message."""


class MessageUpdatePending(MessageEvent, frozen=True):
    """PENDING_UPDATE_CHANNEL_MESSAGE."""


class MessageCreateFailed(MessageEvent, frozen=True):
    """FAILED_CREATE_CHANNEL_MESSAGE: the flow could not run and its fallback is ABORT."""


class MessageUpdateFailed(MessageEvent, frozen=True):
    """FAILED_UPDATE_CHANNEL_MESSAGE."""


class MessageCreateDenied(MessageEvent, frozen=True):
    """DENIED_CREATE_CHANNEL_MESSAGE: the flow refused the sender's message."""


class MessageUpdateDenied(MessageEvent, frozen=True):
    """DENIED_UPDATE_CHANNEL_MESSAGE."""


class ChannelCreated(ChannelEvent, frozen=True):
    """CREATE_CHANNEL (streaming; not sent on the websocket)."""

    channel: payloads.Channel


class ChannelUpdated(ChannelEvent, frozen=True):
    """UPDATE_CHANNEL."""

    channel: payloads.Channel


class ChannelDeleted(ChannelEvent, frozen=True):
    """DELETE_CHANNEL."""

    channel: payloads.Channel


class MembershipCreated(ChannelEvent, frozen=True):
    """CREATE_CHANNEL_MEMBERSHIP."""

    membership: payloads.ChannelMembership


class MembershipsCreated(ChannelEvent, frozen=True):
    """BATCH_CREATE_CHANNEL_MEMBERSHIP."""

    memberships: payloads.BatchChannelMemberships


class MembershipUpdated(ChannelEvent, frozen=True):
    """UPDATE_CHANNEL_MEMBERSHIP: elastic balancing moved this user to another sub-channel."""

    membership: payloads.ChannelMembership


class MembershipDeleted(ChannelEvent, frozen=True):
    """DELETE_CHANNEL_MEMBERSHIP."""

    membership: payloads.ChannelMembership


class ChannelDetailsReceived(ChannelEvent, frozen=True):
    """CHANNEL_DETAILS: prefetch of one channel."""

    details: payloads.ChannelDetails


class ChannelExpirationUpdated(ChannelEvent, frozen=True):
    """UPDATE_CHANNEL_EXPIRATION_SETTINGS (streaming; not sent on the websocket)."""

    channel: payloads.Channel


class BanCreated(ChannelEvent, frozen=True):
    """CREATE_CHANNEL_BAN (streaming; not sent on the websocket)."""

    ban: payloads.ChannelBan


class BanDeleted(ChannelEvent, frozen=True):
    """DELETE_CHANNEL_BAN (streaming; not sent on the websocket)."""

    ban: payloads.ChannelBan


class ModeratorCreated(ChannelEvent, frozen=True):
    """CREATE_CHANNEL_MODERATOR (streaming; not sent on the websocket)."""

    moderator: payloads.ChannelModerator


class ModeratorDeleted(ChannelEvent, frozen=True):
    """DELETE_CHANNEL_MODERATOR (streaming; not sent on the websocket)."""

    moderator: payloads.ChannelModerator


class SubChannelCreated(ChannelEvent, frozen=True):
    """CREATE_SUB_CHANNEL (streaming; not sent on the websocket)."""

    sub_channel: payloads.SubChannel


class SubChannelDeleted(ChannelEvent, frozen=True):
    """DELETE_SUB_CHANNEL (streaming; not sent on the websocket)."""

    sub_channel: payloads.SubChannel


class SessionEstablishedReceived(ChannelEvent, frozen=True):
    """SESSION_ESTABLISHED as a frame, delivered after `SessionEstablished` as the official client does."""


class UnknownEvent(ChannelEvent, frozen=True):
    """An event type this version does not know."""


class UndecodableFrame(Event, frozen=True):
    """A frame that is not JSON, not an envelope, or whose payload has the wrong shape. The session goes on."""

    frame: str | bytes
    """As received, cut to 64 KB."""
    error: Exception


EVENT_TYPES: dict[str, type[ChannelEvent]] = {
    "SESSION_ESTABLISHED": SessionEstablishedReceived,
    "CHANNEL_DETAILS": ChannelDetailsReceived,
    "CREATE_CHANNEL_MESSAGE": MessageCreated,
    "UPDATE_CHANNEL_MESSAGE": MessageUpdated,
    "REDACT_CHANNEL_MESSAGE": MessageRedacted,
    "DELETE_CHANNEL_MESSAGE": MessageDeleted,
    "PENDING_CREATE_CHANNEL_MESSAGE": MessageCreatePending,
    "PENDING_UPDATE_CHANNEL_MESSAGE": MessageUpdatePending,
    "FAILED_CREATE_CHANNEL_MESSAGE": MessageCreateFailed,
    "FAILED_UPDATE_CHANNEL_MESSAGE": MessageUpdateFailed,
    "DENIED_CREATE_CHANNEL_MESSAGE": MessageCreateDenied,
    "DENIED_UPDATE_CHANNEL_MESSAGE": MessageUpdateDenied,
    "CREATE_CHANNEL": ChannelCreated,
    "UPDATE_CHANNEL": ChannelUpdated,
    "DELETE_CHANNEL": ChannelDeleted,
    "CREATE_CHANNEL_MEMBERSHIP": MembershipCreated,
    "BATCH_CREATE_CHANNEL_MEMBERSHIP": MembershipsCreated,
    "UPDATE_CHANNEL_MEMBERSHIP": MembershipUpdated,
    "DELETE_CHANNEL_MEMBERSHIP": MembershipDeleted,
    "UPDATE_CHANNEL_EXPIRATION_SETTINGS": ChannelExpirationUpdated,
    "CREATE_CHANNEL_BAN": BanCreated,
    "DELETE_CHANNEL_BAN": BanDeleted,
    "CREATE_CHANNEL_MODERATOR": ModeratorCreated,
    "DELETE_CHANNEL_MODERATOR": ModeratorDeleted,
    "CREATE_SUB_CHANNEL": SubChannelCreated,
    "DELETE_SUB_CHANNEL": SubChannelDeleted,
}
"""Event class of each name on the wire. The official list: developer guide, system messages."""
