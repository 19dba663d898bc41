"""Keys and values that attendees share, for those who need no more of a document."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from pycrdt import Map

from chime_messaging.state.shared_document import SharedDocument


class SharedMap(MutableMapping[str, Any]):
    """Keys and JSON values that attendees set; of two who set the same key at once, everybody takes the same.

    Keys come in alphabetical order, which is the same everywhere.

    Args:
        document: In which document.
        key: Under which of its roots.
    """

    def __init__(self, document: SharedDocument, key: str = "map") -> None:
        self._map = document.get(key, type=Map)

    def __getitem__(self, key: str) -> Any:
        value = self._map[key]
        return value.to_py() if hasattr(value, "to_py") else value

    def __setitem__(self, key: str, value: Any) -> None:
        self._map[key] = value

    def __delitem__(self, key: str) -> None:
        del self._map[key]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._map.keys()))

    def __len__(self) -> int:
        return len(self._map)
