"""Amazon Chime SDK messaging for Python: sessions, channels, data messages, and a local Chime.

Room map, top to bottom; each may import only what stands below it:
``cli | testing``, ``bots | state``, ``sessions | server``, ``aws``, ``transport | observers``, ``protocol``,
``events``, ``wire``, ``ids``, ``errors``.

What a program needs every day can be imported from here; it is loaded when it is first asked for, so that importing the
package alone loads neither boto3 nor an event loop.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chime_messaging.errors import (
        BadRequestError,
        ChimeError,
        ConfigurationError,
        ConflictError,
        ConnectError,
        ConnectionClosed,
        ConnectTimeoutError,
        CredentialsError,
        DecodeError,
        ForbiddenError,
        FrameTooLargeError,
        InvalidArnError,
        LimitError,
        NotFoundError,
        ProtocolError,
        ReconnectDeadlineError,
        RequestTimeoutError,
        ResourceLimitExceededError,
        ServiceError,
        ServiceFailureError,
        ServiceUnavailableError,
        SessionClosedError,
        SessionError,
        SessionKickedError,
        SessionNotEstablishedError,
        SessionRejectedError,
        SessionStoppedError,
        SessionTimeoutError,
        SubscriptionOverflowError,
        ThrottledError,
        TransportError,
        UnauthorizedError,
        UsageError,
        WaitTimeoutError,
    )
    from chime_messaging.events import (
        BanCreated,
        BanDeleted,
        ChannelCreated,
        ChannelDeleted,
        ChannelDetailsReceived,
        ChannelEvent,
        ChannelExpirationUpdated,
        ChannelUpdated,
        Event,
        GapDetected,
        HandlerFailed,
        MembershipCreated,
        MembershipDeleted,
        MembershipsCreated,
        MembershipUpdated,
        MessageCreated,
        MessageCreateDenied,
        MessageCreateFailed,
        MessageCreatePending,
        MessageDeleted,
        MessageEvent,
        MessageRedacted,
        MessageUpdated,
        MessageUpdateDenied,
        MessageUpdateFailed,
        MessageUpdatePending,
        ModeratorCreated,
        ModeratorDeleted,
        ReconnectScheduled,
        Recovered,
        SessionConnecting,
        SessionEstablished,
        SessionEstablishedReceived,
        SessionStopped,
        SubChannelCreated,
        SubChannelDeleted,
        UndecodableFrame,
        UnknownEvent,
    )
    from chime_messaging.observers import (
        MessagingSessionObserver,
    )
    from chime_messaging.sessions import (
        Channel,
        Channels,
        MessagingSession,
        MessagingSessionConfiguration,
        PrefetchOn,
        PrefetchSortBy,
    )
    from chime_messaging.wire import (
        ChannelMessage,
        Envelope,
        SentMessage,
    )

__version__ = "0.1.0"

__all__ = [
    "BadRequestError",
    "BanCreated",
    "BanDeleted",
    "Channel",
    "ChannelCreated",
    "ChannelDeleted",
    "ChannelDetailsReceived",
    "ChannelEvent",
    "ChannelExpirationUpdated",
    "ChannelMessage",
    "ChannelUpdated",
    "Channels",
    "ChimeError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ConnectTimeoutError",
    "ConnectionClosed",
    "CredentialsError",
    "DecodeError",
    "Envelope",
    "Event",
    "ForbiddenError",
    "FrameTooLargeError",
    "GapDetected",
    "HandlerFailed",
    "InvalidArnError",
    "LimitError",
    "MembershipCreated",
    "MembershipDeleted",
    "MembershipUpdated",
    "MembershipsCreated",
    "MessageCreateDenied",
    "MessageCreateFailed",
    "MessageCreatePending",
    "MessageCreated",
    "MessageDeleted",
    "MessageEvent",
    "MessageRedacted",
    "MessageUpdateDenied",
    "MessageUpdateFailed",
    "MessageUpdatePending",
    "MessageUpdated",
    "MessagingSession",
    "MessagingSessionConfiguration",
    "MessagingSessionObserver",
    "ModeratorCreated",
    "ModeratorDeleted",
    "NotFoundError",
    "PrefetchOn",
    "PrefetchSortBy",
    "ProtocolError",
    "ReconnectDeadlineError",
    "ReconnectScheduled",
    "Recovered",
    "RequestTimeoutError",
    "ResourceLimitExceededError",
    "SentMessage",
    "ServiceError",
    "ServiceFailureError",
    "ServiceUnavailableError",
    "SessionClosedError",
    "SessionConnecting",
    "SessionError",
    "SessionEstablished",
    "SessionEstablishedReceived",
    "SessionKickedError",
    "SessionNotEstablishedError",
    "SessionRejectedError",
    "SessionStopped",
    "SessionStoppedError",
    "SessionTimeoutError",
    "SubChannelCreated",
    "SubChannelDeleted",
    "SubscriptionOverflowError",
    "ThrottledError",
    "TransportError",
    "UnauthorizedError",
    "UndecodableFrame",
    "UnknownEvent",
    "UsageError",
    "WaitTimeoutError",
]

_HOMES = {
    "Channel": "sessions",
    "ChannelMessage": "wire",
    "Channels": "sessions",
    "Envelope": "wire",
    "MessagingSession": "sessions",
    "MessagingSessionConfiguration": "sessions",
    "MessagingSessionObserver": "observers",
    "PrefetchOn": "sessions",
    "PrefetchSortBy": "sessions",
    "SentMessage": "wire",
}
"""Room of each name that is neither an error nor an event."""


if not TYPE_CHECKING:  # or type checkers would take any name for granted

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        rooms = [_HOMES[name]] if name in _HOMES else ["errors", "events"]
        for room in rooms:
            value = getattr(importlib.import_module(f"{__name__}.{room}"), name, None)
            if value is not None:
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
