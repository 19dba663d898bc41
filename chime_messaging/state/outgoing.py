"""What the state machines of this room hand out. Pure."""

from __future__ import annotations

import msgspec


class Outgoing(msgspec.Struct, frozen=True):
    """A message to send to everybody else."""

    data: bytes
    lifetime: float = 0.0
    """Seconds that the service keeps it for those who join later."""
