from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.faults import Fault
from chime_messaging.server.quotas import CONNECTION_BURST, QUOTAS, Buckets, Limiter
from chime_messaging.server.rest.model import service_model

APP = "arn:aws:chime:us-east-1:123456789012:app-instance/7f6e5c4d-0000-4000-8000-000000000001"
OTHER = APP[:-1] + "2"
CHANNEL = f"{APP}/channel/one"
USER = f"{APP}/user/ann"


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def admitted(limiter: Limiter, operation: str, count: int, *, service: str = "messaging", **params: str) -> int:
    """How many of `count` calls of ever new bearers get through."""
    passed = 0
    for number in range(count):
        try:
            limiter.admit(service, operation, params, f"{USER}{number}")
        except Fault as fault:
            assert fault.name == "ThrottledClientException"
        else:
            passed += 1
    return passed


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets = Buckets()
    key = ("quota", "scope")
    assert [buckets.take(key, 2, 4, now=0.0) for _ in range(5)] == [True] * 4 + [False]
    assert not buckets.take(key, 2, 4, now=0.49)
    assert buckets.take(key, 2, 4, now=0.5)
    assert not buckets.take(key, 2, 4, now=0.5)
    assert [buckets.take(key, 2, 4, now=100.0) for _ in range(5)] == [True] * 4 + [False]


def test_buckets_are_independent() -> None:
    buckets = Buckets()
    assert buckets.take(("q", "a"), 1, 1, now=0.0)
    assert buckets.take(("q", "b"), 1, 1, now=0.0)
    assert not buckets.take(("q", "a"), 1, 1, now=0.0)


def test_memory_is_bounded_and_the_bucket_in_use_is_kept() -> None:
    buckets = Buckets(limit=100)
    busy = ("q", "busy")
    for number in range(10_000):
        buckets.take(busy, 1, 20_000, now=0.0)
        buckets.take(("q", str(number)), 1, 1, now=0.0)
    assert len(buckets) == 100
    assert not buckets.has(busy, 1, 10_000, now=0.0)


@given(st.integers(1, 50), st.integers(1, 50), st.lists(st.floats(0, 0.5, allow_nan=False), min_size=1, max_size=200))
def test_in_any_span_no_more_than_burst_plus_rate_pass(rate: int, burst: int, steps: list[float]) -> None:
    buckets = Buckets()
    now = 0.0
    passed: list[float] = []
    for step in steps:
        now += step
        if buckets.take(("q", ""), rate, burst, now=now):
            passed.append(now)
    for index, start in enumerate(passed):
        for count, end in enumerate(passed[index:], 1):
            assert count <= burst + rate * (end - start) + 1 + 1e-6


def test_a_channel_takes_thirty_messages_a_second_from_all_senders_together() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    assert admitted(limiter, "SendChannelMessage", 25, ChannelArn=CHANNEL) == 25
    assert admitted(limiter, "UpdateChannelMessage", 25, ChannelArn=CHANNEL) == 5, "updates count with messages"
    assert admitted(limiter, "SendChannelMessage", 5, ChannelArn=f"{CHANNEL}2") == 5, "another channel has its own"
    assert admitted(limiter, "ListChannelMessages", 5, ChannelArn=CHANNEL) == 5, "so have other operations"
    clock.now += 0.1
    assert admitted(limiter, "SendChannelMessage", 9, ChannelArn=CHANNEL) == 3


def test_a_bearer_makes_ten_calls_a_second_of_any_kind() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    for number in range(10):
        limiter.admit(
            "messaging", ("DescribeChannel", "ListChannelMessages")[number % 2], {"ChannelArn": CHANNEL}, USER
        )
    with pytest.raises(Fault, match="10 per second for calls of a bearer") as caught:
        limiter.admit("messaging", "ListChannels", {"AppInstanceArn": APP}, USER)
    assert caught.value.name == "ThrottledClientException"
    clock.now += 0.1
    limiter.admit("messaging", "ListChannels", {"AppInstanceArn": APP}, USER)


def test_a_refused_call_uses_nothing_up() -> None:
    limiter = Limiter(clock=Clock())
    for _ in range(10):
        limiter.admit("messaging", "DescribeChannel", {"ChannelArn": CHANNEL}, USER)
    for _ in range(100):
        with pytest.raises(Fault):
            limiter.admit("messaging", "DescribeChannel", {"ChannelArn": CHANNEL}, USER)
    assert admitted(limiter, "DescribeChannel", 20, ChannelArn=CHANNEL) == 10


def test_channels_are_counted_per_app_instance_whichever_arn_names_it() -> None:
    limiter = Limiter(clock=Clock())
    assert admitted(limiter, "CreateChannel", 10, AppInstanceArn=APP) == 10
    assert admitted(limiter, "DeleteChannel", 10, ChannelArn=CHANNEL) == 5
    assert admitted(limiter, "CreateChannel", 10, AppInstanceArn=OTHER) == 10


def test_hostile_parameters_are_not_counted_by_what_they_do_not_name() -> None:
    limiter = Limiter(clock=Clock())
    assert admitted(limiter, "DeleteChannel", 30, ChannelArn="no arn") == 30
    limiter.admit("messaging", "SendChannelMessage", {"ChannelArn": 5}, None)


def test_operations_with_a_bucket_of_their_own_do_not_share() -> None:
    limiter = Limiter(clock=Clock())
    assert admitted(limiter, "ListAppInstances", 20, service="identity") == 10
    assert admitted(limiter, "ListAppInstanceUsers", 20, service="identity") == 10


def test_each_operation_of_meetings_has_a_rate_of_its_own_and_meetings_are_created_in_bursts() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    model = service_model("meetings")
    for _ in range(2):
        passed = {name: admitted(limiter, name, 50, service="meetings") for name in model.operation_names}
        bursts = {name: 20 if name.startswith("CreateMeeting") else 10 for name in model.operation_names}
        assert passed == bursts
        clock.now += 2.0
    clock.now += 0.1 - 2.0
    assert admitted(limiter, "GetMeeting", 5, service="meetings") == 1


def test_a_user_opens_one_connection_a_second_after_a_burst() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    assert [limiter.admit_connection(USER) for _ in range(CONNECTION_BURST + 1)] == [True] * CONNECTION_BURST + [False]
    assert limiter.admit_connection(f"{USER}2")
    clock.now += 1.0
    assert [limiter.admit_connection(USER) for _ in range(2)] == [True, False]


def test_the_table_names_only_operations_and_parameters_that_exist() -> None:
    for quota in QUOTAS:
        for service, name in quota.operations:
            shape = service_model(service).operation_model(name).input_shape
            assert shape is not None
            members = set(shape.members)
            if quota.scope not in {"account", "bearer", "app-instance"}:
                assert quota.scope in members, (name, quota.scope)
            if quota.scope == "app-instance":
                assert members & {"AppInstanceArn", "ChannelArn", "AppInstanceUserArn"}, name
