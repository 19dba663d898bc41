from __future__ import annotations

from typing import Any

import pytest

from chime_messaging.errors import (
    ConnectError,
    ConnectionClosed,
    CredentialsError,
    ForbiddenError,
    ReconnectDeadlineError,
    SessionKickedError,
    SessionRejectedError,
    SessionTimeoutError,
    UsageError,
)
from chime_messaging.events import (
    Event,
    MessageCreated,
    ReconnectScheduled,
    SessionConnecting,
    SessionEstablished,
    SessionEstablishedReceived,
    SessionStopped,
    UndecodableFrame,
)
from chime_messaging.protocol.messaging_session import (
    MAX_EARLY_EVENTS,
    SERVER_TRANSITIONS,
    TRANSITIONS,
    MessagingClientProtocol,
    MessagingServerProtocol,
    ServerState,
    State,
)
from chime_messaging.protocol.reconnect import Backoff
from chime_messaging.wire import envelope

ESTABLISHED = envelope.encode("SESSION_ESTABLISHED", None).decode()


def message(number: int) -> str:
    payload = {"ChannelArn": "arn:c", "MessageId": str(number)}
    return envelope.encode("CREATE_CHANNEL_MESSAGE", payload, message_type="STANDARD").decode()


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def opened(**settings: Any) -> MessagingClientProtocol:
    session = MessagingClientProtocol("7", **settings)
    session.start(0.0)
    assert session.located(0.0) == [SessionConnecting(reconnecting=False, attempt=1)]
    session.opened(0.0)
    return session


def established(**settings: Any) -> MessagingClientProtocol:
    session = opened(**settings)
    session.receive([ESTABLISHED], 0.0)
    return session


def again(session: MessagingClientProtocol, now: float) -> list[Event]:
    session.expire(now, 0.0)
    events = session.located(now)
    session.opened(now)
    return events + session.receive([ESTABLISHED], now)


# Establishing


def test_the_session_is_established_by_its_frame_and_not_by_the_open_socket() -> None:
    session = opened()
    before = session.state
    assert before is State.AUTHORISING
    assert names(session.receive([ESTABLISHED], 1.0)) == ["SessionEstablished", "SessionEstablishedReceived"]
    assert session.state is State.ESTABLISHED


def test_early_messages_are_delivered_after_established_and_before_its_frame() -> None:
    session = opened()
    assert session.receive([message(1)], 0.0) == []
    events = session.receive([message(2), ESTABLISHED, message(3)], 0.0)
    assert events[0] == SessionEstablished("7", reconnected=False)
    assert [e.message.message_id if isinstance(e, MessageCreated) else "established" for e in events[1:]] == [
        "1",
        "2",
        "established",
        "3",
    ]


def test_early_messages_die_with_their_socket() -> None:
    session = opened()
    session.receive([message(1)], 0.0)
    session.lost(ConnectionClosed(1006), 0.0, 0.0)
    assert names(again(session, 1.0)) == ["SessionConnecting", "SessionEstablished", "SessionEstablishedReceived"]


def test_early_messages_are_bounded_and_counted() -> None:
    session = opened()
    session.receive([message(n) for n in range(MAX_EARLY_EVENTS + 3)], 0.0)
    events = session.receive([ESTABLISHED], 0.0)
    assert len(events) == MAX_EARLY_EVENTS + 2
    assert isinstance(events[1], MessageCreated)
    assert events[1].message.message_id == "3"
    assert session.early_dropped == 3


def test_a_second_established_frame_is_an_ordinary_message() -> None:
    assert names(established().receive([ESTABLISHED], 0.0)) == ["SessionEstablishedReceived"]


def test_unreadable_frames_do_not_end_the_session() -> None:
    session = established()
    assert isinstance(session.receive(["{", b"\x00"], 0.0)[1], UndecodableFrame)
    assert session.state is State.ESTABLISHED


def test_silence_after_the_first_upgrade_ends_the_session() -> None:
    session = opened(establish_timeout=5.0)
    assert session.deadline == 5.0
    assert session.expire(4.9, 0.0) == []
    (stopped,) = session.expire(5.0, 0.0)
    assert isinstance(stopped, SessionStopped)
    assert isinstance(stopped.error, SessionTimeoutError)


def test_silence_after_a_later_upgrade_is_another_try() -> None:
    session = established(establish_timeout=5.0)
    session.lost(ConnectionClosed(1012), 10.0, 0.0)
    session.expire(10.0, 0.0)
    session.located(10.0)
    session.opened(10.0)
    assert names(session.expire(15.0, 0.0)) == ["ReconnectScheduled"]


def test_a_silent_connection_is_lost_when_the_application_asks_for_that() -> None:
    session = established(idle_timeout=30.0)
    session.receive([message(1)], 20.0)
    assert session.expire(49.0, 0.0) == []
    (scheduled,) = session.expire(50.0, 0.0)
    assert isinstance(scheduled, ReconnectScheduled)
    assert scheduled.code == 1006


# Losing and coming back


def test_a_lost_connection_is_tried_again_after_the_back_off() -> None:
    session = established(backoff=Backoff(1.0, 5.0, 0.5))
    assert session.lost(ConnectionClosed(1006, "gone"), 100.0, 0.5) == [ReconnectScheduled(1.0, 1, 1006, "gone")]
    assert session.expire(100.9, 0.0) == []
    assert session.expire(101.0, 0.0) == []
    assert session.state is State.PREPARING
    assert session.located(101.0) == [SessionConnecting(reconnecting=True, attempt=1)]
    session.opened(101.0)
    assert session.receive([ESTABLISHED], 101.0)[0] == SessionEstablished("7", reconnected=True)


def test_only_established_resets_the_back_off() -> None:
    session = established()
    bounds = []
    for _ in range(4):
        (scheduled,) = session.lost(ConnectionClosed(4005), 0.0, 1.0)
        assert isinstance(scheduled, ReconnectScheduled)
        bounds.append(scheduled.delay)
        session.expire(1e9, 0.0)
        session.located(1e9)
        session.opened(1e9)
    assert bounds == [1.0, 2.0, 4.0, 5.0]
    session.receive([ESTABLISHED], 1e9)
    (scheduled,) = session.lost(ConnectionClosed(4005), 1e9, 1.0)
    assert isinstance(scheduled, ReconnectScheduled)
    assert scheduled.delay == 1.0


def test_accepting_and_closing_for_ever_ends_at_the_deadline() -> None:
    session = established(reconnect_timeout=10.0)
    session.lost(ConnectionClosed(4005), 0.0, 0.9)
    now, opens = 0.0, 0
    while session.state is not State.STOPPED:
        now = max(now, session.deadline or 0.0)
        session.expire(now, 0.9)
        session.located(now)
        session.opened(now)
        opens += 1
        last = session.lost(ConnectionClosed(4005), now, 0.9)
    assert opens < 10
    assert now <= 10.9
    assert isinstance(last[0], SessionStopped)
    error = last[0].error
    assert isinstance(error, ReconnectDeadlineError)
    assert (error.attempts, error.code, last[0].code) == (opens, 4005, 4005)


def test_the_last_try_starts_at_the_deadline_and_not_after_it() -> None:
    session = established(reconnect_timeout=10.0)
    session.lost(ConnectionClosed(1006), 0.0, 0.0)
    session.expire(0.0, 0.0)
    session.located(0.0)
    (scheduled,) = session.lost(ConnectError("host", "refused"), 9.5, 0.99)
    assert isinstance(scheduled, ReconnectScheduled)
    assert scheduled.delay == 0.5


def test_the_first_try_after_a_loss_is_always_allowed() -> None:
    session = established(reconnect_timeout=0.0)
    assert names(session.lost(ConnectionClosed(1006), 1000.0, 0.0)) == ["ReconnectScheduled"]


def test_a_lookup_that_fails_is_retried_and_is_no_connecting() -> None:
    session = MessagingClientProtocol("7")
    session.start(0.0)
    (scheduled,) = session.lost(CredentialsError("refresh failed", retryable=True), 0.0, 0.0)
    assert isinstance(scheduled, ReconnectScheduled)
    assert (scheduled.code, scheduled.attempt) == (4999, 2)
    session.expire(1.0, 0.0)
    assert session.located(1.0) == [SessionConnecting(reconnecting=True, attempt=2)]


# Ending


@pytest.mark.parametrize(("code", "kind"), [(4401, SessionRejectedError), (4003, SessionKickedError)])
@pytest.mark.parametrize("prepare", [opened, established])
def test_a_final_close_code_ends_the_session_with_its_error(code: int, kind: type[Exception], prepare: Any) -> None:
    session = prepare()
    (stopped,) = session.lost(ConnectionClosed(code, "no"), 0.0, 0.0)
    assert (stopped.code, stopped.reason, type(stopped.error)) == (code, "no", kind)
    assert session.state is State.STOPPED


def test_a_refusal_of_the_control_plane_is_the_error_itself() -> None:
    session = MessagingClientProtocol("7")
    session.start(0.0)
    error = ForbiddenError("GetMessagingSessionEndpoint", 403, "ForbiddenException", "no")
    (stopped,) = session.lost(error, 0.0, 0.0)
    assert isinstance(stopped, SessionStopped)
    assert stopped.error is error
    assert stopped.code == 4999


@pytest.mark.parametrize("state", [state for state in State if state not in (State.IDLE, State.STOPPED)])
def test_stop_ends_the_session_once_from_every_state(state: State) -> None:
    session = MessagingClientProtocol("7")
    session.start(0.0)
    if state is not State.PREPARING:
        session.located(0.0)
    if state in (State.AUTHORISING, State.ESTABLISHED, State.WAITING):
        session.opened(0.0)
    if state is State.ESTABLISHED:
        session.receive([ESTABLISHED], 0.0)
    if state is State.WAITING:
        session.lost(ConnectionClosed(1006), 0.0, 0.5)
    assert session.state is state
    assert session.stop(0.0) == [SessionStopped(1005)]
    assert session.stop(0.0) == []
    assert session.fail(ValueError()) == []
    assert session.lost(ConnectionClosed(1006), 0.0, 0.0) == []
    assert session.receive([ESTABLISHED], 0.0) == []
    assert session.expire(1e9, 0.0) == []


def test_stop_before_the_start_tells_nothing() -> None:
    session = MessagingClientProtocol("7")
    assert session.stop(0.0) == []
    assert session.state is State.IDLE


def test_a_session_starts_once() -> None:
    session = established()
    with pytest.raises(UsageError, match="established"):
        session.start(0.0)


def test_an_error_that_no_rule_provides_for_ends_the_session_too() -> None:
    error = RuntimeError("a bug")
    assert established().fail(error) == [SessionStopped(4999, "a bug", error)]


def test_every_state_but_the_first_and_the_last_can_end_and_none_leaves_the_last() -> None:
    assert TRANSITIONS[State.STOPPED] == {}
    for state in set(State) - {State.IDLE, State.STOPPED}:
        assert State.STOPPED in TRANSITIONS[state].values()
    assert set(TRANSITIONS) == set(State)
    assert set(SERVER_TRANSITIONS) == set(ServerState)


# The service role


def test_the_service_sends_nothing_before_authorisation_and_established_first() -> None:
    server = MessagingServerProtocol()
    assert server.deliver(b"lost") == []
    server.authorise()
    assert server.deliver(b"held") == []
    frames = server.establish()
    assert frames[1:] == [b"held"]
    assert server.deliver(b"live") == [b"live"]


def test_prefetch_comes_once_after_established_with_live_events_between() -> None:
    server = MessagingServerProtocol()
    server.authorise()
    with pytest.raises(UsageError):
        server.prefetch([b"details"])
    server.establish()
    assert server.prefetch([b"details"]) == [b"details"]
    assert server.deliver(b"live") == [b"live"]
    server.prefetch([b"more"])
    server.prefetched()
    assert server.state is ServerState.LIVE
    with pytest.raises(UsageError):
        server.prefetch([b"again"])
    with pytest.raises(UsageError):
        server.establish()


def test_a_refused_connection_is_closed_without_a_word() -> None:
    server = MessagingServerProtocol()
    assert server.close(4401, "signature").code == 4401
    assert server.close(1011).code == 4401
    assert server.deliver(b"x") == []
    with pytest.raises(UsageError):
        server.authorise()


def test_what_waits_for_a_connection_is_bounded() -> None:
    server = MessagingServerProtocol(max_held=2)
    server.authorise()
    server.deliver(b"1")
    server.deliver(b"2")
    with pytest.raises(UsageError, match="2 events"):
        server.deliver(b"3")


def test_both_roles_agree_over_a_whole_life() -> None:
    client, server = opened(), MessagingServerProtocol()
    server.authorise()
    assert server.deliver(message(1).encode()) == []
    frames: list[str | bytes] = [frame.decode() for frame in server.establish()]
    server.prefetched()
    frames += [frame.decode() for frame in server.deliver(message(2).encode())]
    events = client.receive(frames, 0.0)
    assert names(events) == ["SessionEstablished", "SessionEstablishedReceived", "MessageCreated", "MessageCreated"]
    assert isinstance(events[1], SessionEstablishedReceived)
    assert names(client.lost(server.close(4003), 0.0, 0.0)) == ["SessionStopped"]
