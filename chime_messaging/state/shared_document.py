"""A document that attendees of a meeting edit together.

async with DataMessageSession(configuration) as session, SharedDocument(session, "notes") as notes:
    await notes.synced()
    text = notes.get("text", type=Text)
    text += "hello"
"""

from __future__ import annotations

import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
from anyio import to_thread
from pycrdt import Doc, TransactionEvent, merge_updates

from chime_messaging.errors import WaitTimeoutError
from chime_messaging.events import Event
from chime_messaging.protocol.data_messages import require_topic
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.state.document_content import EMPTY_UPDATE
from chime_messaging.state.document_protocol import (
    DocumentProtocol,
    DocumentSettings,
    RemoteChange,
    Synced,
)
from chime_messaging.state.document_store import DocumentStore
from chime_messaging.state.events import DocumentChanged, DocumentSynced, PresenceChanged
from chime_messaging.state.presence import Presence
from chime_messaging.state.presence_protocol import PresenceProtocol, PresenceTold
from chime_messaging.state.pump import LARGE, Pump

T = TypeVar("T")


class SharedDocument:
    """A pycrdt document that is kept the same for all who open it in a meeting. Use as ``async with``, once.

    Edit `doc` with pycrdt at any time, also before entering and while there is no connection: changes merge. In a
    browser the same document is a Yjs document. `DocumentSynced`, `DocumentChanged` and `PresenceChanged` are told by
    the session.

    Args:
        session: The meeting. Make the document before entering it, and what the service keeps is taken in, too.
        name: 1 to 30 letters, digits, hyphens and underscores; the topics are it, and it with ``-large``.
        doc: A document to go on with; a new one by default.
        settings: How often and how long things are told.
        store: Keeps the document when the program ends.
        rng: Gives numbers in [0, 1).
    """

    def __init__(
        self,
        session: DataMessageSession,
        name: str,
        *,
        doc: Doc[Any] | None = None,
        settings: DocumentSettings | None = None,
        store: DocumentStore | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        require_topic(name + LARGE)
        self.session = session
        self.name = name
        self.doc: Doc[Any] = Doc() if doc is None else doc
        """The document."""
        self._protocol = DocumentProtocol(self.doc, session.attendee_id, rng, settings, self._edited)
        self._store = store
        self._unsaved: list[bytes] = []
        self._saving = self.doc.observe(self._changed) if store is not None else None
        self._is_synced = False
        awareness = PresenceProtocol(session.attendee_id, self.doc.client_id, rng)
        self._awareness = awareness
        self._pump = Pump(session, name, [self._protocol, awareness], self._told, self._gone)
        self.presence = Presence.of(awareness, self._pump)
        """What those show who have it open: cursors, names."""

    async def __aenter__(self) -> Self:
        """Load what is stored, and begin to tell and to ask.

        Raises:
            UsageError: if it was entered before.
        """
        if self._store is not None:
            for update in await to_thread.run_sync(self._store.load):
                self.doc.apply_update(update)
            self._unsaved.clear()
        await self._pump.__aenter__()
        if self._store is not None:
            self._pump.start(self._save)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self.presence.set(None)
        try:
            return await self._pump.__aexit__(kind, error, traceback)
        finally:
            self._protocol.close()
            if self._store is not None and self._saving is not None:
                self.doc.unobserve(self._saving)
                await self._save_now(self._store)

    # Content

    def get(self, key: str, *, type: type[T]) -> T:
        """Return one of the document's roots: ``get("text", type=Text)``, of pycrdt's Text, Array, Map."""
        value: T = self.doc.get(key, type=type)
        return value

    # What is under way

    @property
    def is_synced(self) -> bool:
        """Whether it has caught up since the session was joined, or nobody else has it."""
        return self._is_synced

    async def synced(self, timeout: float | None = None) -> None:
        """Wait until it has caught up.

        Raises:
            WaitTimeoutError: if that takes longer than `timeout` seconds.
            SessionClosedError: if the session ends first.
        """
        await self._wait_for(lambda: self._is_synced, "caught-up document", timeout)

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until all edits made here are sent.

        Raises:
            WaitTimeoutError: if that takes longer than `timeout` seconds.
            SessionClosedError: if the session ends first.
        """
        await self._wait_for(lambda: not self._pump.has_unsent, "sent edits", timeout)

    async def wait_for(self, condition: Callable[[], bool], timeout: float | None = None) -> None:
        """Wait until something is true of the document.

        Raises:
            WaitTimeoutError: if that takes longer than `timeout` seconds.
            SessionClosedError: if the session ends first.
        """
        await self._wait_for(condition, f"change of {self.name}", timeout)

    async def _wait_for(self, condition: Callable[[], bool], what: str, timeout: float | None) -> None:
        with anyio.move_on_after(timeout):
            await self._pump.wait_for(condition)
            return
        raise WaitTimeoutError(what, timeout or 0.0)

    # What happens

    def _edited(self) -> None:
        self._pump.wake()

    def _told(self, told: Synced | RemoteChange | PresenceTold) -> Event:
        if isinstance(told, Synced):
            self._is_synced = True
            return DocumentSynced(self.name, told.is_alone)
        if isinstance(told, RemoteChange):
            return DocumentChanged(self.name, told.peer)
        return PresenceChanged(self.name, told.peer, told.state)

    def _gone(self, attendee_id: str) -> list[PresenceTold]:
        self._protocol.peer_left(attendee_id)
        return self._awareness.peer_left(attendee_id)

    # Keeping it

    def _changed(self, event: TransactionEvent) -> None:
        if event.update != EMPTY_UPDATE:
            self._unsaved.append(event.update)
            self._pump.wake()

    async def _save(self) -> None:
        while self._store is not None:
            await self._pump.wait_for(lambda: bool(self._unsaved))
            await self._save_now(self._store)

    async def _save_now(self, store: DocumentStore) -> None:
        unsaved, self._unsaved = self._unsaved, []
        if unsaved:
            update = unsaved[0] if len(unsaved) == 1 else merge_updates(*unsaved)
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(store.append, update)
