import logging
from collections.abc import Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint

from chime_messaging.errors import (
    ConfigurationError,
    SessionClosedError,
    SubscriptionOverflowError,
    UsageError,
    WaitTimeoutError,
)
from chime_messaging.events import (
    ChannelEvent,
    Event,
    HandlerFailed,
    MessageCreated,
    MessageEvent,
    MessageUpdated,
    ReconnectScheduled,
    SessionConnecting,
    SessionStopped,
)
from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.subscription import Policy
from chime_messaging.wire.envelope import Envelope
from chime_messaging.wire.payloads import ChannelMessage

pytestmark = pytest.mark.anyio


def message(kind: type[MessageEvent] = MessageCreated) -> MessageEvent:
    return kind(Envelope({}), ChannelMessage(channel_arn="arn", message_id="1"))


def retry(attempt: int) -> ReconnectScheduled:
    return ReconnectScheduled(0.0, attempt, 1006, "")


async def test_a_decorated_handler_gets_the_events_of_its_classes_in_order() -> None:
    seen: list[Event] = []
    async with EventHub() as hub:

        @hub.on(ReconnectScheduled, SessionConnecting)
        async def note(event: ReconnectScheduled | SessionConnecting) -> None:
            await anyio.lowlevel.checkpoint()
            seen.append(event)

        sent = [retry(1), SessionConnecting(True), retry(2), SessionConnecting(True), retry(3)]
        for event in sent:
            hub.emit(event)
            hub.emit(SessionStopped(1000))
    assert seen == sent


async def test_a_plain_function_is_a_handler_too_and_stays_callable() -> None:
    async with EventHub() as hub:
        seen: list[int] = []

        @hub.on(ReconnectScheduled)
        def note(event: ReconnectScheduled) -> str:
            seen.append(event.attempt)
            return "called"

        hub.emit(retry(1))
        assert note(retry(2)) == "called"
    assert seen == [2, 1]


@pytest.mark.parametrize("base", [MessageEvent, ChannelEvent, Event])
async def test_a_base_class_stands_for_all_its_subclasses(base: type[Event]) -> None:
    async with EventHub() as hub, hub.events(base) as stream:
        hub.emit(message())
        hub.emit(message(MessageUpdated))
        assert type(await anext(stream)) is MessageCreated
        assert type(await anext(stream)) is MessageUpdated


async def test_a_class_that_was_emitted_before_reaches_who_subscribes_later() -> None:
    async with EventHub() as hub:
        hub.emit(retry(1))
        async with hub.events() as stream:
            hub.emit(retry(2))
            assert await anext(stream) == retry(2)


async def test_subscribing_before_the_hub_is_entered_works_for_every_face() -> None:
    hub = EventHub()
    seen: list[str] = []

    class Observer:
        def on_session_stopped(self, event: SessionStopped) -> None:
            seen.append("observer")

    hub.add_observer(Observer())
    hub.on(SessionStopped)(lambda event: seen.append("handler"))
    async with hub.events(SessionStopped) as stream:
        hub.emit(SessionStopped(1))
        async with hub:
            assert (await anext(stream)).code == 1
    assert sorted(seen) == ["handler", "observer"]


async def test_a_slow_handler_delays_nobody() -> None:
    release = anyio.Event()
    async with EventHub() as hub:

        @hub.on(ReconnectScheduled)
        async def slow(event: ReconnectScheduled) -> None:
            await release.wait()

        async with hub.events(ReconnectScheduled) as stream:
            for attempt in range(10):
                hub.emit(retry(attempt))
                assert (await anext(stream)).attempt == attempt
        release.set()


@pytest.mark.parametrize("policy", ["wait", "drop_oldest", "drop_newest", "close"])
@pytest.mark.parametrize("mixed", [False, True])
async def test_emitting_several_at_once_is_the_same_as_one_by_one(policy: Policy, mixed: bool) -> None:
    batches: list[list[Event]] = [[retry(attempt) for attempt in range(size)] for size in (3, 0, 1, 4, 2)]
    if mixed:
        batches = [[*batch, SessionStopped(1000)] for batch in batches]
    outcomes = []
    async with EventHub() as hub:
        for at_once in (True, False):
            one = hub.events(policy=policy, size=6)
            other = hub.events(ReconnectScheduled)
            async with one, other:
                for batch in batches:
                    if at_once:
                        hub.emit_all(batch)
                    else:
                        for event in batch:
                            hub.emit(event)
                outcomes.append((list(one.queue), one.statistics()[1:], list(other.queue)))
    assert outcomes[0] == outcomes[1]


async def test_a_batch_wakes_its_reader() -> None:
    async with EventHub() as hub, hub.events() as stream, anyio.create_task_group() as tasks:

        async def read() -> None:
            assert [await anext(stream), await anext(stream)] == [retry(1), retry(2)]

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        hub.emit_all([retry(1), retry(2)])


class TestRoom:
    """The usual policy: `deliver` waits for those who want every event."""

    async def test_a_slow_handler_gets_every_event_in_order(self) -> None:
        seen: list[int] = []
        async with EventHub() as hub:

            @hub.on(ReconnectScheduled, size=4)
            async def slow(event: ReconnectScheduled) -> None:
                await checkpoint()
                seen.append(event.attempt)

            await hub.deliver([retry(attempt) for attempt in range(1000)])
            assert len(seen) >= 990
        assert seen == list(range(1000))
        assert not hub.statistics()

    async def test_two_who_deliver_at_a_time_lose_nothing(self) -> None:
        seen: list[int] = []
        async with EventHub() as hub:

            @hub.on(ReconnectScheduled, size=3)
            async def slow(event: ReconnectScheduled) -> None:
                await checkpoint()
                seen.append(event.attempt)

            async with anyio.create_task_group() as tasks:
                for start in (0, 300):
                    tasks.start_soon(hub.deliver, [retry(start + n) for n in range(300)])
        assert sorted(seen) == list(range(600))
        assert [n for n in seen if n < 300] == list(range(300))

    async def test_a_reader_that_has_stalled_loses_its_oldest_and_delays_the_others_once(self) -> None:
        seen: list[int] = []
        release = anyio.Event()
        async with EventHub(stall_timeout=0.05) as hub:

            @hub.on(ReconnectScheduled, size=4)
            async def stuck(event: ReconnectScheduled) -> None:
                await release.wait()
                seen.append(event.attempt)

            async with hub.events(ReconnectScheduled, size=1000) as stream:
                started = anyio.current_time()
                await hub.deliver([retry(attempt) for attempt in range(500)])
                assert anyio.current_time() - started < 2
                assert [(await anext(stream)).attempt for _ in range(500)] == list(range(500))
                stalled = next(s for s in hub.statistics() if "stuck" in s.name)
                assert stalled.dropped > 400
                release.set()
        assert seen[-4:] == [496, 497, 498, 499]

    async def test_one_that_came_to_life_again_is_waited_for_again(self) -> None:
        release = anyio.Event()
        seen: list[int] = []
        async with EventHub(stall_timeout=0.02) as hub:

            @hub.on(ReconnectScheduled, size=4)
            async def stuck(event: ReconnectScheduled) -> None:
                await release.wait()
                await checkpoint()
                seen.append(event.attempt)

            await hub.deliver([retry(attempt) for attempt in range(100)])
            release.set()
            await anyio.wait_all_tasks_blocked()
            await hub.deliver([retry(attempt) for attempt in range(100, 200)])
        assert seen[-100:] == list(range(100, 200))

    async def test_nobody_is_waited_for_once_it_hurries(self) -> None:
        async with EventHub(stall_timeout=3600) as hub, hub.events(ReconnectScheduled, size=2) as stream:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hub.deliver, [retry(attempt) for attempt in range(10)])
                await anyio.wait_all_tasks_blocked()
                hub.hurry()
            assert [event.attempt for event in list(stream.queue)] == [8, 9]  # type: ignore[attr-defined]

    @pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "close"])
    async def test_other_policies_are_not_waited_for(self, policy: Policy) -> None:
        async with EventHub(stall_timeout=3600) as hub, hub.events(policy=policy, size=2) as stream:
            await hub.deliver([retry(attempt) for attempt in range(10)])
            assert stream.statistics().dropped == (1 if policy == "close" else 8)

    async def test_closing_a_full_subscription_frees_who_waits(self) -> None:
        async with EventHub(stall_timeout=3600) as hub:
            stream = hub.events(ReconnectScheduled, size=2)
            async with stream, anyio.create_task_group() as tasks:
                tasks.start_soon(hub.deliver, [retry(attempt) for attempt in range(10)])
                await anyio.wait_all_tasks_blocked()
                stream.close()


class TestOverflow:
    async def test_the_oldest_goes_by_default_and_is_counted(self) -> None:
        async with EventHub() as hub, hub.events(ReconnectScheduled, size=3) as stream:
            for attempt in range(5):
                hub.emit(retry(attempt))
            assert [(await anext(stream)).attempt for _ in range(3)] == [2, 3, 4]
            assert (stream.statistics().dropped, stream.statistics().delivered) == (2, 3)

    async def test_the_newest_goes_when_asked_for(self) -> None:
        async with EventHub() as hub, hub.events(ReconnectScheduled, policy="drop_newest", size=3) as stream:
            for attempt in range(5):
                hub.emit(retry(attempt))
            assert [(await anext(stream)).attempt for _ in range(3)] == [0, 1, 2]
            assert stream.statistics().dropped == 2

    async def test_a_reader_that_asked_to_be_told_is_told_after_what_fitted(self) -> None:
        async with EventHub() as hub, hub.events(ReconnectScheduled, policy="close", size=2) as stream:
            for attempt in range(4):
                hub.emit(retry(attempt))
            assert [(await anext(stream)).attempt for _ in range(2)] == [0, 1]
            with pytest.raises(SubscriptionOverflowError) as error:
                await anext(stream)
            assert error.value.dropped == 1
            assert hub.statistics() == []

    async def test_a_handler_whose_policy_is_close_ends_with_a_handler_failed(self) -> None:
        seen: list[int] = []
        async with EventHub() as hub, hub.events(HandlerFailed) as failures:
            hub.subscribe(lambda event: seen.append(event.attempt), ReconnectScheduled, policy="close", size=2)
            for attempt in range(4):
                hub.emit(retry(attempt))
            failed = await anext(failures)
            assert isinstance(failed.error, SubscriptionOverflowError)
            assert failed.event == retry(2)
        assert seen == [0, 1]

    @pytest.mark.parametrize("policy", ["wait", "drop_oldest", "drop_newest"])
    async def test_the_terminal_event_always_has_room(self, policy: str) -> None:
        async with EventHub() as hub, hub.events(policy=policy, size=1) as stream:  # type: ignore[call-overload]
            hub.emit(retry(1))
            hub.emit(SessionStopped(1000))
            assert [await anext(stream), await anext(stream)] == [retry(1), SessionStopped(1000)]

    async def test_a_size_or_policy_that_cannot_work_is_refused(self) -> None:
        hub = EventHub()
        with pytest.raises(ConfigurationError):
            hub.events(size=0)
        with pytest.raises(ConfigurationError):
            hub.events(policy="drop")  # type: ignore[call-overload]


class TestFailures:
    async def test_a_failing_handler_is_logged_and_told_and_stays_subscribed(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with EventHub() as hub, hub.events(HandlerFailed) as failures:

            @hub.on(ReconnectScheduled)
            def fail(event: ReconnectScheduled) -> None:
                raise ValueError(f"number {event.attempt}")

            with caplog.at_level(logging.ERROR, "chime_messaging.observers"):
                hub.emit(retry(1))
                hub.emit(retry(2))
                first, second = await anext(failures), await anext(failures)
            assert (str(first.error), str(second.error)) == ("number 1", "number 2")
            assert first.event == retry(1)
            assert first.handler.endswith("fail")
            assert "fail failed on ReconnectScheduled" in caplog.text
            assert sum(counters.failures for counters in hub.statistics()) == 2

    async def test_a_handler_of_failures_that_fails_is_only_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        calls = 0
        async with EventHub() as hub:

            @hub.on(HandlerFailed)
            async def fail_too(event: HandlerFailed) -> None:
                nonlocal calls
                calls += 1
                raise RuntimeError("again")

            @hub.on(ReconnectScheduled)
            def fail(event: ReconnectScheduled) -> None:
                raise ValueError("once")

            hub.emit(retry(1))
        assert calls == 1
        assert "again" in caplog.text

    async def test_for_development_a_failure_ends_the_block(self) -> None:
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
            async with EventHub(on_handler_error="raise") as hub:

                @hub.on(ReconnectScheduled)
                def fail(event: ReconnectScheduled) -> None:
                    raise ValueError("loud")

                hub.emit(retry(1))
                await anyio.sleep_forever()
        assert [str(error) for error in caught.value.exceptions] == ["loud"]

    async def test_one_failing_method_does_not_keep_an_observers_other_one_from_the_event(self) -> None:
        seen: list[int] = []

        class Observer:
            def messaging_session_did_stop(self, event: SessionStopped) -> None:
                raise ValueError

            def on_session_stopped(self, event: SessionStopped) -> None:
                seen.append(event.code)

        async with EventHub() as hub:
            hub.add_observer(Observer())
            hub.emit(SessionStopped(1005))
        assert seen == [1005]


class TestRemoving:
    async def test_an_observer_removed_before_its_turn_is_not_called(self) -> None:
        seen: list[Event] = []

        class Observer:
            def on_reconnect_scheduled(self, event: ReconnectScheduled) -> None:
                seen.append(event)

        observer = Observer()
        async with EventHub() as hub:
            hub.add_observer(observer)
            await anyio.wait_all_tasks_blocked()
            hub.emit(retry(1))
            hub.remove_observer(observer)
            hub.remove_observer(observer)
        assert seen == []

    async def test_a_handler_may_remove_itself_and_others(self) -> None:
        seen: list[str] = []
        async with EventHub() as hub:

            def once(event: ReconnectScheduled) -> None:
                seen.append("once")
                hub.off(once)
                other.close()

            other = hub.subscribe(lambda event: seen.append("other"), SessionStopped)
            hub.subscribe(once, ReconnectScheduled)
            hub.emit(retry(1))
            hub.emit(retry(2))
            await anyio.wait_all_tasks_blocked()
            hub.emit(SessionStopped(1000))
            assert other.closed
        assert seen == ["once"]

    async def test_an_observer_that_removes_itself_gets_nothing_more_not_even_of_the_same_event(self) -> None:
        seen: list[str] = []

        class Observer:
            def messaging_session_did_stop(self, event: SessionStopped) -> None:
                seen.append("official")
                hub.remove_observer(self)

            def on_session_stopped(self, event: SessionStopped) -> None:
                seen.append("own")

        async with EventHub() as hub:
            hub.add_observer(Observer())
            hub.emit(SessionStopped(1005))
        assert seen == ["official"]

    async def test_adding_an_observer_twice_is_adding_it_once_and_it_can_come_back(self) -> None:
        seen: list[int] = []

        class Observer:
            def on_reconnect_scheduled(self, event: ReconnectScheduled) -> None:
                seen.append(event.attempt)

        observer = Observer()
        async with EventHub() as hub:
            hub.add_observer(observer)
            hub.add_observer(observer)
            hub.emit(retry(1))
            await anyio.wait_all_tasks_blocked()
            hub.remove_observer(observer)
            hub.emit(retry(2))
            hub.add_observer(observer)
            hub.emit(retry(3))
        assert seen == [1, 3]

    async def test_leaving_a_stream_ends_its_subscription(self) -> None:
        async with EventHub() as hub:
            async with hub.events() as stream:
                assert len(hub.statistics()) == 1
            assert hub.statistics() == []
            with pytest.raises(UsageError):
                async with stream:
                    pass

    async def test_two_tasks_may_not_read_one_stream(self) -> None:
        async with EventHub() as hub, hub.events() as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(stream.__anext__)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(UsageError):
                await anext(stream)
            hub.emit(retry(1))


class TestWaitFor:
    async def test_it_returns_the_first_event_that_fits(self) -> None:
        async with EventHub() as hub, anyio.create_task_group() as tasks:

            async def emit() -> None:
                await anyio.wait_all_tasks_blocked()
                for attempt in range(5):
                    hub.emit(retry(attempt))

            tasks.start_soon(emit)
            event = await hub.wait_for(ReconnectScheduled, lambda event: event.attempt > 2, timeout=5)
            assert event.attempt == 3
            assert hub.statistics() == []

    async def test_it_tells_what_did_not_come_in_time(self) -> None:
        async with EventHub() as hub:
            with pytest.raises(WaitTimeoutError, match="SessionStopped") as error:
                await hub.wait_for(SessionStopped, timeout=0.01)
        assert error.value.timeout == 0.01

    async def test_it_ends_with_the_hub(self) -> None:
        async with anyio.create_task_group() as tasks, EventHub() as hub:

            async def wait() -> None:
                with pytest.raises(SessionClosedError):
                    await hub.wait_for(SessionStopped)

            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()

    async def test_an_error_of_the_condition_reaches_the_caller(self) -> None:
        async with EventHub() as hub, anyio.create_task_group() as tasks:

            async def emit() -> None:
                await anyio.wait_all_tasks_blocked()
                hub.emit(retry(0))

            tasks.start_soon(emit)
            with pytest.raises(ZeroDivisionError):
                await hub.wait_for(ReconnectScheduled, lambda event: 1 / event.attempt > 0, timeout=5)


class TestLeaving:
    async def test_what_waits_is_delivered_and_then_iterators_end(self) -> None:
        handled: list[int] = []
        read: list[int] = []
        async with anyio.create_task_group() as tasks:
            async with EventHub() as hub:

                @hub.on(ReconnectScheduled)
                async def slow(event: ReconnectScheduled) -> None:
                    await anyio.lowlevel.checkpoint()
                    handled.append(event.attempt)

                async def reader() -> None:
                    async with hub.events(ReconnectScheduled) as stream:
                        read.extend([event.attempt async for event in stream])

                tasks.start_soon(reader)
                await anyio.wait_all_tasks_blocked()
                for attempt in range(50):
                    hub.emit(retry(attempt))
            assert handled == list(range(50))
        assert read == list(range(50))

    async def test_a_handler_that_does_not_finish_is_cancelled_at_the_deadline(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        cancelled: list[bool] = []
        with anyio.fail_after(5):
            async with EventHub(drain_timeout=0.02) as hub:

                @hub.on(SessionStopped)
                async def hang(event: SessionStopped) -> None:
                    try:
                        await anyio.sleep_forever()
                    finally:
                        cancelled.append(True)

                hub.emit(SessionStopped(1000))
        assert cancelled == [True]
        assert "1 handlers did not finish within 0.02 s" in caplog.text

    async def test_a_cancelled_session_can_still_tell_its_handlers_that_it_stopped(self) -> None:
        told: list[int] = []
        with anyio.CancelScope() as scope:
            async with EventHub() as hub:

                @hub.on(SessionStopped)
                async def note(event: SessionStopped) -> None:
                    await anyio.lowlevel.checkpoint()
                    told.append(event.code)

                try:
                    scope.cancel()
                    await anyio.sleep_forever()
                finally:
                    hub.emit(SessionStopped(1005))
        assert told == [1005]

    async def test_an_error_of_the_block_comes_out_as_it_is_after_the_handlers(self) -> None:
        told: list[int] = []
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
            async with EventHub() as hub:
                hub.subscribe(lambda event: told.append(event.code), SessionStopped)
                hub.emit(SessionStopped(1006))
                raise KeyError("block")
        assert told == [1006]
        assert isinstance(caught.value.exceptions[0], KeyError)

    async def test_afterwards_emit_does_nothing_and_subscribing_is_refused(self) -> None:
        async with EventHub() as hub:
            hub.emit(retry(1))
        hub.emit(retry(2))
        with pytest.raises(SessionClosedError):
            hub.subscribe(lambda event: None)
        with pytest.raises(UsageError):
            async with hub:
                pass

    async def test_what_a_handler_emits_while_draining_is_delivered(self) -> None:
        seen: list[str] = []
        async with EventHub() as hub:
            hub.subscribe(lambda event: hub.emit(SessionStopped(event.attempt)), ReconnectScheduled)
            hub.subscribe(lambda event: seen.append(f"stopped {event.code}"), SessionStopped)
            hub.emit(retry(7))
        assert seen == ["stopped 7"]


async def test_a_handler_that_emits_what_it_handles_does_not_stop_the_loop() -> None:
    async with EventHub(drain_timeout=0.01) as hub:
        hub.subscribe(lambda event: hub.emit(retry(event.attempt + 1)), ReconnectScheduled)
        hub.emit(retry(0))
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        (counters,) = hub.statistics()
        assert counters.delivered >= 3


async def test_a_reader_is_woken_once_per_batch() -> None:
    async with EventHub() as hub:
        subscription = hub.subscribe(lambda event: None, ReconnectScheduled)
        await anyio.wait_all_tasks_blocked()
        wake = subscription.wake
        assert wake is not None
        hub.emit(retry(0))
        assert wake.is_set()
        assert subscription.wake is None
        for attempt in range(1, 100):
            hub.emit(retry(attempt))
        await anyio.wait_all_tasks_blocked()
        assert subscription.statistics().delivered == 100
        assert subscription.wake not in (None, wake)


async def typed(hub: EventHub) -> None:
    """Read by mypy, never run: each face knows its event classes."""
    async with hub.events(SessionStopped, ReconnectScheduled) as stream:
        async for event in stream:
            both: SessionStopped | ReconnectScheduled = event
            assert both

    @hub.on(SessionStopped)  # type: ignore[arg-type]
    def wrong(event: ReconnectScheduled) -> None: ...

    code: Callable[[SessionStopped], int] = hub.on(SessionStopped)(lambda event: event.code)
    code(SessionStopped(1000))
