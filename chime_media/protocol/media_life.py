"""What follows from the signalling's events for those who look at media only. Pure."""

from __future__ import annotations

from chime_media.events import MediaConnected, MediaDropped, MediaReconnectCancelled, VideoSendUnavailable
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    MeetingReconnectScheduled,
    MeetingSessionConnecting,
    MeetingSessionStatusCode,
    MeetingSessionStopped,
    MeetingStatusReceived,
)


class MediaLife:
    """Knows whether media flows, and tells when it is lost, given up, or may not be sent."""

    def __init__(self) -> None:
        self._flows = False
        self._dropped = False

    def noticed(self, event: Event) -> list[Event]:
        """Look at an event; what is to be told before it."""
        if isinstance(event, MediaConnected):
            self._flows, self._dropped = True, False
        elif isinstance(event, MeetingReconnectScheduled | MeetingSessionConnecting) and self._flows:
            self._flows, self._dropped = False, True
            return [MediaDropped()]
        elif isinstance(event, MeetingSessionStopped) and self._dropped:
            self._dropped = False
            return [MediaReconnectCancelled()]
        elif (
            isinstance(event, MeetingStatusReceived)
            and event.status is MeetingSessionStatusCode.VIDEO_CALL_SWITCH_TO_VIEW_ONLY
        ):
            return [VideoSendUnavailable()]
        return []
