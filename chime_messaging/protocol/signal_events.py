"""What a frame says by itself, as events, whatever state the session is in."""

from __future__ import annotations

import msgspec

from chime_messaging.errors import ProtocolError
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    DataMessage,
    DataMessageReceived,
    DataMessageThrottled,
    IndexReceived,
    JoinAckReceived,
    NotificationReceived,
    TranscriptionStatusReceived,
    TranscriptReceived,
    TurnCredentials,
    UndecodableSignalFrame,
    UnknownSignalFrame,
    VideoSource,
)
from chime_messaging.protocol.signal_frames import VIDEO_SUBSCRIPTION_LIMIT
from chime_messaging.wire import signaling_pb2 as pb
from chime_messaging.wire import transcript
from chime_messaging.wire.signaling import TRANSCRIPTION_TOPIC, unknown_type
from chime_messaging.wire.signaling_pb2 import SignalFrame

EXCERPT_BYTES = 4096
"""How much of an unreadable frame its event keeps."""


def add_data_messages(frame: pb.DataMessageFrame, events: list[Event]) -> None:
    """Add the messages of a DATA_MESSAGE, and after a message with a transcript what it says."""
    add = events.append
    for body in frame.messages:
        topic, ingest_time = body.topic, body.ingest_time_ns
        message = DataMessage(topic, body.data, body.sender_attendee_id, body.sender_external_user_id, ingest_time)
        if ingest_time:
            add(DataMessageReceived(message))
        elif body.HasField("ingest_time_ns"):
            add(DataMessageThrottled(message))
        else:
            add(DataMessageReceived(msgspec.structs.replace(message, ingest_time_ns=None)))
        if topic == TRANSCRIPTION_TOPIC:
            _add_transcripts(message, events)


def _add_transcripts(message: DataMessage, events: list[Event]) -> None:
    try:
        told = transcript.decode(message.data)
    except ProtocolError as exc:
        events.append(UndecodableSignalFrame(message.data[:EXCERPT_BYTES], exc))
        return
    for one in told:
        if isinstance(one, transcript.TranscriptionStatus):
            events.append(TranscriptionStatusReceived(one))
        else:
            events.append(TranscriptReceived(one))


def read_join_ack(frame: SignalFrame) -> JoinAckReceived:
    """Read the body of a JOIN_ACK."""
    body = frame.joinack
    turn = None
    if body.HasField("turn_credentials"):
        given = body.turn_credentials
        turn = TurnCredentials(given.username, given.password, given.ttl, tuple(given.uris))
    return JoinAckReceived(
        turn,
        body.video_subscription_limit or VIDEO_SUBSCRIPTION_LIMIT,
        body.wants_compressed_sdp,
        body.default_server_side_network_adaption if body.HasField("default_server_side_network_adaption") else None,
    )


def read_index(frame: SignalFrame) -> IndexReceived:
    """Read the body of an INDEX; what is not marked as video is left out."""
    body = frame.index
    return IndexReceived(
        body.at_capacity,
        body.num_participants,
        tuple(
            VideoSource(
                source.stream_id,
                source.group_id,
                source.attendee_id,
                source.external_user_id,
                source.track_label,
                source.framerate,
                source.max_bitrate_kbps,
                source.avg_bitrate_bps,
                source.width,
                source.height,
            )
            for source in body.sources
            if source.media_type == pb.VIDEO
        ),
        tuple(body.paused_at_source_ids),
        tuple(body.supported_receive_codec_intersection),
    )


def read_notification(frame: SignalFrame) -> NotificationReceived:
    """Read the body of a NOTIFICATION."""
    body = frame.notification
    return NotificationReceived(pb.NotificationFrame.Level.Name(body.level), body.message)


def read_unknown(data: str | bytes) -> UnknownSignalFrame:
    """Tell of a frame that `wire.signaling.decode` skipped."""
    number = unknown_type(data) if isinstance(data, bytes) else None
    return UnknownSignalFrame(number or 0, len(data))


def read_undecodable(data: str | bytes, error: ProtocolError) -> UndecodableSignalFrame:
    """Tell of a frame that `wire.signaling.decode` refused."""
    return UndecodableSignalFrame(data[:EXCERPT_BYTES], error)
