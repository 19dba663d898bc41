"""Both roles of the signalling, joined by lists of bytes; time is a number that the test moves."""

from __future__ import annotations

from collections.abc import Sequence

from chime_messaging.errors import ConnectionClosed
from chime_messaging.events import Event
from chime_messaging.meeting_events import RosterAttendee
from chime_messaging.protocol.signal_frames import JoinOptions
from chime_messaging.protocol.signaling import SignalingClientProtocol
from chime_messaging.protocol.signaling_service import Happening, JoinRequested, SignalingServerProtocol
from chime_messaging.protocol.signaling_states import ServerState, State
from chime_messaging.wire.signaling import SERVER_PREFIX, encode
from chime_messaging.wire.signaling_pb2 import SignalFrame

ME = RosterAttendee("me", "user-me", 1, False)
OPTIONS = JoinOptions(audio_session_id=4_000_000_000)
WALL_CLOCK = 1_700_000_000.0
CONNECTED = (State.JOINING, State.JOINED, State.LEAVING)


class SignalingPair:
    """One client, and the service's side of the connection that it has at present."""

    def __init__(self, **options: float | None) -> None:
        self.client = SignalingClientProtocol("me", OPTIONS, wall_clock=WALL_CLOCK, **options)  # type: ignore[arg-type]
        self.server = SignalingServerProtocol(wall_clock=WALL_CLOCK)
        self.now = 0.0
        self.jitter = 0.5
        self.roster: Sequence[RosterAttendee] = [ME]
        self.answers_join = True
        self.is_open = False
        self.events: list[Event] = []
        self.happenings: list[Happening] = []

    def start(self) -> SignalingPair:
        self.events += self.client.start(self.now)
        return self

    def open(self) -> SignalingPair:
        """Give the client a new connection."""
        self.server = SignalingServerProtocol(wall_clock=WALL_CLOCK)
        self.server.opened(self.now)
        self.is_open = True
        self.events += self.client.opened(self.now)
        return self

    def join(self) -> SignalingPair:
        self.start().open().flow()
        assert self.client.state is State.JOINED
        return self

    def flow(self) -> SignalingPair:
        """Carry frames both ways until both are quiet, then close if one side wants to."""
        while self.is_open:
            up, down = self.client.take(), self.server.take()
            if not up and not down:
                break
            for happening in self.server.receive(up, self.now):
                self.happenings.append(happening)
                if isinstance(happening, JoinRequested) and self.answers_join:
                    self.server.accept(self.now, roster=self.roster, participants=len(self.roster))
            self.events += self.client.receive(down, self.now, self.jitter)
        if self.is_open and self.server.closed is not None:
            self.lose(self.server.closed)
        if self.is_open and self.client.state not in CONNECTED:
            self.is_open = False
            self.server.close(1005)
        return self

    def lose(self, error: Exception | None = None) -> SignalingPair:
        """Cut the connection, or refuse to make one."""
        self.is_open = False
        self.client.take()
        error = error or ConnectionClosed(1006, "cut")
        self.events += self.client.lost(error, self.now, self.jitter)
        if self.server.state is not ServerState.CLOSED:
            self.server.close(1006)
        return self

    def say(self, frame: SignalFrame) -> list[Event]:
        """Hand the client one frame as if the service had written it; return the events of it."""
        frame.timestamp_ms = int((self.now + WALL_CLOCK) * 1000)
        return self.hear(encode(frame, SERVER_PREFIX))

    def hear(self, *data: bytes | str) -> list[Event]:
        events = self.client.receive(data, self.now, self.jitter)
        self.events += events
        return events

    def wait(self, seconds: float) -> SignalingPair:
        """Let time pass, with every deadline kept on time; a connection that is wanted again is made."""
        end = self.now + seconds
        while True:
            sides = [self.client.deadline, self.server.deadline if self.is_open else None]
            due = min((deadline for deadline in sides if deadline is not None), default=None)
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.events += self.client.expire(self.now, self.jitter)
            if self.is_open:
                self.happenings += self.server.expire(self.now)
            self.flow()
            if self.client.state is State.CONNECTING:
                self.open().flow()
        self.now = end
        return self

    def client_state(self) -> State:
        """Say where the client stands; a call, because type checkers take an attribute for what it was before."""
        return self.client.state

    def told(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kinds)]
