"""Room: what happens next? The state machines of a messaging session, in both roles.

Pure: no IO, no clock (`now` is an argument), no randomness of its own. May import `events`, `wire`, `ids`, `errors`.
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

__all__ = [
    "CLOSE_CODES",
    "Backoff",
    "ChannelActivity",
    "CloseCode",
    "Listing",
    "MessagingClientProtocol",
    "MessagingServerProtocol",
    "Resume",
    "ServerState",
    "State",
    "decode",
    "is_retryable",
]
