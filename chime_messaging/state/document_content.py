"""What a document holds, as its peers speak of it: edits that wait to be told, what is here, since when. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycrdt import Doc, Snapshot, TransactionEvent, merge_updates

from chime_messaging.state.sync_messages import Reader, Standing, Vector, read_vector, standing_of, write_vector

MAX_PENDING: Final = 256
"""Edits that wait one by one; beyond that, as while there is no connection, they are merged."""

SMALL: Final = 64
"""Bytes of an update that is not worth making smaller."""

EMPTY_UPDATE: Final = b"\x00\x00"

UNDER_WAY: Final = 1.5
"""Seconds in which a change may not have reached everybody yet, and nobody is told that they lack it."""


class DocumentContent:
    """A pycrdt document and what was done to it here.

    Args:
        document: Edited by the application.
        on_edit: Called after each of its edits.
    """

    def __init__(self, document: Doc[Any], on_edit: Callable[[], object] | None = None) -> None:
        self.document = document
        self.pending: list[bytes] = []
        """Edits that were not told yet."""
        self.changed_at = -1e9
        """When it was last changed, by anybody."""
        self._on_edit = on_edit
        self._is_applying = False
        self._has_changed = False
        self._here: tuple[Standing, Vector] | None = None
        self._settled: Vector = {}
        self._fresh: tuple[float, Vector] = (-1e9, {})
        self._subscription = document.observe(self._observed)

    def close(self) -> None:
        """Let go of the document."""
        self.document.unobserve(self._subscription)

    @property
    def standing(self) -> Standing:
        """What is here."""
        return self._now()[0]

    @property
    def vector(self) -> Vector:
        """How much is here of each client."""
        return self._now()[1]

    def settled(self, now: float) -> Vector:
        """How much has been here for so long that everybody should have it."""
        if now - self.changed_at >= UNDER_WAY and not self.pending:
            self._settled = self.vector
        elif now - self._fresh[0] >= UNDER_WAY:
            self._settled = self._fresh[1]
            self._fresh = (now, self.vector)
        return self._settled

    def merge(self, update: bytes, now: float) -> bool:
        """Put somebody else's update into the document; whether that changed it.

        Raises:
            ValueError: if it is none.
            RuntimeError: if it contradicts itself.
        """
        self._is_applying, self._has_changed = True, False
        try:
            if update != EMPTY_UPDATE:
                self.document.apply_update(update)
        finally:
            self._is_applying = False
        if self._has_changed:
            self.changed_at = now
        return self._has_changed

    def missing_before(self, update: bytes) -> Vector | None:
        """What has to come before an update and is not here, as far as its beginning shows.

        Raises:
            DecodeError: if it is no update.
        """
        reader = Reader(update)
        if reader.number() == 0:
            return None
        reader.number()
        client, clock = reader.number(), reader.number()
        return {client: clock} if clock > self.vector.get(client, 0) else None

    def gathered(self, now: float) -> bytes:
        """Take all edits that wait, as one update."""
        pending, self.pending = self.pending, []
        self.changed_at = now
        if len(pending) == 1:
            return pending[0]
        merged = merge_updates(*pending)
        reader = Reader(merged)
        clients, _, client, clock = reader.number(), reader.number(), reader.number(), reader.number()
        if clients != 1 or client != self.document.client_id or len(merged) < SMALL:
            return merged
        # The document has put together what was typed one by one, the merged updates have not; but what is made of the
        # document names everything that was ever deleted.
        fresh = self.document.get_update(write_vector(self.vector | {client: clock}))
        return min(merged, fresh, key=len)

    def _observed(self, event: TransactionEvent) -> None:
        if event.update == EMPTY_UPDATE:
            return
        self._here = None
        self._has_changed = True
        if self._is_applying:
            return
        self.pending.append(event.update)
        if len(self.pending) >= MAX_PENDING:
            self.pending = [merge_updates(*self.pending)]
        if self._on_edit is not None:
            self._on_edit()

    def _now(self) -> tuple[Standing, Vector]:
        if self._here is None:
            standing = standing_of(Snapshot.from_doc(self.document).encode())
            self._here = standing, read_vector(standing.vector)
        return self._here
