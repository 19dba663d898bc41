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
from pycrdt import Doc

from chime_messaging.errors import DecodeError
from chime_messaging.state.document_answers import DocumentAnswers
from chime_messaging.state.document_content import UNDER_WAY, DocumentContent
from chime_messaging.state.outgoing import Outgoing
from chime_messaging.state.sync_messages import (
    Offer,
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
)

MAX_PEERS: Final = 1024

LONGEST_INTERVAL: Final = 60.0
"""Seconds between standings of a document that has not changed for long."""

LONGEST_ASKING: Final = 8.0
"""Seconds between standings of a peer that lacks something."""

MAX_ASKED: Final = 8
"""Standings after which a peer no longer waits for what nobody gives it."""

ALONE_AFTER: Final = 3.0
"""Seconds without any word after which a peer takes itself to be alone."""


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


class DocumentProtocol:
    """One document of one peer.

    Args:
        document: The pycrdt document; edited by the application.
        peer: Attendee id.
        rng: Gives numbers in [0, 1).
        settings: How it is told.
        on_edit: Called after each local edit, so that the shell looks again.
    """

    def __init__(
        self,
        document: Doc[Any],
        peer: str,
        rng: Callable[[], float],
        settings: DocumentSettings | None = None,
        on_edit: Callable[[], object] | None = None,
    ) -> None:
        self.document = document
        self.settings = settings or DocumentSettings()
        self.undecodable = 0
        """Messages that could not be read or applied."""
        self._peer = peer
        self._rng = rng
        self._content = DocumentContent(document, on_edit)
        self._answers = DocumentAnswers(peer, document.get_update)
        self._peers: OrderedDict[str, float] = OrderedDict()
        """Who was heard, and when it last edited."""
        self._is_connected = False
        self._held_until = 0.0
        self._flush_at = 0.0
        self._snapshot_at: float | None = None
        self._alone_at: float | None = None
        self._say_at: float | None = None
        self._interval = 1.0
        """Seconds until the standing after the next one."""
        self._wanted: Vector = {}
        """What others have told of."""
        self._asked = 0

    def close(self) -> None:
        """Let go of the document."""
        self._content.close()

    # What the shell asks

    @property
    def deadline(self) -> float | None:
        """When `take` and `tick` are due; None for never."""
        if not self._is_connected:
            return None
        moments = (self._answers.deadline, self._alone_at, self._snapshot_at)
        due = [moment for moment in moments if moment is not None]
        if self._content.pending:
            due.append(self._flush_at)
        elif self._say_at is not None:
            due.append(self._say_at)
        earliest = min(due, default=None)
        return None if earliest is None else max(earliest, self._held_until)

    @property
    def has_unsent(self) -> bool:
        """Whether there are edits that were not handed out yet."""
        return bool(self._content.pending)

    @property
    def is_behind(self) -> bool:
        """Whether somebody has told of something that is not here."""
        return lacks(self._content.vector, self._wanted)

    def connected(self, now: float) -> None:
        """Say that messages can be sent, for the first time or again."""
        self._is_connected = True
        self._answers.clear()
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
        self._answers.peer_left(peer)

    def returned(self, data: bytes, resume_at: float) -> None:
        """Take a message of ours back that was throttled."""
        self._held_until = max(self._held_until, resume_at)
        try:
            message = decode(data)
        except DecodeError:
            return
        if isinstance(message, Update):
            self._content.pending.append(message.update)
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
        self._content.settled(now)
        if self._alone_at is not None and now >= self._alone_at:
            self._alone_at = None
            return [Synced(is_alone=True)]
        return []

    def take(self, now: float) -> Outgoing | None:
        """Return the next message to send; None if there is nothing to send now."""
        if not self._is_connected or now < self._held_until:
            return None
        if self._content.pending and now >= self._flush_at:
            return self._flush(now)
        if (answer := self._answers.take(now)) is not None:
            return answer
        # What a peer says that it has, it has told.
        if self._say_at is not None and now >= self._say_at and not self._content.pending:
            return self._say(now)
        if self._snapshot_at is not None and now >= self._snapshot_at:
            return self._snapshot(now)
        return None

    # Edits

    def _flush(self, now: float) -> Outgoing:
        update = self._content.gathered(now)
        self._peers[self._peer] = now
        editors = sum(now - edited < 5.0 for edited in self._peers.values())
        self._flush_at = now + max(self.settings.flush_interval, editors / self.settings.rate)
        self._note_change(now)
        return Outgoing(encode(Update(update)), self.settings.lifetime)

    def _note_change(self, now: float) -> None:
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
            self._answers.offered(sender, message, now)
        return []

    def _meet(self, sender: str) -> None:
        self._peers.setdefault(sender, -1e9)
        self._peers.move_to_end(sender)
        if len(self._peers) > MAX_PEERS:
            self._peers.popitem(last=False)

    def _apply(self, sender: str, message: Update | Step2, now: float) -> list[Synced | RemoteChange]:
        told: list[Synced | RemoteChange] = []
        if self._content.merge(message.update, now):
            told.append(RemoteChange(sender))
            self._asked = 0
            self._note_change(now)
        elif (gap := self._content.missing_before(message.update)) is not None:
            self._want(gap, now)
        if isinstance(message, Step2):
            self._answers.answered(self._peer)
            told += self._word()
        else:
            self._peers[sender] = now
        return told

    def _compare(self, sender: str, theirs: Standing, now: float) -> list[Synced | RemoteChange]:
        vector = read_vector(theirs.vector)
        mine, own = self._content.standing, self._content.vector
        they_lack = lacks(vector, self._content.settled(now))
        same = vector == own
        differs = same and theirs.deleted != mine.deleted and now - self._content.changed_at >= UNDER_WAY
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
        self._answers.ask(peer, vector, now, due=now + self._spread())

    # Standings

    def _want(self, vector: Vector, now: float) -> None:
        """Remember that there is something that is not here, and say so unless it is on its way."""
        self._wanted = joined(self._wanted, vector)
        self._interval = min(self._interval, LONGEST_ASKING / 2)
        if (until := self._answers.coming(self._peer, now)) is not None:
            self._say_at = max(self._say_at or 0.0, until)
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
        own = self._content.standing
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
