"""Room: how do peers agree? Shared documents, presence, and calls from attendee to attendee, over data messages.

The machines (`document_protocol`, `presence_protocol`, `calls_protocol`) are pure; `pump` runs them on the topics of a
`DataMessageSession`. Documents need the extra ``state``. May import `sessions` and what stands below it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chime_messaging.state.calls import Calls
    from chime_messaging.state.document_protocol import DocumentSettings
    from chime_messaging.state.document_store import DocumentStore, SQLiteDocumentStore
    from chime_messaging.state.events import DocumentChanged, DocumentSynced, PresenceChanged
    from chime_messaging.state.presence import Presence
    from chime_messaging.state.shared_document import SharedDocument
    from chime_messaging.state.shared_map import SharedMap

__all__ = [
    "Calls",
    "DocumentChanged",
    "DocumentSettings",
    "DocumentStore",
    "DocumentSynced",
    "Presence",
    "PresenceChanged",
    "SQLiteDocumentStore",
    "SharedDocument",
    "SharedMap",
]

# Loaded when asked for: presence and calls need no pycrdt.
_HOMES = {
    "Calls": "calls",
    "DocumentChanged": "events",
    "DocumentSettings": "document_protocol",
    "DocumentStore": "document_store",
    "DocumentSynced": "events",
    "Presence": "presence",
    "PresenceChanged": "events",
    "SQLiteDocumentStore": "document_store",
    "SharedDocument": "shared_document",
    "SharedMap": "shared_map",
}


if not TYPE_CHECKING:  # or type checkers would take any name for granted

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
