"""How peers keep one document the same: what is sent when. Pure: bytes in, bytes and events out, `now` an argument.

Theory of operation. Everybody hears everybody, and messages may be lost, doubled, late, or returned. Edits are
gathered for a moment, merged, and told as one update; the more editors there are, the longer the moment, so that all of
them together stay below the rate of a meeting. Changes of a CRDT need no order and may arrive twice; what was lost
shows when peers say where they stand: a state vector, and a checksum of what is deleted, which the vector does not
cover. Whoever sees that somebody lacks something answers with exactly that, after a random moment, unless somebody else
was faster.

Standings are told soon after changes and then ever more rarely, and not at all by those who have just heard their own
from somebody else (the Trickle algorithm, RFC 6206). In this way ten thousand quiet peers would say as much as one.

The shell hands in frames and local changes, sends what `take` returns, and looks again when `deadline` has passed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec
from pycrdt import Doc, Snapshot, TransactionEvent, merge_updates

from chime_messaging.errors import DecodeError
from chime_messaging.state.outgoing import Outgoing
from chime_messaging.state.sync_messages import (
    Offer,
    Reader,
    Standing,
    Step1,
    Step2,
    SyncMessage,
    Update,
    Vector,
    decode,
    encode,
    joined,
    lacks,
    read_vector,
    standing_of,
    write_vector,
)

MAX_PEERS: Final = 1024
MAX_PENDING: Final = 256
"""Edits that wait one by one; beyond that, as while there is no connection, they are merged."""
SMALL: Final = 64
"""Bytes of an update that is not worth making smaller."""
EMPTY_UPDATE: Final = b"\x00\x00"

UNDER_WAY: Final = 1.5
"""Seconds in which a change may not have reached everybody yet, and nobody is told that they lack it."""

LONGEST_INTERVAL: Final = 60.0
"""Seconds between standings of a document that has not changed for long."""

LONGEST_ASKING: Final = 8.0
"""Seconds between standings of a peer that lacks something."""

MAX_ASKED: Final = 8
"""Standings after which a peer no longer waits for what nobody gives it."""

ALONE_AFTER: Final = 3.0
"""Seconds without any word after which a peer takes itself to be alone."""

LARGE: Final = 2000
"""Bytes above which an answer is offered first."""

OFFER_LEAD: Final = 0.15
"""Seconds after an offer in which somebody else's shows."""

TRANSFER_RATE: Final = 100_000.0
"""Bytes a second that a large answer is taken to travel at, at least."""


class DocumentSettings(msgspec.Struct, frozen=True):
    """How a document is told. Seconds, bytes, messages a second."""

    flush_interval: float = 0.05
    """Edits of so long share one update."""
    rate: float = 40.0
    """Updates a second that all editors of the document send together; a meeting takes 100 messages."""
    lifetime: float = 300.0
    """How long the service keeps an update for those who join later; 0 to 300."""
    snapshot_interval: float = 200.0
    """How often the whole of a changing document is put into the service's keeping, if it is not larger than..."""
    snapshot_size: int = 32 * 1024
    """...this. 0 for never."""


class Synced(msgspec.Struct, frozen=True):
    """The peer has caught up for the first time since it joined, or is alone."""

    is_alone: bool


class RemoteChange(msgspec.Struct, frozen=True):
    """Somebody else's change is in the document."""

    peer: str


class _Asker:
    """A peer that lacks something."""

    __slots__ = ("due", "vector")

    def __init__(self, vector: bytes, due: float) -> None:
        self.vector = vector
        self.due = due


class DocumentProtocol:
    """One document of one peer.

    Args:
        document: The pycrdt document; edited by the application.
        peer: Attendee id.
        rng: Gives numbers in [0, 1).
        settings: How it is told.
        on_edit: Called with each local update, so that the shell looks again.
    """

    def __init__(
        self,
        document: Doc[Any],
        peer: str,
        rng: Callable[[], float],
        settings: DocumentSettings | None = None,
        on_edit: Callable[[bytes], object] | None = None,
    ) -> None:
        self.document = document
        self.settings = settings or DocumentSettings()
        self.undecodable = 0
        """Messages that could not be read or applied."""
        self._peer = peer
        self._rng = rng
        self._on_edit = on_edit
        self._pending: list[bytes] = []
        self._flush_at = 0.0
        self._held_until = 0.0
        self._is_connected = False
        self._is_applying = False
        self._has_changed = False
        self._peers: OrderedDict[str, float] = OrderedDict()
        """Who was heard, and when it last edited."""
        self._askers: dict[str, _Asker] = {}
        self._offers: dict[str, tuple[float, str]] = {}
        self._standing: tuple[Standing, Vector] | None = None
        self._changed_at = -1e9
        self._settled: Vector = {}
        self._fresh: tuple[float, Vector] = (-1e9, {})
        self._say_at: float | None = None
        self._interval = 1.0
        self._wanted: Vector = {}
        self._asked = 0
        self._alone_at: float | None = None
        self._snapshot_at: float | None = None
        self._promised: dict[str, tuple[float, bytes]] = {}
        self._subscription = document.observe(self._observed)

    def close(self) -> None:
        """Let go of the document."""
        self.document.unobserve(self._subscription)

    # What the shell asks

    @property
    def deadline(self) -> float | None:
        """When `take` and `tick` are due; None for never."""
        if not self._is_connected:
            return None
        due = [asker.due for asker in self._askers.values()] + [moment for moment, _ in self._promised.values()]
        due += [moment for moment in (self._alone_at, self._snapshot_at) if moment is not None]
        if self._pending:
            due.append(self._flush_at)
        elif self._say_at is not None:
            due.append(self._say_at)
        earliest = min(due, default=None)
        return None if earliest is None else max(earliest, self._held_until)

    @property
    def has_unsent(self) -> bool:
        """Whether there are edits that were not handed out yet."""
        return bool(self._pending)

    @property
    def is_behind(self) -> bool:
        """Whether somebody has told of something that is not here."""
        return lacks(self._vector(), self._wanted)

    def connected(self, now: float) -> None:
        """Say that messages can be sent, for the first time or again."""
        self._is_connected = True
        self._askers.clear()
        self._promised.clear()
        self._offers.clear()
        self._asked = 0
        self._interval = 1.0
        self._say_at = now
        self._alone_at = now + ALONE_AFTER

    def disconnected(self) -> None:
        """Say that nothing can be sent for now; edits are kept."""
        self._is_connected = False

    def peer_left(self, peer: str) -> None:
        """Say that somebody left."""
        self._peers.pop(peer, None)
        self._askers.pop(peer, None)
        self._promised.pop(peer, None)
        self._offers = {asker: offer for asker, offer in self._offers.items() if offer[1] != peer}

    def returned(self, data: bytes, resume_at: float) -> None:
        """Take a message of ours back that was throttled."""
        self._held_until = max(self._held_until, resume_at)
        try:
            message = decode(data)
        except DecodeError:
            return
        if isinstance(message, Update):
            self._pending.append(message.update)
        elif isinstance(message, Standing):
            self._say_by(resume_at)
        # An answer is asked for again.

    def receive(self, sender: str, data: bytes, now: float) -> list[Synced | RemoteChange]:
        """Take a message of somebody else; return what is to be told."""
        if sender == self._peer:
            return []
        try:
            return self._receive(sender, decode(data), now)
        except (DecodeError, ValueError, RuntimeError):
            self.undecodable += 1
            return []

    def tick(self, now: float) -> list[Synced]:
        """Do what is due; return what is to be told. Harmless before `deadline`."""
        self._age(now)
        if self._alone_at is not None and now >= self._alone_at:
            self._alone_at = None
            return [Synced(is_alone=True)]
        return []

    def take(self, now: float) -> Outgoing | None:
        """Return the next message to send; None if there is nothing to send now."""
        if not self._is_connected or now < self._held_until:
            return None
        for peer, (due, vector) in self._promised.items():
            if now >= due:
                del self._promised[peer]
                return Outgoing(encode(Step2(self.document.get_update(vector))))
        if self._pending and now >= self._flush_at:
            return self._flush(now)
        for peer, asker in list(self._askers.items()):
            if now >= asker.due:
                del self._askers[peer]
                if (answer := self._answer(peer, asker, now)) is not None:
                    return answer
        # What a peer says that it has, it has told.
        if self._say_at is not None and now >= self._say_at and not self._pending:
            return self._say(now)
        if self._snapshot_at is not None and now >= self._snapshot_at:
            return self._snapshot(now)
        return None

    # Edits

    def _observed(self, event: TransactionEvent) -> None:
        if event.update == EMPTY_UPDATE:
            return
        self._standing = None
        self._has_changed = True
        if not self._is_applying:
            self._pending.append(event.update)
            if len(self._pending) >= MAX_PENDING:
                self._pending = [merge_updates(*self._pending)]
            if self._on_edit is not None:
                self._on_edit(event.update)

    def _flush(self, now: float) -> Outgoing:
        update = self._gathered()
        self._peers[self._peer] = now
        editors = sum(now - edited < 5.0 for edited in self._peers.values())
        self._flush_at = now + max(self.settings.flush_interval, editors / self.settings.rate)
        self._note_change(now)
        return Outgoing(encode(Update(update)), self.settings.lifetime)

    def _gathered(self) -> bytes:
        """Return all that waits as one update."""
        pending, self._pending = self._pending, []
        if len(pending) == 1:
            return pending[0]
        merged = merge_updates(*pending)
        reader = Reader(merged)
        clients, _, client, clock = reader.number(), reader.number(), reader.number(), reader.number()
        if clients != 1 or client != self.document.client_id or len(merged) < SMALL:
            return merged
        # The document has put together what was typed one by one, the merged updates have not; but what is made of the
        # document names everything that was ever deleted.
        fresh = self.document.get_update(write_vector(self._vector() | {client: clock}))
        return min(merged, fresh, key=len)

    def _note_change(self, now: float) -> None:
        self._changed_at = now
        self._interval = self._shortest()
        self._say_by(now + self._interval * (1 + self._rng()))
        if self._snapshot_at is None and self.settings.snapshot_size:
            self._snapshot_at = now + self.settings.snapshot_interval

    def _snapshot(self, now: float) -> Outgoing | None:
        """Put the whole document into the service's keeping, if it is this peer's turn: the first of the editors."""
        self._snapshot_at = None
        editors = [peer for peer, edited in self._peers.items() if now - edited < 2 * self.settings.snapshot_interval]
        if not editors or min(editors) != self._peer:
            return None
        update = self.document.get_update()
        if len(update) > self.settings.snapshot_size:
            return None
        return Outgoing(encode(Update(update)), self.settings.lifetime)

    # What others say

    def _receive(self, sender: str, message: SyncMessage, now: float) -> list[Synced | RemoteChange]:
        self._meet(sender)
        if isinstance(message, Update | Step2):
            return self._apply(sender, message, now)
        if isinstance(message, Standing):
            return self._compare(sender, message, now)
        if isinstance(message, Step1):
            read_vector(message.vector)
            self._ask(sender, message.vector, now)
        elif isinstance(message, Offer):
            self._heed(sender, message, now)
        return []

    def _meet(self, sender: str) -> None:
        self._peers.setdefault(sender, -1e9)
        self._peers.move_to_end(sender)
        if len(self._peers) > MAX_PEERS:
            self._peers.popitem(last=False)

    def _apply(self, sender: str, message: Update | Step2, now: float) -> list[Synced | RemoteChange]:
        told: list[Synced | RemoteChange] = []
        if self._merge(message.update):
            told.append(RemoteChange(sender))
            self._asked = 0
            self._note_change(now)
        elif (gap := _begins_after(message.update, self._vector())) is not None:
            self._want(gap, now)
        if isinstance(message, Step2):
            # Whoever is not served by it asks again; better than many answers of the same.
            self._askers.clear()
            self._offers.pop(self._peer, None)
            told += self._word()
        else:
            self._peers[sender] = now
        return told

    def _merge(self, update: bytes) -> bool:
        """Put an update into the document; whether that changed it."""
        self._is_applying, self._has_changed = True, False
        try:
            if update != EMPTY_UPDATE:
                self.document.apply_update(update)
        finally:
            self._is_applying = False
        return self._has_changed

    def _compare(self, sender: str, theirs: Standing, now: float) -> list[Synced | RemoteChange]:
        vector = read_vector(theirs.vector)
        mine, own = self._own(), self._vector()
        self._age(now)
        they_lack = lacks(vector, self._settled)
        same = vector == own
        differs = same and theirs.deleted != mine.deleted and now - self._changed_at >= UNDER_WAY
        if they_lack or differs:
            self._ask(sender, theirs.vector, now)
        if lacks(own, vector):
            self._want(vector, now)
            return []
        if differs:
            self._say_by(now + self._spread())
        elif same and theirs.deleted == mine.deleted:
            self._suppress(now)
        if theirs.wants_word and not they_lack:
            self._say_by(now + self._spread())
        return self._word()

    def _word(self) -> list[Synced | RemoteChange]:
        """Somebody has been heard; if nothing is known to lack, this peer has caught up."""
        if self._alone_at is None or self.is_behind:
            return []
        self._alone_at = None
        return [Synced(is_alone=False)]

    def _ask(self, peer: str, vector: bytes, now: float) -> None:
        offer = self._offers.get(peer)
        if offer is not None and now < offer[0]:
            return
        if len(self._askers) < MAX_PEERS:
            asker = self._askers.setdefault(peer, _Asker(vector, now + self._spread()))
            asker.vector = vector

    def _answer(self, peer: str, asker: _Asker, now: float) -> Outgoing | None:
        update = self.document.get_update(asker.vector)
        answer = Outgoing(encode(Step2(update)))
        # Until it is there, the same peer is not answered again.
        self._offers[peer] = (now + UNDER_WAY + len(update) / TRANSFER_RATE, self._peer)
        if len(update) < LARGE:
            return answer
        self._promised[peer] = (now + OFFER_LEAD, asker.vector)
        return Outgoing(encode(Offer(peer, len(update))))

    def _heed(self, sender: str, offer: Offer, now: float) -> None:
        """Leave an answer to somebody else; of two who offer it at the same time, to the first by name."""
        if offer.peer in self._promised and sender > self._peer:
            return
        self._promised.pop(offer.peer, None)
        self._askers.pop(offer.peer, None)
        self._offers[offer.peer] = (now + UNDER_WAY + min(offer.size, 1 << 24) / TRANSFER_RATE, sender)

    # Standings

    def _want(self, vector: Vector, now: float) -> None:
        """Remember that there is something that is not here, and say so unless it is on its way."""
        self._wanted = joined(self._wanted, vector)
        self._interval = min(self._interval, LONGEST_ASKING / 2)
        offer = self._offers.get(self._peer)
        if offer is not None and now < offer[0]:
            self._say_at = max(self._say_at or 0.0, offer[0])
        elif not self._asked:
            self._say_by(now + 0.2 + self._spread())

    def _say(self, now: float) -> Outgoing:
        longest = LONGEST_INTERVAL
        if self.is_behind:
            longest = LONGEST_ASKING
            self._asked += 1
            if self._asked > MAX_ASKED:
                # It was told of by somebody who is gone, and nobody else has it.
                self._wanted = {}
                self._asked = 0
        self._say_at = now + self._interval * (1 + self._rng())
        self._interval = min(self._interval * 2, longest)
        own = self._own()
        return Outgoing(encode(Standing(own.vector, own.deleted, wants_word=self._alone_at is not None)))

    def _suppress(self, now: float) -> None:
        """Somebody else has said what this peer would say."""
        if self._say_at is not None and self._alone_at is None:
            self._say_at = max(self._say_at, now + self._interval * (1 + self._rng()))
            self._interval = min(self._interval * 2, LONGEST_INTERVAL)

    def _say_by(self, moment: float) -> None:
        self._say_at = moment if self._say_at is None else min(self._say_at, moment)

    def _shortest(self) -> float:
        """Seconds between standings while a document changes: longer where there are many."""
        return max(1.0, len(self._peers) / 4)

    def _spread(self) -> float:
        """A random moment in which somebody else may be faster."""
        return self._rng() * min(2.0, 0.05 + 0.03 * len(self._peers))

    # What is here

    def _own(self) -> Standing:
        return self._now()[0]

    def _vector(self) -> Vector:
        return self._now()[1]

    def _now(self) -> tuple[Standing, Vector]:
        if self._standing is None:
            standing = standing_of(Snapshot.from_doc(self.document).encode())
            self._standing = standing, read_vector(standing.vector)
        return self._standing

    def _age(self, now: float) -> None:
        """Find out what has been here for so long that everybody should have it."""
        if now - self._changed_at >= UNDER_WAY and not self._pending:
            self._settled = self._vector()
        elif now - self._fresh[0] >= UNDER_WAY:
            self._settled = self._fresh[1]
            self._fresh = (now, self._vector())


def _begins_after(update: bytes, vector: Vector) -> Vector | None:
    """What has to come before an update and is not here, as far as its beginning shows."""
    reader = Reader(update)
    if reader.number() == 0:
        return None
    reader.number()
    client, clock = reader.number(), reader.number()
    return {client: clock} if clock > vector.get(client, 0) else None
