"""Room: what does a user hold? Messaging sessions and channels; data-message sessions and topics.

May import `aws` and what stands below it; never `server`.
"""

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
