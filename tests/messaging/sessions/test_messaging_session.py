"""The session of the official client's unit tests, and without its defects. In memory and in virtual time."""

from __future__ import annotations

import logging

import anyio
import msgspec
import pytest

from chime_messaging.errors import (
    ConnectError,
    CredentialsError,
    ForbiddenError,
    ReconnectDeadlineError,
    SessionKickedError,
    SessionRejectedError,
    SessionStoppedError,
    SessionTimeoutError,
    UsageError,
)
from chime_messaging.events import (
    GapDetected,
    HandlerFailed,
    MessageCreated,
    ReconnectScheduled,
    Recovered,
    SessionConnecting,
    SessionEstablished,
    SessionStopped,
    UndecodableFrame,
)
from chime_messaging.observers.observer import MessagingSessionObserver
from chime_messaging.protocol.messaging_session import State
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.messaging_session import MessagingSession
from chime_messaging.transport.memory import MemoryTransport
from chime_messaging.wire.envelope import Envelope
from tests.messaging.sessions.scripted import ALICE, ESTABLISHED, Stage, now, receive_end

VIRTUAL_TIME = True

pytestmark = pytest.mark.anyio


class Official(MessagingSessionObserver):
    """Only the four methods of the official observer."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def messaging_session_did_start_connecting(self, reconnecting: bool) -> None:
        self.calls.append(("connecting", reconnecting))

    def messaging_session_did_start(self) -> None:
        self.calls.append("start")

    def messaging_session_did_receive_message(self, message: Envelope) -> None:
        self.calls.append(message.type)

    def messaging_session_did_stop(self, event: SessionStopped) -> None:
        self.calls.append(("stop", event.code))


# What the official client's tests pin down


async def test_entering_looks_the_endpoint_up_once_and_returns_when_established() -> None:
    stage = Stage()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.accept)
        async with stage.session as session:
            assert session.is_established
            assert session.state is State.ESTABLISHED
            assert session.user_arn == ALICE
            assert stage.service.lookups == [True]
    assert stage.names() == ["SessionConnecting", "SessionEstablished", "SessionEstablishedReceived", "SessionStopped"]
    assert stage.session.stopped == SessionStopped(1005)


async def test_the_official_observer_is_called_in_the_official_order() -> None:
    stage, observer = Stage(), Official()
    stage.session.add_observer(observer)

    async def serve() -> None:
        _, transport = await stage.connector.accept()
        await transport.send(stage.service.say())
        await transport.send(ESTABLISHED)
        transport.abort()
        transport = await stage.accept()
        await transport.aclose(4003)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            await session.wait_stopped()
    assert observer.calls == [
        ("connecting", False),
        "start",
        "CREATE_CHANNEL_MESSAGE",
        "SESSION_ESTABLISHED",
        ("connecting", True),
        "start",
        "SESSION_ESTABLISHED",
        ("stop", 4003),
    ]


async def test_a_lookup_that_fails_during_a_reconnect_is_retried_and_is_no_connecting() -> None:
    stage = Stage()

    async def serve() -> None:
        transport = await stage.accept()
        stage.service.faults.extend([ConnectError("host", "down"), CredentialsError("refresh", retryable=True)])
        transport.abort()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(SessionEstablished, count=2)
    assert stage.service.lookups == [True, False, False, False]
    assert stage.names().count("SessionConnecting") == 2
    scheduled = [event for event in stage.events if isinstance(event, ReconnectScheduled)]
    assert [(event.code, event.attempt, event.delay) for event in scheduled] == [
        (1006, 1, 0.5),
        (4999, 2, 1.0),
        (4999, 3, 2.0),
    ]


async def test_entering_twice_is_refused() -> None:
    stage = Stage()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.accept)
        async with stage.session:
            with pytest.raises(UsageError):
                await stage.session.__aenter__()
    with pytest.raises(UsageError):
        await stage.session.__aenter__()


async def test_a_refusal_after_the_open_socket_is_raised_and_told_once() -> None:
    stage = Stage()

    async def serve() -> None:
        _, transport = await stage.connector.accept()
        await transport.aclose(4401, "signature")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with pytest.raises(SessionRejectedError) as caught:
            await stage.session.__aenter__()
    assert (caught.value.code, caught.value.reason) == (4401, "signature")
    assert stage.names() == ["SessionConnecting", "SessionStopped"]


async def test_stop_from_inside_the_start_handler_ends_the_session() -> None:
    stage = Stage()

    @stage.session.on(SessionEstablished)
    def stop(event: SessionEstablished) -> None:
        stage.session.stop()

    transports: list[MemoryTransport] = []

    async def serve() -> None:
        transports.append(await stage.accept())
        assert (await receive_end(transports[0])).code == 1005

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            assert await session.wait_stopped() == SessionStopped(1005)
    assert stage.names().count("SessionStopped") == 1


async def test_stop_before_entering_changes_nothing() -> None:
    stage = Stage()
    stage.session.stop()
    assert stage.session.state is State.IDLE
    with pytest.raises(UsageError):
        await stage.session.wait_stopped()


async def test_an_ordinary_close_by_the_service_is_final() -> None:
    stage = Stage()

    async def serve() -> None:
        await (await stage.accept()).aclose(1005)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            stopped = await session.wait_stopped()
    assert isinstance(stopped.error, SessionStoppedError)
    assert stage.service.lookups == [True]


async def test_reconnecting_ends_at_the_deadline_with_its_error() -> None:
    stage = Stage(reconnect_timeout=10.0)

    async def serve() -> None:
        transport = await stage.accept()
        stage.connector.refuse()
        transport.abort()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            started = anyio.current_time()
            stopped = await session.wait_stopped()
    assert isinstance(stopped.error, ReconnectDeadlineError)
    assert 10.0 <= anyio.current_time() - started <= 11.0
    assert stage.names().count("SessionStopped") == 1


async def test_without_a_deadline_it_is_tried_for_hours() -> None:
    stage = Stage()

    async def serve() -> None:
        transport = await stage.accept()
        stage.connector.refuse()
        transport.abort()
        await anyio.sleep(6 * 3600)
        stage.connector.allow()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(SessionEstablished, count=2)


async def test_removed_observers_are_not_told_and_partial_ones_are_fine() -> None:
    stage = Stage()

    class Partial:
        def __init__(self) -> None:
            self.calls = 0

        def on_message_created(self, event: MessageCreated) -> None:
            self.calls += 1

    kept, removed = Partial(), Partial()
    stage.session.add_observer(kept)
    stage.session.add_observer(removed)

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await stage.until(MessageCreated)
        # The observers have tasks of their own, which may be told later than the stage's.
        await anyio.wait_all_tasks_blocked()
        stage.session.remove_observer(removed)
        await transport.send(stage.service.say())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(MessageCreated, count=2)
    assert (kept.calls, removed.calls) == (2, 1)


async def test_frames_that_cannot_be_read_are_told_and_the_session_goes_on() -> None:
    stage = Stage()

    async def serve() -> None:
        transport = await stage.accept()
        for frame in ("{", b"binary", stage.service.say()):
            await transport.send(frame)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(MessageCreated)
    assert stage.names().count(UndecodableFrame.__name__) == 2


def test_a_session_id_is_kept_or_made() -> None:
    assert MessagingSession(MessagingSessionConfiguration(ALICE, "mine")).session_id == "mine"
    assert MessagingSession(MessagingSessionConfiguration(ALICE, "")).session_id.isdecimal()


# Defects of the official client


async def test_entering_returns_although_the_first_sockets_drop_before_they_are_established() -> None:
    stage = Stage()

    async def serve() -> None:
        for code in (1006, 1012, 4005):
            _, transport = await stage.connector.accept()
            await transport.send(stage.service.say())
            await transport.aclose(code)
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            assert session.is_established
    # Early frames of a socket that dropped are not delivered by the next one.
    assert stage.told() == []


async def test_a_refusal_during_a_reconnect_is_told() -> None:
    stage = Stage()

    async def serve() -> None:
        await (await stage.accept()).aclose(1011)
        _, transport = await stage.connector.accept()
        await transport.aclose(4401)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            stopped = await session.wait_stopped()
    assert stopped.code == 4401
    assert isinstance(stopped.error, SessionRejectedError)


async def test_stop_during_the_back_off_ends_it_at_once() -> None:
    stage = Stage(reconnect_fixed_wait=1000.0)

    async def serve() -> None:
        (await stage.accept()).abort()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            await stage.until(ReconnectScheduled)
            assert session.state is State.WAITING
            started = anyio.current_time()
            session.stop()
            assert await session.wait_stopped() == SessionStopped(1005)
            assert anyio.current_time() - started < 1
    assert stage.service.lookups == [True]


async def test_a_service_that_accepts_and_closes_is_left_alone_at_the_deadline() -> None:
    stage = Stage(reconnect_timeout=10.0)
    sockets = 0

    async def serve() -> None:
        nonlocal sockets
        while True:
            _, transport = await stage.connector.accept()
            sockets += 1
            await transport.aclose(4005)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with pytest.raises(ReconnectDeadlineError):
            await stage.session.__aenter__()
        tasks.cancel_scope.cancel()
    assert sockets < 10


async def test_missing_credentials_are_raised_and_not_retried() -> None:
    stage = Stage()
    error = CredentialsError("no AWS credentials found")
    stage.service.faults.append(error)
    with pytest.raises(CredentialsError) as caught:
        await stage.session.__aenter__()
    assert caught.value is error
    assert stage.names() == ["SessionStopped"]


async def test_a_forbidden_lookup_is_raised_as_it_is_and_not_retried() -> None:
    stage = Stage()
    error = ForbiddenError("GetMessagingSessionEndpoint", 403, "ForbiddenException", "no")
    stage.service.faults.append(error)
    with pytest.raises(ForbiddenError) as caught:
        await stage.session.__aenter__()
    assert caught.value is error
    assert stage.service.lookups == [True]


async def test_silence_after_the_upgrade_ends_in_a_timeout() -> None:
    stage = Stage(establish_timeout=7.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.connector.accept)
        started = anyio.current_time()
        with pytest.raises(SessionTimeoutError):
            await stage.session.__aenter__()
    assert anyio.current_time() - started == pytest.approx(7.0, abs=0.1)


async def test_a_connection_without_any_event_is_made_anew_when_asked_for() -> None:
    stage = Stage(idle_timeout=60.0)

    async def serve() -> None:
        await stage.accept()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(SessionEstablished, count=2)


# Ending


async def test_a_refused_upgrade_is_raised_with_its_status() -> None:
    stage = Stage()
    stage.connector.refuse(403)
    with pytest.raises(SessionRejectedError) as caught:
        await stage.session.__aenter__()
    assert caught.value.code == 403


async def test_the_block_is_left_alone_when_the_session_ends_and_iterators_end() -> None:
    stage = Stage()

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await transport.aclose(4003, "kicked")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            async with session.events(MessageCreated, SessionStopped) as stream:
                seen = [type(event).__name__ async for event in stream]
            await anyio.sleep(100)
            assert isinstance(session.stopped, SessionStopped)
            assert isinstance(session.stopped.error, SessionKickedError)
    assert seen[-1] == "SessionStopped"


async def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    stage = Stage()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.accept)
        with pytest.raises(ZeroDivisionError):
            async with stage.session:
                raise ZeroDivisionError
    assert stage.names()[-1] == "SessionStopped"


async def test_cancelling_the_block_closes_the_connection_and_tells_the_end() -> None:
    stage = Stage()
    ends = []

    async def serve() -> None:
        ends.append(await receive_end(await stage.accept()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with anyio.move_on_after(5):
            async with stage.session:
                await anyio.sleep_forever()
    assert ends[0].code == 1005
    assert stage.names()[-1] == "SessionStopped"
    assert stage.names().count("SessionStopped") == 1


@pytest.mark.parametrize("seconds", [0.0, 0.5, 5.0])
async def test_cancelling_while_connecting_ends_the_session(seconds: float) -> None:
    stage = Stage()
    with anyio.move_on_after(seconds) as scope:
        async with stage.session:
            pytest.fail("nobody accepts")
    assert scope.cancelled_caught
    assert stage.names().count("SessionStopped") <= 1


async def test_stop_while_connecting_is_raised_where_the_session_is_entered() -> None:
    stage = Stage()

    async def stop() -> None:
        await anyio.sleep(1)
        stage.session.stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        with pytest.raises(SessionStoppedError, match="before it was established"):
            await stage.session.__aenter__()
    assert stage.names().count("SessionStopped") == 1


async def test_a_defect_of_a_part_ends_the_session_with_its_error(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    error = OSError("no rule for this")
    stage.service.faults.append(error)
    with caplog.at_level(logging.CRITICAL), pytest.raises(OSError, match="no rule") as caught:
        await stage.session.__aenter__()
    assert caught.value is error
    assert stage.session.stopped == SessionStopped(4999, "no rule for this", error)


async def test_a_failing_handler_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()

    @stage.session.on(MessageCreated)
    async def fail(event: MessageCreated) -> None:
        raise ValueError(event.message.message_id)

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await transport.send(stage.service.say())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            await stage.until(HandlerFailed, count=2)
            assert session.is_established


async def test_no_signed_url_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()

    async def serve() -> None:
        (await stage.accept()).abort()
        await stage.accept()

    with caplog.at_level(logging.DEBUG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            async with stage.session:
                await stage.until(SessionEstablished, count=2)
    assert "attempt=" not in caplog.text
    assert "not connected" in caplog.text


# Coming back without a gap


async def test_what_was_said_while_away_is_recovered_in_order_and_once() -> None:
    stage = Stage()
    stage.service.page_size = 2
    stage.service.answer_delay = 1.0

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await stage.until(MessageCreated)
        await anyio.sleep(60)
        transport.abort()
        for _ in range(5):
            stage.service.say()
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await anyio.sleep(1.5)
        await transport.send(stage.service.say())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(Recovered)
            await stage.until(MessageCreated, count=8)
    assert stage.told() == [f"{n:06d}" for n in range(1, 9)]
    (recovered,) = [event for event in stage.events if isinstance(event, Recovered)]
    assert (recovered.messages >= 5, recovered.channels) == (True, 1)


async def test_the_mailboxes_hold_what_a_long_absence_brings() -> None:
    stage = Stage()
    seen: list[str] = []
    stage.session.on(MessageCreated)(lambda event: seen.append(event.message.message_id))

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await stage.until(MessageCreated)
        transport.abort()
        for _ in range(700):
            stage.service.say()
        transport = await stage.accept()
        stage.service.answer_delay = 0.5
        for _ in range(300):
            await transport.send(stage.service.say())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(Recovered)
    assert seen == [f"{n:06d}" for n in range(1, 1002)]


async def test_a_slow_handler_gets_all_that_a_busy_channel_said_in_five_minutes() -> None:
    stage = Stage()
    stage.service.answer_delay = 0.125
    seen: list[str] = []
    last = 30 * 300 + 1

    @stage.session.on(MessageCreated)
    async def slow(event: MessageCreated) -> None:
        await anyio.sleep(1 / 64)
        seen.append(event.message.message_id)
        if len(seen) == last:
            stage.session.stop()

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await stage.until(MessageCreated)
        transport.abort()
        for _ in range(last - 1):
            stage.service.say()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.session.wait_stopped()
    assert seen == [f"{n:06d}" for n in range(1, last + 1)]


async def test_stopping_does_not_wait_for_a_slow_handler_to_catch_up() -> None:
    stage = Stage()

    @stage.session.on(MessageCreated)
    async def slow(event: MessageCreated) -> None:
        await anyio.sleep(3600)

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await stage.until(MessageCreated)
        transport.abort()
        for _ in range(2000):
            stage.service.say()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(MessageCreated, count=200)
            stopping = anyio.current_time()
    assert anyio.current_time() - stopping < 20


async def test_a_listing_that_is_throttled_is_tried_again() -> None:
    stage = Stage()
    stage.service.listing_faults.extend([ConnectError("host", "down")] * 3)

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await stage.until(MessageCreated)
        transport.abort()
        stage.service.say()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(Recovered)
    assert stage.told() == ["000001", "000002"]


async def test_a_forbidden_listing_is_a_gap() -> None:
    stage = Stage()
    stage.service.listing_faults.append(
        ForbiddenError("ListChannelMembershipsForAppInstanceUser", 403, "ForbiddenException", "no")
    )

    async def serve() -> None:
        transport = await stage.accept()
        transport.abort()
        stage.service.say()
        transport = await stage.accept()
        await transport.send(stage.service.say())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(MessageCreated)
    assert stage.told() == ["000002"]
    assert [event.channel_arn for event in stage.events if isinstance(event, GapDetected)] == [""]
    assert Recovered.__name__ not in stage.names()


async def test_an_answer_of_the_wrong_shape_is_a_gap() -> None:
    stage = Stage()
    stage.service.listing_faults.append(msgspec.ValidationError("expected str"))

    async def serve() -> None:
        (await stage.accept()).abort()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            await stage.until(GapDetected)
            assert session.is_established


async def test_without_resume_nothing_is_fetched() -> None:
    stage = Stage(resume=False)

    async def serve() -> None:
        (await stage.accept()).abort()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(SessionEstablished, count=2)
            await anyio.sleep(10)
    assert stage.service.listings == 0


async def test_a_drop_during_the_catch_up_loses_nothing() -> None:
    stage = Stage()
    stage.service.page_size = 1
    stage.service.answer_delay = 1.0

    async def serve() -> None:
        transport = await stage.accept()
        await transport.send(stage.service.say())
        await stage.until(MessageCreated)
        for _ in range(4):
            transport.abort()
            for _ in range(3):
                stage.service.say()
            transport = await stage.accept()
            await transport.send(stage.service.say())
            await anyio.sleep(2.5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(Recovered)
    assert stage.told() == [f"{n:06d}" for n in range(1, 18)]


async def test_the_channel_needs_a_client() -> None:
    with pytest.raises(UsageError):
        Stage().session.channel("arn:aws:chime:us-east-1:123456789012:app-instance/i/channel/c")


async def test_connecting_is_told_for_each_socket() -> None:
    stage = Stage()

    async def serve() -> None:
        for _ in range(3):
            (await stage.accept()).abort()
        await stage.accept()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(SessionEstablished, count=4)
    told = [event for event in stage.events if isinstance(event, SessionConnecting)]
    assert [event.reconnecting for event in told] == [False, True, True, True]
    assert now() is not None
