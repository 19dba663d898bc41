"""What every transport promises. `chime_messaging.testing.transports.check_transport` tests it.

A transport carries whole messages: text as ``str``, binary as ``bytes``. Framing, masking, control frames and
fragments are its own business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

MAX_FRAMES = 64
"""Most frames that one `receive` returns: a quarter of a default mailbox, so that handlers run between two calls, and
few enough that what becomes of them stays in the processor's cache (measured: 16 and 128 cost a tenth more)."""

NO_STATUS = 1005
"""Close code that stands for a close frame without one; `aclose` takes it, too."""

ABNORMAL = 1006
"""Close code that stands for a connection that ended without a close frame."""


class Transport(Protocol):
    """An open connection."""

    async def receive(self) -> list[str | bytes]:
        """Return the frames that have arrived, in order, at least one and at most `MAX_FRAMES`; wait if there is none.

        Frames that arrived before the close are returned first. One task at a time.

        Raises:
            ConnectionClosed: when the connection is closed; `initiated_by` tells by whom.

        Cancellation: nothing is lost; the next call returns it.
        """

    async def send(self, data: str | bytes) -> None:
        """Send one frame. Any number of tasks; frames are not interleaved. Waits while the peer does not read.

        Raises:
            ConnectionClosed: when the connection is closed, or is lost meanwhile.

        Cancellation: the frame is sent completely or not at all.
        """

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close with a code and reason; 1005 sends none. Harmless when closed. Returns within a deadline.

        A `receive` that waits in another task raises `ConnectionClosed`, initiated by us.

        Cancellation: the connection is closed all the same, without waiting for the peer's answer.
        """


class Connector(Protocol):
    """Opens transports."""

    async def connect(self, url: str, *, timeout: float, subprotocols: Sequence[str] = ()) -> Transport:
        """Open a connection to a ``wss://`` or ``ws://`` URL within `timeout` seconds.

        `subprotocols` are offered in their order. One of them may be a secret: they appear in no error and no log.

        Raises:
            ConnectError: if it was refused; `status` holds the HTTP status of a refused upgrade.
            ConnectTimeoutError: if it took longer.
            ConfigurationError: if the URL is not one.
        """
