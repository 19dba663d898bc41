"""Who is answered, by whom and when: one of many, and not twice. Pure.

Everybody who has what somebody lacks would answer. A random moment decides who does; a large answer is offered before
it is given, so that others see it coming.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chime_messaging.state.document_content import UNDER_WAY
from chime_messaging.state.outgoing import Outgoing
from chime_messaging.state.sync_messages import Offer, Step2, encode

MAX_ASKERS: Final = 1024

LARGE: Final = 2000
"""Bytes above which an answer is offered first."""

OFFER_LEAD: Final = 0.15
"""Seconds after an offer in which somebody else's shows."""

TRANSFER_RATE: Final = 100_000.0
"""Bytes a second that a large answer is taken to travel at, at least."""

_MAX_ANNOUNCED: Final = 1 << 24


class DocumentAnswers:
    """What one peer owes to others.

    Args:
        peer: Its attendee id.
        update_since: Gives what there is beyond a state vector.
    """

    def __init__(self, peer: str, update_since: Callable[[bytes], bytes]) -> None:
        self._peer = peer
        self._update_since = update_since
        self._askers: dict[str, tuple[float, bytes]] = {}
        """Who lacks something: when it is answered, and what it has."""
        self._promised: dict[str, tuple[float, bytes]] = {}
        self._offers: dict[str, tuple[float, str]] = {}
        """Who is being answered: until when, and by whom."""

    @property
    def deadline(self) -> float | None:
        """When `take` is due."""
        due = [moment for moment, _ in (*self._askers.values(), *self._promised.values())]
        return min(due, default=None)

    def clear(self) -> None:
        """Forget everything: the connection is new."""
        self._askers.clear()
        self._promised.clear()
        self._offers.clear()

    def peer_left(self, peer: str) -> None:
        """Say that somebody left, who neither waits nor answers any more."""
        self._askers.pop(peer, None)
        self._promised.pop(peer, None)
        self._offers = {asker: offer for asker, offer in self._offers.items() if offer[1] != peer}

    def coming(self, peer: str, now: float) -> float | None:
        """Until when an answer to somebody is under way, if one is."""
        until, _ = self._offers.get(peer, (now, ""))
        return until if until > now else None

    def ask(self, peer: str, vector: bytes, now: float, due: float) -> None:
        """Say that somebody lacks something; it is answered when `due`, if nobody else does it before."""
        if self.coming(peer, now) is None and len(self._askers) < MAX_ASKERS:
            known = self._askers.get(peer)
            self._askers[peer] = (due if known is None else known[0], vector)

    def answered(self, peer: str) -> None:
        """Say that somebody else gave an answer. Whoever is not served by it asks again.

        Args:
            peer: This peer itself; what was on its way to it has come.
        """
        self._askers.clear()
        self._offers.pop(peer, None)

    def offered(self, sender: str, offer: Offer, now: float) -> None:
        """Leave an answer to somebody else; of two who offer it at the same time, to the first by name."""
        if offer.peer in self._promised and sender > self._peer:
            return
        self._promised.pop(offer.peer, None)
        self._askers.pop(offer.peer, None)
        self._expect(offer.peer, sender, min(offer.size, _MAX_ANNOUNCED), now)

    def take(self, now: float) -> Outgoing | None:
        """Return the next answer, or offer of one; None if there is none now."""
        for peer, (due, vector) in self._promised.items():
            if now >= due:
                del self._promised[peer]
                return Outgoing(encode(Step2(self._update_since(vector))))
        for peer, (due, vector) in self._askers.items():
            if now >= due:
                del self._askers[peer]
                return self._answer(peer, vector, now)
        return None

    def _answer(self, peer: str, vector: bytes, now: float) -> Outgoing:
        update = self._update_since(vector)
        self._expect(peer, self._peer, len(update), now)
        if len(update) < LARGE:
            return Outgoing(encode(Step2(update)))
        self._promised[peer] = (now + OFFER_LEAD, vector)
        return Outgoing(encode(Offer(peer, len(update))))

    def _expect(self, peer: str, sender: str, size: int, now: float) -> None:
        if len(self._offers) >= MAX_ASKERS:
            self._offers = {asker: offer for asker, offer in self._offers.items() if offer[0] > now}
        if len(self._offers) < MAX_ASKERS:
            self._offers[peer] = (now + UNDER_WAY + size / TRANSFER_RATE, sender)
