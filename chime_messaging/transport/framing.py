"""Bytes of a websocket to messages and back, without IO: the `websockets` state machine with a short cut in front.

Nearly everything a server sends is a complete, unfragmented, unmasked data frame, and a state machine in Python costs
several times more for one of those than cutting it out of the buffer. So `take` walks the buffer from frame to frame:
such data frames are handed out directly, and every other frame is given to the state machine, whole. The state
machine therefore always stands between two frames, and everything that is hard about websockets (the handshake,
control frames, fragments, closing, protocol errors) is decided by it alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from chime_messaging.errors import ConnectionClosed
from chime_messaging.transport.base import ABNORMAL, MAX_FRAMES, NO_STATUS

INVALID_DATA = 1007
MAX_RESPONSE_BYTES = 1 << 16
"""An answer to the upgrade whose head is longer is not one."""

_TEXT = 0x81  # FIN and opcode 1
_BINARY = 0x82
_DATA = frozenset({0x00, 0x01, 0x02, 0x80, 0x81, 0x82})
_CONTROL = frozenset({0x88, 0x89, 0x8A})
_MAX_CONTROL_BYTES = 125
_MAX_REASON_BYTES = 123

# Not `logging.getLogger`: the state machine logs the request line, which holds a signature, and payloads at DEBUG. A
# logger outside the hierarchy cannot be turned up by an application that turns everything up.
_quiet = logging.Logger("chime_messaging.transport.websocket", logging.ERROR)
_quiet.parent = logging.getLogger("chime_messaging.transport")


class ClientFraming:
    """The client's side of one websocket.

    Feed it with `receive` and `receive_eof`, take messages with `take`, and send what `to_send` returns.

    Args:
        uri: where to connect.
        max_size: bytes of the largest message; a larger one fails the connection with 1009.
        user_agent: header of the upgrade request.
        subprotocols: offered in this order; the server may choose one or none.
    """

    __slots__ = (
        "_binary",
        "_buffer",
        "_failed",
        "_fragments",
        "_limit",
        "_missing",
        "_pieces",
        "_position",
        "_protocol",
    )

    def __init__(self, uri: WebSocketURI, *, max_size: int, user_agent: str, subprotocols: Sequence[str] = ()) -> None:
        offered = [Subprotocol(name) for name in subprotocols] or None
        self._protocol = ClientProtocol(uri, subprotocols=offered, max_size=max_size, logger=_quiet)
        request = self._protocol.connect()
        request.headers["User-Agent"] = user_agent
        self._protocol.send_request(request)
        self._limit = max_size
        self._buffer = b""
        self._position = 0
        # Bytes of a frame that is still incomplete, once its length is known.
        self._missing = 0
        self._pieces: list[bytes] = []
        self._fragments: list[bytes] = []
        self._binary = False
        self._failed = False

    # Opening

    def receive_handshake(self, data: bytes) -> bool:
        """Take bytes of the answer to the upgrade; True when the connection is open.

        Raises:
            InvalidHandshake: of `websockets`, if the answer is not an acceptance.
        """
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator and len(self._buffer) <= MAX_RESPONSE_BYTES:
            return False
        # Frames may follow in the same bytes: they are for `take`, not for the state machine.
        self._buffer = b""
        self._protocol.receive_data(head + separator)
        self._protocol.events_received()
        if self._protocol.handshake_exc is None and not self.open and rest:
            self._protocol.receive_data(rest)
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc
        if self.open:
            self._buffer = rest
        return self.open

    def receive_handshake_eof(self) -> Exception:
        """Return the error of a connection that ended before it opened."""
        if self._buffer:
            self._protocol.receive_data(self._buffer)
        self._protocol.receive_eof()
        return self._protocol.handshake_exc or EOFError("connection closed during the upgrade")

    # Receiving

    @property
    def open(self) -> bool:
        """Whether messages can be sent and received."""
        return self._protocol.state is OPEN

    @property
    def finished(self) -> bool:
        """Whether nothing is expected of the peer any more but to end the TCP connection."""
        return self._failed or self._protocol.close_rcvd is not None or self._protocol.parser_exc is not None

    @property
    def buffered(self) -> bool:
        """Whether bytes wait that `take` has not looked at."""
        return self._position < len(self._buffer) and not self._missing

    def receive(self, data: bytes) -> None:
        """Take bytes from the network."""
        if self._missing > len(data):
            # Collected and joined once: joining each piece to what is there would cost the square of a large frame.
            self._pieces.append(data)
            self._missing -= len(data)
            return
        self._missing = 0
        if self._position < len(self._buffer):
            data = b"".join((self._buffer[self._position :], *self._pieces, data))
            self._pieces.clear()
        self._buffer = data
        self._position = 0

    def receive_eof(self) -> None:
        """Take the end of the TCP connection."""
        self._hand_over()
        self._protocol.receive_eof()

    def take(self) -> list[str | bytes]:
        """Return the next messages, at most `MAX_FRAMES`; none when more bytes are needed."""
        frames: list[str | bytes] = []
        if not self._missing:
            while len(frames) < MAX_FRAMES:
                if self.open and not self._fragments:
                    self._cut(frames)
                if len(frames) == MAX_FRAMES or not self._take_other(frames):
                    break
        return frames

    def _cut(self, frames: list[str | bytes]) -> None:
        """Cut complete data frames out of the buffer, up to the first frame that is something else."""
        buffer, position, limit = self._buffer, self._position, self._limit
        end = len(buffer)
        try:
            for _ in range(MAX_FRAMES - len(frames)):
                start = position + 4
                if start > end:
                    break
                first = buffer[position]
                if first != _TEXT and first != _BINARY:
                    break
                size = buffer[position + 1]
                if size == 126:
                    size = buffer[position + 2] << 8 | buffer[position + 3]
                elif size < 126:
                    start -= 2
                else:
                    break
                stop = start + size
                if stop > end or size > limit:
                    break
                frames.append(buffer[start:stop].decode() if first == _TEXT else buffer[start:stop])
                position = stop
        except UnicodeDecodeError as exc:
            self._fail(exc)
        else:
            self._position = position

    def _take_other(self, frames: list[str | bytes]) -> bool:
        """Give the next frame to the state machine; False when it is not complete, or nothing more is to be taken."""
        buffer, position = self._buffer, self._position
        available = len(buffer) - position
        if not self.open:
            self._hand_over()
            return False
        if available < 2:
            self._missing = 1
            return False
        first, length = buffer[position], buffer[position + 1]
        known = first in _DATA if first not in _CONTROL else length <= _MAX_CONTROL_BYTES
        if not known or length > 127:
            self._hand_over()
            return False
        header = 2 + (2 if length == 126 else 8 if length == 127 else 0)
        if available < header:
            self._missing = header - available
            return False
        size = int.from_bytes(buffer[position + 2 : position + header], "big") if header > 2 else length
        if size > self._limit - sum(map(len, self._fragments)):
            self._hand_over()
            return False
        if available < header + size:
            self._missing = header + size - available
            return False
        self._position = position + header + size
        self._protocol.receive_data(buffer[position : self._position])
        self._collect(frames)
        return True

    def _hand_over(self) -> None:
        """Leave all there is to the state machine: the connection is failing or closing, so no message is taken."""
        data = b"".join((self._buffer[self._position :], *self._pieces))
        self._drop()
        if data and not self._failed:
            self._protocol.receive_data(data)
        self._protocol.events_received()

    def _drop(self) -> None:
        self._buffer, self._position, self._missing = b"", 0, 0
        self._pieces.clear()

    def _collect(self, frames: list[str | bytes]) -> None:
        """Make messages of the frames that the state machine has let through."""
        for event in self._protocol.events_received():
            if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            if event.opcode is not Opcode.CONT:
                self._binary = event.opcode is Opcode.BINARY
            self._fragments.append(bytes(event.data))
            if event.fin:
                data = b"".join(self._fragments)
                self._fragments.clear()
                try:
                    frames.append(data if self._binary else data.decode())
                except UnicodeDecodeError as exc:
                    self._fail(exc)

    def _fail(self, exc: UnicodeDecodeError) -> None:
        self._drop()
        self._failed = True
        self._protocol.fail(INVALID_DATA, f"{exc.reason} at position {exc.start}")

    # Sending

    def send(self, data: str | bytes) -> None:
        """Frame a message. The connection must be open."""
        if isinstance(data, str):
            self._protocol.send_text(data.encode())
        else:
            self._protocol.send_binary(data)

    def ping(self) -> None:
        """Ask for a sign of life. The connection must be open."""
        self._protocol.send_ping(b"")

    def close(self, code: int, reason: str) -> None:
        """Start closing; harmless when it has begun. Code 1005 sends none. A reason is cut at 123 bytes.

        Raises:
            ProtocolError: of `websockets`, if the code must not be sent.
        """
        if self.open:
            cut = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
            self._protocol.send_close(None if code == NO_STATUS else code, "" if code == NO_STATUS else cut)
            self._hand_over()

    @property
    def sending(self) -> bool:
        """Whether `to_send` has something."""
        return bool(self._protocol.writes)

    def to_send(self) -> bytes:
        """Return the bytes to send now."""
        return b"".join(self._protocol.data_to_send())

    def outcome(self, reason: str) -> ConnectionClosed:
        """Return how the connection ended, with `reason` when no close frame tells it."""
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        if received is not None:
            by_us = self._protocol.close_rcvd_then_sent is False
            return ConnectionClosed(received.code, received.reason, "us" if by_us else "peer")
        if sent is not None:
            return ConnectionClosed(sent.code, sent.reason, "us")
        return ConnectionClosed(ABNORMAL, reason, "network")
