"""Calls from attendee to attendee over a topic that all hear: who asked what, and what came of it. Pure.

Every frame is a JSON array: ``["call", number, callee, method, payload]``, ``["result", number, caller, payload]``,
``["error", number, caller, kind, problem]``, ``["cancel", number, callee]``. Numbers are random, as the same attendee
may be back with another session. The topic is reliable, so nothing is asked twice here.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

MAX_RUNNING: Final = 32
"""Calls that a callee works on at once, by default."""


class Call(msgspec.Struct, frozen=True, array_like=True, tag="call"):
    """Somebody asks."""

    number: int
    to: str
    method: str
    payload: Any = None


class Result(msgspec.Struct, frozen=True, array_like=True, tag="result"):
    """What came of it."""

    number: int
    to: str
    payload: Any = None


class Failure(msgspec.Struct, frozen=True, array_like=True, tag="error"):
    """Why nothing came of it."""

    number: int
    to: str
    kind: str
    """``failed``, ``unknown`` or ``busy``."""
    problem: str = ""


class Cancel(msgspec.Struct, frozen=True, array_like=True, tag="cancel"):
    """Nobody waits for it any more."""

    number: int
    to: str


Frame = Call | Result | Failure | Cancel
_decoder = msgspec.json.Decoder(Frame)
encode = msgspec.json.encode


class Begin(msgspec.Struct, frozen=True):
    """A method is to be run."""

    caller: str
    number: int
    method: str
    payload: Any


class Abandon(msgspec.Struct, frozen=True):
    """A method that runs is to be cancelled."""

    caller: str
    number: int


class Settled(msgspec.Struct, frozen=True):
    """A call of one's own is over."""

    number: int
    answer: Result | Failure | None
    """None if the callee left."""


class CallsProtocol:
    """Calls of one attendee, both as caller and as callee.

    Args:
        peer: Attendee id.
        methods: Names that it answers to; may grow.
        max_running: Calls it works on at once; more are answered by ``busy``.
    """

    def __init__(self, peer: str, methods: set[str], max_running: int = MAX_RUNNING) -> None:
        self.undecodable = 0
        self._peer = peer
        self._methods = methods
        self._max_running = max_running
        self._open: dict[int, str] = {}
        self._running: set[tuple[str, int]] = set()
        self._outgoing: list[Frame] = []

    @property
    def running(self) -> int:
        """Calls that it works on."""
        return len(self._running)

    def take(self) -> bytes | None:
        """Return the next frame to send."""
        return encode(self._outgoing.pop(0)) if self._outgoing else None

    def call(self, number: int, callee: str, method: str, payload: Any) -> bytes:
        """Begin a call; return the frame to send."""
        self._open[number] = callee
        return encode(Call(number, callee, method, payload))

    def forget(self, number: int) -> None:
        """Wait for a call no longer; the callee is told, unless it is settled."""
        callee = self._open.pop(number, None)
        if callee is not None:
            self._outgoing.append(Cancel(number, callee))

    def finish(self, caller: str, number: int, payload: Any = None) -> None:
        """Answer a call, unless nobody waits for it any more.

        Raises:
            TypeError: if the payload cannot be JSON; the call is still open.
        """
        encode(payload)
        if self._end(caller, number):
            self._outgoing.append(Result(number, caller, payload))

    def fail(self, caller: str, number: int, problem: str) -> None:
        """Answer a call by an error, unless nobody waits for it any more."""
        if self._end(caller, number):
            self._outgoing.append(Failure(number, caller, "failed", problem[:500]))

    def peer_left(self, peer: str) -> list[Settled | Abandon]:
        """Say that somebody left; return what is to be done."""
        todo: list[Settled | Abandon] = []
        for number, callee in list(self._open.items()):
            if callee == peer:
                del self._open[number]
                todo.append(Settled(number, None))
        for caller, number in sorted(self._running):
            if caller == peer:
                self._running.discard((caller, number))
                todo.append(Abandon(caller, number))
        return todo

    def receive(self, sender: str, data: bytes) -> list[Begin | Abandon | Settled]:
        """Take a frame; return what is to be done."""
        try:
            frame = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.undecodable += 1
            return []
        if frame.to != self._peer or sender == self._peer:
            return []
        if isinstance(frame, Call):
            return self._called(sender, frame)
        if isinstance(frame, Cancel):
            return [Abandon(sender, frame.number)] if self._end(sender, frame.number) else []
        if self._open.get(frame.number) != sender:
            return []
        del self._open[frame.number]
        return [Settled(frame.number, frame)]

    def _called(self, caller: str, call: Call) -> list[Begin | Abandon | Settled]:
        if (caller, call.number) in self._running:
            return []
        if call.method not in self._methods:
            self._outgoing.append(Failure(call.number, caller, "unknown"))
        elif len(self._running) >= self._max_running:
            self._outgoing.append(Failure(call.number, caller, "busy"))
        else:
            self._running.add((caller, call.number))
            return [Begin(caller, call.number, call.method, call.payload)]
        return []

    def _end(self, caller: str, number: int) -> bool:
        if (caller, number) not in self._running:
            return False
        self._running.discard((caller, number))
        return True
