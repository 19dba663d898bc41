"""Media runs on asyncio only: as in the interpreter, and on uvloop as the server does."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Async tests run on asyncio."""
    return "asyncio", {"use_uvloop": False}
