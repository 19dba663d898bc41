"""Room: what happens next? The state machines of a messaging session and of a meeting's signalling, in both roles.

Pure: no IO, no clock (`now` is an argument), no randomness of its own. May import the events, `wire`, `ids`, `errors`.
"""

from chime_messaging.protocol.decode import decode
from chime_messaging.protocol.messaging_session import (
    MessagingClientProtocol,
    MessagingServerProtocol,
    ServerState,
    State,
)
from chime_messaging.protocol.reconnect import CLOSE_CODES, Backoff, CloseCode, is_retryable
from chime_messaging.protocol.resume import ChannelActivity, Listing, Resume
from chime_messaging.protocol.roster import Roster
from chime_messaging.protocol.signal_frames import ClientDetails, JoinOptions
from chime_messaging.protocol.signaling import SignalingClientProtocol
from chime_messaging.protocol.signaling_service import SignalingServerProtocol

__all__ = [
    "CLOSE_CODES",
    "Backoff",
    "ChannelActivity",
    "ClientDetails",
    "CloseCode",
    "JoinOptions",
    "Listing",
    "MessagingClientProtocol",
    "MessagingServerProtocol",
    "Resume",
    "Roster",
    "ServerState",
    "SignalingClientProtocol",
    "SignalingServerProtocol",
    "State",
    "decode",
    "is_retryable",
]
