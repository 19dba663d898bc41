import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

import chime_messaging.server.identity
from chime_messaging.server.janitor import Janitor
from chime_messaging.server.notices import Disconnect, Notice
from chime_messaging.server.store import app_instances, idempotency, users
from chime_messaging.server.store.database import Database, DatabaseClosedError, Transaction
from chime_messaging.server.store.expiration import DAY
from chime_messaging.server.store.lifecycle import SWEEPS

assert chime_messaging.server.identity.users


class Time:
    """A clock for the database, and a sleep for the janitor that moves it on when it is told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000
        self.sleeping = asyncio.Event()
        self.wake = asyncio.Event()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.sleeping.set()
        await self.wake.wait()
        self.wake.clear()

    async def round_is_over(self) -> None:
        await asyncio.wait_for(self.sleeping.wait(), 10)
        self.sleeping.clear()

    async def pass_by(self, milliseconds: int) -> None:
        """Let so much time pass, and the janitor's next round."""
        self.now += milliseconds
        self.wake.set()
        await self.round_is_over()


@asynccontextmanager
async def house(time: Time, notices: list[Notice] | None = None) -> AsyncIterator[Database]:
    on_commit: Callable[[list[Notice]], None] = (notices if notices is not None else []).extend
    async with Database(clock=lambda: time.now, on_commit=on_commit) as database:
        yield database


def test_a_user_whose_days_are_over_goes_with_its_roles_and_sockets() -> None:
    def fill(tx: Transaction) -> None:
        app_instances.add_app_instance(tx, "app", "app", None)
        for name, days in (("ann", 1), ("ben", 30), ("cat", None)):
            users.add_user(tx, name, "app", name=name)
            users.set_user_expiration(tx, name, days, "CREATED_TIMESTAMP")
        app_instances.add_admin(tx, "app", "ann")

    def who(tx: Transaction) -> list[str]:
        return sorted(users.arns_of_app_instance(tx, "app"))

    async def main() -> None:
        time, notices = Time(), list[Notice]()
        sweeps = {"users": SWEEPS["users"]}
        async with house(time, notices) as database:
            await database.run(fill)
            async with Janitor(database, interval=60, sweeps=sweeps, sleep=time.sleep) as janitor:
                await time.round_is_over()
                await time.pass_by(DAY - 1000)
                assert await database.run(who) == ["ann", "ben", "cat"]
                await time.pass_by(2000)
                assert await database.run(who) == ["ben", "cat"]
                assert not await database.run(lambda tx: users.is_admin(tx, "app", "ann"))
                assert notices == [Disconnect("ann", 4003, "The app instance user was deleted.")]
                assert janitor.removed == {"users": 1}
                assert time.slept == [60, 60, 60]

    asyncio.run(main())


def test_what_fell_due_while_the_server_was_down_goes_at_once() -> None:
    async def main() -> None:
        time = Time()
        async with house(time) as database:
            await database.run(lambda tx: users.add_user(tx, "ann", "app", name="Ann"))
            await database.run(lambda tx: users.set_user_expiration(tx, "ann", 1, "CREATED_TIMESTAMP"))
            time.now += 2 * DAY
            sweeps = {"users": SWEEPS["users"]}
            async with Janitor(database, sweeps=sweeps, sleep=time.sleep):
                await time.round_is_over()
                assert not await database.run(lambda tx: users.user_exists(tx, "ann"))

    asyncio.run(main())


def test_old_idempotency_tokens_go() -> None:
    async def main() -> None:
        time = Time()
        async with house(time) as database:

            def remember(number: int, tx: Transaction) -> None:
                idempotency.remember(tx, "s", "o", f"t{number}", "print", {})

            for number in range(25):
                await database.run(partial(remember, number))
            janitor = Janitor(database, batch=10, sweeps={"tokens": SWEEPS["idempotency-tokens"]})
            assert await janitor.go_round() == 0
            time.now += idempotency.TOKEN_LIFETIME + 1000
            assert await janitor.go_round() == 25
            assert janitor.removed == {"tokens": 25}

    asyncio.run(main())


def test_a_sweep_is_called_until_nothing_is_left_in_small_transactions() -> None:
    left = [25]
    sizes: list[int] = []

    def remove(tx: Transaction, limit: int) -> int:
        size = min(limit, left[0])
        left[0] -= size
        sizes.append(size)
        return size

    async def main() -> None:
        async with house(Time()) as database:
            assert await Janitor(database, batch=10, sweeps={"things": remove}).go_round() == 25

    asyncio.run(main())
    assert sizes == [10, 10, 5]


def test_a_sweep_that_fails_is_tried_again_and_keeps_no_other_from_its_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: list[str] = []

    def broken(tx: Transaction, limit: int) -> int:
        tries.append("broken")
        raise LookupError("a row that nobody can read")

    def whole(tx: Transaction, limit: int) -> int:
        tries.append("whole")
        return 0

    async def main() -> None:
        async with house(Time()) as database:
            janitor = Janitor(database, sweeps={"broken": broken, "whole": whole})
            await janitor.go_round()
            await janitor.go_round()
            assert janitor.failures == 2

    asyncio.run(main())
    assert tries == ["broken", "whole"] * 2
    assert "a row that nobody can read" in caplog.text


def test_leaving_stops_the_janitor_in_the_middle_of_its_rest() -> None:
    async def main() -> None:
        time = Time()
        async with house(time) as database:
            janitor = Janitor(database, sweeps={}, sleep=time.sleep)
            async with janitor:
                await time.round_is_over()
            assert [task for task in asyncio.all_tasks() if task.get_name() == "chime-janitor"] == []

    asyncio.run(main())


def test_a_database_that_was_closed_ends_the_round() -> None:
    async def main() -> None:
        database: Any = Database()
        async with database:
            pass
        with pytest.raises(DatabaseClosedError):
            await Janitor(database, sweeps={"users": SWEEPS["users"]}).go_round()

    asyncio.run(main())
