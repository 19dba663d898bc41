from collections.abc import Iterator

import pytest

from chime_messaging.server.messaging import bans, channels, elastic, expiration, moderators, search
from tests.messaging.server.messaging.chat import Chat
from tests.messaging.server.messaging.inboxes import Inboxes

__all__ = ["bans", "channels", "elastic", "expiration", "moderators", "search"]  # imported to register


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_chat() -> Iterator[Chat]:
    """One for all tests of a module that only read what a fixture of theirs has made."""
    with Chat() as opened:
        yield opened


@pytest.fixture
def inboxes(chat: Chat) -> Inboxes:
    return Inboxes(chat)
