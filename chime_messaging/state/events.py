"""What is told of shared state, through the same faces as the session's own events."""

from __future__ import annotations

from typing import Any

from chime_messaging.events import Event


class DocumentSynced(Event, frozen=True):
    """A document has caught up, for the first time since the session was joined, or joined again."""

    document: str
    """Its name."""
    is_alone: bool
    """Nobody else said anything about it: what is here is all there is, as far as one can know."""


class DocumentChanged(Event, frozen=True):
    """Changes of somebody else are in a document."""

    document: str
    attendee_id: str
    """Who told of them; in what was missed, not necessarily who made them."""


class PresenceChanged(Event, frozen=True):
    """Somebody else shows something else."""

    topic: str
    attendee_id: str
    state: dict[str, Any] | None
    """None if it shows nothing any more, left, or fell silent."""
