"""The frames about media that an attendee writes: SUBSCRIBE, REMOTE_VIDEO_UPDATE, PAUSE and RESUME."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from chime_messaging.wire import signaling_pb2 as pb
from chime_messaging.wire.signaling_pb2 import SignalFrame

AUDIO_LABEL = "AmazonChimeExpressAudio"
VIDEO_LABEL = "AmazonChimeExpressVideo"
_AUDIO_STREAM = 1
_VIDEO_STREAM = 2


class SentLayer(msgspec.Struct, frozen=True):
    """One quality of the video that is sent, as SUBSCRIBE announces it."""

    max_bitrate_kbps: int
    """0 while it is switched off."""
    framerate: int = 15
    width: int = 0
    height: int = 0
    rid: str = ""
    """The layer's name with simulcast; empty for a video that is sent once."""


def subscribe(
    *,
    attendee_id: str,
    audio_host: str,
    muted: bool,
    sending: Sequence[SentLayer],
    receive_stream_ids: Iterable[int],
    offer: str | bytes,
) -> SignalFrame:
    """SUBSCRIBE. An `offer` of bytes is a compressed one.

    ``duplex`` says DUPLEX only if video is sent: with an inactive camera the service refuses it.
    """
    body = pb.SubscribeFrame(
        duplex=pb.DUPLEX if sending else pb.RX, receive_stream_ids=receive_stream_ids, audio_muted=muted
    )
    if audio_host:
        body.audio_host = audio_host
        body.audio_checkin = False
    body.send_streams.add(
        media_type=pb.AUDIO,
        track_label=AUDIO_LABEL,
        attendee_id=attendee_id,
        stream_id=_AUDIO_STREAM,
        group_id=_AUDIO_STREAM,
        framerate=15,
        max_bitrate_kbps=600,
        avg_bitrate_bps=400_000,
    )
    for place, layer in enumerate(sending):
        body.send_streams.add(
            media_type=pb.VIDEO,
            track_label="" if layer.rid else VIDEO_LABEL,
            attendee_id=attendee_id,
            stream_id=_VIDEO_STREAM + place,
            group_id=_VIDEO_STREAM,
            framerate=layer.framerate,
            max_bitrate_kbps=layer.max_bitrate_kbps,
            width=layer.width,
            height=layer.height,
        )
    if isinstance(offer, bytes):
        body.compressed_sdp_offer = offer
    else:
        body.sdp_offer = offer
    return SignalFrame(type=SignalFrame.SUBSCRIBE, sub=body)


def remote_video_update(streams: Mapping[str, tuple[int, int]]) -> SignalFrame:
    """REMOTE_VIDEO_UPDATE: by mid, which (stream id, group id) is to come there from now on."""
    frame = SignalFrame(type=SignalFrame.REMOTE_VIDEO_UPDATE)
    for mid, (stream_id, group_id) in streams.items():
        frame.remote_video_update.added_or_updated_video_subscriptions.add(
            mid=mid, stream_id=stream_id, group_id=group_id
        )
    return frame


def pause(stream_ids: Iterable[int]) -> SignalFrame:
    """PAUSE: these videos are not looked at for now."""
    return SignalFrame(type=SignalFrame.PAUSE, pause=pb.PauseResumeFrame(stream_ids=stream_ids))


def resume(stream_ids: Iterable[int]) -> SignalFrame:
    """RESUME."""
    return SignalFrame(type=SignalFrame.RESUME, pause=pb.PauseResumeFrame(stream_ids=stream_ids))
