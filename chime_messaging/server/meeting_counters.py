"""What happened in live meetings since the server started."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class MeetingCounters:
    """What happened since the start; for /metrics."""

    joins: int = 0
    """JOINs that were answered with JOIN_ACK."""
    refused: int = 0
    """JOINs that were refused: bad token, meeting over, or told so by a fault script."""
    dropped: int = 0
    """Attendees who did not come back after their connection was lost."""
    messages: int = 0
    """Data messages of attendees that were delivered."""
    throttled: int = 0
    """Data messages that were returned to their senders."""
    rejected: int = 0
    """Connections closed for their data messages: too many of them, or not valid."""
    deliveries: int = 0
    """Frames for many given to sockets: one per frame and socket."""
    writes: int = 0
    skipped: int = 0
    """Frames that could not be read, or were of an unknown type."""
    slow: int = 0
    """Sockets closed because their reader was too far behind."""
    silent: int = 0
    """Sockets dropped because they did not answer a ping."""
