"""How loud attendees are, whether they are muted, and how good their connection is, from AUDIO_METADATA frames.

A frame is a statement about everybody: if it tells any volume, all attendees it leaves out are silent; if it tells any
signal strength, all it leaves out are well connected. Streams are named by the numbers of the roster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from chime_media.events import VolumeIndicated
from chime_messaging.meeting_events import RosterAttendee
from chime_messaging.wire.signaling_pb2 import AudioMetadataFrame

LOUDEST, QUIETEST = 14, 42
"""Attenuation in dB that is volume 1 and volume 0."""
_BEST_SIGNAL = 2


class AttendeeVolume(msgspec.Struct):
    """What is known of one attendee."""

    external_user_id: str
    volume: float | None = None
    """0 to 1; None before it was told."""
    muted: bool | None = None
    signal_strength: float | None = None
    """0, 0.5 or 1; None before it was told."""


class Volumes:
    """What is known of everybody in the meeting. Returns only what has changed, and of that only the changed parts."""

    def __init__(self) -> None:
        self._states: dict[str, AttendeeVolume] = {}
        self._by_stream: dict[int, str] = {}

    @property
    def states(self) -> Mapping[str, AttendeeVolume]:
        """By attendee id."""
        return self._states

    def roster_changed(self, attendees: Mapping[str, RosterAttendee]) -> list[VolumeIndicated]:
        """Take the roster: who is there, which streams are theirs, who is muted."""
        self._by_stream = {attendee.audio_stream_id: attendee.attendee_id for attendee in attendees.values()}
        for gone in self._states.keys() - attendees.keys():
            del self._states[gone]
        told: list[VolumeIndicated] = []
        for attendee in attendees.values():
            state = self._states.get(attendee.attendee_id)
            if state is None:
                state = self._states[attendee.attendee_id] = AttendeeVolume(attendee.external_user_id)
            told += _changed(attendee.attendee_id, state, muted=attendee.muted)
        return told

    def frame_received(self, frame: AudioMetadataFrame) -> list[VolumeIndicated]:
        """Take AUDIO_METADATA."""
        volumes: dict[str, float] = {}
        signals: dict[str, float] = {}
        for entry in frame.attendee_states:
            attendee_id = self._by_stream.get(entry.audio_stream_id)
            if attendee_id is None:
                continue
            if entry.HasField("volume"):
                volumes[attendee_id] = fraction_of(entry.volume)
            if entry.HasField("signal_strength"):
                signals[attendee_id] = min(entry.signal_strength, _BEST_SIGNAL) / _BEST_SIGNAL
        told: list[VolumeIndicated] = []
        for attendee_id, state in self._states.items():
            told += _changed(
                attendee_id,
                state,
                volume=volumes.get(attendee_id, 0.0) if volumes else None,
                signal_strength=signals.get(attendee_id, 1.0) if signals else None,
            )
        return told


def fraction_of(attenuation: int) -> float:
    """Volume, 0 to 1, of an attenuation in dB."""
    return min(max((QUIETEST - attenuation) / (QUIETEST - LOUDEST), 0.0), 1.0)


def present(volumes: Iterable[tuple[str, AttendeeVolume]]) -> list[VolumeIndicated]:
    """What somebody who begins to listen is told first."""
    return [
        VolumeIndicated(attendee_id, state.external_user_id, state.volume, state.muted, state.signal_strength)
        for attendee_id, state in volumes
    ]


def _changed(
    attendee_id: str,
    state: AttendeeVolume,
    *,
    volume: float | None = None,
    muted: bool | None = None,
    signal_strength: float | None = None,
) -> list[VolumeIndicated]:
    """Note what is known now; what of it is news. Whoever is muted is silent; whoever is heard is not muted."""
    muted_now = state.muted if muted is None else muted
    if muted_now:
        volume = 0.0
    elif volume is not None and muted_now is None:
        muted = False
    news_volume = volume if volume is not None and volume != state.volume else None
    news_muted = muted if muted is not None and muted != state.muted else None
    news_signal = signal_strength if signal_strength is not None and signal_strength != state.signal_strength else None
    if news_volume is None and news_muted is None and news_signal is None:
        return []
    if news_volume is not None:
        state.volume = news_volume
    if news_muted is not None:
        state.muted = news_muted
    if news_signal is not None:
        state.signal_strength = news_signal
    return [VolumeIndicated(attendee_id, state.external_user_id, news_volume, news_muted, news_signal)]
