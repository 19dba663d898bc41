"""The official signalling client and `DataMessageSession` in one meeting, and their frames side by side."""

from collections.abc import Callable

import anyio
import anyio.to_thread
import pytest

from tests.interop.conftest import NodeProcess

pytestmark = [pytest.mark.interop, pytest.mark.anyio]

RunNode = Callable[..., NodeProcess]
in_thread = anyio.to_thread.run_sync
