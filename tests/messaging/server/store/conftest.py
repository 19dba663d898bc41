"""A database in memory, one transaction at a time, with a clock that stands still."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from chime_messaging.server.notices import Notice
from chime_messaging.server.store import app_instances, endpoints, idempotency, tags, users
from chime_messaging.server.store.database import Database, Transaction

T = TypeVar("T")
NOUNS = (app_instances, endpoints, idempotency, tags, users)


@dataclass
class Store:
    runner: asyncio.Runner
    now: int = 1_700_000_000_000
    notices: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = Database(on_commit=self.notices.extend, clock=lambda: self.now)

    def run(self, work: Callable[[Transaction], T]) -> T:
        return self.runner.run(self.database.run(work))


@pytest.fixture
def store() -> Iterator[Store]:
    with asyncio.Runner() as runner:
        made = Store(runner)
        runner.run(made.database.__aenter__())
        yield made
        runner.run(made.database.__aexit__(None, None, None))
