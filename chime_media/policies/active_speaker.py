"""Who counts as speaking: scores that grow while an attendee is heard and fall while it is not."""

from __future__ import annotations

from typing import Protocol


class ActiveSpeakerPolicy(Protocol):
    """Scores attendees. Official name: ActiveSpeakerPolicy."""

    def score(self, attendee_id: str, volume: float | None, muted: bool | None) -> float:
        """Score an attendee anew: 0 for silent, up to 1 for the one who speaks.

        Args:
            attendee_id: Who.
            volume: 0 to 1; None if nothing new is known of it.
            muted: None if nothing new is known of it.
        """

    def forget(self, attendee_id: str) -> None:
        """Forget an attendee who has left."""

    @property
    def prioritizes_video(self) -> bool:
        """Whether whoever speaks sends its video in full quality."""


class WeightedActiveSpeakerPolicy:
    """Scores as the official clients do. Official name: DefaultActiveSpeakerPolicy.

    Args:
        speaker_weight: Part of the old score that stays, 0 to 1. Larger means slower to notice, and to forget.
        cutoff: Below it a score is 0.
        silence: Volume, 0 to 1, at and below which an attendee is silent.
        takeover: How much everybody else loses each time that somebody is heard.
        prioritizes_video: Whether whoever speaks sends its video in full quality.
    """

    def __init__(
        self,
        speaker_weight: float = 0.9,
        cutoff: float = 0.01,
        silence: float = 0.2,
        takeover: float = 0.2,
        *,
        prioritizes_video: bool = True,
    ) -> None:
        self._weight = speaker_weight
        self._cutoff = cutoff
        self._silence = silence
        self._takeover = takeover
        self._prioritizes_video = prioritizes_video
        self._scores: dict[str, float] = {}

    @property
    def prioritizes_video(self) -> bool:
        """Whether whoever speaks sends its video in full quality."""
        return self._prioritizes_video

    def score(self, attendee_id: str, volume: float | None, muted: bool | None) -> float:
        """Score an attendee anew. A volume of None counts as silence, as with the official clients."""
        heard = 1.0 if not muted and volume is not None and volume > self._silence else 0.0
        score = self._scores.get(attendee_id, 0.0) * self._weight + heard * (1.0 - self._weight)
        self._scores[attendee_id] = score
        if heard:
            for other in self._scores:
                if other != attendee_id:
                    self._scores[other] = max(self._scores[other] - self._takeover, 0.0)
        return 0.0 if score < self._cutoff else score

    def forget(self, attendee_id: str) -> None:
        """Forget an attendee who has left."""
        self._scores.pop(attendee_id, None)
