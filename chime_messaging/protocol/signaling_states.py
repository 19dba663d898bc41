"""The states of a meeting's signalling and the ways between them, as data, for both roles."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    """Where a session stands, seen from the client."""

    IDLE = "idle"
    CONNECTING = "connecting"
    """The socket is being opened."""
    JOINING = "joining"
    """The socket is open and JOIN is written; the first INDEX has not come."""
    JOINED = "joined"
    LEAVING = "leaving"
    """LEAVE is written; LEAVE_ACK has not come."""
    WAITING = "waiting"
    """Between two tries."""
    STOPPED = "stopped"


class Signal(Enum):
    """What moves a session from one state to another."""

    START = "start"
    OPENED = "opened"
    INDEX = "index"
    """The first INDEX of a connection."""
    LEAVE = "leave"
    LOST = "lost"
    """The try failed, or the connection dropped, and another try is worth it."""
    DUE = "due"
    """The wait is over."""
    END = "end"


TRANSITIONS: Mapping[State, Mapping[Signal, State]] = {
    State.IDLE: {Signal.START: State.CONNECTING},
    State.CONNECTING: {Signal.OPENED: State.JOINING, Signal.LOST: State.WAITING, Signal.END: State.STOPPED},
    State.JOINING: {
        Signal.INDEX: State.JOINED,
        Signal.LEAVE: State.LEAVING,
        Signal.LOST: State.WAITING,
        Signal.END: State.STOPPED,
    },
    State.JOINED: {Signal.LEAVE: State.LEAVING, Signal.LOST: State.WAITING, Signal.END: State.STOPPED},
    State.LEAVING: {Signal.END: State.STOPPED},
    State.WAITING: {Signal.DUE: State.CONNECTING, Signal.END: State.STOPPED},
    State.STOPPED: {},
}


class ServerState(Enum):
    """Where one connection stands, seen from the service."""

    OPEN = "open"
    """The upgrade is done; only pings may be sent."""
    JOINING = "joining"
    """JOIN came; `accept`, `refuse` or `close` has to follow."""
    JOINED = "joined"
    LEFT = "left"
    """LEAVE came and LEAVE_ACK is written; nothing else may be sent."""
    CLOSED = "closed"


class ServerSignal(Enum):
    """What moves a connection from one state to another."""

    JOIN = "join"
    ACCEPT = "accept"
    LEAVE = "leave"
    CLOSE = "close"


SERVER_TRANSITIONS: Mapping[ServerState, Mapping[ServerSignal, ServerState]] = {
    ServerState.OPEN: {
        ServerSignal.JOIN: ServerState.JOINING,
        ServerSignal.LEAVE: ServerState.LEFT,
        ServerSignal.CLOSE: ServerState.CLOSED,
    },
    ServerState.JOINING: {
        ServerSignal.ACCEPT: ServerState.JOINED,
        ServerSignal.LEAVE: ServerState.LEFT,
        ServerSignal.CLOSE: ServerState.CLOSED,
    },
    ServerState.JOINED: {
        ServerSignal.JOIN: ServerState.JOINING,
        ServerSignal.LEAVE: ServerState.LEFT,
        ServerSignal.CLOSE: ServerState.CLOSED,
    },
    ServerState.LEFT: {ServerSignal.CLOSE: ServerState.CLOSED},
    ServerState.CLOSED: {ServerSignal.CLOSE: ServerState.CLOSED},
}
