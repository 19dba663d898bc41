"""Meetings with audio, video and content share: the media add-on of `chime_messaging`.

Contract: this package imports `chime_messaging`, never the other way round; it plugs its media node into
`chime_messaging.server` by registration; its sessions share the signalling connection and the observer hub.
Installed with ``pip install chime-messaging[media]``.

Room map, top to bottom; each may import only what stands below it: ``cli | testing``, ``sessions | server``,
``devices``, ``rtc``, ``observers``, ``protocol`` with ``policies``, ``events``, ``wire``.

What a program needs every day can be imported from here; it is loaded when it is first asked for, so that importing the
package alone loads neither codecs nor encryption.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chime_media.devices.audio_sinks import AudioBuffer, WavFile
    from chime_media.devices.audio_sources import ArraySource, AudioQueue, OpusPackets, Silence, Tone
    from chime_media.devices.media_file import AudioFile, Clip, OpusFile, VideoFile
    from chime_media.devices.screen import Screen
    from chime_media.devices.sound_card import Loudspeaker, Microphone
    from chime_media.devices.video_sources import DrawnVideo, TestCard
    from chime_media.events import (
        ActiveSpeakersChanged,
        ActiveSpeakerScores,
        AudioInputEnded,
        AudioSendingFailed,
        AudioSendingRecovered,
        ConnectionBecameGood,
        ConnectionBecamePoor,
        ConnectionSuggestsStopVideo,
        ContentSharePaused,
        ContentShareStarted,
        ContentShareStopped,
        ContentShareUnpaused,
        LocalSignalStrengthChanged,
        LocalVideoEnded,
        LocalVideoStarted,
        MediaConnected,
        MediaDropped,
        MediaReconnectCancelled,
        Metrics,
        MetricsReceived,
        RemoteVideoSourcesChanged,
        RemoteVideosSettled,
        VideoAvailabilityChanged,
        VideoMetrics,
        VideoPausedByPolicy,
        VideoPriorityChanged,
        VideoReceiveBandwidthChanged,
        VideoSendBandwidthChanged,
        VideoSendHealthChanged,
        VideoSendUnavailable,
        VideoTileRemoved,
        VideoTileState,
        VideoTileUpdated,
        VideoUnpausedByPolicy,
        VolumeIndicated,
    )
    from chime_media.observers import MediaSessionObserver
    from chime_media.policies.active_speaker import ActiveSpeakerPolicy, WeightedActiveSpeakerPolicy
    from chime_media.policies.downlink import AllHighest, DownlinkPolicy, NoVideo
    from chime_media.policies.uplink import NoVideoUplink, NScale, UplinkPolicy
    from chime_media.policies.video_priority import Degradation, TargetSize, VideoPreference, VideoPriorityBased
    from chime_media.rtc.audio_sender import AudioFormat
    from chime_media.sessions.audio import MeetingAudio
    from chime_media.sessions.chime_session import ChimeSession
    from chime_media.sessions.content_share import ContentShare
    from chime_media.sessions.meeting_session import MeetingSession
    from chime_media.sessions.metrics import MeetingMetrics
    from chime_media.sessions.realtime import MeetingRealtime
    from chime_media.sessions.recording import MeetingRecorder
    from chime_media.sessions.video import MeetingVideo
    from chime_media.sessions.video_tile import VideoTile

__all__ = [
    "ActiveSpeakerPolicy",
    "ActiveSpeakerScores",
    "ActiveSpeakersChanged",
    "AllHighest",
    "ArraySource",
    "AudioBuffer",
    "AudioFile",
    "AudioFormat",
    "AudioInputEnded",
    "AudioQueue",
    "AudioSendingFailed",
    "AudioSendingRecovered",
    "ChimeSession",
    "Clip",
    "ConnectionBecameGood",
    "ConnectionBecamePoor",
    "ConnectionSuggestsStopVideo",
    "ContentShare",
    "ContentSharePaused",
    "ContentShareStarted",
    "ContentShareStopped",
    "ContentShareUnpaused",
    "Degradation",
    "DownlinkPolicy",
    "DrawnVideo",
    "LocalSignalStrengthChanged",
    "LocalVideoEnded",
    "LocalVideoStarted",
    "Loudspeaker",
    "MediaConnected",
    "MediaDropped",
    "MediaReconnectCancelled",
    "MediaSessionObserver",
    "MeetingAudio",
    "MeetingMetrics",
    "MeetingRealtime",
    "MeetingRecorder",
    "MeetingSession",
    "MeetingVideo",
    "Metrics",
    "MetricsReceived",
    "Microphone",
    "NScale",
    "NoVideo",
    "NoVideoUplink",
    "OpusFile",
    "OpusPackets",
    "RemoteVideoSourcesChanged",
    "RemoteVideosSettled",
    "Screen",
    "Silence",
    "TargetSize",
    "TestCard",
    "Tone",
    "UplinkPolicy",
    "VideoAvailabilityChanged",
    "VideoFile",
    "VideoMetrics",
    "VideoPausedByPolicy",
    "VideoPreference",
    "VideoPriorityBased",
    "VideoPriorityChanged",
    "VideoReceiveBandwidthChanged",
    "VideoSendBandwidthChanged",
    "VideoSendHealthChanged",
    "VideoSendUnavailable",
    "VideoTile",
    "VideoTileRemoved",
    "VideoTileState",
    "VideoTileUpdated",
    "VideoUnpausedByPolicy",
    "VolumeIndicated",
    "WavFile",
    "WeightedActiveSpeakerPolicy",
]

_HOMES = {
    "ActiveSpeakerPolicy": "policies.active_speaker",
    "ActiveSpeakerScores": "events",
    "ActiveSpeakersChanged": "events",
    "AllHighest": "policies.downlink",
    "ArraySource": "devices.audio_sources",
    "AudioBuffer": "devices.audio_sinks",
    "AudioFile": "devices.media_file",
    "AudioFormat": "rtc.audio_sender",
    "AudioInputEnded": "events",
    "AudioQueue": "devices.audio_sources",
    "AudioSendingFailed": "events",
    "AudioSendingRecovered": "events",
    "ChimeSession": "sessions.chime_session",
    "Clip": "devices.media_file",
    "ConnectionBecameGood": "events",
    "ConnectionBecamePoor": "events",
    "ConnectionSuggestsStopVideo": "events",
    "ContentShare": "sessions.content_share",
    "ContentSharePaused": "events",
    "ContentShareStarted": "events",
    "ContentShareStopped": "events",
    "ContentShareUnpaused": "events",
    "Degradation": "policies.video_priority",
    "DownlinkPolicy": "policies.downlink",
    "DrawnVideo": "devices.video_sources",
    "LocalSignalStrengthChanged": "events",
    "LocalVideoEnded": "events",
    "LocalVideoStarted": "events",
    "Loudspeaker": "devices.sound_card",
    "MediaConnected": "events",
    "MediaDropped": "events",
    "MediaReconnectCancelled": "events",
    "MediaSessionObserver": "observers",
    "MeetingAudio": "sessions.audio",
    "MeetingMetrics": "sessions.metrics",
    "MeetingRealtime": "sessions.realtime",
    "MeetingRecorder": "sessions.recording",
    "MeetingSession": "sessions.meeting_session",
    "MeetingVideo": "sessions.video",
    "Metrics": "events",
    "MetricsReceived": "events",
    "Microphone": "devices.sound_card",
    "NScale": "policies.uplink",
    "NoVideo": "policies.downlink",
    "NoVideoUplink": "policies.uplink",
    "OpusFile": "devices.media_file",
    "OpusPackets": "devices.audio_sources",
    "RemoteVideoSourcesChanged": "events",
    "RemoteVideosSettled": "events",
    "Screen": "devices.screen",
    "Silence": "devices.audio_sources",
    "TargetSize": "policies.video_priority",
    "TestCard": "devices.video_sources",
    "Tone": "devices.audio_sources",
    "UplinkPolicy": "policies.uplink",
    "VideoAvailabilityChanged": "events",
    "VideoFile": "devices.media_file",
    "VideoMetrics": "events",
    "VideoPausedByPolicy": "events",
    "VideoPreference": "policies.video_priority",
    "VideoPriorityBased": "policies.video_priority",
    "VideoPriorityChanged": "events",
    "VideoReceiveBandwidthChanged": "events",
    "VideoSendBandwidthChanged": "events",
    "VideoSendHealthChanged": "events",
    "VideoSendUnavailable": "events",
    "VideoTile": "sessions.video_tile",
    "VideoTileRemoved": "events",
    "VideoTileState": "events",
    "VideoTileUpdated": "events",
    "VideoUnpausedByPolicy": "events",
    "VolumeIndicated": "events",
    "WavFile": "devices.audio_sinks",
    "WeightedActiveSpeakerPolicy": "policies.active_speaker",
}
"""Module of each name."""


if not TYPE_CHECKING:  # or type checkers would take any name for granted

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
