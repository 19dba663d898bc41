"""Media of meetings, as the signalling sees it: what brings media implements these Protocols and has an entry point.

Without media a meeting carries data messages only. With it the signalling hands over what concerns media, frame by
frame, and asks for what INDEX and the roster need; it knows no SDP, no RTP, and no codec.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from chime_messaging.meeting_events import VideoSource
from chime_messaging.server.party import Party
from chime_messaging.wire.signaling_pb2 import SignalFrame, VideoCodecCapability

if TYPE_CHECKING:
    from chime_messaging.server.attendee_socket import AttendeeSocket
    from chime_messaging.server.configuration import ServerConfiguration
    from chime_messaging.server.metrics import Metrics
    from chime_messaging.server.pages import Page

ENTRY_POINTS = "chime_messaging.media"
ALL_CODECS = tuple(VideoCodecCapability.values())
"""``supported_receive_codec_intersection`` while no attendee has said what it can receive."""

_log = logging.getLogger(__name__)


class MediaStage(Protocol):
    """A live meeting, as its media sees it."""

    meeting_id: str

    def appear(self, socket: AttendeeSocket) -> None:
        """Say that an attendee is there: its first audio came, or it is known to bring none. Harmless if it is."""

    def vanish(self, socket: AttendeeSocket) -> None:
        """Say that nothing came from an attendee for long: it is dropped, until `appear`."""

    def refresh_index(self) -> None:
        """Say that sources, codecs or room for senders have changed: whoever sees something new gets an INDEX."""

    def tell_media(self, frame: SignalFrame) -> None:
        """Give a frame to everybody with media, AUDIO_METADATA or BITRATES."""

    def stream_id_of(self, attendee_id: str) -> int | None:
        """Give the number of an attendee's audio stream; None while it is not present."""


class AttendeeMedia(Protocol):
    """The media of one connection of an attendee. Nothing here raises or waits."""

    def take(self, frame: SignalFrame) -> None:
        """Take a frame that concerns media: SUBSCRIBE, PAUSE, RESUME, REMOTE_VIDEO_UPDATE, CLIENT_METRIC."""

    def mute(self, muted: bool) -> None:
        """Do not let its voice through, or do again."""

    def change(self, party: Party) -> None:
        """Take note of other capabilities, or that it speaks for somebody else."""

    def close(self) -> None:
        """Stop; nothing is sent or called after this."""

    def linger(self) -> None:
        """Go on with nobody to write frames to, until `close`: its signalling was lost and may come back."""


class MeetingMedia(Protocol):
    """The media of one meeting."""

    def join(self, socket: AttendeeSocket, party: Party) -> AttendeeMedia:
        """Take in a connection."""

    @property
    def sources(self) -> Sequence[VideoSource]:
        """The video streams that are sent, for INDEX."""

    @property
    def senders(self) -> Set[str]:
        """Attendee ids, without ``#content``, of those who send video."""

    @property
    def codecs(self) -> Sequence[int]:
        """What everybody who receives can decode: ``supported_receive_codec_intersection``."""

    def is_full(self, party: Party) -> bool:
        """Whether there is no room for another sender, this one not being one yet."""

    def close(self) -> None:
        """Stop everything; the meeting is not live any more."""


class MediaService(Protocol):
    """The media of one server."""

    def meeting(self, stage: MediaStage) -> MeetingMedia:
        """Start the media of a meeting that becomes live."""

    def watch(self, metrics: Metrics) -> None:
        """Expose numbers."""

    @property
    def pages(self) -> Mapping[str, Page]:
        """Pages for browsers, by path."""


MediaPlugin = Callable[["ServerConfiguration"], AbstractAsyncContextManager[MediaService]]
"""Makes the media of a server; entered and left on the server's event loop."""


def installed_media() -> MediaPlugin | None:
    """Find what brings media; None if nothing that can be loaded is installed."""
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            return cast("MediaPlugin", entry.load())
        except ImportError as error:
            _log.info("%s cannot be loaded: %s", entry.value, error)
    return None
