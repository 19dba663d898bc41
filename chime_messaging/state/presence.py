"""What attendees show each other: cursors, raised hands, who is typing."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.state.events import PresenceChanged
from chime_messaging.state.presence_protocol import TIMEOUT, PresenceProtocol, PresenceTold, State
from chime_messaging.state.pump import Pump


class Presence:
    """A small state of each attendee, seen by all: the latest one only. Use as ``async with``, once.

        async with DataMessageSession(...) as session, Presence(session, "cursors") as cursors:
            cursors.set({"x": 10, "y": 20})
            print(cursors.states)

    `PresenceChanged` is told by the session. Whoever leaves, or is silent for `timeout` seconds, shows nothing. A
    `SharedDocument` has one of its own, as `presence`.

    Args:
        session: The meeting.
        topic: Where it is told; one for each kind of state.
        timeout: Seconds of silence after which an attendee is taken to be gone; everybody's should be the same.
        rng: Gives numbers in [0, 1).
    """

    def __init__(
        self,
        session: DataMessageSession,
        topic: str,
        *,
        timeout: float = TIMEOUT,
        rng: Callable[[], float] = random.random,
    ) -> None:
        protocol = PresenceProtocol(session.attendee_id, int(rng() * 2**32), rng, timeout=timeout)
        self._use(protocol, Pump(session, topic, [protocol], self._told, protocol.peer_left))

    @classmethod
    def of(cls, protocol: PresenceProtocol, pump: Pump) -> Self:
        """Return the presence that somebody else's pump runs."""
        presence = cls.__new__(cls)
        presence._use(protocol, pump)
        return presence

    def _use(self, protocol: PresenceProtocol, pump: Pump) -> None:
        self._protocol = protocol
        self._pump = pump

    def _told(self, told: PresenceTold) -> PresenceChanged:
        return PresenceChanged(self._pump.topic, told.peer, told.state)

    async def __aenter__(self) -> Self:
        await self._pump.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        # Others see at once that it is over.
        self.set(None)
        return await self._pump.__aexit__(kind, error, traceback)

    @property
    def own(self) -> State | None:
        """What this attendee shows."""
        return self._protocol.own

    @property
    def states(self) -> Mapping[str, State]:
        """What the others show, by attendee id, in the order of these."""
        return self._protocol.states

    def set(self, state: State | None) -> None:
        """Show something instead of what was shown, or nothing. Returns at once; many changes at once are told as one.

        Raises:
            LimitError: naming ``state``, if it is larger than 1900 bytes as JSON.
            ConfigurationError: naming ``state``, if it cannot be JSON.
        """
        self._protocol.set(state)
        self._pump.wake()

    def update(self, **fields: Any) -> None:
        """Change some fields of what is shown. Raises like `set`."""
        self.set((self.own or {}) | fields)

    async def wait_for(self, condition: Callable[[Mapping[str, State]], bool]) -> None:
        """Wait until something is true of `states`.

        Raises:
            SessionClosedError: if the session ends first.
        """
        await self._pump.wait_for(lambda: condition(self.states))
