"""Who shows what: a small state of each peer, replaced as a whole, forgotten when its peer is silent. Pure.

The encoding is the awareness of y-protocols, so that cursors of editors in browsers are understood. A state is told
when it changes, the latest one only, ever less often the more peers change theirs; and again after half the time-out,
as a sign of life. Whoever comes asks, and is told by everybody within a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from chime_messaging.errors import ConfigurationError, DecodeError, LimitError
from chime_messaging.state.outgoing import Outgoing
from chime_messaging.state.sync_messages import (
    AwarenessUpdate,
    QueryAwareness,
    Reader,
    decode,
    encode,
    number,
    with_size,
)

MAX_STATE_BYTES: Final = 1900
"""Of a state as JSON: what goes into one data message with what stands around it."""
MAX_CLIENTS: Final = 1024

TIMEOUT: Final = 30.0
"""Seconds of silence after which a peer is taken to be gone; the same as in y-protocols."""

State = dict[str, Any]


class PresenceTold(msgspec.Struct, frozen=True):
    """A peer shows something else."""

    peer: str
    state: State | None
    """None if it shows nothing any more, left, or fell silent."""


class _Client:
    """What is known of one client."""

    __slots__ = ("changed", "clock", "heard", "peer", "state")

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.clock = -1
        self.state: State | None = None
        self.heard = 0.0
        self.changed = -1e9


class PresenceProtocol:
    """The states of all peers, seen by one.

    Args:
        peer: Attendee id.
        client: Number of this client, 32 bits; for a document its client id.
        rng: Gives numbers in [0, 1).
        timeout: Seconds of silence after which a peer is taken to be gone.
        rate: States a second that all peers together tell.
    """

    def __init__(
        self, peer: str, client: int, rng: Callable[[], float], *, timeout: float = TIMEOUT, rate: float = 30.0
    ) -> None:
        self.undecodable = 0
        self._peer = peer
        self._client = client
        self._rng = rng
        self._timeout = timeout
        self._rate = rate
        self._clients: dict[int, _Client] = {}
        self._own: State | None = None
        self._clock = 0
        self._told_at = -1e9
        self._say_at: float | None = None
        self.has_unsent = False
        """Whether this peer shows something that was not handed out yet."""
        self._is_asking = False
        self._is_connected = False
        self._held_until = 0.0

    @property
    def own(self) -> State | None:
        """What this peer shows."""
        return self._own

    @property
    def states(self) -> dict[str, State]:
        """What the others show, by attendee id, in the order of these."""
        shown = {client.peer: client.state for client in self._clients.values() if client.state is not None}
        return dict(sorted(shown.items()))

    @property
    def deadline(self) -> float | None:
        """When `take` and `tick` are due."""
        due = [client.heard + self._timeout for client in self._clients.values() if client.state is not None]
        if self._is_connected:
            if self._say_at is not None:
                due.append(max(self._say_at, self._held_until))
            if self._is_asking:
                due.append(self._held_until)
        return min(due, default=None)

    def set(self, state: State | None) -> None:
        """Show something, or nothing.

        Raises:
            LimitError: naming ``state``, if it is larger than 1900 bytes as JSON.
            ConfigurationError: naming ``state``, if it cannot be JSON.
        """
        try:
            size = len(msgspec.json.encode(state))
        except (TypeError, ValueError, RecursionError) as exc:
            raise ConfigurationError("state", f"is not JSON: {exc}") from exc
        if size > MAX_STATE_BYTES:
            raise LimitError("state", size, MAX_STATE_BYTES, "bytes")
        if state is None and self._own is None:
            return
        self._own = state
        self.has_unsent = True
        self._clock += 1
        editors = sum(self._told_at - client.changed < 5.0 for client in self._clients.values()) + 1
        self._say_by(self._told_at + max(0.05, editors / self._rate))

    def connected(self, now: float) -> None:
        """Say that messages can be sent, for the first time or again."""
        self._is_connected = self._is_asking = True
        if self._own is not None:
            self._say_by(now)

    def disconnected(self) -> None:
        """Say that nothing can be sent for now."""
        self._is_connected = False

    def peer_left(self, peer: str) -> list[PresenceTold]:
        """Say that somebody left; return what is to be told."""
        gone = [client for client in self._clients.values() if client.peer == peer and client.state is not None]
        for client in gone:
            client.state = None
        return [PresenceTold(peer, None) for _ in gone[:1]]

    def returned(self, data: bytes, resume_at: float) -> None:
        """Take a message of ours back that was throttled."""
        self._held_until = max(self._held_until, resume_at)
        if data == encode(QueryAwareness()):
            self._is_asking = True
        else:
            self._say_by(resume_at)

    def receive(self, sender: str, data: bytes, now: float) -> list[PresenceTold]:
        """Take a message of somebody else; return what is to be told."""
        if sender == self._peer:
            return []
        try:
            message = decode(data)
            if isinstance(message, QueryAwareness):
                if self._own is not None:
                    self._say_by(now + self._rng() * min(2.0, 0.05 + len(self._clients) / self._rate))
                return []
            return self._take_in(sender, message.update, now) if isinstance(message, AwarenessUpdate) else []
        except (DecodeError, msgspec.DecodeError, UnicodeDecodeError):
            self.undecodable += 1
            return []

    def tick(self, now: float) -> list[PresenceTold]:
        """Forget who has been silent for too long; return what is to be told."""
        told = []
        for client in self._clients.values():
            if client.state is not None and now >= client.heard + self._timeout:
                client.state = None
                told.append(PresenceTold(client.peer, None))
        return told

    def take(self, now: float) -> Outgoing | None:
        """Return the next message to send; None if there is nothing to send now."""
        if not self._is_connected or now < self._held_until:
            return None
        if self._is_asking:
            self._is_asking = False
            return Outgoing(encode(QueryAwareness()))
        if self._say_at is None or now < self._say_at:
            return None
        if self._told_at + self._timeout / 2 <= now:
            # The same state again is a sign of life only with a new clock.
            self._clock += 1
        self._told_at = now
        self.has_unsent = False
        self._say_at = None if self._own is None else now + self._timeout / 2
        return Outgoing(encode(AwarenessUpdate(self._encoded())))

    def _encoded(self) -> bytes:
        return number(1) + number(self._client) + number(self._clock) + with_size(msgspec.json.encode(self._own))

    def _take_in(self, sender: str, update: bytes, now: float) -> list[PresenceTold]:
        told: list[PresenceTold] = []
        reader = Reader(update)
        for _ in range(min(reader.number(), MAX_CLIENTS)):
            key, clock = reader.number(), reader.number()
            state = msgspec.json.decode(reader.sized(), type=State | None)
            if key != self._client:
                told += self._replace(sender, key, clock, state, now)
        return told

    def _replace(self, sender: str, key: int, clock: int, state: State | None, now: float) -> list[PresenceTold]:
        client = self._clients.get(key)
        if client is None:
            self._make_room()
            client = self._clients[key] = _Client(sender)
        elif clock < client.clock or (clock == client.clock and state == client.state):
            return []
        client.clock, client.heard, client.peer = clock, now, sender
        before, client.state = client.state, state
        if before == state:
            return []
        client.changed = now
        return [PresenceTold(sender, state)]

    def _make_room(self) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            del self._clients[min(self._clients, key=lambda key: self._clients[key].heard)]

    def _say_by(self, moment: float) -> None:
        self._say_at = moment if self._say_at is None else min(self._say_at, moment)
