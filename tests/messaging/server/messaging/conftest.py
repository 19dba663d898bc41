from collections.abc import Iterator

import pytest

from tests.messaging.server.messaging.chat import Chat


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as opened:
        yield opened
