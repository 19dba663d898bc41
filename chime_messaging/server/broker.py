"""The broker: who is connected, who is in which group, and what every commit makes them see.

An event is framed once. The frames of one loop turn that go to the same audience become one bytes object that all of
its sockets share, so that nothing is left to do per subscriber but the write. All methods belong to the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from websockets.frames import Opcode

from chime_messaging.server.notices import Attach, Deliver, Disconnect, Dissolve, Join, Leave, Notice, Subscriber
from chime_messaging.server.websocket import frame

MAX_CONNECTIONS_PER_USER = 10
"""Concurrent websocket connections per AppInstanceUser."""
SERVICE_RESTART = 1012
DISPLACED = 4002
REFUSED = 4003

_WRITE_COST = 20e-6
"""Seconds that one write holds back the next turn: a handful of sockets is written at once, hundreds wait and share."""
_TIMER_RESOLUTION = 0.001
_MAX_PENDING = 1 << 20
_CLOSE_TIMEOUT = 3.0

_log = logging.getLogger(__name__)

Write = Callable[[bytes], None]


class Timer(Protocol):
    """A scheduled call, as event loops return it."""

    def cancel(self) -> None:
        """Forget the call."""


class Loop(Protocol):
    """What the broker needs of an event loop."""

    def time(self) -> float:
        """Monotonic seconds."""

    def call_soon(self, callback: Callable[[], None], /) -> Timer:
        """Call at the end of this turn."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer:
        """Call after `delay` seconds."""


@dataclass(slots=True)
class Counters:
    """What happened since the start; for /metrics."""

    events: int = 0
    """Events that had an audience."""
    deliveries: int = 0
    """Frames handed to sockets: one per event and socket."""
    bytes: int = 0
    writes: int = 0
    established: int = 0
    refused: int = 0
    """Sockets closed after the upgrade: not authorised, over a quota, or told so by a fault script."""
    displaced: int = 0
    """Sockets closed because a newer one came with the same sessionId."""
    slow: int = 0
    """Sockets closed because their reader was too far behind."""
    silent: int = 0
    """Sockets dropped because they did not answer a ping."""
    failed_writes: int = 0


class _User:
    """A connected user: its sockets, and the groups all of them are in."""

    __slots__ = ("groups", "sockets")

    def __init__(self) -> None:
        self.sockets: dict[Subscriber, Write] = {}
        self.groups: set[str] = set()


class _Batch:
    """Frames in a row for the same audience."""

    __slots__ = ("frames", "group", "users")

    def __init__(self, notice: Deliver, framed: bytes) -> None:
        self.group = notice.group
        self.users = notice.users
        self.frames = [framed]


class Broker:
    """Applies committed notices to sockets, in commit order.

    Args:
        loop: an event loop, or anything with its clock and timers.
        coalesce: longest time in seconds an event may wait to share a write, under load.
        max_connections: concurrent sockets per user; None for no limit.
    """

    def __init__(self, loop: Loop, *, coalesce: float = 0.005, max_connections: int | None = None) -> None:
        self.counters = Counters()
        self.released = asyncio.Event()
        """Clear while new sockets are to be accepted and told nothing."""
        self.released.set()
        self.closing: tuple[int, str] | None = None
        """Code and reason that new sockets get once the broker shuts down."""
        self._loop = loop
        self._coalesce = coalesce
        self._max_connections = max_connections
        self._sockets: set[Subscriber] = set()
        self._users: dict[str, _User] = {}
        self._groups: dict[str, dict[Subscriber, Write]] = {}
        self._pending: list[_Batch] = []
        self._pending_bytes = 0
        self._timer: Timer | None = None
        self._not_before = 0.0
        self._refusals: deque[tuple[int, str]] = deque(maxlen=1000)
        self._gone = asyncio.Event()

    @property
    def connections(self) -> int:
        """Sockets open now, authorised or not."""
        return len(self._sockets)

    @property
    def users(self) -> int:
        """Users with at least one established socket."""
        return len(self._users)

    @property
    def groups(self) -> int:
        """Groups with at least one connected member."""
        return len(self._groups)

    # Notices

    def apply(self, notices: Sequence[Notice]) -> None:
        """Apply what was committed, in order. Notices that are not for sockets are left alone."""
        for notice in notices:
            if isinstance(notice, Deliver):
                self._deliver(notice)
            elif isinstance(notice, Join):
                self._add_member(notice.user_arn, notice.group)
            elif isinstance(notice, Leave):
                self._remove_member(notice.user_arn, notice.group)
            elif isinstance(notice, Attach):
                self._attach(notice)
            elif isinstance(notice, Dissolve):
                self._dissolve(notice.group)
            elif isinstance(notice, Disconnect):
                self.close(notice.user_arn, notice.code, notice.reason)

    def _deliver(self, notice: Deliver) -> None:
        if notice.group not in self._groups and self._users.keys().isdisjoint(notice.users):
            return
        framed = frame(notice.frame)
        self.counters.events += 1
        last = self._pending[-1] if self._pending else None
        if last is not None and last.group == notice.group and last.users == notice.users:
            last.frames.append(framed)
        else:
            self._pending.append(_Batch(notice, framed))
        self._pending_bytes += len(framed)
        if self._pending_bytes > _MAX_PENDING:
            self.flush()
        elif self._timer is None:
            delay = self._not_before - self._loop.time()
            if delay < _TIMER_RESOLUTION:
                self._timer = self._loop.call_soon(self.flush)
            else:
                self._timer = self._loop.call_later(delay, self.flush)

    def flush(self) -> None:
        """Write everything that is waiting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending:
            return
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        writes = self._write_one(pending[0]) if len(pending) == 1 else self._write_many(pending)
        self.counters.writes += writes
        self._not_before = self._loop.time() + min(self._coalesce, writes * _WRITE_COST)

    def _write_one(self, batch: _Batch) -> int:
        """The usual turn: every socket of one audience gets the same bytes. Return how many."""
        sockets = self._audience(batch)
        data = self._join(batch, len(sockets))
        for write in tuple(sockets.values()):
            self._write(write, data)
        return len(sockets)

    def _write_many(self, pending: list[_Batch]) -> int:
        """A turn with several audiences: each socket gets one write, as that is a system call, all in commit order."""
        parts: dict[Subscriber, list[bytes]] = {}
        for batch in pending:
            sockets = self._audience(batch)
            data = self._join(batch, len(sockets))
            for socket in sockets:
                if socket in parts:
                    parts[socket].append(data)
                else:
                    parts[socket] = [data]
        for socket, several in parts.items():
            self._write(socket.write, several[0] if len(several) == 1 else b"".join(several))
        return len(parts)

    def _join(self, batch: _Batch, sockets: int) -> bytes:
        data = batch.frames[0] if len(batch.frames) == 1 else b"".join(batch.frames)
        self.counters.deliveries += sockets * len(batch.frames)
        self.counters.bytes += sockets * len(data)
        return data

    def _write(self, write: Write, data: bytes) -> None:
        try:
            write(data)
        except Exception:
            # One broken transport must not cost the others the event; its own protocol hears of the loss.
            self.counters.failed_writes += 1
            _log.exception("a socket could not be written")

    def _audience(self, batch: _Batch) -> dict[Subscriber, Write]:
        members = self._groups.get(batch.group, {}) if batch.group is not None else {}
        if not batch.users:
            return members
        everyone = dict(members)
        for arn in batch.users:
            if user := self._users.get(arn):
                everyone.update(user.sockets)
        return everyone

    # Membership. What is waiting goes out first, to those who were members when it was committed.

    def _add_member(self, user_arn: str, group: str) -> None:
        user = self._users.get(user_arn)
        if user is None:
            return
        self.flush()
        user.groups.add(group)
        self._groups.setdefault(group, {}).update(user.sockets)

    def _remove_member(self, user_arn: str, group: str) -> None:
        user = self._users.get(user_arn)
        if user is None or group not in user.groups:
            return
        self.flush()
        user.groups.discard(group)
        for socket in user.sockets:
            self._drop_member(group, socket)

    def _dissolve(self, group: str) -> None:
        self.flush()
        for socket in self._groups.pop(group, {}):
            self._users[socket.user_arn].groups.discard(group)

    def _drop_member(self, group: str, socket: Subscriber) -> None:
        members = self._groups[group]
        del members[socket]
        if not members:
            del self._groups[group]

    # Sockets

    def opened(self, socket: Subscriber) -> None:
        """Take note of a socket that finished its upgrade, whoever it is."""
        self._sockets.add(socket)

    def lost(self, socket: Subscriber) -> None:
        """Forget a socket that is gone."""
        self.detach(socket)
        self._sockets.discard(socket)
        if not self._sockets:
            self._gone.set()

    def _attach(self, notice: Attach) -> None:
        socket = notice.subscriber
        if socket.closed:
            return
        if self.closing is not None:
            socket.close(*self.closing)
            return
        self.flush()
        user = self._users.get(socket.user_arn) or _User()
        self._displace(user, socket)
        if self._max_connections is not None and len(user.sockets) >= self._max_connections:
            self.counters.refused += 1
            socket.close(REFUSED, f"the user has {self._max_connections} connections already")
            return
        self._users[socket.user_arn] = user
        user.sockets[socket] = socket.write
        if len(user.sockets) == 1:
            user.groups = set(notice.groups)
        for group in user.groups:
            self._groups.setdefault(group, {})[socket] = socket.write
        self.counters.established += 1
        socket.establish(notice.details)

    def _displace(self, user: _User, socket: Subscriber) -> None:
        for older in user.sockets:
            if older.session_id == socket.session_id:
                self.counters.displaced += 1
                older.close(DISPLACED, "a newer connection has the same sessionId")
                self.detach(older)
                return

    def detach(self, socket: Subscriber) -> None:
        """Deliver nothing more to a socket. Does nothing to one that is not established."""
        user = self._users.get(socket.user_arn)
        if user is None or socket not in user.sockets:
            return
        for group in user.groups:
            self._drop_member(group, socket)
        del user.sockets[socket]
        if not user.sockets:
            del self._users[socket.user_arn]

    async def shutdown(
        self, code: int = SERVICE_RESTART, reason: str = "the server stops", timeout: float = _CLOSE_TIMEOUT
    ) -> None:
        """Close every socket, and drop those that are not gone after `timeout` seconds."""
        self.closing = (code, reason)
        self.released.set()
        if not self._sockets:
            return
        self._gone.clear()
        self.close(None, code, reason)
        try:
            async with asyncio.timeout(timeout):
                await self._gone.wait()
        except TimeoutError:
            _log.info("%d sockets did not close in time", len(self._sockets))
            self.abort()
            await self._gone.wait()

    # Fault injection

    def close(self, user_arn: str | None, code: int, reason: str = "") -> int:
        """Close every socket of a user, or of everyone; return how many."""
        self.flush()
        sockets = self._select(user_arn)
        for socket in sockets:
            socket.close(code, reason)
        return len(sockets)

    def abort(self, user_arn: str | None = None) -> int:
        """Reset the TCP connections of a user, or of everyone; return how many."""
        sockets = self._select(user_arn)
        for socket in sockets:
            socket.abort()
        return len(sockets)

    def send_raw(self, user_arn: str | None, data: str | bytes) -> int:
        """Send a text or binary message as it is to every established socket; return to how many."""
        framed = frame(data.encode()) if isinstance(data, str) else frame(data, Opcode.BINARY)
        self.flush()
        users = self._users.values() if user_arn is None else filter(None, [self._users.get(user_arn)])
        writers = [write for user in users for write in user.sockets.values()]
        for write in writers:
            write(framed)
        return len(writers)

    def hold_established(self, hold: bool) -> None:
        """Accept new sockets and tell them nothing, until called with False."""
        if hold:
            self.released.clear()
        else:
            self.released.set()

    def refuse(self, code: int, times: int = 1, reason: str = "") -> None:
        """Close the next `times` new sockets with `code` after their upgrade; at most 1,000 are remembered."""
        self._refusals.extend([(code, reason)] * times)

    def take_refusal(self) -> tuple[int, str] | None:
        """Take what the next new socket is to be closed with, if anything."""
        return self._refusals.popleft() if self._refusals else None

    def _select(self, user_arn: str | None) -> list[Subscriber]:
        return [socket for socket in self._sockets if user_arn is None or socket.user_arn == user_arn]
