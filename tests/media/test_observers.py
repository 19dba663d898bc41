from __future__ import annotations

from typing import Any

import pytest

from chime_media import events
from chime_media.observers import MEDIA_SESSION, MediaSessionObserver
from chime_messaging import meeting_events
from chime_messaging.errors import ConfigurationError
from chime_messaging.events import Event
from chime_messaging.meeting_events import MeetingSessionStatusCode
from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.meeting_observer import MEETING_SESSION, MeetingSessionObserver
from chime_messaging.observers.observer import leaves

pytestmark = pytest.mark.anyio

NEW = events.VideoTileState(3, bound_attendee_id="bob", active=True, group_id=2, stream_id=2)
LARGE = events.VideoTileState(3, bound_attendee_id="bob", active=True, group_id=2, stream_id=2, width=640, height=360)
PAUSED = events.VideoTileState(3, bound_attendee_id="bob", paused=True, group_id=2, stream_id=2, width=640, height=360)
METRICS = events.Metrics(audio_packets_received=50)
STARTED = meeting_events.MeetingSessionStarted("alice", reconnected=False)
LOUD = events.VolumeIndicated("bob", "Bob", volume=0.5)
WEAK = events.VolumeIndicated("bob", "Bob", signal_strength=0.5)


def methods_of(kind: type) -> dict[str, Any]:
    return {
        name: method for base in kind.__mro__[:-1] for name, method in vars(base).items() if not name.startswith("_")
    }


def test_the_base_class_has_exactly_the_names_there_are_each_with_a_docstring() -> None:
    methods = methods_of(MediaSessionObserver)
    assert methods.keys() == MEDIA_SESSION.names
    assert all(method.__doc__ for method in methods.values())


def test_there_is_a_method_for_every_event_and_everything_that_a_session_without_media_tells() -> None:
    own = {name for name in MEDIA_SESSION.names if name.startswith("on_")}
    others = {name for name in MEETING_SESSION.names if name.startswith("on_")}
    assert len(own - others) == len([*leaves(events)])
    assert MEETING_SESSION.names < MEDIA_SESSION.names


class Recording(MediaSessionObserver):
    """Notes every official call."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattribute__(self, name: str) -> Any:
        if name in MEDIA_SESSION.names and not name.startswith("on_"):
            return lambda *arguments: self.calls.append((name, *arguments))
        return super().__getattribute__(name)


async def calls(*told: Event) -> list[tuple[object, ...]]:
    observer = Recording()
    async with EventHub(vocabulary=MEDIA_SESSION) as hub:
        hub.add_observer(observer)
        for event in told:
            hub.emit(event)
    return observer.calls


async def test_a_start_is_told_when_media_flows_and_not_when_the_attendee_has_joined() -> None:
    assert await calls(STARTED) == []
    assert await calls(events.MediaConnected(reconnected=True)) == [
        ("audio_video_did_start",),
        ("audio_session_did_start", True),
        ("video_session_did_start_with_status", MeetingSessionStatusCode.OK),
    ]


async def test_a_session_begins_and_ends_under_the_names_of_both_clients() -> None:
    stopped = meeting_events.MeetingSessionStopped(MeetingSessionStatusCode.LEFT)
    assert await calls(events.MediaDropped(), events.MediaReconnectCancelled(), stopped) == [
        ("audio_session_did_drop",),
        ("audio_session_did_cancel_reconnect",),
        ("audio_video_did_stop", stopped),
        ("audio_session_did_stop_with_status", MeetingSessionStatusCode.LEFT),
        ("video_session_did_stop_with_status", MeetingSessionStatusCode.LEFT),
    ]


async def test_what_becomes_of_a_tile_is_told_by_what_it_was_before() -> None:
    told = await calls(
        events.VideoTileUpdated(NEW),
        events.VideoTileUpdated(LARGE, NEW),
        events.VideoTileUpdated(PAUSED, LARGE),
        events.VideoTileUpdated(LARGE, PAUSED),
        events.VideoTileRemoved(3, LARGE),
    )
    assert [call for call in told if call[0] != "video_tile_did_update"] == [
        ("video_tile_did_add", NEW),
        ("video_tile_size_did_change", LARGE),
        ("video_tile_did_pause", PAUSED),
        ("video_tile_did_resume", LARGE),
        ("video_tile_was_removed", 3),
        ("video_tile_did_remove", LARGE),
    ]
    assert [call[1] for call in told if call[0] == "video_tile_did_update"] == [NEW, LARGE, PAUSED, LARGE]


async def test_volumes_and_signal_strengths_are_told_to_whom_they_concern() -> None:
    assert await calls(LOUD, WEAK) == [("volume_did_change", [LOUD]), ("signal_strength_did_change", [WEAK])]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.ConnectionBecamePoor(0.6), [("connection_did_become_poor",)]),
        (events.ConnectionSuggestsStopVideo(0.6), [("connection_did_suggest_stop_video",)]),
        (events.ConnectionBecameGood(), [("connection_did_become_good",), ("connection_did_recover",)]),
        (
            events.VideoSendUnavailable(),
            [
                ("video_send_did_become_unavailable",),
                ("video_session_did_start_with_status", MeetingSessionStatusCode.VIDEO_CALL_SWITCH_TO_VIEW_ONLY),
            ],
        ),
        (events.MetricsReceived(METRICS), [("metrics_did_receive", METRICS)]),
        (events.VideoSendHealthChanged(500, 60), [("video_send_health_did_change", 500, 60)]),
        (events.VideoSendBandwidthChanged(500, 900), [("video_send_bandwidth_did_change", 500, 900)]),
        (events.VideoReceiveBandwidthChanged(500, 900), [("video_receive_bandwidth_did_change", 500, 900)]),
        (events.RemoteVideoSourcesChanged((("b", "B"),)), [("remote_video_sources_did_change", [("b", "B")])]),
        (events.ActiveSpeakersChanged(("b",)), [("active_speaker_did_detect", ["b"])]),
        (events.ActiveSpeakerScores({"b": 0.5}), [("active_speaker_score_did_change", {"b": 0.5})]),
        (events.ContentShareStarted(), [("content_share_did_start",)]),
        (events.ContentShareStopped(), [("content_share_did_stop",)]),
        (events.ContentSharePaused(), [("content_share_did_pause",)]),
        (events.ContentShareUnpaused(), [("content_share_did_unpause",)]),
        (events.VideoPausedByPolicy(3), [("tile_will_be_paused_by_downlink_policy", 3)]),
        (events.VideoUnpausedByPolicy(3), [("tile_will_be_unpaused_by_downlink_policy", 3)]),
    ],
)
async def test_each_official_method_gets_what_its_name_says(event: Event, expected: list[tuple[object, ...]]) -> None:
    assert await calls(event) == expected


class Misspelt:
    def videoTileDidUpdate(self, tile: object) -> None:  # noqa: N802
        """As in the browser."""


async def test_a_name_in_the_spelling_of_another_language_is_refused_with_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean video_tile_did_update"):
        MEDIA_SESSION.bind(Misspelt())


class OfSignalling(MeetingSessionObserver):
    def __init__(self) -> None:
        self.started = 0

    def audio_video_did_start(self) -> None:
        self.started += 1


async def test_an_observer_of_a_session_without_media_serves_one_with_media() -> None:
    observer = OfSignalling()
    async with EventHub(vocabulary=MEDIA_SESSION) as hub:
        hub.add_observer(observer)
        hub.emit(STARTED)
        hub.emit(events.MediaConnected(reconnected=False))
    assert observer.started == 1
