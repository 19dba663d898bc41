"""Who is speaking, from what is heard of everybody. Official name: DefaultActiveSpeakerDetector."""

from __future__ import annotations

from collections.abc import Mapping

from chime_media.events import ActiveSpeakersChanged, VolumeIndicated
from chime_media.policies.active_speaker import ActiveSpeakerPolicy

ACTIVITY_INTERVAL = 0.2
"""Seconds between two looks at who has not been heard of."""
SILENT_AFTER = 1.0
"""Seconds without news of an attendee after which it counts as silent."""


class ActiveSpeakerDetector:
    """Scores everybody with a policy, and tells when the set of those who speak changes; a new order alone does not.

    Args:
        policy: Gives the scores.
        now: The present time in seconds.
    """

    def __init__(self, policy: ActiveSpeakerPolicy, now: float) -> None:
        self.policy = policy
        self._scores: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._muted: dict[str, bool] = {}
        self._speaking: frozenset[str] | None = None
        self._due = now + ACTIVITY_INTERVAL

    @property
    def scores(self) -> Mapping[str, float]:
        """By attendee id, 0 to 1."""
        return dict(self._scores)

    @property
    def speaking(self) -> tuple[str, ...]:
        """Those who speak, the highest score first."""
        active = [(score, attendee_id) for attendee_id, score in self._scores.items() if score > 0]
        return tuple(attendee_id for _, attendee_id in sorted(active, key=lambda entry: -entry[0]))

    @property
    def deadline(self) -> float:
        """When `expire` is due."""
        return self._due

    def volume_indicated(self, event: VolumeIndicated, now: float) -> list[ActiveSpeakersChanged]:
        """Take what is told of one attendee. News without a volume count as silence, as with the official clients."""
        if event.muted is not None:
            self._muted[event.attendee_id] = event.muted
        self._heard[event.attendee_id] = now
        return self._score(event.attendee_id, event.volume, event.muted, now)

    def attendee_left(self, attendee_id: str) -> list[ActiveSpeakersChanged]:
        """Forget an attendee."""
        self._heard.pop(attendee_id, None)
        self._muted.pop(attendee_id, None)
        self.policy.forget(attendee_id)
        return self._tell() if self._scores.pop(attendee_id, 0.0) > 0 else []

    def expire(self, now: float) -> list[ActiveSpeakersChanged]:
        """Score those who have not been heard of for a second as silent. Harmless before `deadline`."""
        if now < self._due:
            return []
        self._due = now + ACTIVITY_INTERVAL
        told: list[ActiveSpeakersChanged] = []
        for attendee_id, heard in self._heard.items():
            if now - heard > SILENT_AFTER:
                told += self._score(attendee_id, 0.0, self._muted.get(attendee_id), now)
        return told

    def _score(
        self, attendee_id: str, volume: float | None, muted: bool | None, now: float
    ) -> list[ActiveSpeakersChanged]:
        score = self.policy.score(attendee_id, volume, muted)
        before = self._scores.get(attendee_id)
        if score == before:
            return []
        self._scores[attendee_id] = score
        # As with the official clients a new score is news, so that silence lowers it once a second only.
        self._heard[attendee_id] = now
        if self._speaking is None or (score > 0) != (attendee_id in self._speaking):
            return self._tell()
        return []

    def _tell(self) -> list[ActiveSpeakersChanged]:
        speaking = self.speaking
        self._speaking = frozenset(speaking)
        return [ActiveSpeakersChanged(speaking)]
