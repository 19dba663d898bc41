"""A session of data messages against the real server role, in memory and in virtual time."""

from __future__ import annotations

import itertools
import logging
from contextlib import suppress

import anyio
import pytest

from chime_messaging.errors import (
    AttendeeRejectedError,
    AttendeeRemovedError,
    ConnectionClosed,
    JoinedFromAnotherDeviceError,
    LimitError,
    MeetingEndedError,
    QueueFullError,
    ReconnectDeadlineError,
    SessionClosedError,
    SessionNotEstablishedError,
    SessionStoppedError,
    UsageError,
    WaitTimeoutError,
)
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    DataMessage,
    DataMessageReceived,
    DataMessageThrottled,
    IndexReceived,
    MeetingReconnectScheduled,
    MeetingSessionStarted,
    MeetingSessionStatusCode,
    RosterAttendee,
    UndecodableSignalFrame,
)
from chime_messaging.protocol import signal_frames as frames
from chime_messaging.protocol.signaling import State
from chime_messaging.transport.faults import Close, Deliver, Drop, Duplicate, Refuse, Silence, Step
from chime_messaging.wire.transcript_pb2 import TranscriptFrame, TranscriptionStatus
from tests.messaging.sessions.meeting import ALICE, BOB, SECOND, Peer, Stage, in_meeting

VIRTUAL_TIME = True

pytestmark = pytest.mark.anyio


# Joining and leaving


async def test_entering_joins_and_leaving_the_block_leaves_the_meeting() -> None:
    async with in_meeting() as (stage, peer):
        session = stage.session
        assert session.is_joined
        assert (session.meeting_id, session.attendee_id) == ("meeting-1", "alice")
        assert peer.url.startswith(
            "ws://memory/control/meeting-1?X-Chime-Control-Protocol-Version=3&X-Amzn-Chime-Send-"
        )
        assert peer.transport.subprotocols == ("_aws_wt_session", "5ecret-token")
        await stage.until(IndexReceived)
        assert dict(session.roster) == {"alice": ALICE, "bob": BOB}
    assert peer.left
    assert [(stop.status, stop.error) for stop in stage.stops()] == [(MeetingSessionStatusCode.LEFT, None)]
    assert stage.session.stopped is stage.stops()[0]
    assert stage.session.state is State.STOPPED


async def test_a_session_is_entered_once_and_left_once() -> None:
    async with in_meeting() as (stage, _):
        with pytest.raises(UsageError, match="entered once"):
            await stage.session.__aenter__()
    with pytest.raises(UsageError):
        await stage.session.__aenter__()


async def test_outside_of_its_block_a_session_is_idle_and_says_so() -> None:
    session = Stage().session
    session.stop()
    assert session.state is State.IDLE
    assert session.roster == {}
    assert session.stopped is None
    with pytest.raises(SessionNotEstablishedError):
        await session.send("chat", "hi")
    with pytest.raises(UsageError):
        await session.wait_stopped()


async def test_a_service_that_does_not_acknowledge_the_leave_is_left_all_the_same() -> None:
    async with in_meeting() as (stage, peer):
        peer.answers = False
        started = anyio.current_time()
    assert 2.0 <= anyio.current_time() - started <= 10.0
    assert len(stage.stops()) == 1
    assert peer.left


async def test_a_cancelled_block_leaves_the_meeting_too() -> None:
    stage, peers = Stage(), []

    async def serve() -> None:
        peers.append(await stage.joined())
        await peers[0].serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with anyio.CancelScope() as scope:
            async with stage.session:
                scope.cancel()
                await anyio.sleep_forever()
    assert peers[0].left
    assert len(stage.stops()) == 1


async def test_entering_that_is_cancelled_at_once_ends() -> None:
    stage = Stage()
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with stage.session:
            raise AssertionError("joined without a server")
    assert len(stage.stops()) <= 1


async def test_entering_that_runs_out_of_time_ends_and_tells_that_it_stopped() -> None:
    stage = Stage()
    with anyio.move_on_after(50) as scope:
        async with stage.session:
            raise AssertionError("joined without a server")
    assert scope.cancelled_caught
    assert len(stage.stops()) == 1


async def test_an_error_in_the_block_is_raised_as_it_is() -> None:
    async with in_meeting() as (stage, _):
        session = stage.session
        other = Stage()

        async def serve() -> None:
            await (await other.joined()).serve()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            with pytest.raises(LookupError, match="mine"):
                async with other.session:
                    raise LookupError("mine")
        assert session.is_joined
        assert len(other.stops()) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [(4403, AttendeeRejectedError), (4410, MeetingEndedError)],
)
async def test_a_refused_join_is_raised_by_entering(code: int, kind: type[Exception]) -> None:
    stage = Stage()

    async def serve() -> None:
        peer = await stage.accept()
        await peer.transport.aclose(code, "attendee unavailable")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with pytest.raises(kind):
            await stage.session.__aenter__()
    assert stage.names() == ["MeetingSessionConnecting", "MeetingSessionStopped"]
    assert "5ecret" not in str(stage.stops()[0].error)


async def test_stopping_before_the_join_is_complete_is_raised_by_entering() -> None:
    stage = Stage()

    async def serve() -> None:
        await stage.accept()
        stage.session.stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with pytest.raises(SessionStoppedError):
            await stage.session.__aenter__()
    assert len(stage.stops()) == 1


@pytest.mark.parametrize(
    ("audio_status", "kind"),
    [(301, JoinedFromAnotherDeviceError), (410, MeetingEndedError), (411, AttendeeRemovedError)],
)
async def test_the_end_of_the_session_is_told_with_its_reason_and_not_raised(
    audio_status: int, kind: type[Exception]
) -> None:
    async with in_meeting() as (stage, peer):
        await peer.send(frames.audio_status(audio_status))
        stopped = await stage.session.wait_stopped()
        assert isinstance(stopped.error, kind)
        with pytest.raises(SessionClosedError):
            await stage.session.send("chat", "hi")
    assert len(stage.stops()) == 1


async def test_stop_from_inside_a_handler_ends_the_session() -> None:
    async with in_meeting() as (stage, peer):

        @stage.session.on_topic("chat")
        async def stop(message: DataMessage) -> None:
            stage.session.stop()
            await stage.session.wait_stopped()

        await peer.say("chat", b"stop", 1)
        stopped = await stage.session.wait_stopped()
    assert stopped.status is MeetingSessionStatusCode.LEFT
    assert "HandlerFailed" not in stage.names()


# Reconnecting


async def test_the_same_token_and_audio_session_id_are_used_again_and_the_back_off_starts_over() -> None:
    stage = Stage()
    peers: list[Peer] = []

    async def serve() -> None:
        for _ in range(3):
            peers.append(await stage.joined())
            await stage.until(MeetingSessionStarted, count=len(peers))
            if len(peers) < 3:
                peers[-1].transport.abort()
        await peers[-1].serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(MeetingSessionStarted, count=3)
    assert len({peer.joins[0].audio_session_id for peer in peers}) == 1
    assert {peer.transport.subprotocols for peer in peers} == {("_aws_wt_session", "5ecret-token")}
    scheduled = [event for event in stage.events if isinstance(event, MeetingReconnectScheduled)]
    assert [(event.delay, event.attempt) for event in scheduled] == [(0.5, 1), (0.5, 1)]
    assert [e.reconnected for e in stage.events if isinstance(e, MeetingSessionStarted)] == [False, True, True]
    assert len(stage.stops()) == 1


async def test_without_a_deadline_it_is_tried_for_hours() -> None:
    stage = Stage()

    async def serve() -> None:
        peer = await stage.joined()
        await stage.until(MeetingSessionStarted)
        stage.connector.refuse()
        peer.transport.abort()
        await anyio.sleep(6 * 3600)
        stage.connector.allow()
        await (await stage.joined()).serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            await stage.until(MeetingSessionStarted, count=2)


async def test_reconnecting_ends_at_its_deadline() -> None:
    stage = Stage(reconnect_timeout=30.0)

    async def serve() -> None:
        peer = await stage.joined()
        await stage.until(MeetingSessionStarted)
        stage.connector.refuse()
        peer.transport.abort()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            started = anyio.current_time()
            stopped = await session.wait_stopped()
    assert isinstance(stopped.error, ReconnectDeadlineError)
    assert 30.0 <= anyio.current_time() - started <= 36.0


async def test_who_left_during_an_outage_is_reported_as_missed() -> None:
    stage = Stage()

    async def serve() -> None:
        peer = await stage.joined()
        await stage.until(AttendeeJoined, count=2)
        peer.transport.abort()
        again = await stage.accept()
        again.roster = (RosterAttendee("alice", "Alice", 3, False), RosterAttendee("carol", "Carol", 4, True))
        await (await again.join()).serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            await stage.until(AttendeeLeft)
            assert set(session.roster) == {"alice", "carol"}
    (left,) = [event for event in stage.events if isinstance(event, AttendeeLeft)]
    assert (left.attendee.attendee_id, left.missed) == ("bob", True)


async def test_what_is_replayed_after_a_reconnect_is_told_once() -> None:
    stage = Stage()
    stored = [DataMessage("chat", b"%d" % number, "bob", "Bob", number * SECOND) for number in range(1, 6)]

    async def serve() -> None:
        peer = await stage.accept()
        peer.replayed = stored[:2]
        await peer.join()
        await peer.say("chat", b"3", 3)
        await stage.until(DataMessageReceived, count=3)
        peer.transport.abort()
        again = await stage.accept()
        again.replayed = stored
        await again.join()
        await again.say("chat", b"6", 6)
        await again.serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            await stage.until(DataMessageReceived, count=6)
            assert session.duplicates == 3
    assert [data for _, data in stage.told()] == [b"1", b"2", b"3", b"4", b"5", b"6"]


async def test_a_service_that_falls_silent_is_noticed_by_its_missing_pongs() -> None:
    stage = Stage()

    async def serve() -> None:
        await stage.joined()
        # The first connection is never read again; the next one is fine.
        await (await stage.joined()).serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session:
            started = anyio.current_time()
            await stage.until(MeetingSessionStarted, count=2)
            assert 30 <= anyio.current_time() - started <= 60


async def test_a_day_of_pings_keeps_the_session() -> None:
    async with in_meeting() as (stage, _):
        await anyio.sleep(24 * 3600)
        assert stage.session.is_joined
        assert stage.names().count("PongReceived") >= 8639
        assert "MeetingReconnectScheduled" not in stage.names()


# Faults at every step of the join: JOIN_ACK, roster, INDEX, and the first message, on whatever connection they come


CUTS: dict[str, tuple[Step, ...]] = {
    "refused": (Refuse(2), Refuse(1, 503)),
    "at once": (Close(1006),),
    "after the pong": (Deliver(1), Close(1006)),
    "after JOIN_ACK": (Deliver(2), Close(1006)),
    "after the roster": (Deliver(3), Close(1006)),
    "after INDEX": (Deliver(4), Close(1006)),
    "server trouble before INDEX": (Deliver(2), Close(4500)),
    "server trouble after INDEX": (Deliver(4), Close(4599)),
    "silence from the beginning": (Silence(),),
    "silence after INDEX": (Deliver(4), Silence()),
    "INDEX lost": (Deliver(3), Drop()),
    "everything twice": (Duplicate(12),),
    "pong lost": (Drop(), Deliver(4)),
}


@pytest.mark.parametrize("faults", CUTS.values(), ids=CUTS.keys())
async def test_wherever_the_join_is_cut_the_session_joins_in_the_end_and_messages_come_once(
    faults: tuple[Step, ...],
) -> None:
    stage = Stage(*faults)
    stored = [DataMessage("chat", b"kept", "bob", "Bob", SECOND)]

    async def serve(tasks: anyio.abc.TaskGroup) -> None:
        while True:
            peer = await stage.accept()
            peer.replayed = stored
            tasks.start_soon(serve_one, peer)

    async def serve_one(peer: Peer) -> None:
        with suppress(ConnectionClosed):
            await peer.join()
            await peer.serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, tasks)
        async with stage.session as session:
            with anyio.fail_after(300):
                await stage.until(DataMessageReceived)
                await session.send("chat", "hi")
                await anyio.sleep(200)
                assert session.is_joined
        tasks.cancel_scope.cancel()
    assert stage.told() == [("chat", b"kept")]
    assert len(stage.stops()) == 1
    assert stage.stops()[0].error is None
    assert stage.script.remaining == 0 or faults == CUTS["everything twice"]


# Topics


async def test_a_topic_has_several_handlers_and_iterators_before_and_after_the_start_and_unsubscribing_ends_all() -> (
    None
):
    heard: list[tuple[str, bytes]] = []
    stage = Stage()

    @stage.session.on_topic("chat")
    def early(message: DataMessage) -> None:
        heard.append(("early", message.data))

    async def serve() -> None:
        peer = await stage.joined()
        await stage.until(MeetingSessionStarted)

        @stage.session.topic("chat").on_message()
        async def late(message: DataMessage) -> None:
            heard.append(("late", message.data))

        await peer.say("other", b"no", 1)
        await peer.say("chat", b"one", 2)
        await stage.until(DataMessageReceived, count=2)
        await anyio.wait_all_tasks_blocked()
        assert sorted(heard) == [("early", b"one"), ("late", b"one")]
        stage.session.unsubscribe("chat")
        await peer.say("chat", b"two", 3)
        await peer.serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with stage.session as session:
            messages = session.topic("chat").messages()
            assert (await anext(messages)).text() == "one"
            with pytest.raises(StopAsyncIteration):
                await anext(messages)
            await stage.until(DataMessageReceived, count=3)
    assert len(heard) == 2


async def test_iterators_see_only_their_topic_in_order_and_end_with_the_session() -> None:
    async with in_meeting() as (stage, peer), stage.session.topic("chat").messages() as messages:
        for number in range(1, 6):
            await peer.say("chat", b"c%d" % number, number)
            await peer.say("noise", b"n", number)
        await peer.send(frames.audio_status(410))
        assert [(await anext(messages)).data for _ in range(5)] == [b"c1", b"c2", b"c3", b"c4", b"c5"]
        with pytest.raises(MeetingEndedError):
            await anext(messages)


async def test_an_ordinary_end_ends_iterators_without_an_error() -> None:
    got: list[str] = []
    async with in_meeting() as (stage, peer):
        await peer.say("chat", b"bye", 1)
        async for message in stage.session.messages("chat"):
            got.append(message.text())
            stage.session.stop()
    assert got == ["bye"]


async def test_the_topic_of_the_service_can_be_subscribed_to_and_not_sent_on() -> None:
    async with in_meeting() as (stage, peer):
        async with stage.session.messages("aws:chime:transcription") as messages:
            await peer.say("aws:chime:transcription", b"words", 1)
            assert (await anext(messages)).data == b"words"
        with pytest.raises(ValueError, match="topic"):
            await stage.session.send("aws:chime:transcription", "x")


async def test_a_handler_that_raises_harms_nobody() -> None:
    async with in_meeting() as (stage, peer):
        heard: list[bytes] = []

        @stage.session.on_topic("chat")
        def bad(message: DataMessage) -> None:
            raise LookupError("mine")

        @stage.session.on_topic("chat")
        def good(message: DataMessage) -> None:
            heard.append(message.data)

        await peer.say("chat", b"1", 1)
        await peer.say("chat", b"2", 2)
        await stage.until(DataMessageReceived, count=2)
        await anyio.wait_all_tasks_blocked()
        assert heard == [b"1", b"2"]
        assert stage.session.is_joined
    assert stage.names().count("HandlerFailed") == 2


async def test_a_handler_that_never_returns_does_not_cost_the_connection() -> None:
    async with in_meeting() as (stage, peer):

        @stage.session.on_topic("chat", size=4)
        async def stuck(message: DataMessage) -> None:
            await anyio.sleep_forever()

        for number in range(1, 400):
            await peer.say("chat", b"x", number)
        await anyio.sleep(3600)
        assert stage.session.is_joined
        assert "MeetingReconnectScheduled" not in stage.names()
        assert len(stage.told()) == 399
        dropped = [s.dropped for s in stage.session.hub.statistics() if "stuck" in s.name]
        assert dropped == [399 - 4 - 1]


async def test_a_frame_that_cannot_be_read_is_told_and_the_session_goes_on() -> None:
    async with in_meeting() as (stage, peer):
        for frame in ("text", b"\x02\xff\xff", b"", b"\x02"):
            await peer.transport.send(frame)
        await peer.say("chat", b"fine", 1)
        await stage.until(DataMessageReceived)
    assert stage.names().count(UndecodableSignalFrame.__name__) == 4


async def test_a_transcript_that_comes_twice_is_told_once() -> None:
    async with in_meeting() as (stage, peer):
        began = TranscriptFrame()
        began.events.add().status.type = TranscriptionStatus.STARTED
        for second in (1, 1, 2):
            await peer.say("aws:chime:transcription", began.SerializeToString(), second)
        await stage.until(DataMessageReceived, count=2)
        await anyio.wait_all_tasks_blocked()
    assert stage.names().count("TranscriptionStatusReceived") == 2


# Sending


async def test_bytes_text_and_objects_are_sent_with_their_lifetime() -> None:
    async with in_meeting() as (stage, peer):
        chat = stage.session.topic("chat")
        await chat.send(b"\x00")
        await chat.send("grüße", lifetime=1.5)
        await stage.session.send("other", {"a": 1}, lifetime=300)
        submitted = await peer.until_submitted(3)
        assert [(m.topic, m.data, m.lifetime_ms) for m in submitted] == [
            ("chat", b"\x00", 0),
            ("chat", "grüße".encode(), 1500),
            ("other", b'{"a":1}', 300_000),
        ]


async def test_what_breaks_a_rule_never_reaches_the_wire() -> None:
    async with in_meeting() as (stage, peer):
        for topic, data, lifetime in [
            ("a b", "x", 0),
            ("chat", "x" * 2049, 0),
            ("chat", "x", 301),
            ("chat", object(), 0),
        ]:
            with pytest.raises(ValueError, match="topic|data|lifetime"):
                await stage.session.send(topic, data, lifetime)
        with pytest.raises(LimitError) as caught:
            await stage.session.send("chat", b"x" * 2049)
        assert (caught.value.field, caught.value.value, caught.value.limit) == ("data", 2049, 2048)
        await stage.session.send("chat", "fine")
        assert [m.data for m in await peer.until_submitted(1)] == [b"fine"]


async def test_a_thousand_messages_take_the_time_that_the_service_wants() -> None:
    async with in_meeting() as (stage, peer):
        started = anyio.current_time()
        for number in range(1000):
            await stage.session.send("chat", b"%d" % number)
        assert anyio.current_time() - started == pytest.approx((1000 - 180) / 99, abs=0.5)
        assert [m.data for m in await peer.until_submitted(1000)] == [b"%d" % number for number in range(1000)]


async def test_a_sender_that_gives_up_costs_the_others_nothing() -> None:
    async with in_meeting() as (stage, _):
        for _ in range(181):
            await stage.session.send("chat", "x")
        started = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(500):
                tasks.start_soon(stage.session.send, "chat", "late")
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        for _ in range(99):
            await stage.session.send("chat", "x")
        assert anyio.current_time() - started <= 1.1


async def test_without_a_pace_nothing_waits() -> None:
    async with in_meeting(pace=None) as (stage, peer):
        started = anyio.current_time()
        for _ in range(1000):
            await stage.session.send("chat", "x")
        await peer.until_submitted(1000)
        assert anyio.current_time() - started < 1


async def lose_and_keep_away(stage: Stage, peer: Peer, seconds: float) -> None:
    stage.connector.refuse()
    peer.transport.abort()
    await stage.until(MeetingReconnectScheduled)
    await anyio.sleep(seconds)
    stage.connector.allow()
    again = await stage.joined()
    await again.serve()


async def test_sending_waits_for_the_connection() -> None:
    async with in_meeting() as (stage, peer), anyio.create_task_group() as tasks:
        tasks.start_soon(lose_and_keep_away, stage, peer, 30)
        await stage.until(MeetingReconnectScheduled)
        started = anyio.current_time()
        await stage.session.send("chat", "later")
        assert 29 <= anyio.current_time() - started <= 40
        assert stage.session.is_joined
        tasks.cancel_scope.cancel()


async def test_waiting_has_a_deadline() -> None:
    async with in_meeting(send_timeout=10.0) as (stage, peer):
        stage.connector.refuse()
        peer.transport.abort()
        await stage.until(MeetingReconnectScheduled)
        with pytest.raises(WaitTimeoutError, match="connection to send on within 10 s"):
            await stage.session.send("chat", "later")


async def test_a_session_that_ends_while_a_message_waits_says_so() -> None:
    async with in_meeting() as (stage, peer):
        stage.connector.refuse()
        peer.transport.abort()
        await stage.until(MeetingReconnectScheduled)
        async with anyio.create_task_group() as tasks:

            async def send() -> None:
                with pytest.raises(SessionClosedError):
                    await stage.session.send("chat", "later")

            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            stage.session.stop()


async def test_sending_may_raise_instead() -> None:
    async with in_meeting(while_reconnecting="raise") as (stage, peer):
        await stage.session.send("chat", "now")
        stage.connector.refuse()
        peer.transport.abort()
        with pytest.raises(SessionNotEstablishedError):
            await stage.session.send("chat", "lost")
        await stage.until(MeetingReconnectScheduled)
        with pytest.raises(SessionNotEstablishedError):
            await stage.session.send("chat", "not now")
        assert stage.session.state is State.WAITING


async def test_messages_may_be_queued_up_to_a_bound_and_are_sent_in_order() -> None:
    async with in_meeting(while_reconnecting="queue", queue_size=3) as (stage, peer):
        stage.connector.refuse()
        peer.transport.abort()
        await stage.until(MeetingReconnectScheduled)
        for word in ("one", "two", "three"):
            await stage.session.send("chat", word)
        with pytest.raises(QueueFullError):
            await stage.session.send("chat", "four")
        stage.connector.allow()
        again = await stage.joined()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(again.serve)
            assert [m.data for m in await again.until_submitted(3)] == [b"one", b"two", b"three"]
            await stage.session.send("chat", "direct")
            assert (await again.until_submitted(4))[3].data == b"direct"
            stage.session.stop()


async def test_what_is_still_queued_at_the_end_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with in_meeting(while_reconnecting="queue") as (stage, peer):
        stage.connector.refuse()
        peer.transport.abort()
        await stage.until(MeetingReconnectScheduled)
        await stage.session.send("chat", "never")
    assert "1 queued data messages were not sent" in caplog.text


# Throttling


async def test_what_comes_back_throttled_is_an_event_and_no_message() -> None:
    async with in_meeting() as (stage, peer):
        await peer.throttle("chat", b"mine")
        await peer.say("chat", b"other", 1)
        await stage.until(DataMessageReceived)
        assert stage.told() == [("chat", b"other")]
        (event,) = [e for e in stage.events if isinstance(e, DataMessageThrottled)]
        assert (event.message.data, event.message.throttled, event.will_resend) == (b"mine", True, False)
        assert peer.submitted == []


async def test_throttled_messages_may_be_sent_again_with_growing_pauses_and_not_for_ever() -> None:
    async with in_meeting(resend_throttled=True) as (stage, peer):
        await stage.session.send("chat", "mine", lifetime=20)
        times = []
        for number in range(1, 7):
            await peer.until_submitted(number)
            times.append(anyio.current_time())
            await peer.throttle("chat", b"mine")
        await stage.until(DataMessageThrottled, count=6)
        await anyio.sleep(100)
        assert len(peer.submitted) == 6
        assert {message.lifetime_ms for message in peer.submitted} == {20_000}
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert pauses == sorted(pauses)
        assert pauses[0] >= 0.4
        throttled = [e.will_resend for e in stage.events if isinstance(e, DataMessageThrottled)]
        assert throttled == [True] * 5 + [False]


# Logs


async def test_the_token_reaches_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with in_meeting() as (stage, peer):
            peer.transport.abort()
            await stage.until(MeetingReconnectScheduled)
            stage.session.stop()
    assert "5ecret" not in caplog.text
    assert "5ecret" not in repr(stage.session.configuration)
    assert "5ecret" not in repr(stage.session.configuration.credentials)
    assert "not connected" in caplog.text
