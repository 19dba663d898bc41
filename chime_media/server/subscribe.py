"""What a SUBSCRIBE asks for, read and checked as the service does. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chime_media.wire.sdp import RECVONLY, SENDONLY, SENDRECV, MediaSection, SessionDescription
from chime_media.wire.sdp_compression import decompress
from chime_messaging.errors import ChimeError, DecodeError
from chime_messaging.protocol.signal_frames import VIDEO_SUBSCRIPTION_LIMIT
from chime_messaging.wire.signaling_pb2 import DUPLEX, TX, VIDEO, StreamDescriptor, SubscribeFrame

BAD_REQUEST = 400
VIEW_ONLY = 206
SOURCE_CAPACITY = 509
FAILED = "failed to initialize video session"
"""What the service says of offers it cannot make sense of."""


class RefusedError(ChimeError):
    """A SUBSCRIBE that is answered with an error.

    Attributes:
        status: 400, or 509 for a content share too many.
        description: For people.
    """

    def __init__(self, status: int, description: str) -> None:
        super().__init__(f"{status} {description}")
        self.status = status
        self.description = description


@dataclass(frozen=True, slots=True)
class VideoLayer:
    """One quality of a video that a client wants to send."""

    rid: str | None
    """Its name in the offer; None for a video sent once."""
    max_bitrate_kbps: int
    """0 while it is switched off."""
    framerate: int
    width: int
    height: int
    track_label: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A SUBSCRIBE that makes sense."""

    text: str
    """The offer as it was written: the next one may be compressed with it."""
    offer: SessionDescription
    compressed: bool
    sending: tuple[VideoLayer, ...]
    """Layers of the video that is to be sent; empty for none."""
    receiving: dict[str, int]
    """Stream ids by the mid of the section that is to carry them."""


def read(frame: SubscribeFrame, previous: str = "", limit: int = VIDEO_SUBSCRIPTION_LIMIT) -> Subscribe:
    """Read a SUBSCRIBE.

    Args:
        frame: The body.
        previous: The offer before this one on the same connection, empty for none.
        limit: Videos that one attendee may receive.

    Raises:
        RefusedError: It does not make sense.
    """
    compressed = bool(frame.compressed_sdp_offer)
    try:
        text = decompress(frame.compressed_sdp_offer, previous) if compressed else frame.sdp_offer
        offer = SessionDescription.parse(text)
    except DecodeError as error:
        raise RefusedError(BAD_REQUEST, FAILED) from error
    if offer.transport is None:
        raise RefusedError(BAD_REQUEST, FAILED)
    sending: tuple[VideoLayer, ...] = ()
    if frame.duplex in (DUPLEX, TX):
        camera = sending_section(offer)
        descriptors = [stream for stream in frame.send_streams if stream.media_type == VIDEO]
        if not descriptors:
            # The native client does not say what kind its streams are.
            descriptors = [stream for stream in frame.send_streams if not stream.HasField("media_type")]
        if camera is None or not descriptors:
            raise RefusedError(BAD_REQUEST, FAILED)
        sending = _layers(camera, descriptors)
    return Subscribe(text, offer, compressed, sending, _receiving(offer, frame.receive_stream_ids, limit))


def sending_section(offer: SessionDescription) -> MediaSection | None:
    """Find the section that is to carry the client's video."""
    for section in _videos(offer):
        if not section.is_stopped and section.direction in (SENDRECV, SENDONLY):
            return section
    return None


def _videos(offer: SessionDescription) -> list[MediaSection]:
    return [section for section in offer.sections if section.kind == "video"]


def _layers(camera: MediaSection, descriptors: Sequence[StreamDescriptor]) -> tuple[VideoLayer, ...]:
    rids = camera.layers("send")
    if not rids:
        return (_layer(None, descriptors[0]),)
    # Layers that are not described are not being sent at present.
    return tuple(
        _layer(rid, descriptors[place] if place < len(descriptors) else None) for place, rid in enumerate(rids)
    )


def _layer(rid: str | None, stream: StreamDescriptor | None) -> VideoLayer:
    if stream is None:
        return VideoLayer(rid, 0, 0, 0, 0, "")
    kbps = stream.max_bitrate_kbps if rid is not None or stream.max_bitrate_kbps else _USUAL_KBPS
    return VideoLayer(rid, kbps, stream.framerate, stream.width, stream.height, stream.track_label)


_USUAL_KBPS = 1400


def _receiving(offer: SessionDescription, stream_ids: Sequence[int], limit: int) -> dict[str, int]:
    """Pair the ids with the sections. Browsers give one per video section, the native client only those it needs."""
    videos = _videos(offer)
    wanting = [section.mid for section in videos if not section.is_stopped and section.direction == RECVONLY]
    wanted = [each for each in stream_ids if each]
    if len(wanted) > limit:
        raise RefusedError(BAD_REQUEST, f"more than {limit} videos")
    if wanting and not stream_ids:
        raise RefusedError(BAD_REQUEST, FAILED)
    if len(wanted) > len(wanting):
        raise RefusedError(BAD_REQUEST, FAILED)
    if len(stream_ids) == len(videos):
        placed = {section.mid: each for section, each in zip(videos, stream_ids, strict=True) if each}
        if all(mid in wanting for mid in placed):
            return placed
    return dict(zip(wanting, wanted, strict=False))
