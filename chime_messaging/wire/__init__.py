"""Room: what do the bytes on the wire mean?

Pure functions and values, both directions. May import only `ids` and `errors`. No IO, no clock.
"""

from chime_messaging.wire.envelope import Envelope
from chime_messaging.wire.payloads import (
    AttributeValue,
    BatchChannelMemberships,
    Channel,
    ChannelBan,
    ChannelDetails,
    ChannelMembership,
    ChannelMessage,
    ChannelModerator,
    ElasticChannelConfiguration,
    ExpirationSettings,
    Identity,
    MembershipError,
    MembershipForUser,
    MembershipSummary,
    MessageStatus,
    MessageSummary,
    OwnMembership,
    PushNotification,
    SentMessage,
    SubChannel,
    SubChannelSummary,
    Target,
)

__all__ = [
    "AttributeValue",
    "BatchChannelMemberships",
    "Channel",
    "ChannelBan",
    "ChannelDetails",
    "ChannelMembership",
    "ChannelMessage",
    "ChannelModerator",
    "ElasticChannelConfiguration",
    "Envelope",
    "ExpirationSettings",
    "Identity",
    "MembershipError",
    "MembershipForUser",
    "MembershipSummary",
    "MessageStatus",
    "MessageSummary",
    "OwnMembership",
    "PushNotification",
    "SentMessage",
    "SubChannel",
    "SubChannelSummary",
    "Target",
]
