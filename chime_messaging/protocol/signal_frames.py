"""The frames that either side writes, from our own values. What is read from frames is in `signal_events`.

Builders return the frame; `wire.signaling.encode` makes bytes of it. What is False or 0 and means something is set on
purpose: on this wire an absent field says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from chime_messaging.meeting_events import (
    DataMessage,
    RosterAttendee,
    TurnCredentials,
    VideoSource,
)
from chime_messaging.wire import signaling_pb2 as pb
from chime_messaging.wire.signaling import JoinFlags
from chime_messaging.wire.signaling_pb2 import SignalFrame

VIDEO_SUBSCRIPTION_LIMIT = 25
"""Videos that one attendee may receive, where the service does not say otherwise."""

DATA_CLIENT = "chime-sdk-python"
"""``client_source`` of a client that brings no media: our server does not wait for its audio."""
MEDIA_CLIENT = "chime-sdk-python-media"


class ClientDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What the client tells of itself in JOIN; texts that are empty are not sent."""

    app_name: str = ""
    app_version: str = ""
    device_model: str = ""
    device_make: str = ""
    platform_name: str = ""
    platform_version: str = ""
    client_source: str = DATA_CLIENT
    chime_sdk_version: str = ""
    client_utc_offset: str = ""
    """For example ``+01:00``."""
    os_name: str = ""
    os_version: str = ""


class JoinOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in JOIN; the defaults are those of the official client."""

    audio_session_id: int
    """Random, 32 bits, the same over all connections of a session: the service knows a reconnect by it."""
    flags: JoinFlags = JoinFlags.HAS_STREAM_UPDATE
    client_details: ClientDetails = ClientDetails()
    wants_compressed_sdp: bool = True
    server_side_network_adaption: int = pb.DEFAULT
    supported_server_side_network_adaptions: tuple[int, ...] = ()
    wants_all_temporal_layers_in_index: bool = False
    disable_periodic_keyframe_request_on_content_sender: bool = False


def join(options: JoinOptions) -> SignalFrame:
    """JOIN. ``max_num_of_videos`` stays unset: an explicit 0 makes the service say that the meeting is full."""
    details = {key: value for key, value in msgspec.structs.asdict(options.client_details).items() if value}
    return SignalFrame(
        type=SignalFrame.JOIN,
        join=pb.JoinFrame(
            protocol_version=2,
            flags=options.flags,
            client_details=pb.ClientDetails(**details),
            audio_session_id=options.audio_session_id,
            wants_compressed_sdp=options.wants_compressed_sdp,
            server_side_network_adaption=_adaption(options.server_side_network_adaption),
            supported_server_side_network_adaptions=map(_adaption, options.supported_server_side_network_adaptions),
            wants_all_temporal_layers_in_index=options.wants_all_temporal_layers_in_index,
            disable_periodic_keyframe_request_on_content_sender=(
                options.disable_periodic_keyframe_request_on_content_sender
            ),
        ),
    )


def join_ack(
    *,
    turn: TurnCredentials | None = None,
    video_subscription_limit: int = VIDEO_SUBSCRIPTION_LIMIT,
    wants_compressed_sdp: bool = False,
    network_adaption: int = pb.NONE,
) -> SignalFrame:
    """JOIN_ACK. Without TURN credentials an empty set goes out, and clients send after their first host candidate.

    The adaption is always set: unset it reads as 1 and overrides the client's own policy.
    """
    turn = turn or TurnCredentials("", "", 300, ())
    return SignalFrame(
        type=SignalFrame.JOIN_ACK,
        joinack=pb.JoinAckFrame(
            turn_credentials=pb.TurnCredentials(
                username=turn.username, password=turn.password, ttl=turn.ttl, uris=turn.uris
            ),
            video_subscription_limit=video_subscription_limit,
            wants_compressed_sdp=wants_compressed_sdp,
            default_server_side_network_adaption=_adaption(network_adaption),
        ),
    )


def index(
    *,
    participants: int,
    at_capacity: bool = False,
    sources: Iterable[VideoSource] = (),
    paused_at_source_ids: Iterable[int] = (),
    codecs: Iterable[int] = (),
) -> SignalFrame:
    """INDEX. Every source is marked as video: unset it reads as audio, and clients skip it."""
    frame = SignalFrame(type=SignalFrame.INDEX)
    body = frame.index
    body.at_capacity = at_capacity
    body.num_participants = participants
    for source in sources:
        descriptor = body.sources.add(media_type=pb.VIDEO)
        for field, value in msgspec.structs.asdict(source).items():
            if value or field in ("stream_id", "group_id"):
                setattr(descriptor, field, value)
    body.paused_at_source_ids.extend(paused_at_source_ids)
    body.supported_receive_codec_intersection.extend([cast("pb.VideoCodecCapability", codec) for codec in codecs])
    return frame


def roster(attendees: Iterable[RosterAttendee]) -> SignalFrame:
    """AUDIO_STREAM_ID_INFO with attendees that are there: the complete roster, or the ones that joined."""
    frame = SignalFrame(type=SignalFrame.AUDIO_STREAM_ID_INFO)
    frame.audio_stream_id_info.SetInParent()
    for attendee in attendees:
        frame.audio_stream_id_info.streams.add(
            audio_stream_id=attendee.audio_stream_id,
            attendee_id=attendee.attendee_id,
            external_user_id=attendee.external_user_id,
            muted=bool(attendee.muted),
        )
    return frame


def attendee_left(audio_stream_id: int, *, dropped: bool = False) -> SignalFrame:
    """AUDIO_STREAM_ID_INFO of one that left; nothing but the stream id may stand there, or it would not count."""
    entry = pb.AudioStreamIdInfo(audio_stream_id=audio_stream_id)
    if dropped:
        entry.dropped = True
    return _streams(entry)


def attendee_muted(audio_stream_id: int, muted: bool) -> SignalFrame:
    """AUDIO_STREAM_ID_INFO of one that muted or unmuted itself."""
    return _streams(pb.AudioStreamIdInfo(audio_stream_id=audio_stream_id, muted=muted))


def ping(ping_id: int) -> SignalFrame:
    """PING."""
    return SignalFrame(
        type=SignalFrame.PING_PONG, ping_pong=pb.PingPongFrame(type=pb.PingPongFrame.PING, ping_id=ping_id)
    )


def pong(ping_id: int) -> SignalFrame:
    """PONG."""
    return SignalFrame(
        type=SignalFrame.PING_PONG, ping_pong=pb.PingPongFrame(type=pb.PingPongFrame.PONG, ping_id=ping_id)
    )


def data_message(topic: str, data: bytes, lifetime_ms: int) -> SignalFrame:
    """DATA_MESSAGE as an attendee writes it: the service fills in the rest."""
    return SignalFrame(
        type=SignalFrame.DATA_MESSAGE,
        data_message=pb.DataMessageFrame(
            messages=[pb.DataMessage(topic=topic, data=data, lifetime_ms=lifetime_ms)],
        ),
    )


def data_messages(messages: Iterable[DataMessage]) -> SignalFrame:
    """DATA_MESSAGE as the service writes it. A throttled message goes back with an ingest time that is there and 0."""
    frame = SignalFrame(type=SignalFrame.DATA_MESSAGE)
    add = frame.data_message.messages.add
    for message in messages:
        add(
            topic=message.topic,
            data=message.data,
            lifetime_ms=message.lifetime_ms,
            sender_attendee_id=message.sender_attendee_id,
            ingest_time_ns=message.ingest_time_ns,
            sender_external_user_id=message.sender_external_user_id,
        )
    return frame


def audio_status(status: int) -> SignalFrame:
    """AUDIO_STATUS."""
    return SignalFrame(type=SignalFrame.AUDIO_STATUS, audio_status=pb.AudioStatusFrame(audio_status=status))


def audio_control(muted: bool) -> SignalFrame:
    """AUDIO_CONTROL."""
    return SignalFrame(type=SignalFrame.AUDIO_CONTROL, audio_control=pb.AudioControlFrame(muted=muted))


def leave() -> SignalFrame:
    """LEAVE."""
    return SignalFrame(type=SignalFrame.LEAVE, leave=pb.LeaveFrame())


def leave_ack() -> SignalFrame:
    """LEAVE_ACK."""
    return SignalFrame(type=SignalFrame.LEAVE_ACK, leave_ack=pb.LeaveAckFrame())


def notification(message: str, level: str = "INFO") -> SignalFrame:
    """NOTIFICATION; `level` is ``INFO``, ``WARNING`` or ``ERROR``."""
    return SignalFrame(
        type=SignalFrame.NOTIFICATION,
        notification=pb.NotificationFrame(level=level, message=message),
    )


def primary_meeting_join(attendee_id: str, external_user_id: str, join_token: str) -> SignalFrame:
    """PRIMARY_MEETING_JOIN."""
    credentials = pb.MeetingSessionCredentials(
        attendee_id=attendee_id, external_user_id=external_user_id, join_token=join_token
    )
    return SignalFrame(
        type=SignalFrame.PRIMARY_MEETING_JOIN,
        primary_meeting_join=pb.PrimaryMeetingJoinFrame(credentials=credentials),
    )


def primary_meeting_join_ack() -> SignalFrame:
    """PRIMARY_MEETING_JOIN_ACK."""
    return SignalFrame(
        type=SignalFrame.PRIMARY_MEETING_JOIN_ACK, primary_meeting_join_ack=pb.PrimaryMeetingJoinAckFrame()
    )


def primary_meeting_leave() -> SignalFrame:
    """PRIMARY_MEETING_LEAVE."""
    return SignalFrame(type=SignalFrame.PRIMARY_MEETING_LEAVE, primary_meeting_leave=pb.PrimaryMeetingLeaveFrame())


def with_error(frame: SignalFrame, status: int, description: str) -> SignalFrame:
    """Make a frame carry an error; returns the same frame."""
    frame.error.status = status
    frame.error.description = description
    return frame


def _streams(entry: pb.AudioStreamIdInfo) -> SignalFrame:
    return SignalFrame(
        type=SignalFrame.AUDIO_STREAM_ID_INFO, audio_stream_id_info=pb.AudioStreamIdInfoFrame(streams=[entry])
    )


def _adaption(number: int) -> pb.ServerSideNetworkAdaption:
    # The generated enums are ints; only their type stubs make a class of them.
    return cast("pb.ServerSideNetworkAdaption", number)
