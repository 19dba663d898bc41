"""Volumes out of AUDIO_METADATA."""

import pytest

from chime_media.events import VolumeIndicated
from chime_media.protocol.volume import Volumes, fraction_of
from chime_messaging.meeting_events import RosterAttendee
from chime_messaging.wire.signaling_pb2 import AudioMetadataFrame

ALICE, BOB = RosterAttendee("a", "alice", 1, False), RosterAttendee("b", "bob", 2, False)


def frame(*entries: dict[str, int]) -> AudioMetadataFrame:
    made = AudioMetadataFrame()
    for entry in entries:
        made.attendee_states.add(**entry)
    return made


@pytest.fixture
def volumes() -> Volumes:
    made = Volumes()
    made.roster_changed({"a": ALICE, "b": BOB})
    return made


@pytest.mark.parametrize(("attenuation", "volume"), [(0, 1.0), (14, 1.0), (28, 0.5), (42, 0.0), (127, 0.0)])
def test_volume_is_a_fraction_of_the_attenuation(attenuation: int, volume: float) -> None:
    assert fraction_of(attenuation) == volume


def test_whoever_joins_is_told_with_what_is_known_of_it() -> None:
    assert Volumes().roster_changed({"a": ALICE}) == [VolumeIndicated("a", "alice", muted=False)]


def test_whoever_a_frame_with_volumes_leaves_out_is_silent(volumes: Volumes) -> None:
    assert volumes.frame_received(
        frame({"audio_stream_id": 1, "volume": 14}, {"audio_stream_id": 2, "volume": 28})
    ) == [
        VolumeIndicated("a", "alice", volume=1.0),
        VolumeIndicated("b", "bob", volume=0.5),
    ]
    assert volumes.frame_received(frame({"audio_stream_id": 1, "volume": 14})) == [
        VolumeIndicated("b", "bob", volume=0.0)
    ]


def test_whoever_a_frame_with_signals_leaves_out_is_well_connected(volumes: Volumes) -> None:
    assert volumes.frame_received(frame({"audio_stream_id": 1, "signal_strength": 1})) == [
        VolumeIndicated("a", "alice", signal_strength=0.5),
        VolumeIndicated("b", "bob", signal_strength=1.0),
    ]


def test_a_frame_without_a_statement_changes_nothing(volumes: Volumes) -> None:
    assert volumes.frame_received(frame()) == []
    assert volumes.frame_received(frame({"audio_stream_id": 1})) == []


def test_unknown_streams_are_skipped(volumes: Volumes) -> None:
    assert volumes.frame_received(frame({"audio_stream_id": 9, "volume": 14})) == []


def test_only_news_are_told(volumes: Volumes) -> None:
    loud = frame({"audio_stream_id": 1, "volume": 20}, {"audio_stream_id": 2, "volume": 42})
    assert volumes.frame_received(loud)
    assert volumes.frame_received(loud) == []


def test_whoever_is_muted_is_silent_whatever_is_told(volumes: Volumes) -> None:
    volumes.frame_received(frame({"audio_stream_id": 1, "volume": 14}))
    muted = RosterAttendee("a", "alice", 1, True)
    assert volumes.roster_changed({"a": muted, "b": BOB}) == [VolumeIndicated("a", "alice", volume=0.0, muted=True)]
    assert volumes.frame_received(frame({"audio_stream_id": 1, "volume": 14})) == []


def test_whoever_left_is_forgotten(volumes: Volumes) -> None:
    volumes.roster_changed({"a": ALICE})
    assert set(volumes.states) == {"a"}
    assert volumes.frame_received(frame({"audio_stream_id": 2, "volume": 14})) == []
