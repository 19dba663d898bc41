"""What every test may use: both event loops, a real local server, and an environment that is the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer

FOREIGN = ("AWS_", "CHIME_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""Beginnings of variables that would change what programs do. CHIME_INTEROP is for the tests themselves."""


@pytest.fixture(scope="session", autouse=True)
def neutral_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings of the machine, no look-ups in a cloud, no file in the user's home; for child processes, too."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(FOREIGN) and name != "CHIME_INTEROP":
                patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", str(home / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        yield


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
