"""Room: what does a user hold? Messaging sessions and channels; the one connect, pump and reconnect loop.

May import `aws` and what stands below it; never `server`.
"""

from chime_messaging.sessions.channels import Channel, Channels
from chime_messaging.sessions.configuration import MessagingSessionConfiguration, PrefetchOn, PrefetchSortBy
from chime_messaging.sessions.history import LiveMessages
from chime_messaging.sessions.memberships import AddedMembers, ChannelMembers
from chime_messaging.sessions.messaging_session import MessagingSession
from chime_messaging.sessions.pages import Items
from chime_messaging.sessions.service import SessionService

__all__ = [
    "AddedMembers",
    "Channel",
    "ChannelMembers",
    "Channels",
    "Items",
    "LiveMessages",
    "MessagingSession",
    "MessagingSessionConfiguration",
    "PrefetchOn",
    "PrefetchSortBy",
    "SessionService",
]
