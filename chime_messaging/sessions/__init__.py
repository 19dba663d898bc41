"""Room: what does a user hold? Messaging sessions and channels; data-message sessions and topics.

May import `aws` and what stands below it; never `server`.

A module is loaded when something of it is first asked for: a meeting's session needs neither boto3 nor channels.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chime_messaging.sessions.channels import Channel, Channels
    from chime_messaging.sessions.chime_session import ChimeSession
    from chime_messaging.sessions.configuration import MessagingSessionConfiguration, PrefetchOn, PrefetchSortBy
    from chime_messaging.sessions.data_messages import DataMessageSession
    from chime_messaging.sessions.history import LiveMessages
    from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
    from chime_messaging.sessions.memberships import AddedMembers, ChannelMembers
    from chime_messaging.sessions.messaging_session import MessagingSession
    from chime_messaging.sessions.pages import Items
    from chime_messaging.sessions.service import SessionService
    from chime_messaging.sessions.topics import Topic

__all__ = [
    "AddedMembers",
    "Channel",
    "ChannelMembers",
    "Channels",
    "ChimeSession",
    "DataMessageSession",
    "Items",
    "LiveMessages",
    "MeetingSessionConfiguration",
    "MessagingSession",
    "MessagingSessionConfiguration",
    "PrefetchOn",
    "PrefetchSortBy",
    "SessionService",
    "Topic",
]

_MODULES = {
    "Channel": "channels",
    "Channels": "channels",
    "ChimeSession": "chime_session",
    "MessagingSessionConfiguration": "configuration",
    "PrefetchOn": "configuration",
    "PrefetchSortBy": "configuration",
    "DataMessageSession": "data_messages",
    "LiveMessages": "history",
    "MeetingSessionConfiguration": "meeting_configuration",
    "AddedMembers": "memberships",
    "ChannelMembers": "memberships",
    "MessagingSession": "messaging_session",
    "Items": "pages",
    "SessionService": "service",
    "Topic": "topics",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
