from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from chime_messaging.server import faults
from chime_messaging.server.control import MAX_PLANNED, PlannedFailures


def test_failures_come_in_order_and_then_no_more() -> None:
    planned = PlannedFailures()
    planned.add("A", faults.throttled(), 2)
    planned.add("A", faults.conflict("c"), 1)
    planned.add("B", faults.forbidden(), 0)
    names = [fault.name if fault else None for fault in (planned.take("A") for _ in range(4))]
    assert names == ["ThrottledClientException", "ThrottledClientException", "ConflictException", None]
    assert planned.take("B") is None


def test_the_plan_is_bounded() -> None:
    planned = PlannedFailures()
    planned.add("A", faults.throttled(), MAX_PLANNED * 2)
    assert sum(planned.take("A") is not None for _ in range(MAX_PLANNED * 2)) == MAX_PLANNED


def test_threads_share_a_plan_without_losing_any() -> None:
    planned = PlannedFailures()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: planned.add("A", faults.throttled(), 1), range(200)))
        taken = list(pool.map(lambda _: planned.take("A"), range(300)))
    assert sum(fault is not None for fault in taken) == 200


def test_a_plan_can_be_forgotten() -> None:
    planned = PlannedFailures()
    planned.add("A", faults.throttled(), 2)
    planned.clear()
    assert planned.take("A") is None
