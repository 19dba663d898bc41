import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from chime_messaging.errors import UsageError
from chime_messaging.server.notices import Disconnect, Notice
from chime_messaging.server.store.database import (
    Database,
    DatabaseClosedError,
    Transaction,
)
from tests.messaging.server.store.notes import ADD, ALL, Gate, add, names, notes, reach


def test_works_that_wait_together_share_one_commit() -> None:
    async def main() -> None:
        async with Database() as database:
            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            others = [asyncio.create_task(database.run(add(f"n{i}"))) for i in range(100)]
            await reach(lambda: database.waiting == 101)
            gate.open.set()
            await asyncio.gather(first, *others)
            assert database.statistics.works == 101
            assert database.statistics.commits == 1
            assert database.statistics.batch_sizes == {1: 1, 128: 1}

    asyncio.run(main())


def test_a_batch_is_bounded() -> None:
    async def main() -> None:
        async with Database(batch_limit=10) as database:
            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            others = [asyncio.create_task(database.run(add(f"n{i}"))) for i in range(25)]
            await reach(lambda: database.waiting == 26)
            gate.open.set()
            await asyncio.gather(first, *others)
            assert database.statistics.commits == 3
            assert len(await database.run(names)) == 25

    asyncio.run(main())


def test_callers_over_the_queue_limit_wait_for_a_place() -> None:
    async def main() -> None:
        async with Database(queue_limit=3) as database:
            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            others = [asyncio.create_task(database.run(add(f"n{i}"))) for i in range(10)]
            for _ in range(20):
                await asyncio.sleep(0)
            assert database.waiting == 3
            gate.open.set()
            await asyncio.gather(first, *others)
            assert len(await database.run(names)) == 10

    asyncio.run(main())


def test_a_work_that_raises_takes_back_only_its_own_changes_and_notices() -> None:
    seen: list[Notice] = []

    def spoil(tx: Transaction) -> None:
        tx.execute(ADD, name="spoiled", at=1)
        tx.notify(Disconnect("spoiled", 4003, ""))
        raise LookupError("changed my mind")

    async def main() -> None:
        async with Database(on_commit=seen.extend) as database:
            results = await asyncio.gather(
                database.run(add("a")), database.run(spoil), database.run(add("b")), return_exceptions=True
            )
            assert isinstance(results[1], LookupError)
            assert await database.run(names) == ["a", "b"]
            assert database.statistics.failures == 1

    asyncio.run(main())
    assert seen == [Disconnect("a", 4003, ""), Disconnect("b", 4003, "")]


def test_notices_come_in_commit_order_before_the_callers_wake() -> None:
    seen: list[str] = []

    def on_commit(notices: list[Notice]) -> None:
        seen.extend(notice.user_arn for notice in notices if isinstance(notice, Disconnect))

    async def main() -> None:
        async with Database(on_commit=on_commit) as database:

            async def one(name: str) -> None:
                await database.run(add(name))
                assert name in seen

            await asyncio.gather(*(one(f"n{i}") for i in range(300)))

    asyncio.run(main())
    assert seen == [f"n{i}" for i in range(300)]


def test_a_commit_that_fails_fails_every_work_of_its_batch_and_nothing_of_it_stays() -> None:
    seen: list[Notice] = []

    async def main() -> None:
        async with Database(on_commit=seen.extend) as database:

            def break_transaction(tx: Transaction) -> None:
                tx.connection.rollback()
                tx.connection.exec_driver_sql("ROLLBACK")

            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            works = [add("a"), break_transaction, add("b")]
            tasks = [asyncio.create_task(database.run(work)) for work in works]
            await reach(lambda: database.waiting == 4)
            gate.open.set()
            await first
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, Exception) for result in results)
            assert database.statistics.lost_batches == 1
            assert await database.run(names) == []
            await database.run(add("after"))
            assert await database.run(names) == ["after"]

    asyncio.run(main())
    assert seen == [Disconnect("after", 4003, "")]


def test_time_only_goes_forward_and_every_change_has_its_own_moment() -> None:
    clock = iter([1000, 1000, 900, 1001, 5000, 10, 10])

    async def main() -> list[int]:
        async with Database(clock=lambda: next(clock)) as database:
            return [await database.run(add(f"n{i}")) for i in range(6)]

    assert asyncio.run(main()) == [1000, 1001, 1002, 1003, 5000, 5001]


def test_reading_does_not_use_up_time() -> None:
    async def main() -> list[int]:
        async with Database(clock=lambda: 1000) as database:
            await database.run(add("a"))
            return [await database.run(lambda tx: tx.now) for _ in range(3)]

    assert asyncio.run(main()) == [1001, 1001, 1001]


def test_work_before_and_after_the_database_is_open_is_refused() -> None:
    async def main() -> None:
        database = Database()
        with pytest.raises(DatabaseClosedError):
            await database.run(names)
        async with database:
            await database.run(names)
        with pytest.raises(DatabaseClosedError):
            await database.run(names)
        with pytest.raises(UsageError, match="once"):
            await database.__aenter__()

    asyncio.run(main())


def test_closing_finishes_the_work_that_was_taken_and_refuses_what_still_waits_for_a_place() -> None:
    async def main() -> None:
        gate = Gate()
        async with Database(queue_limit=2) as database:
            gated = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            tasks = [asyncio.create_task(database.run(add(f"n{i}"))) for i in range(3)]
            await reach(lambda: database.waiting == 2)
            asyncio.get_running_loop().call_soon(gate.open.set)
        await gated
        taken, *refused = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(taken, int)
        assert [type(result) for result in refused] == [DatabaseClosedError, DatabaseClosedError]

    asyncio.run(main())


def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    async def main() -> None:
        async with Database() as database:
            gate = Gate()
            first = asyncio.create_task(database.run(gate))
            await asyncio.to_thread(gate.entered.wait, 10)
            doomed = asyncio.create_task(database.run(add("doomed")))
            other = asyncio.create_task(database.run(add("other")))
            await reach(lambda: database.waiting == 3)
            doomed.cancel()
            await asyncio.sleep(0)
            gate.open.set()
            await asyncio.gather(first, other)
            assert await database.run(names) == ["other"]
            assert database.waiting == 0

    asyncio.run(main())


def test_a_broker_that_fails_leaves_no_caller_hanging() -> None:
    def refuse(notices: list[Notice]) -> None:
        raise RuntimeError("broker")

    async def main() -> list[dict[str, Any]]:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        async with Database(on_commit=refuse) as database:
            await asyncio.wait_for(database.run(add("a")), 10)
        return problems

    problems = asyncio.run(main())
    assert [str(problem["exception"]) for problem in problems] == ["broker"]


Step = tuple[str, str, bool]
steps = st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.sampled_from("abcd"), st.booleans()), max_size=40)


def outcome(plan: list[Step]) -> tuple[dict[str, int], list[str]]:
    """The rows and the notices that the works of a plan leave behind, one after another."""
    rows: dict[str, int] = {}
    told: list[str] = []
    for number, (action, name, fails) in enumerate(plan):
        if fails:
            continue
        told.append(str(number))
        if action == "put":
            rows[name] = number
        else:
            rows.pop(name, None)
    return rows, told


def work_of(number: int, step: Step) -> Callable[[Transaction], int]:
    def work(tx: Transaction) -> int:
        action, name, fails = step
        tx.notify(Disconnect(str(number), 4003, ""))
        tx.connection.execute(delete(notes).where(notes.c.name == name))
        if action == "put":
            tx.connection.execute(insert(notes).values(name=name, at=number))
        if fails:
            raise LookupError(number)
        return number

    return work


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(1, 7))
def test_any_mix_of_works_comes_to_what_they_come_to_one_by_one(plan: list[Step], batch_limit: int) -> None:
    rows, told = outcome(plan)
    seen: list[str] = []

    def on_commit(notices: list[Notice]) -> None:
        seen.extend(notice.user_arn for notice in notices if isinstance(notice, Disconnect))

    async def main() -> None:
        async with Database(batch_limit=batch_limit, on_commit=on_commit) as database:
            works = [database.run(work_of(number, step)) for number, step in enumerate(plan)]
            results = await asyncio.gather(*works, return_exceptions=True)
            assert await database.run(lambda tx: {row.name: row.at for row in tx.all(ALL)}) == rows
        for number, (result, step) in enumerate(zip(results, plan, strict=True)):
            assert isinstance(result, LookupError) if step[2] else result == number

    asyncio.run(main())
    assert seen == told
