"""Pages for browsers that the server hands out beside the API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser gets for one path."""

    content_type: str
    body: bytes
