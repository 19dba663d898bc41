"""Whether an attendee of a replica meeting takes part in the primary one. Mirrors PromoteToPrimaryMeetingTask."""

from __future__ import annotations

from chime_messaging.errors import UsageError
from chime_messaging.events import Event
from chime_messaging.meeting_events import MeetingSessionStatusCode, PrimaryMeetingJoined, PrimaryMeetingLeft

TIMEOUT = 15.0
"""Seconds that the answer to a promotion may take."""

_Status = MeetingSessionStatusCode


class Promotion:
    """One attendee's way into the primary meeting and out of it. It does not survive a lost connection."""

    def __init__(self) -> None:
        self.is_promoted = False
        self.deadline: float | None = None
        """When the answer has to be there; None while nothing is asked."""

    def ask(self, now: float) -> None:
        """Say that PRIMARY_MEETING_JOIN is written.

        Raises:
            UsageError: if an earlier one is unanswered.
        """
        if self.deadline is not None:
            raise UsageError("a promotion is under way")
        self.deadline = now + TIMEOUT

    def answer(self, status: MeetingSessionStatusCode, description: str) -> list[Event]:
        """Take the answer; one that nobody asked for says nothing."""
        if self.deadline is None:
            return []
        self.deadline = None
        self.is_promoted = status is _Status.OK
        return [PrimaryMeetingJoined(status, description)]

    def expire(self, now: float) -> list[Event]:
        """Say how late it is."""
        if self.deadline is None or now < self.deadline:
            return []
        return self.answer(_Status.SIGNALING_REQUEST_FAILED, "no answer in time")

    def demote(self) -> list[Event]:
        """Say that the application leaves the primary meeting; empty when it is not there."""
        if not self.is_promoted:
            return []
        self.is_promoted = False
        return [PrimaryMeetingLeft(_Status.OK)]

    def removed(self) -> list[Event]:
        """Say that the service put the attendee out."""
        self.is_promoted = False
        return [PrimaryMeetingLeft(_Status.AUDIO_VIDEO_WAS_REMOVED_FROM_PRIMARY_MEETING)]

    def lost(self) -> list[Event]:
        """Say that the connection is gone, and with it the promotion."""
        if self.deadline is not None:
            return self.answer(_Status.SIGNALING_REQUEST_FAILED, "connection lost")
        if not self.is_promoted:
            return []
        self.is_promoted = False
        return [PrimaryMeetingLeft(_Status.AUDIO_VIDEO_DISCONNECTED_WHILE_PROMOTED)]
