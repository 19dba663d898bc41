"""Who is heard how, and who is speaking: `session.realtime`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from chime_media.events import ActiveSpeakerScores, LocalSignalStrengthChanged, VideoPriorityChanged, VolumeIndicated
from chime_media.policies.active_speaker import ActiveSpeakerPolicy, WeightedActiveSpeakerPolicy
from chime_media.protocol.active_speaker import ActiveSpeakerDetector
from chime_media.protocol.volume import AttendeeVolume, Volumes
from chime_messaging.errors import LimitError
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    AttendeeMuted,
    MeetingSessionStarted,
    RosterAttendee,
    SignalFrameReceived,
)
from chime_messaging.wire.signaling_pb2 import SignalFrame

LEAST_SCORES_INTERVAL = 0.05

_ABOUT_ROSTER = (AttendeeJoined, AttendeeLeft, AttendeeMuted, MeetingSessionStarted)


class MeetingRealtime:
    """Volumes, signal strengths, and active speakers of one meeting session. Belongs to the application's event loop.

    Args:
        attendee_id: This session's attendee.
        roster: Gives who is in the meeting.
        emit: Tells an event.
    """

    def __init__(
        self, attendee_id: str, roster: Callable[[], Mapping[str, RosterAttendee]], emit: Callable[[Event], object]
    ) -> None:
        self._attendee_id = attendee_id
        self._roster = roster
        self._emit = emit
        self._volumes = Volumes()
        self._detector: ActiveSpeakerDetector | None = None
        self._has_priority = False
        self._scores_interval: float | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._closed = False

    @property
    def volumes(self) -> Mapping[str, AttendeeVolume]:
        """What is known of each attendee, by attendee id: volume 0 to 1, muted, signal strength."""
        return MappingProxyType(dict(self._volumes.states))

    @property
    def active_speakers(self) -> tuple[str, ...]:
        """Attendee ids of those who speak, the one who speaks most first; empty unless speakers are detected."""
        return self._detector.speaking if self._detector is not None else ()

    @property
    def detects_speakers(self) -> bool:
        """Whether `ActiveSpeakersChanged` is told."""
        return self._detector is not None

    def detect_speakers(
        self, policy: ActiveSpeakerPolicy | None = None, *, scores_interval: float | None = None
    ) -> None:
        """Begin to tell `ActiveSpeakersChanged`; again, with another policy. From within the event loop.

        Official name: subscribeToActiveSpeakerDetector.

        Args:
            policy: How attendees are scored; as the official clients do by default.
            scores_interval: Seconds between two `ActiveSpeakerScores`; None for none.

        Raises:
            LimitError: If scores are wanted more often than every 0.05 seconds.
        """
        if scores_interval is not None and scores_interval < LEAST_SCORES_INTERVAL:
            raise LimitError("scores_interval", scores_interval, LEAST_SCORES_INTERVAL, "s")
        self.stop_detecting_speakers()
        loop = asyncio.get_running_loop()
        self._detector = ActiveSpeakerDetector(policy or WeightedActiveSpeakerPolicy(), loop.time())
        self._scores_interval = scores_interval
        if not self._closed:
            self._expire(self._detector)
            if scores_interval is not None:
                self._again(scores_interval, self._tell_scores, self._detector)

    def stop_detecting_speakers(self) -> None:
        """Tell nothing more of who speaks. Official name: unsubscribeFromActiveSpeakerDetector."""
        self._detector = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._prioritize(False)

    def close(self) -> None:
        """End with the session."""
        self.stop_detecting_speakers()
        self._closed = True

    def noticed(self, event: Event) -> list[Event]:
        """Look at what the session brings; what else is to be told."""
        if type(event) is SignalFrameReceived:
            if event.frame.type != SignalFrame.AUDIO_METADATA:
                return []
            return self._follow(self._volumes.frame_received(event.frame.audio_metadata))
        if not isinstance(event, _ABOUT_ROSTER):
            return []
        told = self._follow(self._volumes.roster_changed(self._roster()))
        if isinstance(event, AttendeeLeft) and self._detector is not None:
            told += self._detector.attendee_left(event.attendee.attendee_id)
        return told

    def _follow(self, indicated: list[VolumeIndicated]) -> list[Event]:
        """What follows from volumes."""
        told: list[Event] = []
        detector = self._detector
        now = asyncio.get_running_loop().time() if detector is not None else 0.0
        for each in indicated:
            told.append(each)
            if each.attendee_id == self._attendee_id and each.signal_strength is not None:
                told.append(LocalSignalStrengthChanged(each.signal_strength))
            if detector is not None:
                changes = detector.volume_indicated(each, now)
                told += changes
                if changes:
                    self._prioritize(self._speaks_most(detector))
        return told

    def _speaks_most(self, detector: ActiveSpeakerDetector) -> bool:
        return detector.policy.prioritizes_video and detector.speaking[:1] == (self._attendee_id,)

    def _prioritize(self, priority: bool) -> None:
        if priority != self._has_priority:
            self._has_priority = priority
            self._emit(VideoPriorityChanged(priority))

    def _expire(self, detector: ActiveSpeakerDetector) -> None:
        now = asyncio.get_running_loop().time()
        for event in detector.expire(now):
            self._emit(event)
            self._prioritize(self._speaks_most(detector))
        self._again(max(detector.deadline - now, 0.001), self._expire, detector)

    def _tell_scores(self, detector: ActiveSpeakerDetector) -> None:
        self._emit(ActiveSpeakerScores(dict(detector.scores)))
        if self._scores_interval is not None:
            self._again(self._scores_interval, self._tell_scores, detector)

    def _again(
        self, delay: float, call: Callable[[ActiveSpeakerDetector], None], detector: ActiveSpeakerDetector
    ) -> None:
        loop = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > loop.time()]
        self._timers.append(loop.call_later(delay, call, detector))
