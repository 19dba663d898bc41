"""A meeting's session, seen from the client: joining, staying, reconnecting, leaving."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chime_messaging.errors import (
    AttendeeRejectedError,
    AttendeeRemovedError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeoutError,
    JoinedFromAnotherDeviceError,
    MeetingAtCapacityError,
    MeetingEndedError,
    MeetingSessionError,
    ReconnectDeadlineError,
    SessionNotEstablishedError,
    UsageError,
)
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    AudioStatusReceived,
    DataMessage,
    DataMessageReceived,
    DataMessageThrottled,
    IndexReceived,
    JoinAckReceived,
    MeetingReconnectScheduled,
    MeetingSessionConnecting,
    MeetingSessionStarted,
    MeetingSessionStopped,
    MeetingStatusReceived,
    NotificationReceived,
    PongMissed,
    PongReceived,
    PrimaryMeetingJoined,
    PrimaryMeetingLeft,
    RosterAttendee,
    SignalFrameReceived,
    TranscriptionStatusReceived,
    TranscriptReceived,
    TurnCredentials,
    UndecodableSignalFrame,
    UnknownSignalFrame,
    VideoSource,
)
from chime_messaging.meeting_events import MeetingSessionStatusCode as Status
from chime_messaging.protocol import signal_frames as frames
from chime_messaging.protocol.signal_frames import ClientDetails, JoinOptions
from chime_messaging.protocol.signaling import SignalingClientProtocol
from chime_messaging.protocol.signaling_states import State
from chime_messaging.wire import transcript
from chime_messaging.wire.signaling import TRANSCRIPTION_TOPIC, JoinFlags, decode
from chime_messaging.wire.signaling_pb2 import PingPongFrame, SignalFrame
from tests.messaging.protocol.signaling_pair import ME, OPTIONS, WALL_CLOCK, SignalingPair

OTHER = RosterAttendee("other", "user-other", 2, False)


def written(client: SignalingClientProtocol) -> list[SignalFrame]:
    read = [decode(data) for data in client.take()]
    return [frame for frame in read if frame is not None]


def stop_of(pair: SignalingPair) -> MeetingSessionStopped:
    [event] = pair.told(MeetingSessionStopped)
    assert isinstance(event, MeetingSessionStopped)
    assert pair.client_state() is State.STOPPED
    assert pair.client.stopped is event
    assert pair.client.deadline is None
    return event


def joined(**options: float | None) -> SignalingPair:
    pair = SignalingPair(**options).join()
    pair.events.clear()
    return pair


# joining


def test_the_client_pings_and_joins_as_soon_as_the_socket_is_open() -> None:
    client = SignalingClientProtocol("me", OPTIONS, wall_clock=WALL_CLOCK)
    client.start(5.0)
    client.opened(5.25)
    ping, join = written(client)
    assert (ping.type, ping.ping_pong.type, ping.ping_pong.ping_id) == (SignalFrame.PING_PONG, PingPongFrame.PING, 1)
    assert join.type == SignalFrame.JOIN
    assert join.timestamp_ms == 1_700_000_005_250


def test_a_join_says_what_the_official_client_says() -> None:
    options = JoinOptions(
        audio_session_id=4_294_967_295,
        client_details=ClientDetails(app_name="chat", chime_sdk_version="1.0", client_utc_offset="+01:00"),
    )
    client = SignalingClientProtocol("me", options)
    client.start(0.0)
    client.opened(0.0)
    body = written(client)[1].join
    assert {field.name: value for field, value in body.ListFields() if field.name != "client_details"} == {
        "protocol_version": 2,
        "flags": JoinFlags.HAS_STREAM_UPDATE,
        "audio_session_id": 4_294_967_295,
        "wants_compressed_sdp": True,
        "server_side_network_adaption": 1,
        "wants_all_temporal_layers_in_index": False,
        "disable_periodic_keyframe_request_on_content_sender": False,
    }
    assert {field.name: value for field, value in body.client_details.ListFields()} == {
        "app_name": "chat",
        "client_source": "chime-sdk-python",
        "chime_sdk_version": "1.0",
        "client_utc_offset": "+01:00",
    }


def test_joining_goes_through_join_ack_roster_and_index() -> None:
    pair = SignalingPair()
    pair.roster = [ME, OTHER]
    pair.join()
    assert pair.events == [
        MeetingSessionConnecting(reconnecting=False, attempt=1),
        PongReceived(1, 0.0, 0.0),
        JoinAckReceived(TurnCredentials("", "", 300, ()), 25, True, 2),
        AttendeeJoined(ME, 0, 2),
        AttendeeJoined(OTHER, 1, 2),
        MeetingSessionStarted("me", reconnected=False),
        IndexReceived(at_capacity=False, participants=2),
    ]
    assert list(pair.client.attendees) == ["me", "other"]


def test_join_ack_does_not_complete_the_join_but_index_does() -> None:
    pair = SignalingPair().start().open()
    pair.say(frames.join_ack())
    assert pair.client_state() is State.JOINING
    pair.say(frames.index(participants=1))
    assert pair.client_state() is State.JOINED


def test_only_the_first_index_starts_the_session() -> None:
    pair = joined()
    assert pair.say(frames.index(participants=3, at_capacity=True)) == [IndexReceived(at_capacity=True, participants=3)]


def test_an_index_tells_who_sends_video() -> None:
    pair = joined()
    source = VideoSource(21, 1, "other", "user-other", "AmazonChimeExpressVideo", 15, 1400, 1420178, 1280, 720)
    frame = frames.index(participants=2, sources=[source], paused_at_source_ids=[21], codecs=[1, 3])
    frame.index.sources.add(stream_id=22, attendee_id="no video")
    assert pair.say(frame) == [IndexReceived(False, 2, (source,), (21,), (1, 3))]


def test_a_join_ack_without_a_body_ends_the_session() -> None:
    pair = SignalingPair().start().open()
    pair.say(SignalFrame(type=SignalFrame.JOIN_ACK))
    assert stop_of(pair).status is Status.SIGNALING_REQUEST_FAILED


@pytest.mark.parametrize(
    ("number", "status", "kind"),
    [
        (403, Status.AUDIO_AUTHENTICATION_REJECTED, AttendeeRejectedError),
        (409, Status.AUDIO_CALL_AT_CAPACITY, MeetingAtCapacityError),
        (400, Status.SIGNALING_BAD_REQUEST, MeetingSessionError),
    ],
)
def test_a_join_ack_with_an_error_ends_the_session(number: int, status: Status, kind: type[Exception]) -> None:
    pair = SignalingPair()
    pair.answers_join = False
    pair.start().open().flow()
    pair.server.refuse(pair.now, number, "no")
    pair.flow()
    stopped = stop_of(pair)
    assert stopped.status is status
    assert type(stopped.error) is kind
    assert stopped.reason == "no"


def test_a_join_that_is_not_answered_is_tried_again() -> None:
    pair = SignalingPair(join_timeout=15.0)
    pair.answers_join = False
    pair.start().open().flow().wait(15.0)
    [event] = pair.told(MeetingReconnectScheduled)
    assert event == MeetingReconnectScheduled(0.5, 2, Status.TASK_FAILED, "no INDEX within 15 s")
    pair.answers_join = True
    pair.wait(0.5)
    assert pair.client_state() is State.JOINED
    [event] = pair.told(MeetingSessionStarted)
    assert event == MeetingSessionStarted("me", reconnected=False)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (4410, MeetingEndedError),
        (4403, AttendeeRejectedError),
        (4400, MeetingSessionError),
        (1000, MeetingSessionError),
    ],
)
def test_a_close_before_index_ends_the_session(code: int, kind: type[Exception]) -> None:
    pair = SignalingPair().start().open()
    pair.lose(ConnectionClosed(code, "attendee unavailable"))
    stopped = stop_of(pair)
    assert type(stopped.error) is kind
    assert isinstance(stopped.error, MeetingSessionError)
    assert (stopped.error.code, stopped.error.reason) == (code, "attendee unavailable")
    assert isinstance(stopped.error.__cause__, ConnectionClosed)


@pytest.mark.parametrize("frames_before_the_cut", range(4))
def test_a_cut_at_any_step_of_the_join_is_tried_again(frames_before_the_cut: int) -> None:
    pair = SignalingPair().start().open()
    pair.server.receive(pair.client.take(), pair.now)
    pair.server.accept(pair.now, roster=[ME], participants=1)
    pair.hear(*pair.server.take()[:frames_before_the_cut])
    pair.lose()
    assert pair.client_state() is State.WAITING
    pair.wait(0.5)
    assert pair.client_state() is State.JOINED
    # Whoever the first frame told of is not told of again.
    assert len(pair.told(AttendeeJoined)) == 1
    assert len(pair.told(MeetingSessionStarted)) == 1


def test_a_session_starts_once() -> None:
    pair = SignalingPair().start()
    with pytest.raises(UsageError):
        pair.client.start(0.0)


# frames


def test_a_ping_of_the_service_is_answered_with_its_id() -> None:
    pair = joined()
    assert pair.say(frames.ping(77)) == []
    [pong] = written(pair.client)
    assert (pong.ping_pong.type, pong.ping_pong.ping_id) == (PingPongFrame.PONG, 77)


def test_a_ping_is_answered_while_joining_and_while_leaving() -> None:
    pair = SignalingPair().start().open()
    pair.client.take()
    pair.say(frames.ping(1))
    assert len(pair.client.take()) == 1
    pair.say(frames.index(participants=1))
    pair.client.leave(pair.now)
    pair.client.take()
    pair.say(frames.ping(2))
    assert len(pair.client.take()) == 1


def test_data_messages_come_in_the_order_of_the_frame() -> None:
    pair = joined()
    messages = [DataMessage("chat", bytes([n]), "other", "user-other", 1_700_000_000_000_000_000 + n) for n in range(5)]
    assert pair.say(frames.data_messages(messages)) == [DataMessageReceived(message) for message in messages]


def test_a_message_has_its_time_text_and_json() -> None:
    message = DataMessage("chat", b'{"a": [1]}', "other", "user", 1_700_000_000_123_456_789)
    assert message.timestamp == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)
    assert message.text() == '{"a": [1]}'
    assert message.json() == {"a": [1]}
    assert not message.throttled


@pytest.mark.parametrize(
    ("ingest_time", "kind"),
    [(0, DataMessageThrottled), (None, DataMessageReceived), (1, DataMessageReceived)],
)
def test_a_message_is_throttled_if_its_ingest_time_is_there_and_0(
    ingest_time: int | None, kind: type[DataMessageReceived | DataMessageThrottled]
) -> None:
    pair = joined()
    message = DataMessage("chat", b"x", "me", "user-me", ingest_time)
    assert pair.say(frames.data_messages([message])) == [kind(message)]
    assert message.throttled == (ingest_time == 0)


def test_data_messages_before_index_are_told_as_they_come() -> None:
    pair = SignalingPair().start().open()
    message = DataMessage("chat", b"x", "other", "user-other", 1)
    assert pair.say(frames.data_messages([message])) == [DataMessageReceived(message)]
    assert pair.client_state() is State.JOINING


def test_a_transcript_is_told_after_the_message_that_carries_it() -> None:
    pair = joined()
    status = transcript.TranscriptionStatus("started", 1, "us-east-1", "{}")
    words = transcript.Transcript(())
    message = DataMessage(TRANSCRIPTION_TOPIC, transcript.encode([status, words]), "", "", 1)
    assert pair.say(frames.data_messages([message])) == [
        DataMessageReceived(message),
        TranscriptionStatusReceived(status),
        TranscriptReceived(words),
    ]


def test_a_transcript_that_cannot_be_read_does_not_end_the_session() -> None:
    pair = joined()
    events = pair.say(frames.data_messages([DataMessage(TRANSCRIPTION_TOPIC, b"\x0a", "", "", 1)]))
    assert [type(event) for event in events] == [DataMessageReceived, UndecodableSignalFrame]
    assert pair.client_state() is State.JOINED


def test_what_cannot_be_read_or_is_unknown_is_skipped_and_told() -> None:
    pair = joined()
    events = pair.hear(b"", "text", b"\x02\x08", b"\x02\x08\x01\x10\x63", b"\x02" * 300_000)
    assert [type(event) for event in events] == [
        UndecodableSignalFrame,
        UndecodableSignalFrame,
        UndecodableSignalFrame,
        UnknownSignalFrame,
        UndecodableSignalFrame,
    ]
    assert events[3] == UnknownSignalFrame(99, 5)
    assert isinstance(events[4], UndecodableSignalFrame)
    assert len(events[4].excerpt) < 10_000
    assert pair.client_state() is State.JOINED


def test_frames_that_concern_media_are_handed_on() -> None:
    pair = joined()
    frame = SignalFrame(type=SignalFrame.BITRATES)
    frame.bitrates.server_available_outgoing_bitrate = 5
    assert pair.say(frame) == [SignalFrameReceived(frame)]


def test_a_notification_is_told_with_its_level() -> None:
    pair = joined()
    assert pair.say(frames.notification("slow down", "WARNING")) == [NotificationReceived("WARNING", "slow down")]


def test_a_status_that_is_no_failure_is_told_and_the_frame_still_counts() -> None:
    pair = joined()
    frame = frames.with_error(SignalFrame(type=SignalFrame.SUBSCRIBE_ACK), 206, "view only")
    assert pair.say(frame) == [
        MeetingStatusReceived(Status.VIDEO_CALL_SWITCH_TO_VIEW_ONLY, "view only"),
        SignalFrameReceived(frame),
    ]


def test_an_error_on_a_data_message_counts_too() -> None:
    pair = joined()
    message = DataMessage("chat", b"x", "other", "user-other", 1)
    assert pair.say(frames.with_error(frames.data_messages([message]), 206, "")) == [
        MeetingStatusReceived(Status.VIDEO_CALL_SWITCH_TO_VIEW_ONLY, ""),
        DataMessageReceived(message),
    ]


def test_nothing_after_the_frame_that_ends_the_session_is_told() -> None:
    pair = joined()
    pair.server.audio_status(410, pair.now)
    pair.server.write(frames.data_messages([DataMessage("chat", b"x", "other", "u", 1)]), pair.now)
    pair.flow()
    assert [type(event) for event in pair.events] == [AudioStatusReceived, MeetingSessionStopped]


# audio status


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (301, JoinedFromAnotherDeviceError),
        (403, AttendeeRejectedError),
        (409, MeetingAtCapacityError),
        (410, MeetingEndedError),
        (411, AttendeeRemovedError),
        (0, MeetingSessionError),
    ],
)
def test_an_audio_status_may_end_the_session(number: int, kind: type[MeetingSessionError]) -> None:
    pair = joined()
    pair.server.audio_status(number, pair.now)
    pair.flow()
    stopped = stop_of(pair)
    assert isinstance(stopped.error, kind)
    assert pair.events == [AudioStatusReceived(number, stopped.status), stopped]


@pytest.mark.parametrize("number", [500, 503])
def test_an_audio_status_may_make_the_session_reconnect(number: int) -> None:
    pair = joined()
    pair.server.audio_status(number, pair.now)
    pair.flow()
    assert pair.client_state() is State.WAITING
    pair.wait(1.0)
    assert pair.client_state() is State.JOINED


@pytest.mark.parametrize("number", [200, 302])
def test_an_audio_status_may_change_nothing(number: int) -> None:
    pair = joined()
    assert [type(event) for event in pair.say(frames.audio_status(number))] == [AudioStatusReceived]
    assert pair.client_state() is State.JOINED


def test_an_audio_status_without_a_body_ends_the_session() -> None:
    pair = joined()
    pair.say(SignalFrame(type=SignalFrame.AUDIO_STATUS))
    assert stop_of(pair).status is Status.SIGNALING_REQUEST_FAILED


def test_a_leave_from_the_service_ends_the_session() -> None:
    pair = joined()
    pair.say(frames.leave())
    assert stop_of(pair).status is Status.AUDIO_DISCONNECTED


# pings


def test_pings_go_out_every_10_seconds_with_growing_ids() -> None:
    pair = joined()
    pair.wait(35.0)
    assert [event.ping_id for event in pair.told(PongReceived) if isinstance(event, PongReceived)] == [2, 3, 4]


def test_a_pong_tells_the_round_trip_and_the_clock_of_the_service() -> None:
    pair = joined()
    pair.now = 10.0
    pair.client.expire(10.0, 0.5)
    pair.client.take()
    frame = frames.pong(2)
    frame.timestamp_ms = int((WALL_CLOCK + 13.0) * 1000)
    pair.now = 10.5
    [event] = pair.client.receive([frames_bytes(frame)], pair.now, 0.5)
    assert event == PongReceived(2, 0.5, 2.75)


def frames_bytes(frame: SignalFrame) -> bytes:
    return b"\x02" + frame.SerializeToString()


@pytest.mark.parametrize("ping_id", [0, 1, 3, 2**32 - 1])
def test_a_pong_with_another_id_than_the_latest_is_ignored(ping_id: int) -> None:
    pair = joined()
    pair.now = 10.0
    pair.client.expire(10.0, 0.5)
    assert pair.say(frames.pong(ping_id)) == []


def test_a_second_pong_to_the_same_ping_is_ignored() -> None:
    pair = joined()
    pair.now = 10.0
    pair.client.expire(10.0, 0.5)
    assert len(pair.say(frames.pong(2))) == 1
    assert pair.say(frames.pong(2)) == []


def test_four_missed_pongs_make_the_session_reconnect() -> None:
    pair = joined()
    for tick in range(1, 6):
        pair.events += pair.client.expire(tick * 10.0, 0.5)
    assert pair.events == [
        PongMissed(1),
        PongMissed(2),
        PongMissed(3),
        PongMissed(4),
        MeetingReconnectScheduled(0.5, 1, Status.CONNECTION_HEALTH_RECONNECT, "4 pings unanswered"),
    ]


def test_a_late_pong_ends_the_count_of_missed_ones() -> None:
    pair = joined()
    for tick in range(1, 4):
        pair.events += pair.client.expire(tick * 10.0, 0.5)
    pair.say(frames.pong(4))
    for tick in range(4, 6):
        pair.events += pair.client.expire(tick * 10.0, 0.5)
    assert pair.told(PongMissed) == [PongMissed(1), PongMissed(2), PongMissed(1)]


def test_ping_ids_start_over_with_a_new_connection() -> None:
    pair = joined()
    pair.wait(25.0).lose().wait(1.0)
    [event] = pair.told(PongReceived)[-1:]
    assert isinstance(event, PongReceived)
    assert event.ping_id == 1


def test_an_expire_that_comes_late_sends_one_ping() -> None:
    pair = joined()
    pair.now = 3600.0
    pair.client.expire(pair.now, 0.5)
    assert len(pair.client.take()) == 1
    assert pair.client.deadline == 3610.0


def test_an_expire_that_comes_early_does_nothing() -> None:
    pair = joined()
    assert pair.client.expire(9.999, 0.5) == []
    assert pair.client.take() == []


# reconnecting


@pytest.mark.parametrize("code", [1006, 1000, 1001, 1011, 4500, 4599, 4999])
def test_a_connection_that_is_lost_is_made_again(code: int) -> None:
    pair = joined()
    pair.lose(ConnectionClosed(code, "oops")).wait(0.5)
    assert [type(event) for event in pair.events[:2]] == [MeetingReconnectScheduled, MeetingSessionConnecting]
    assert pair.events[1] == MeetingSessionConnecting(reconnecting=True, attempt=1)
    assert MeetingSessionStarted("me", reconnected=True) in pair.events


@pytest.mark.parametrize(("code", "kind"), [(4410, MeetingEndedError), (4403, AttendeeRemovedError)])
def test_a_close_that_says_so_ends_a_session_that_stood(code: int, kind: type[Exception]) -> None:
    pair = joined()
    pair.lose(ConnectionClosed(code))
    assert type(stop_of(pair).error) is kind


def test_a_reconnect_joins_with_the_same_audio_session_id() -> None:
    pair = SignalingPair().start().open()
    first = written(pair.client)[1].join
    pair.lose()
    pair.client.expire(1.0, 0.5)
    pair.client.opened(1.0)
    assert written(pair.client)[1].join == first


def test_the_roster_after_a_reconnect_tells_whose_leave_was_missed() -> None:
    pair = SignalingPair()
    pair.roster = [ME, OTHER]
    pair.join().lose()
    assert list(pair.client.attendees) == ["me", "other"]
    pair.roster = [RosterAttendee("me", "user-me", 3, False)]
    pair.wait(1.0)
    assert pair.told(AttendeeLeft) == [AttendeeLeft(OTHER, missed=True)]
    assert list(pair.client.attendees) == ["me"]


def test_what_was_to_be_written_dies_with_its_connection() -> None:
    pair = joined()
    pair.client.send("chat", b"x", 0, pair.now)
    pair.events += pair.client.lost(ConnectionClosed(1006), pair.now, 0.0)
    pair.client.expire(pair.now, 0.0)
    pair.client.opened(pair.now)
    assert [frame.type for frame in written(pair.client)] == [SignalFrame.PING_PONG, SignalFrame.JOIN]


def test_the_wait_doubles_and_has_full_jitter() -> None:
    pair = SignalingPair()
    pair.jitter = 0.999
    pair.start()
    delays = []
    for _ in range(5):
        pair.lose(ConnectTimeoutError("host", 5.0))
        [event] = pair.told(MeetingReconnectScheduled)[-1:]
        assert isinstance(event, MeetingReconnectScheduled)
        delays.append(round(event.delay, 1))
        pair.now += event.delay
        pair.events += pair.client.expire(pair.now, pair.jitter)
    assert delays == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_the_tries_end_with_the_deadline() -> None:
    pair = SignalingPair(reconnect_timeout=120.0).start()
    while pair.client.state is not State.STOPPED:
        pair.lose(ConnectTimeoutError("host", 5.0))
        if pair.client.deadline is not None:
            pair.now = pair.client.deadline
            pair.events += pair.client.expire(pair.now, 0.9)
    stopped = stop_of(pair)
    assert stopped.status is Status.TASK_FAILED
    assert isinstance(stopped.error, ReconnectDeadlineError)
    assert pair.now <= 121.0


def test_a_session_that_joined_has_the_whole_deadline_again() -> None:
    pair = joined(reconnect_timeout=10.0)
    for _ in range(20):
        pair.lose().wait(1.0)
        assert pair.client_state() is State.JOINED


@pytest.mark.parametrize("status", [None, 401, 403, 502])
def test_a_socket_that_cannot_be_opened_is_tried_again(status: int | None) -> None:
    pair = SignalingPair().start()
    pair.lose(ConnectError("host", "refused", status=status))
    assert pair.client_state() is State.WAITING


def test_a_certificate_that_nobody_trusts_ends_the_session() -> None:
    pair = SignalingPair().start()
    error = ConnectError("host", "CERTIFICATE_VERIFY_FAILED")
    pair.lose(error)
    assert stop_of(pair).error is error


def test_an_error_that_no_rule_provides_for_ends_the_session() -> None:
    pair = joined()
    pair.lose(RuntimeError("bug"))
    assert isinstance(stop_of(pair).error, RuntimeError)


# leaving


def test_leaving_waits_for_leave_ack() -> None:
    pair = joined()
    pair.events += pair.client.leave(pair.now)
    assert pair.client_state() is State.LEAVING
    pair.flow()
    assert pair.events == [MeetingSessionStopped(Status.LEFT)]
    assert pair.server.closed is not None
    assert pair.server.closed.code == 1000


def test_leaving_does_not_wait_longer_than_the_deadline() -> None:
    pair = joined(leave_timeout=2.0)
    pair.client.leave(5.0)
    assert pair.client.deadline == 7.0
    assert pair.client.expire(6.9, 0.5) == []
    assert pair.client.expire(7.0, 0.5) == [MeetingSessionStopped(Status.LEFT)]


@pytest.mark.parametrize("state", [State.CONNECTING, State.WAITING])
def test_a_session_without_a_connection_leaves_at_once(state: State) -> None:
    pair = SignalingPair().start()
    if state is State.WAITING:
        pair.lose()
    assert pair.client_state() is state
    assert pair.client.leave(pair.now) == [MeetingSessionStopped(Status.LEFT)]


def test_a_session_leaves_while_it_joins() -> None:
    pair = SignalingPair()
    pair.answers_join = False
    pair.start().open().flow()
    pair.client.leave(pair.now)
    pair.flow()
    assert stop_of(pair).status is Status.LEFT


@pytest.mark.parametrize("code", [1000, 1006, 4410, 4500])
def test_a_connection_that_ends_while_leaving_is_an_ordinary_end(code: int) -> None:
    pair = joined()
    pair.client.leave(pair.now)
    pair.lose(ConnectionClosed(code))
    assert stop_of(pair) == MeetingSessionStopped(Status.LEFT)


def test_a_failure_while_leaving_does_not_reconnect() -> None:
    pair = joined()
    pair.client.leave(pair.now)
    pair.say(frames.audio_status(503))
    assert pair.client_state() is State.LEAVING
    pair.say(frames.audio_status(410))
    assert stop_of(pair) == MeetingSessionStopped(Status.LEFT)


def test_leave_ack_that_nobody_asked_for_is_ignored() -> None:
    pair = joined()
    assert pair.say(frames.leave_ack()) == []
    assert pair.client_state() is State.JOINED


def test_leaving_twice_before_the_start_or_after_the_end_is_harmless() -> None:
    pair = SignalingPair()
    assert pair.client.leave(0.0) == []
    pair.join()
    pair.client.leave(pair.now)
    assert pair.client.leave(pair.now) == []
    pair.flow()
    assert pair.client.leave(pair.now) == []
    assert pair.client.lost(ConnectionClosed(1000), pair.now, 0.5) == []
    assert pair.client.expire(1e9, 0.5) == []
    assert pair.client.fail(RuntimeError()) == []


# sending


def test_a_data_message_has_topic_data_and_lifetime() -> None:
    pair = joined()
    pair.client.send("chat", b"\x00\xff", 5000, pair.now)
    [frame] = written(pair.client)
    [message] = frame.data_message.messages
    assert {field.name: value for field, value in message.ListFields()} == {
        "topic": "chat",
        "data": b"\x00\xff",
        "lifetime_ms": 5000,
    }


@pytest.mark.parametrize("state", [State.IDLE, State.CONNECTING, State.JOINING, State.LEAVING, State.WAITING])
def test_nothing_can_be_sent_unless_joined(state: State) -> None:
    pair = SignalingPair()
    if state is not State.IDLE:
        pair.start()
    if state in (State.JOINING, State.LEAVING):
        pair.open()
    if state is State.LEAVING:
        pair.client.leave(pair.now)
    if state is State.WAITING:
        pair.lose()
    assert pair.client_state() is state
    pair.client.take()
    with pytest.raises(SessionNotEstablishedError):
        pair.client.send("chat", b"x", 0, pair.now)
    with pytest.raises(SessionNotEstablishedError):
        pair.client.mute(True, pair.now)
    with pytest.raises(SessionNotEstablishedError):
        pair.client.promote("p", "u", "token", pair.now)
    assert pair.client.take() == []


def test_muting_says_so_even_when_it_is_false() -> None:
    pair = joined()
    pair.client.mute(False, pair.now)
    [frame] = written(pair.client)
    assert frame.audio_control.HasField("muted")


# primary meeting


def promoted() -> SignalingPair:
    pair = joined()
    pair.client.promote("primary", "user", "token", pair.now)
    pair.flow()
    pair.server.promoted(pair.now)
    pair.flow()
    assert pair.client.is_promoted
    return pair


def test_a_promotion_is_asked_for_and_answered() -> None:
    pair = promoted()
    assert pair.events == [PrimaryMeetingJoined(Status.OK)]


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (403, Status.AUDIO_AUTHENTICATION_REJECTED),
        (409, Status.AUDIO_CALL_AT_CAPACITY),
        (500, Status.SIGNALING_INTERNAL_SERVER_ERROR),
    ],
)
def test_a_promotion_that_is_refused_does_not_end_the_session(number: int, status: Status) -> None:
    pair = joined()
    pair.client.promote("primary", "user", "token", pair.now)
    pair.flow()
    pair.server.promoted(pair.now, status=number, description="no")
    pair.flow()
    assert pair.events == [PrimaryMeetingJoined(status, "no")]
    assert pair.client_state() is State.JOINED
    assert not pair.client.is_promoted


def test_a_promotion_that_is_not_answered_fails_after_15_seconds() -> None:
    pair = joined()
    pair.client.promote("primary", "user", "token", pair.now)
    pair.wait(15.0)
    assert PrimaryMeetingJoined(Status.SIGNALING_REQUEST_FAILED, "no answer in time") in pair.events
    assert pair.say(frames.primary_meeting_join_ack()) == []
    assert not pair.client.is_promoted


def test_one_promotion_is_under_way_at_a_time() -> None:
    pair = joined()
    pair.client.promote("primary", "user", "token", pair.now)
    with pytest.raises(UsageError):
        pair.client.promote("primary", "user", "token", pair.now)


def test_a_promotion_ends_by_the_application() -> None:
    pair = promoted()
    assert pair.client.demote(pair.now) == [PrimaryMeetingLeft(Status.OK)]
    [frame] = written(pair.client)
    assert frame.type == SignalFrame.PRIMARY_MEETING_LEAVE
    assert pair.client.demote(pair.now) == []


def test_a_promotion_ends_by_the_service() -> None:
    pair = promoted()
    pair.server.demote(pair.now)
    pair.flow()
    assert pair.events[-1] == PrimaryMeetingLeft(Status.AUDIO_VIDEO_WAS_REMOVED_FROM_PRIMARY_MEETING)
    assert not pair.client.is_promoted


def test_a_promotion_ends_with_the_connection_and_is_told_once() -> None:
    pair = promoted()
    pair.events.clear()
    pair.lose().wait(1.0).lose()
    assert pair.told(PrimaryMeetingLeft) == [PrimaryMeetingLeft(Status.AUDIO_VIDEO_DISCONNECTED_WHILE_PROMOTED)]
    assert isinstance(pair.events[0], PrimaryMeetingLeft)


def test_a_promotion_under_way_fails_with_the_connection() -> None:
    pair = joined()
    pair.client.promote("primary", "user", "token", pair.now)
    pair.lose()
    assert pair.events[0] == PrimaryMeetingJoined(Status.SIGNALING_REQUEST_FAILED, "connection lost")


# time


def test_24_hours_of_a_meeting_pass_without_an_event_but_pongs() -> None:
    pair = joined()
    pair.wait(24 * 3600.0)
    assert pair.client_state() is State.JOINED
    assert {type(event) for event in pair.events} == {PongReceived}
    assert len(pair.events) == 24 * 360


def test_24_hours_of_a_meeting_with_a_cut_every_ten_minutes_lose_nobody() -> None:
    pair = SignalingPair()
    pair.roster = [ME, OTHER]
    pair.join()
    for stream in range(3, 3 + 144):
        pair.wait(600.0)
        pair.roster = [RosterAttendee("me", "user-me", stream, False), OTHER]
        pair.lose().wait(1.0)
    assert len(pair.told(MeetingSessionStarted)) == 145
    assert len(pair.told(AttendeeJoined)) == 2
    assert pair.told(AttendeeLeft, MeetingSessionStopped, PongMissed) == []


def test_secrets_are_not_in_what_a_session_tells() -> None:
    event: Event = JoinAckReceived(TurnCredentials("u", "very-secret", 300, ()), 25, False, 2)
    assert "very-secret" not in repr(event)
