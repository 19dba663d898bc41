"""What every test may use: both event loops, and a real local server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Async tests run on both event loops."""
    name: str = request.param
    return name


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A server of the test's own, everything in memory, no rate limits."""
    with LocalServer(ServerConfiguration(port=0, quotas=False)) as running:
        yield running


@pytest.fixture(scope="session")
def shared_server() -> Iterator[LocalServer]:
    """One server for tests that only add things of their own and set no faults."""
    with LocalServer(ServerConfiguration(port=0, quotas=False)) as running:
        yield running
