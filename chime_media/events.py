"""What can happen in the media of a meeting. Told like the events of the signalling, to every observer face."""

from __future__ import annotations

import msgspec

from chime_messaging.events import Event


class MediaConnected(Event, frozen=True):
    """Media flows: the session has started, for the first time or again. Official name: audioVideoDidStart."""

    reconnected: bool


class MediaDropped(Event, frozen=True):
    """Media that flowed is lost, and connected anew if that can be. On iOS: audioSessionDidDrop."""


class MediaReconnectCancelled(Event, frozen=True):
    """The session ended while media was lost. On iOS: audioSessionDidCancelReconnect."""


class ConnectionBecamePoor(Event, frozen=True):
    """Half of the sound of 15 seconds did not come. Official name: connectionDidBecomePoor."""

    loss: float
    """Part of the sound that did not come, 0 to 1."""


class ConnectionSuggestsStopVideo(Event, frozen=True):
    """The same, while there is video that could be done without. Official name: connectionDidSuggestStopVideo."""

    loss: float


class ConnectionBecameGood(Event, frozen=True):
    """It is no longer poor. Official name: connectionDidBecomeGood; on iOS connectionDidRecover."""


class AudioSendingFailed(Event, frozen=True):
    """No sound has left for two seconds. Official name: the event sendingAudioFailed."""


class AudioSendingRecovered(Event, frozen=True):
    """Sound leaves again. Official name: the event sendingAudioRecovered."""


class VideoSendUnavailable(Event, frozen=True):
    """The meeting has no room for the own video, which is stopped. Official name: videoSendDidBecomeUnavailable."""


class VideoTileState(msgspec.Struct, frozen=True):
    """One tile at one moment. Official name: VideoTileState; what it says of HTML elements is left out."""

    tile_id: int
    """From 1 upwards, never used again in a session."""
    local_tile: bool = False
    is_content: bool = False
    active: bool = False
    """Shown: bound to something, with a stream, neither paused nor poorly connected."""
    paused: bool = False
    poor_connection: bool = False
    """Its sender, or the service for lack of bandwidth, has paused it."""
    bound_attendee_id: str = ""
    bound_external_user_id: str = ""
    has_stream: bool = False
    """Official name: boundVideoStream is not null. A stopped local tile has none."""
    bound: bool = False
    """Somebody looks at its frames. Official name: boundVideoElement is not null."""
    width: int = 0
    """Of what is received or sent, in pixels; 0 while nothing has come. Official name: videoStreamContentWidth."""
    height: int = 0
    """Official name: videoStreamContentHeight."""
    stream_id: int = 0
    group_id: int = 0


class VideoTileUpdated(Event, frozen=True):
    """A tile appeared or changed. Official name: videoTileDidUpdate."""

    tile: VideoTileState
    before: VideoTileState | None = None
    """How it was; None if it is new."""


class VideoTileRemoved(Event, frozen=True):
    """A tile went. Official name: videoTileWasRemoved."""

    tile_id: int
    tile: VideoTileState | None = None
    """How it was."""


class VideoAvailabilityChanged(Event, frozen=True):
    """Official name: videoAvailabilityDidChange."""

    remote_video_available: bool
    """Something of others is received, or would be."""
    can_start_local_video: bool
    """The meeting has room for one more who sends."""


class RemoteVideoSourcesChanged(Event, frozen=True):
    """Other attendees send video than before. Official name: remoteVideoSourcesDidChange."""

    attendees: tuple[tuple[str, str], ...]
    """Attendee id and external user id of each."""


class RemoteVideosSettled(Event, frozen=True):
    """The service has agreed to send these videos, and no others."""

    group_ids: tuple[int, ...]


class LocalVideoStarted(Event, frozen=True):
    """Pictures of the source of the own video go out from now on."""


class AudioInputEnded(Event, frozen=True):
    """The source of `start_input` came to its end, or failed; silence is sent from then on."""

    problem: Exception | None = None
    """None if it came to its end as it should."""


class LocalVideoEnded(Event, frozen=True):
    """The source of the own video came to its end, or failed; nothing is sent any more."""

    problem: Exception | None
    """None if it came to its end as it should."""


class ContentShareStarted(Event, frozen=True):
    """What is shared is seen in the meeting. Official name: contentShareDidStart."""


class ContentShareStopped(Event, frozen=True):
    """Nothing is shared any more. Official name: contentShareDidStop."""

    problem: Exception | None = None
    """Why, if nobody wanted it: the source failed, the meeting has enough shares, the connection is lost."""


class ContentSharePaused(Event, frozen=True):
    """Official name: contentShareDidPause."""


class ContentShareUnpaused(Event, frozen=True):
    """Official name: contentShareDidUnpause."""


class VolumeIndicated(Event, frozen=True):
    """How an attendee sounds, as far as it has changed. Official name: realtimeSubscribeToVolumeIndicator."""

    attendee_id: str
    """Ends in ``#content`` for the sound of a content share."""
    external_user_id: str
    volume: float | None = None
    """0 to 1; None: as before."""
    muted: bool | None = None
    signal_strength: float | None = None
    """0, 0.5 or 1; None: as before."""


class LocalSignalStrengthChanged(Event, frozen=True):
    """Official name: realtimeSubscribeToLocalSignalStrengthChange."""

    signal_strength: float
    """0, 0.5 or 1."""


class ActiveSpeakersChanged(Event, frozen=True):
    """Others speak than before. Official name: subscribeToActiveSpeakerDetector; on iOS activeSpeakerDidDetect."""

    attendee_ids: tuple[str, ...]
    """The one who speaks most comes first."""


class ActiveSpeakerScores(Event, frozen=True):
    """How much everybody speaks. Official name: activeSpeakerScoreDidChange."""

    scores: dict[str, float]
    """0 to 1, by attendee id."""


class VideoPriorityChanged(Event, frozen=True):
    """Whether this attendee speaks, so that its video should be sent in full quality.

    Official name: the bandwidth priority callback of the active speaker detector.
    """

    priority: bool


class VideoPausedByPolicy(Event, frozen=True):
    """There is no bandwidth for a tile. Official name: tileWillBePausedByDownlinkPolicy."""

    tile_id: int


class VideoUnpausedByPolicy(Event, frozen=True):
    """There is bandwidth for a tile again. Official name: tileWillBeUnpausedByDownlinkPolicy."""

    tile_id: int


class VideoMetrics(msgspec.Struct, frozen=True):
    """One video in the last second, sent or received. Official names begin with videoUpstream and videoDownstream."""

    attendee_id: str
    stream_id: int
    sent: bool
    """Whether it is the own one."""
    bitrate: int = 0
    """Bit/s."""
    packets: int = 0
    """Per second. Official names: videoUpstreamPacketsSent, videoDownstreamPacketsReceived."""
    packet_loss_percent: float = 0.0
    packets_lost: int = 0
    """Per second; of what is received only."""
    frames: int = 0
    """Per second: encoded, or decoded. Nothing is decoded that nobody looks at."""
    width: int = 0
    height: int = 0
    jitter: float = 0.0
    """Seconds."""
    round_trip_time: float = 0.0
    """Seconds; of what is sent only."""


class Metrics(msgspec.Struct, frozen=True):
    """One second of a session. Official name: getObservableMetrics; durations here are in seconds."""

    audio_packets_received: int = 0
    """Per second; 50 if nothing is lost."""
    audio_packets_received_fraction_loss: float = 0.0
    """Percent of the last second's packets that did not come, as with the official clients."""
    audio_decoder_loss: float = 0.0
    """Percent of what was played that had to be made up."""
    audio_packets_sent: int = 0
    audio_packet_loss_percent: float = 0.0
    """Of what is sent, as the service reports it."""
    audio_upstream_bitrate: int = 0
    """Bit/s."""
    audio_downstream_bitrate: int = 0
    audio_upstream_jitter: float = 0.0
    """Seconds. Official name: audioUpstreamJitterMs."""
    audio_downstream_jitter: float = 0.0
    audio_upstream_round_trip_time: float = 0.0
    """Seconds. Official name: audioUpstreamRoundTripTimeMs."""
    audio_speaker_delay: float = 0.0
    """Seconds that packets are held back against jitter. Official name: audioSpeakerDelayMs."""
    audio_downstream_level: float = 0.0
    """0 to 1, while somebody listens."""
    video_upstream_bitrate: int = 0
    video_packets_sent: int = 0
    """Per second. Official name: videoPacketSentPerSecond."""
    nack_count_received: int = 0
    """Per second. Official name: nackCountReceivedPerSecond."""
    available_outgoing_bitrate: int = 0
    """Bit/s; 0 while nothing is known."""
    available_incoming_bitrate: int = 0
    videos: tuple[VideoMetrics, ...] = ()


class MetricsReceived(Event, frozen=True):
    """Told once a second. Official name: metricsDidReceive; on iOS onMetricsReceived."""

    metrics: Metrics


class VideoSendHealthChanged(Event, frozen=True):
    """Official name: videoSendHealthDidChange."""

    bitrate_kbps: int
    packets_per_second: int


class VideoSendBandwidthChanged(Event, frozen=True):
    """Official name: videoSendBandwidthDidChange."""

    new_kbps: int
    old_kbps: int


class VideoReceiveBandwidthChanged(Event, frozen=True):
    """Official name: videoReceiveBandwidthDidChange."""

    new_kbps: int
    old_kbps: int
