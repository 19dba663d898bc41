"""Video of a meeting as its user holds it: `session.video`.

    session.video.start_local_tile(TestCard())
    for tile in session.video.remote_tiles:
        async for frame in tile.frames():
            ...

Pictures are decoded only while somebody takes them, by iterating or by a sink.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chime_media.devices.sources import VideoSource as PictureSource
from chime_media.events import (
    LocalVideoEnded,
    LocalVideoStarted,
    Metrics,
    MetricsReceived,
    RemoteVideoSourcesChanged,
    RemoteVideosSettled,
    VideoAvailabilityChanged,
    VideoPausedByPolicy,
    VideoPriorityChanged,
    VideoSendUnavailable,
    VideoTileRemoved,
    VideoTileState,
    VideoTileUpdated,
    VideoUnpausedByPolicy,
)
from chime_media.policies.downlink import AllHighest, DownlinkMeasurement, DownlinkPolicy, best_of_each_group
from chime_media.policies.uplink import NScale, UplinkPolicy
from chime_media.protocol.media_frames import SentLayer
from chime_media.protocol.tiles import CONTENT_SUFFIX, TileChanges, Tiles
from chime_media.sessions.video_engine import VideoEngine
from chime_media.sessions.video_tile import SizeWatch, VideoTile
from chime_messaging.errors import ConfigurationError
from chime_messaging.events import Event
from chime_messaging.meeting_events import IndexReceived, SignalFrameReceived, VideoSource
from chime_messaging.wire.signaling_pb2 import SignalFrame

if TYPE_CHECKING:
    from chime_media.rtc.video_frame import VideoFrame
    from chime_media.sessions.threaded_signaling import ThreadedSignaling

MAX_RECEIVED = 25
IDEAL_BITRATE_KBPS = 1500
PauseReason = Literal["application", "bandwidth"]
Choice = Callable[[tuple[VideoSource, ...]], Iterable[VideoSource]]
"""Of the streams that others send, those to receive; at most one of each group counts."""


class MeetingVideo:
    """What an attendee shows and sees. Its methods are for the session's event loop.

    Args:
        signaling: The session's.
        attendee_id: Whose session it is.
        external_user_id: The same.
        tell: Tells observers.
        receives: Whether others' videos are received; a share's own session receives none.
    """

    def __init__(
        self,
        signaling: ThreadedSignaling,
        attendee_id: str,
        external_user_id: str,
        tell: Callable[[Event], None],
        *,
        receives: bool = True,
    ) -> None:
        self.engine = VideoEngine(signaling.engine)
        """Its part on the media thread."""
        self._signaling = signaling
        self._attendee_id = attendee_id
        self._tell = tell
        self._receives = receives
        self._tiles = Tiles(attendee_id, external_user_id)
        self._objects: dict[int, VideoTile] = {}
        self._index: IndexReceived | None = None
        self._chosen: dict[int, VideoSource] = {}
        self._downlink: DownlinkPolicy = AllHighest()
        self._short: set[str] = set()
        """Attendees for whose video there is no bandwidth."""
        self._uplink: UplinkPolicy | None = None
        self._ideal_kbps = IDEAL_BITRATE_KBPS
        self._speaks = False
        self._kept_back = False
        self._availability = (False, False)
        self._senders: tuple[tuple[str, str], ...] = ()
        self._source: PictureSource | None = None
        self._watched: set[int] = set()

    # What there is

    @property
    def tiles(self) -> dict[int, VideoTile]:
        """All tiles, by id. Official name: getAllVideoTiles."""
        return dict(self._objects)

    @property
    def local_tile(self) -> VideoTile | None:
        """The tile of the own video. Official name: getLocalVideoTile."""
        tile_id = self._tiles.local_tile_id
        return None if tile_id is None else self._objects.get(tile_id)

    @property
    def remote_tiles(self) -> list[VideoTile]:
        """Tiles of others, content too. Official name: getAllRemoteVideoTiles."""
        return [tile for tile in self._objects.values() if tile.state.group_id]

    @property
    def remote_sources(self) -> tuple[VideoSource, ...]:
        """What others send, received or not: of each video its best quality.

        Official name: getRemoteVideoSources.
        """
        return () if self._index is None else tuple(best_of_each_group(self._others(self._index.sources)))

    @property
    def is_sending(self) -> bool:
        """Whether the own video is started. Official name: hasStartedLocalVideoTile."""
        return self._source is not None

    # The own video

    def start_local_tile(
        self, source: PictureSource | Path | str, *, max_bitrate_kbps: int = IDEAL_BITRATE_KBPS
    ) -> VideoTile:
        """Show the pictures of a source to the meeting. Official name: startLocalVideoTile.

        One that was shown before is closed; so is this one when it is stopped. When it comes to its end or fails,
        `LocalVideoEnded` is told and the tile stops.

        Args:
            source: Anything of `chime_media.devices`, or the path of a video file.
            max_bitrate_kbps: What is sent at most.

        Raises:
            ConfigurationError: The file cannot be shown.
        """
        if isinstance(source, Path | str):
            from chime_media.devices.media_file import VideoFile

            source = VideoFile(source)
        if max_bitrate_kbps < 1:
            raise ConfigurationError("max_bitrate_kbps", f"{max_bitrate_kbps} is too little for any picture")
        self._source, self._ideal_kbps = source, max_bitrate_kbps
        layer = SentLayer(max_bitrate_kbps, max(1, round(source.frame_rate)), source.width, source.height)
        self._signaling.post(self.engine.show, source, layer)
        self._changed(self._tiles.start_local(source.width, source.height))
        tile = self.local_tile
        assert tile is not None
        return tile

    def stop_local_tile(self) -> None:
        """Show nothing any more; the tile stays, without a stream. Official name: stopLocalVideoTile."""
        if self._source is not None:
            self._source = None
            self._signaling.post(self.engine.hide)
        self._changed(self._tiles.stop_local())

    def remove_local_tile(self) -> None:
        """Remove the local tile. Official name: removeLocalVideoTile."""
        if self._source is not None:
            self.stop_local_tile()
        self._changed(self._tiles.remove_local())

    def hold(self, held: bool) -> None:
        """Send no pictures for a while, the last one stays to be seen; or go on where the source was."""
        self._signaling.post(self.engine.hold, held)

    # Others' videos

    def choose(self, choice: DownlinkPolicy | Choice | Collection[str] | None) -> None:
        """Say which videos to receive: what a policy or a function picks, or those of these attendees; None for all.

        There are 25 at most. Official names: chooseRemoteVideoSources, videoDownlinkBandwidthPolicy.
        """
        self._downlink = choice if isinstance(choice, DownlinkPolicy) else AllHighest(choice)
        self._choose()

    def choose_uplink(self, policy: UplinkPolicy | None) -> None:
        """Say how much of the own video is sent; None for what `start_local_tile` says, less the more send.

        Official name: videoUplinkBandwidthPolicy.
        """
        self._uplink = policy
        self._limit_uplink()

    def pause(self, tile_id: int, reason: PauseReason = "application") -> None:
        """Ask the service to send a tile's video no more for now.

        Raises:
            UsageError: There is no such tile.
        """
        state = self._tiles.state(tile_id)
        changes = self._tiles.pause(tile_id, reason)
        if changes.updated and state.stream_id:
            self._signaling.post(self.engine.pause, (state.stream_id,))
        self._changed(changes)

    def unpause(self, tile_id: int, reason: PauseReason = "application") -> None:
        """Ask for it again, unless there is another reason that it is paused.

        Raises:
            UsageError: There is no such tile.
        """
        changes = self._tiles.unpause(tile_id, reason)
        state = self._tiles.state(tile_id)
        if changes.updated and state.stream_id:
            self._signaling.post(self.engine.resume, (state.stream_id,))
        self._changed(changes)

    def paused_reasons(self, tile_id: int) -> frozenset[str]:
        """Why a tile is paused: ``application``, ``bandwidth``; empty if it is not."""
        return self._tiles.reasons(tile_id)

    # For the session

    def noticed(self, event: Event) -> list[Event]:
        """Look at what happens in the session; answers what is to be told besides."""
        told: list[Event] = []
        tell, self._tell = self._tell, told.append
        try:
            if isinstance(event, IndexReceived):
                self._index = event
                self._indexed(event)
                self._limit_uplink()
            elif isinstance(event, RemoteVideosSettled):
                received = [self._chosen[group] for group in event.group_ids if group in self._chosen]
                self._changed(self._tiles.received(received))
                if self._index is not None:
                    self._changed(self._tiles.paused_at_source(self._index.paused_at_source_ids))
                self._limit_uplink()
            elif isinstance(event, LocalVideoStarted):
                self._limit_uplink()
            elif isinstance(event, VideoPriorityChanged):
                self._speaks = event.priority
                self._limit_uplink()
            elif isinstance(event, MetricsReceived):
                self._measured(event.metrics)
            elif isinstance(event, LocalVideoEnded | VideoSendUnavailable):
                self.stop_local_tile()
            elif isinstance(event, SignalFrameReceived):
                self._framed(event.frame)
        finally:
            self._tell = tell
        return told

    def close(self) -> None:
        """The session is over."""
        source, self._source = self._source, None
        self._signaling.post(self.engine.close)
        if source is not None:
            # It may wait for a thread of its own.
            asyncio.get_running_loop().run_in_executor(None, source.close)
        self._changed(self._tiles.remove_all())

    def post(self, call: Callable[..., object]) -> None:
        """Let the media thread call something."""
        self._signaling.post(call)

    def add_own_content(self, source: PictureSource | None) -> int | None:
        """Show what the attendee itself shares, which it does not receive; None if that is sound alone."""
        if source is None:
            return None
        tile_id, changes = self._tiles.add_own_content(source.width, source.height)
        self._changed(changes)
        return tile_id

    def remove(self, tile_id: int) -> None:
        """Remove a tile. Official name: removeVideoTile."""
        self._changed(self._tiles.remove(tile_id))

    def listen(self, state: VideoTileState, listener: Callable[[int, VideoFrame], object]) -> None:
        """Called by a tile."""
        if state.tile_id not in self._watched:
            self._watched.add(state.tile_id)
            loop = asyncio.get_running_loop()
            self._signaling.post(self.engine.listen, state.group_id, SizeWatch(loop, state.tile_id, self._resized))
        self._signaling.post(self.engine.listen, state.group_id, listener)
        self._changed(self._tiles.bind(state.tile_id, True))

    def unlisten(self, state: VideoTileState, listener: Callable[[int, VideoFrame], object], *, last: bool) -> None:
        """Called by a tile."""
        self._signaling.post(self.engine.unlisten, state.group_id, listener)
        if last:
            self._watched.discard(state.tile_id)
            self._signaling.post(self.engine.unlisten_all, state.group_id)
            if state.tile_id in self._tiles.states:
                self._changed(self._tiles.bind(state.tile_id, False))

    def _resized(self, tile_id: int, width: int, height: int) -> None:
        if tile_id in self._tiles.states:
            self._changed(self._tiles.resize(tile_id, width, height))

    def _indexed(self, index: IndexReceived) -> None:
        self._choose()
        availability = (bool(self._chosen), not index.at_capacity)
        if availability != self._availability:
            self._availability = availability
            self._tell(VideoAvailabilityChanged(*availability))
        self._changed(self._tiles.paused_at_source(index.paused_at_source_ids))
        senders = tuple(sorted({(each.attendee_id, each.external_user_id) for each in self._others(index.sources)}))
        if senders != self._senders:
            self._senders = senders
            self._tell(RemoteVideoSourcesChanged(senders))

    def _choose(self) -> None:
        if self._index is None or not self._receives:
            return
        others = tuple(self._others(self._index.sources))
        now = asyncio.get_running_loop().time()
        choice = self._downlink.choose(others, now, paused=self._paused_by_application())
        limited = sorted(best_of_each_group(choice.streams), key=lambda source: source.stream_id)[:MAX_RECEIVED]
        self._chosen = {source.group_id: source for source in limited}
        self._signaling.post(self.engine.receive, {group: each.stream_id for group, each in self._chosen.items()})

        self._hold_back(choice.paused)

    def _paused_by_application(self) -> frozenset[str]:
        return frozenset(
            state.bound_attendee_id
            for tile_id, state in self._tiles.states.items()
            if state.group_id and "application" in self._tiles.reasons(tile_id)
        )

    def _hold_back(self, attendees: frozenset[str]) -> None:
        """Pause the tiles of those for whom there is no bandwidth, and no others."""
        for tile_id, state in self._tiles.states.items():
            attendee_id = state.bound_attendee_id
            if not state.group_id or (attendee_id in attendees) == (attendee_id in self._short):
                continue
            if attendee_id in attendees:
                self._short.add(attendee_id)
                self._tell(VideoPausedByPolicy(tile_id))
                self.pause(tile_id, "bandwidth")
            else:
                self._short.discard(attendee_id)
                self._tell(VideoUnpausedByPolicy(tile_id))
                self.unpause(tile_id, "bandwidth")
        # Who has gone comes back without a word.
        self._short &= {state.bound_attendee_id for state in self._tiles.states.values()}

    def _measured(self, metrics: Metrics) -> None:
        received = [video for video in metrics.videos if not video.sent]
        self._downlink.measured(
            DownlinkMeasurement(
                metrics.available_incoming_bitrate / 1000,
                sum(video.bitrate for video in received) / 1000,
                sum(video.packets_lost for video in received),
            )
        )
        self._choose()

    def _limit_uplink(self) -> None:
        """Send as much as the policy says; again and again, as another connection begins with all."""
        if self._source is None or self._index is None:
            return
        policy = self._uplink or NScale(self._ideal_kbps)
        publishers = len({source.attendee_id for source in self._others(self._index.sources)}) + 1
        encoding = policy.encoding(publishers, self._source.width, self._source.height, priority=self._speaks)
        if (encoding is None) != self._kept_back:
            self._kept_back = encoding is None
            self._signaling.post(self.engine.hold, self._kept_back)
        if encoding is not None:
            most = min(encoding.max_bitrate_kbps, self._ideal_kbps)
            self._signaling.post(self.engine.limit, most * 1000, encoding.scale)

    def _others(self, sources: Iterable[VideoSource]) -> Iterable[VideoSource]:
        own = (self._attendee_id, self._attendee_id + CONTENT_SUFFIX)
        newest: dict[str, int] = {}
        kept = [source for source in sources if source.attendee_id not in own]
        for source in kept:
            newest[source.attendee_id] = max(source.group_id, newest.get(source.attendee_id, 0))
        return [source for source in kept if source.group_id == newest[source.attendee_id]]

    def _framed(self, frame: SignalFrame) -> None:
        if frame.type not in (SignalFrame.PAUSE, SignalFrame.RESUME):
            return
        groups, streams = set(frame.pause.group_ids), set(frame.pause.stream_ids)
        for tile_id, state in self._tiles.states.items():
            if state.group_id and (state.group_id in groups or state.stream_id in streams):
                paused = frame.type == SignalFrame.PAUSE
                change = self._tiles.pause if paused else self._tiles.unpause
                self._changed(change(tile_id, "bandwidth"))

    def _changed(self, changes: TileChanges) -> None:
        for state in changes.updated:
            tile = self._objects.get(state.tile_id)
            before = None if tile is None else tile.state
            if tile is None:
                tile = self._objects[state.tile_id] = VideoTile(self, state)
            tile.changed(state)
            self._tell(VideoTileUpdated(state, before))
        for tile_id in changes.removed:
            gone = self._objects.pop(tile_id, None)
            if gone is not None:
                gone.ended()
                self._tell(VideoTileRemoved(tile_id, gone.state))
