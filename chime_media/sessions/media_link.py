"""What the media of a session has from its signalling: a connection's state, and where events go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from chime_media.protocol.subscribing import Subscribing
from chime_media.rtc.peer import Peer
from chime_messaging.events import Event
from chime_messaging.meeting_events import JoinAckReceived
from chime_messaging.observers.hub import EventHub
from chime_messaging.wire.signaling_pb2 import SignalFrame


@dataclass(eq=False)
class MediaLink:
    """Media of one signalling connection."""

    ack: JoinAckReceived
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    acks: asyncio.Queue[SignalFrame] = field(default_factory=asyncio.Queue)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    peer: Peer | None = None
    subscribing: Subscribing | None = None


class EventOutlet(EventHub):
    """Where the signalling tells its events: the application's hub is on another thread and is never waited for."""

    def __init__(self, tell: Callable[[list[Event]], None]) -> None:
        super().__init__()
        self._tell_application = tell

    def emit_all(self, events: Sequence[Event]) -> None:
        """Hand events on."""
        if events:
            self._tell_application(list(events))

    def emit(self, event: Event) -> None:
        """Hand an event on."""
        self._tell_application([event])
