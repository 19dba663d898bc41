"""What can happen in the media of a meeting. Told like the events of the signalling, to every observer face."""

from __future__ import annotations

import msgspec

from chime_messaging.events import Event


class MediaConnected(Event, frozen=True):
    """Media flows: the session has started, for the first time or again. Official name: audioVideoDidStart."""

    reconnected: bool


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


class VideoTileRemoved(Event, frozen=True):
    """A tile went. Official name: videoTileWasRemoved."""

    tile_id: int


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
