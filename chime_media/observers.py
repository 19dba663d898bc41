"""Observer objects of a session with media: which methods there are, under the names of the official clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chime_media import events
from chime_messaging import meeting_events
from chime_messaging.meeting_events import MeetingSessionStatusCode
from chime_messaging.observers import meeting_observer
from chime_messaging.observers.meeting_observer import MEETING_SESSION, MeetingSessionObserver
from chime_messaging.observers.observer import Call, Official, Vocabulary, leaves


class MediaSessionObserver(MeetingSessionObserver):
    """Receives what happens in a meeting with media; override what you need, as ``def`` or ``async def``.

    All methods of the official clients for the browser and for iOS that concern audio and video, in snake_case, beside
    those of `MeetingSessionObserver`; and for each event also ``on_`` with the event's name.
    """

    # AudioVideoObserver of the browser

    def audio_video_did_start(self) -> object:
        """Media flows, for the first time or again."""

    def video_tile_did_update(self, tile: events.VideoTileState) -> object:
        """A tile appeared or changed."""

    def video_tile_was_removed(self, tile_id: int) -> object:
        """A tile went."""

    def video_availability_did_change(self, availability: events.VideoAvailabilityChanged) -> object:
        """`availability.remote_video_available` or `availability.can_start_local_video` changed."""

    def remote_video_sources_did_change(self, sources: list[tuple[str, str]]) -> object:
        """Others send video than before: attendee id and external user id of each."""

    def connection_did_become_poor(self) -> object:
        """Half of the sound of 15 seconds did not come."""

    def connection_did_suggest_stop_video(self) -> object:
        """The same, while there is video that could be done without."""

    def connection_did_become_good(self) -> object:
        """The connection is no longer poor."""

    def video_send_did_become_unavailable(self) -> object:
        """The meeting has no room for the own video, which is stopped."""

    def metrics_did_receive(self, metrics: events.Metrics) -> object:
        """What the last second was like."""

    def video_send_health_did_change(self, bitrate_kbps: int, packets_per_second: int) -> object:
        """More or less of the own video goes out than before."""

    def video_send_bandwidth_did_change(self, new_kbps: int, old_kbps: int) -> object:
        """There is more or less room for the own video."""

    def video_receive_bandwidth_did_change(self, new_kbps: int, old_kbps: int) -> object:
        """There is more or less room for others' videos."""

    # ContentShareObserver

    def content_share_did_start(self) -> object:
        """What is shared is seen in the meeting."""

    def content_share_did_stop(self) -> object:
        """Nothing is shared any more."""

    def content_share_did_pause(self) -> object:
        """What is shared stands still."""

    def content_share_did_unpause(self) -> object:
        """It goes on."""

    # VideoDownlinkObserver

    def tile_will_be_paused_by_downlink_policy(self, tile_id: int) -> object:
        """There is no bandwidth for a tile."""

    def tile_will_be_unpaused_by_downlink_policy(self, tile_id: int) -> object:
        """There is bandwidth for it again."""

    # AudioVideoObserver of iOS

    def audio_session_did_start_connecting(self, reconnecting: bool) -> object:
        """The session connects, or does so again."""

    def audio_session_did_start(self, reconnecting: bool) -> object:
        """Sound flows, for the first time or again."""

    def audio_session_did_drop(self) -> object:
        """Sound that flowed is lost."""

    def audio_session_did_stop_with_status(self, status: MeetingSessionStatusCode) -> object:
        """The session is over."""

    def audio_session_did_cancel_reconnect(self) -> object:
        """The session ended while sound was lost."""

    def connection_did_recover(self) -> object:
        """The connection is no longer poor."""

    def video_session_did_start_connecting(self) -> object:
        """The session connects, or does so again."""

    def video_session_did_start_with_status(self, status: MeetingSessionStatusCode) -> object:
        """Video may flow: ``OK``; or, told later, ``VIDEO_CALL_SWITCH_TO_VIEW_ONLY``: others' only."""

    def video_session_did_stop_with_status(self, status: MeetingSessionStatusCode) -> object:
        """The session is over."""

    # RealtimeObserver and ActiveSpeakerObserver of iOS

    def volume_did_change(self, volumes: list[events.VolumeIndicated]) -> object:
        """Attendees sound louder or quieter."""

    def signal_strength_did_change(self, signals: list[events.VolumeIndicated]) -> object:
        """Attendees are connected better or worse."""

    def active_speaker_did_detect(self, attendee_ids: list[str]) -> object:
        """Others speak than before; the one who speaks most comes first."""

    def active_speaker_score_did_change(self, scores: dict[str, float]) -> object:
        """How much everybody speaks, by attendee id."""

    # VideoTileObserver of iOS

    def video_tile_did_add(self, tile: events.VideoTileState) -> object:
        """A tile appeared."""

    def video_tile_did_remove(self, tile: events.VideoTileState) -> object:
        """A tile went."""

    def video_tile_did_pause(self, tile: events.VideoTileState) -> object:
        """A tile is paused, by the application or for lack of bandwidth."""

    def video_tile_did_resume(self, tile: events.VideoTileState) -> object:
        """A tile is paused no longer."""

    def video_tile_size_did_change(self, tile: events.VideoTileState) -> object:
        """The pictures of a tile have another size."""

    # One per event

    def on_media_connected(self, event: events.MediaConnected) -> object:
        """Media flows."""

    def on_media_dropped(self, event: events.MediaDropped) -> object:
        """Media that flowed is lost."""

    def on_media_reconnect_cancelled(self, event: events.MediaReconnectCancelled) -> object:
        """The session ended while media was lost."""

    def on_connection_became_poor(self, event: events.ConnectionBecamePoor) -> object:
        """Half of the sound of 15 seconds did not come."""

    def on_connection_suggests_stop_video(self, event: events.ConnectionSuggestsStopVideo) -> object:
        """The same, while there is video that could be done without."""

    def on_connection_became_good(self, event: events.ConnectionBecameGood) -> object:
        """The connection is no longer poor."""

    def on_audio_sending_failed(self, event: events.AudioSendingFailed) -> object:
        """No sound leaves."""

    def on_audio_sending_recovered(self, event: events.AudioSendingRecovered) -> object:
        """Sound leaves again."""

    def on_video_send_unavailable(self, event: events.VideoSendUnavailable) -> object:
        """The meeting has no room for the own video."""

    def on_video_tile_updated(self, event: events.VideoTileUpdated) -> object:
        """A tile appeared or changed."""

    def on_video_tile_removed(self, event: events.VideoTileRemoved) -> object:
        """A tile went."""

    def on_video_availability_changed(self, event: events.VideoAvailabilityChanged) -> object:
        """Whether there is video of others, and room for the own."""

    def on_remote_video_sources_changed(self, event: events.RemoteVideoSourcesChanged) -> object:
        """Others send video than before."""

    def on_remote_videos_settled(self, event: events.RemoteVideosSettled) -> object:
        """The service has agreed which videos it sends."""

    def on_local_video_started(self, event: events.LocalVideoStarted) -> object:
        """Pictures of the own video go out."""

    def on_audio_input_ended(self, event: events.AudioInputEnded) -> object:
        """What was said by `start_input` ended."""

    def on_local_video_ended(self, event: events.LocalVideoEnded) -> object:
        """The source of the own video ended."""

    def on_content_share_started(self, event: events.ContentShareStarted) -> object:
        """What is shared is seen in the meeting."""

    def on_content_share_stopped(self, event: events.ContentShareStopped) -> object:
        """Nothing is shared any more."""

    def on_content_share_paused(self, event: events.ContentSharePaused) -> object:
        """What is shared stands still."""

    def on_content_share_unpaused(self, event: events.ContentShareUnpaused) -> object:
        """It goes on."""

    def on_volume_indicated(self, event: events.VolumeIndicated) -> object:
        """How an attendee sounds."""

    def on_local_signal_strength_changed(self, event: events.LocalSignalStrengthChanged) -> object:
        """How well this attendee is connected."""

    def on_active_speakers_changed(self, event: events.ActiveSpeakersChanged) -> object:
        """Others speak than before."""

    def on_active_speaker_scores(self, event: events.ActiveSpeakerScores) -> object:
        """How much everybody speaks."""

    def on_video_priority_changed(self, event: events.VideoPriorityChanged) -> object:
        """Whether the own video should be sent in full quality."""

    def on_video_paused_by_policy(self, event: events.VideoPausedByPolicy) -> object:
        """There is no bandwidth for a tile."""

    def on_video_unpaused_by_policy(self, event: events.VideoUnpausedByPolicy) -> object:
        """There is bandwidth for it again."""

    def on_metrics_received(self, event: events.MetricsReceived) -> object:
        """What the last second was like."""

    def on_video_send_health_changed(self, event: events.VideoSendHealthChanged) -> object:
        """More or less of the own video goes out than before."""

    def on_video_send_bandwidth_changed(self, event: events.VideoSendBandwidthChanged) -> object:
        """There is more or less room for the own video."""

    def on_video_receive_bandwidth_changed(self, event: events.VideoReceiveBandwidthChanged) -> object:
        """There is more or less room for others' videos."""


def _bare(method: Callable[..., object]) -> Call:
    return lambda event: method()


def _with(*values: Callable[[Any], object]) -> Callable[[Callable[..., object]], Call]:
    return lambda method: lambda event: method(*(value(event) for value in values))


def _fields(*names: str) -> Callable[[Callable[..., object]], Call]:
    return lambda method: lambda event: method(*(getattr(event, name) for name in names))


def _if(condition: Callable[[Any], object], value: Callable[[Any], object]) -> Callable[[Callable[..., object]], Call]:
    return lambda method: lambda event: method(value(event)) if condition(event) else None


def _tile(event: Any) -> object:
    return event.tile


def _paused(state: events.VideoTileState | None) -> bool:
    return state is not None and (state.paused or state.poor_connection)


def _size(state: events.VideoTileState) -> tuple[int, int]:
    return state.width, state.height


def _started_status(event: object) -> MeetingSessionStatusCode:
    is_full = isinstance(event, events.VideoSendUnavailable)
    return MeetingSessionStatusCode.VIDEO_CALL_SWITCH_TO_VIEW_ONLY if is_full else MeetingSessionStatusCode.OK


_CONNECTING = meeting_events.MeetingSessionConnecting
_STOPPED = meeting_events.MeetingSessionStopped
_UPDATED = events.VideoTileUpdated

_BROWSER = {
    "audio_video_did_start": Official(events.MediaConnected, _bare),
    "video_tile_did_update": Official(_UPDATED, _with(_tile)),
    "video_tile_was_removed": Official(events.VideoTileRemoved, _fields("tile_id")),
    "video_availability_did_change": Official(events.VideoAvailabilityChanged, lambda method: method),
    "remote_video_sources_did_change": Official(
        events.RemoteVideoSourcesChanged, _with(lambda event: list(event.attendees))
    ),
    "connection_did_become_poor": Official(events.ConnectionBecamePoor, _bare),
    "connection_did_suggest_stop_video": Official(events.ConnectionSuggestsStopVideo, _bare),
    "connection_did_become_good": Official(events.ConnectionBecameGood, _bare),
    "video_send_did_become_unavailable": Official(events.VideoSendUnavailable, _bare),
    "metrics_did_receive": Official(events.MetricsReceived, _fields("metrics")),
    "video_send_health_did_change": Official(
        events.VideoSendHealthChanged, _fields("bitrate_kbps", "packets_per_second")
    ),
    "video_send_bandwidth_did_change": Official(events.VideoSendBandwidthChanged, _fields("new_kbps", "old_kbps")),
    "video_receive_bandwidth_did_change": Official(
        events.VideoReceiveBandwidthChanged, _fields("new_kbps", "old_kbps")
    ),
    "content_share_did_start": Official(events.ContentShareStarted, _bare),
    "content_share_did_stop": Official(events.ContentShareStopped, _bare),
    "content_share_did_pause": Official(events.ContentSharePaused, _bare),
    "content_share_did_unpause": Official(events.ContentShareUnpaused, _bare),
    "tile_will_be_paused_by_downlink_policy": Official(events.VideoPausedByPolicy, _fields("tile_id")),
    "tile_will_be_unpaused_by_downlink_policy": Official(events.VideoUnpausedByPolicy, _fields("tile_id")),
}
_IOS = {
    "audio_session_did_start_connecting": Official(_CONNECTING, _fields("reconnecting")),
    "audio_session_did_start": Official(events.MediaConnected, _fields("reconnected")),
    "audio_session_did_drop": Official(events.MediaDropped, _bare),
    "audio_session_did_stop_with_status": Official(_STOPPED, _fields("status")),
    "audio_session_did_cancel_reconnect": Official(events.MediaReconnectCancelled, _bare),
    "connection_did_recover": Official(events.ConnectionBecameGood, _bare),
    "video_session_did_start_connecting": Official(_CONNECTING, _bare),
    "video_session_did_start_with_status": Official(
        (events.MediaConnected, events.VideoSendUnavailable), _with(_started_status)
    ),
    "video_session_did_stop_with_status": Official(_STOPPED, _fields("status")),
    "volume_did_change": Official(
        events.VolumeIndicated, _if(lambda event: event.volume is not None, lambda event: [event])
    ),
    "signal_strength_did_change": Official(
        events.VolumeIndicated, _if(lambda event: event.signal_strength is not None, lambda event: [event])
    ),
    "active_speaker_did_detect": Official(events.ActiveSpeakersChanged, _with(lambda event: list(event.attendee_ids))),
    "active_speaker_score_did_change": Official(events.ActiveSpeakerScores, _fields("scores")),
    "video_tile_did_add": Official(_UPDATED, _if(lambda event: event.before is None, _tile)),
    "video_tile_did_remove": Official(events.VideoTileRemoved, _if(_tile, _tile)),
    "video_tile_did_pause": Official(
        _UPDATED, _if(lambda event: _paused(event.tile) and not _paused(event.before), _tile)
    ),
    "video_tile_did_resume": Official(
        _UPDATED, _if(lambda event: _paused(event.before) and not _paused(event.tile), _tile)
    ),
    "video_tile_size_did_change": Official(
        _UPDATED, _if(lambda event: event.before is not None and _size(event.before) != _size(event.tile), _tile)
    ),
}
# Beside each pair of words stands how an official name begins in other languages, which would never be called.
_PREFIXES = (
    *("video_tile_did_", "video_tile_was_", "video_tile_size_did_", "videoTileDid", "videoTileWas", "videoTileSize"),
    *("video_availability_did_", "videoAvailabilityDid", "remote_video_sources_did_", "remoteVideoSourcesDid"),
    *("connection_did_", "connectionDid", "video_send_", "videoSend", "video_receive_", "videoReceive"),
    *("metrics_did_", "metricsDid", "content_share_did_", "contentShareDid", "tile_will_be_", "tileWillBe"),
    *("audio_session_did_", "audioSessionDid", "video_session_did_", "videoSessionDid"),
    *("volume_did_", "volumeDid", "signal_strength_did_", "signalStrengthDid"),
    *("active_speaker_did_", "active_speaker_score_", "activeSpeakerDid", "activeSpeakerScore"),
)

MEDIA_SESSION = MEETING_SESSION.extended(MediaSessionObserver, leaves(events), {**_BROWSER, **_IOS}, _PREFIXES)
"""Names that observers of a session with media may have."""


def _named(*beginnings: str) -> dict[str, Official]:
    return {name: entry for name, entry in {**_BROWSER, **_IOS}.items() if name.startswith(beginnings)}


_TILE = ("video_tile_",)
_SPEAKER = ("active_speaker_",)
_SOUND = ("volume_", "signal_strength_")
_REST = tuple(name for name in {**_BROWSER, **_IOS} if not name.startswith((*_TILE, *_SPEAKER, *_SOUND)))

AUDIO_VIDEO = meeting_observer.AUDIO_VIDEO.extended(MediaSessionObserver, (), _named(*_REST), ())
"""Names of an AudioVideoObserver."""
REALTIME = meeting_observer.REALTIME.extended(
    MediaSessionObserver, (), _named(*_SOUND), ("volume_did_", "signal_strength_did_")
)
"""Names of a RealtimeObserver."""
TILE = Vocabulary(MediaSessionObserver, (), _named(*_TILE), ("video_tile_", "videoTile"))
"""Names of a VideoTileObserver."""
ACTIVE_SPEAKER = Vocabulary(MediaSessionObserver, (), _named(*_SPEAKER), ("active_speaker_", "activeSpeaker"))
"""Names of an ActiveSpeakerObserver."""
