"""Who a connection to a meeting speaks for, and what it may send and receive."""

from __future__ import annotations

from dataclasses import dataclass

from chime_messaging.ids import CONTENT_SUFFIX

_SENDING = ("SendReceive", "Send")
_RECEIVING = ("SendReceive", "Receive")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an attendee may do with each kind of media: ``SendReceive``, ``Send``, ``Receive`` or ``None``."""

    audio: str = "SendReceive"
    video: str = "SendReceive"
    content: str = "SendReceive"


EVERYTHING = Capabilities()


@dataclass(frozen=True, slots=True)
class Party:
    """Who a connection speaks for, and what it may do."""

    attendee_id: str
    """Ends in ``#content`` for a content share."""
    external_user_id: str
    capabilities: Capabilities = EVERYTHING
    audience: bool = False
    """Whether it only watches a meeting that its own one replicates."""
    wants_videos: bool = True
    """False after a JOIN with ``max_num_of_videos`` 0."""
    key_frame_requests: bool = True
    """Whether it is asked for key frames now and then while it shares content."""

    @property
    def base(self) -> str:
        """The attendee id without ``#content``."""
        return self.attendee_id.removesuffix(CONTENT_SUFFIX)

    @property
    def is_content(self) -> bool:
        """Whether it is a content share."""
        return self.attendee_id.endswith(CONTENT_SUFFIX)

    @property
    def speaks(self) -> bool:
        """Whether others may hear it."""
        allowed = self.capabilities.content if self.is_content else self.capabilities.audio
        return not self.audience and allowed in _SENDING

    @property
    def hears(self) -> bool:
        """Whether it may hear others."""
        return self.capabilities.audio in _RECEIVING

    @property
    def shows(self) -> bool:
        """Whether it may send video."""
        allowed = self.capabilities.content if self.is_content else self.capabilities.video
        return not self.audience and self.wants_videos and allowed in _SENDING

    def sees(self, attendee_id: str) -> bool:
        """Whether it may receive the video of an attendee, which is never its own."""
        other = attendee_id.removesuffix(CONTENT_SUFFIX)
        allowed = self.capabilities.video if other == attendee_id else self.capabilities.content
        return other != self.base and self.wants_videos and allowed in _RECEIVING
