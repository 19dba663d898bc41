"""Sessions in memory live in virtual time: hours of back-off pass at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import async_solipsism
import pytest
import trio.testing

VIRTUAL_TIME: dict[str, Callable[[], dict[str, Any]]] = {
    "asyncio": lambda: {"loop_factory": async_solipsism.EventLoop},
    "trio": lambda: {"clock": trio.testing.MockClock(autojump_threshold=0)},
}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Real time, unless the module says ``VIRTUAL_TIME = True``."""
    if getattr(request.module, "VIRTUAL_TIME", False):
        return request.param, VIRTUAL_TIME[request.param]()
    return request.param
