"""One connection of a meeting's attendee, seen from the service: what may be sent when, and when it is over."""

from __future__ import annotations

import pytest

from chime_messaging.errors import UsageError
from chime_messaging.meeting_events import DataMessage, RosterAttendee, TurnCredentials, VideoSource
from chime_messaging.protocol import signal_frames as frames
from chime_messaging.protocol.signal_frames import JoinOptions
from chime_messaging.protocol.signaling_service import (
    SILENCE_TIMEOUT,
    DataSubmitted,
    Demoted,
    FrameReceived,
    FrameSkipped,
    Happening,
    JoinRequested,
    Left,
    MuteChanged,
    PromotionRequested,
    SignalingServerProtocol,
    Silent,
)
from chime_messaging.protocol.signaling_states import ServerState
from chime_messaging.wire.signaling import SERVER_PREFIX, JoinFlags, decode, encode
from chime_messaging.wire.signaling_pb2 import PingPongFrame, SignalFrame

ME = RosterAttendee("me", "user-me", 1, False)
JOIN = frames.join(JoinOptions(audio_session_id=7))


def opened(**options: float | None) -> SignalingServerProtocol:
    server = SignalingServerProtocol(wall_clock=1_700_000_000.0, **options)  # type: ignore[arg-type]
    server.opened(0.0)
    return server


def hear(server: SignalingServerProtocol, *received: SignalFrame, now: float = 0.0) -> list[Happening]:
    for frame in received:
        frame.timestamp_ms = 1
    return server.receive([encode(frame) for frame in received], now)


def written(server: SignalingServerProtocol) -> list[SignalFrame]:
    read = [decode(data) for data in server.take()]
    return [frame for frame in read if frame is not None]


def types(server: SignalingServerProtocol) -> list[str]:
    return [SignalFrame.Type.Name(frame.type) for frame in written(server)]


def joined(**options: float | None) -> SignalingServerProtocol:
    server = opened(**options)
    hear(server, frames.ping(1), JOIN)
    server.accept(0.0, roster=[ME], participants=1)
    server.take()
    return server


# joining


def test_a_join_is_told_with_what_it_asks_for() -> None:
    server = opened()
    assert hear(server, JOIN) == [JoinRequested(7, JoinFlags.HAS_STREAM_UPDATE, None, True, "chime-sdk-python")]
    assert server.state is ServerState.JOINING


def test_a_join_with_nothing_in_it_is_told_too() -> None:
    server = opened()
    frame = SignalFrame(type=SignalFrame.JOIN)
    frame.join.SetInParent()
    assert hear(server, frame) == [JoinRequested(None, JoinFlags(0), None, False, "")]


def test_an_explicit_number_of_videos_is_told_even_if_it_is_0() -> None:
    frame = SignalFrame(type=SignalFrame.JOIN)
    frame.join.max_num_of_videos = 0
    [happening] = hear(opened(), frame)
    assert isinstance(happening, JoinRequested)
    assert happening.max_num_of_videos == 0


def test_a_join_is_answered_by_join_ack_roster_and_index_in_this_order() -> None:
    server = opened()
    hear(server, JOIN)
    server.accept(0.0, roster=[ME, RosterAttendee("b", "user-b", 2, True)], participants=2, replayed=[b"stored"])
    *raw, stored = server.take()
    assert stored == b"stored"
    assert {data[0] for data in raw} == {SERVER_PREFIX}
    ack, roster, index = [frame for frame in map(decode, raw) if frame is not None]
    assert ack.joinack.HasField("turn_credentials")
    assert (ack.joinack.video_subscription_limit, ack.joinack.wants_compressed_sdp) == (25, True)
    assert ack.joinack.default_server_side_network_adaption == 2
    assert ack.timestamp_ms == 1_700_000_000_000
    assert [(entry.attendee_id, entry.HasField("muted")) for entry in roster.audio_stream_id_info.streams] == [
        ("me", True),
        ("b", True),
    ]
    assert index.index.num_participants == 2
    assert index.index.HasField("at_capacity")
    assert not index.index.at_capacity


def test_a_client_that_does_not_ask_for_the_roster_gets_none() -> None:
    server = opened()
    hear(server, frames.join(JoinOptions(audio_session_id=7, flags=JoinFlags(0))))
    server.accept(0.0, roster=[ME], participants=1)
    assert types(server) == ["JOIN_ACK", "INDEX"]
    assert not server.wants_roster


def test_an_empty_roster_is_written_all_the_same() -> None:
    server = opened()
    hear(server, JOIN)
    server.accept(0.0, roster=[], participants=1)
    [roster] = [frame for frame in written(server) if frame.type == SignalFrame.AUDIO_STREAM_ID_INFO]
    assert roster.HasField("audio_stream_id_info")


def test_turn_credentials_sources_and_codecs_go_out_with_the_answer() -> None:
    server = opened()
    hear(server, JOIN)
    source = VideoSource(21, 1, "b", "user-b", "label")
    turn = TurnCredentials("name", "word", 300, ("turn:localhost",))
    server.accept(0.0, roster=[], participants=2, at_capacity=True, sources=[source], codecs=[1], turn=turn)
    ack, _, index = written(server)
    assert list(ack.joinack.turn_credentials.uris) == ["turn:localhost"]
    assert index.index.at_capacity
    [descriptor] = index.index.sources
    assert (descriptor.stream_id, descriptor.attendee_id, descriptor.media_type) == (21, "b", 2)
    assert list(index.index.supported_receive_codec_intersection) == [1]


def test_a_join_is_refused_with_an_error_in_join_ack_and_a_close() -> None:
    server = opened()
    hear(server, JOIN)
    server.refuse(0.0, 403, "no", code=4403)
    [frame] = written(server)
    assert (frame.type, frame.error.status, frame.error.description) == (SignalFrame.JOIN_ACK, 403, "no")
    assert server.closed is not None
    assert (server.closed.code, server.state) == (4403, ServerState.CLOSED)


def test_only_a_join_can_be_answered() -> None:
    server = opened()
    with pytest.raises(UsageError):
        server.accept(0.0, roster=[], participants=1)
    with pytest.raises(UsageError):
        server.refuse(0.0, 403, "no")
    server = joined()
    with pytest.raises(UsageError):
        server.accept(0.0, roster=[], participants=1)


def test_a_second_join_before_the_answer_is_skipped() -> None:
    server = opened()
    first, second = hear(server, JOIN, JOIN)
    assert isinstance(first, JoinRequested)
    assert second == FrameSkipped("JOIN while one is unanswered")


def test_a_client_may_join_again_on_the_same_socket() -> None:
    server = joined()
    [happening] = hear(server, JOIN)
    assert isinstance(happening, JoinRequested)
    server.accept(0.0, roster=[ME], participants=1)
    assert types(server) == ["JOIN_ACK", "AUDIO_STREAM_ID_INFO", "INDEX"]


def test_a_join_without_a_body_is_skipped() -> None:
    server = opened()
    assert hear(server, SignalFrame(type=SignalFrame.JOIN)) == [FrameSkipped("JOIN without a body")]
    assert server.state is ServerState.OPEN


# what may be sent when


def test_nothing_but_pings_goes_out_before_the_join_is_answered() -> None:
    server = opened()
    for _ in range(2):
        server.audio_status(200, 0.0)
        server.demote(0.0)
        assert not server.write(frames.notification("x"), 0.0)
        assert server.deliver([b"shared"]) == ()
        assert server.take() == []
        hear(server, JOIN)


def test_frames_built_once_for_many_go_out_as_the_same_object() -> None:
    shared = b"\x02shared"
    assert joined().deliver([shared])[0] is shared


@pytest.mark.parametrize("end", ["leave", "close"])
def test_nothing_goes_out_after_the_end(end: str) -> None:
    server = joined()
    if end == "leave":
        hear(server, frames.leave())
    else:
        server.close(4410)
    server.take()
    server.audio_status(410, 0.0)
    assert server.deliver([b"shared"]) == ()
    assert server.take() == []
    assert hear(server, frames.ping(3), JOIN) == []
    assert server.take() == []
    assert server.deadline is None
    assert server.expire(1e9) == []


def test_an_audio_status_goes_out_before_the_close() -> None:
    server = joined()
    server.audio_status(410, 0.0)
    server.close(4410, "meeting ended")
    [frame] = written(server)
    assert frame.audio_status.audio_status == 410
    assert server.closed is not None
    assert (server.closed.code, server.closed.reason) == (4410, "meeting ended")


def test_the_first_close_says_why() -> None:
    server = joined()
    server.close(4410, "ended")
    server.close(1006, "later")
    assert server.closed is not None
    assert server.closed.code == 4410


# what the client says


def test_data_messages_are_told_as_they_were_written() -> None:
    server = joined()
    frame = frames.data_message("chat", b"\x00x", 5000)
    frame.data_message.messages.add(topic="not ok!", sender_attendee_id="forged", ingest_time_ns=1)
    assert hear(server, frame) == [
        DataSubmitted((DataMessage("chat", b"\x00x", lifetime_ms=5000), DataMessage("not ok!", b"")))
    ]


def test_data_messages_before_the_join_are_skipped() -> None:
    assert hear(opened(), frames.data_message("chat", b"", 0)) == [
        FrameSkipped("DATA_MESSAGE from a client that is open")
    ]


def test_muting_promotion_and_demotion_are_told() -> None:
    server = joined()
    assert hear(
        server,
        frames.audio_control(True),
        frames.primary_meeting_join("p", "user", "secret"),
        frames.primary_meeting_leave(),
    ) == [MuteChanged(True), PromotionRequested("p", "user", "secret"), Demoted()]


def test_a_join_token_is_not_in_the_text_of_a_promotion() -> None:
    assert "secret" not in repr(PromotionRequested("p", "user", "secret"))


def test_a_promotion_is_answered() -> None:
    server = joined()
    server.promoted(0.0)
    server.promoted(0.0, status=409, description="full")
    ok, refused = written(server)
    assert not ok.HasField("error")
    assert refused.error.status == 409


def test_frames_that_concern_media_are_handed_on() -> None:
    server = joined()
    frame = SignalFrame(type=SignalFrame.CLIENT_METRIC)
    frame.client_metric.SetInParent()
    assert hear(server, frame) == [FrameReceived(frame)]


@pytest.mark.parametrize("frame", [frames.audio_status(200), frames.index(participants=1), frames.leave_ack()])
def test_frames_of_the_service_are_skipped(frame: SignalFrame) -> None:
    [happening] = hear(joined(), frame)
    assert isinstance(happening, FrameSkipped)


def test_what_cannot_be_read_is_skipped() -> None:
    server = joined()
    happenings = server.receive([b"", "text", b"\x05\x08", b"\x05\x08\x01\x10\x63", b"\x05" * 300_000], 0.0)
    assert [type(happening) for happening in happenings] == [FrameSkipped] * 5
    assert server.state is ServerState.JOINED


def test_a_server_may_take_smaller_frames_only() -> None:
    server = opened(max_frame_bytes=64)
    [happening] = hear(server, frames.data_message("chat", b"x" * 64, 0))
    assert isinstance(happening, FrameSkipped)


def test_leave_is_answered_and_nothing_after_it_counts() -> None:
    server = joined()
    assert hear(server, frames.leave(), frames.data_message("chat", b"", 0)) == [Left()]
    assert types(server) == ["LEAVE_ACK"]
    assert server.closed is not None
    assert server.closed.code == 1000
    server.close(4410)
    assert server.closed.code == 1000


def test_a_client_may_leave_before_it_joined() -> None:
    server = opened()
    assert hear(server, frames.leave()) == [Left()]


# pings


def test_a_ping_is_answered_in_every_state_with_its_id() -> None:
    server = opened()
    hear(server, frames.ping(1))
    hear(server, JOIN, frames.ping(2))
    server.accept(0.0, roster=[], participants=1)
    hear(server, frames.ping(2**32 - 1))
    pongs = [frame.ping_pong for frame in written(server) if frame.type == SignalFrame.PING_PONG]
    assert [(pong.type, pong.ping_id) for pong in pongs] == [
        (PingPongFrame.PONG, 1),
        (PingPongFrame.PONG, 2),
        (PingPongFrame.PONG, 2**32 - 1),
    ]


def test_pings_go_out_every_10_seconds() -> None:
    server = joined()
    sent = []
    for _ in range(5):
        now = server.deadline
        assert now is not None
        server.expire(now)
        [frame] = written(server)
        sent.append((now, frame.ping_pong.ping_id))
        hear(server, frames.pong(frame.ping_pong.ping_id), now=now + 0.05)
    assert sent == [(10.0, 1), (20.0, 2), (30.0, 3), (40.0, 4), (50.0, 5)]


def test_a_ping_that_is_not_answered_cuts_the_connection() -> None:
    server = joined()
    server.expire(10.0)
    assert server.expire(19.9) == []
    assert server.expire(20.0) == [Silent("ping 1 unanswered for 10 s")]
    assert server.closed is not None
    assert server.closed.code == 1006


@pytest.mark.parametrize("grace", [0.5, 30.0])
def test_the_grace_of_a_ping_can_be_chosen(grace: float) -> None:
    server = joined(ping_grace=grace)
    server.expire(10.0)
    assert server.deadline == 10.0 + grace
    assert server.expire(10.0 + grace - 0.1) == []
    assert [type(happening) for happening in server.expire(10.0 + grace)] == [Silent]


def test_other_frames_do_not_stand_for_a_pong() -> None:
    server = joined()
    server.expire(10.0)
    hear(server, frames.data_message("chat", b"", 0), frames.ping(5), frames.pong(9), now=19.0)
    assert [type(happening) for happening in server.expire(20.0)] == [Silent]


def test_a_pong_after_a_long_grace_brings_the_next_ping() -> None:
    server = joined(ping_grace=30.0)
    server.expire(10.0)
    hear(server, frames.pong(1), now=35.0)
    server.take()
    assert server.expire(35.0) == []
    assert types(server) == ["PING_PONG"]


def test_a_client_without_ping_pong_is_cut_only_after_a_long_silence() -> None:
    server = opened()
    hear(server, JOIN)
    server.accept(0.0, roster=[], participants=1)
    now = 0.0
    while now < SILENCE_TIMEOUT - 10:
        deadline = server.deadline
        assert deadline is not None
        now = deadline
        assert server.expire(now) == []
    server.receive([encode(JOIN)], now)
    assert server.expire(now + SILENCE_TIMEOUT - 1) == []
    assert [type(happening) for happening in server.expire(now + SILENCE_TIMEOUT + 10)] == [Silent]


# the deadline of the join


def test_a_client_that_never_joins_is_closed() -> None:
    server = opened(join_timeout=60.0, ping_interval=1000.0)
    assert server.deadline == 60.0
    assert server.expire(60.0) == [Silent("no JOIN within 60 s")]
    assert server.closed is not None
    assert server.closed.code == 4400


def test_a_client_may_warm_up_its_socket_for_minutes() -> None:
    server = opened()
    for tick in range(1, 50):
        server.expire(tick * 10.0)
        hear(server, frames.ping(tick), frames.pong(tick), now=tick * 10.0)
    [happening] = hear(server, JOIN, now=500.0)
    assert isinstance(happening, JoinRequested)
    assert server.expire(600.0) == []


def test_there_need_be_no_deadline_of_the_join() -> None:
    server = opened(join_timeout=None)
    hear(server, frames.ping(1))
    assert server.deadline == 10.0
