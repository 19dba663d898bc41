"""A meeting to a file: `MeetingRecorder`.

    async with MeetingRecorder(session, "meeting.mp4") as recorder:
        await session.wait_stopped()
    print(recorder.summary)

Whoever records hears all others, so the session that records should be one of its own that says nothing.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from chime_media.devices.recorder import EmptyRecordingError, Layout, Recorder, RecordingSummary
from chime_media.devices.sources import Samples
from chime_media.events import ActiveSpeakersChanged, VideoTileRemoved, VideoTileUpdated
from chime_media.rtc.video_frame import VideoFrame
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.sessions.video_tile import VideoTile
from chime_messaging.errors import ChimeError, ConfigurationError, UsageError

_MOST_FRAMES = 60
_MOST_ITEMS = 3000

log = logging.getLogger(__name__)


class MeetingRecorder:
    """Records what a session sees and hears, from the beginning of a block to its end.

    Encoding runs on a thread; if it cannot follow, pictures are left out (`dropped`), sound is not.

    Args:
        session: Joined; it receives all videos that are to be seen.
        path: .mp4, .mov or .mkv.
        layout: ``speaker`` or ``grid``.
        width: Of the pictures in pixels.
        height: The same.
        tracks: A folder for a file of each video by itself, and one of all sound. All begin with the recording.

    Raises:
        ConfigurationError: The file cannot be written.
    """

    def __init__(
        self,
        session: MeetingSession,
        path: Path | str,
        *,
        layout: Layout = "speaker",
        width: int = 1280,
        height: int = 720,
        tracks: Path | str | None = None,
    ) -> None:
        self.summary: RecordingSummary | None = None
        """What has become of it, after the end."""
        self.track_summaries: dict[str, RecordingSummary] = {}
        """The same of the tracks, by their files' names."""
        self.dropped = 0
        """Pictures that were left out as the machine is too slow."""
        self._session = session
        self._path = Path(path)
        self._layout: Layout = layout
        self._size = (width, height)
        self._folder = None if tracks is None else Path(tracks)
        self._items: queue.Queue[Callable[[], None] | None] = queue.Queue(_MOST_ITEMS)
        self._frames_waiting = 0
        self._main: Recorder | None = None
        self._tracks: dict[str, Recorder] = {}
        self._begin = 0.0
        self._now = 0.0
        self._thread: threading.Thread | None = None
        self._problem: Exception | None = None
        self._sinks: dict[int, tuple[VideoTile, _TileSink]] = {}

    async def __aenter__(self) -> Self:
        if self._thread is not None:
            raise UsageError("a recorder records once")
        session, loop = self._session, asyncio.get_running_loop()
        self._begin = self._now = loop.time()
        width, height = self._size
        self._main = Recorder(self._path, self._begin, layout=self._layout, width=width, height=height)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._tracks["audio.mkv"] = Recorder(self._folder / "audio.mkv", self._begin, video=False)
        self._thread = threading.Thread(target=self._run, name=f"recording {self._path.name}", daemon=True)
        self._thread.start()
        session.on(VideoTileUpdated)(self._tile_updated)
        session.on(VideoTileRemoved)(self._tile_removed)
        session.on(ActiveSpeakersChanged)(self._speakers_changed)
        if not session.realtime.detects_speakers:
            session.realtime.detect_speakers()
        for tile in session.video.remote_tiles:
            self._look(tile)
        session.audio.listen(self._heard)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        except ChimeError:
            if kind is None:
                raise
            log.exception("the recording failed, too")

    async def stop(self) -> RecordingSummary:
        """Complete the file; return what has become of it. Again, it returns the same.

        Raises:
            EmptyRecordingError: Nothing arrived; there is no file.
            ConfigurationError: The file could not be written.
            UsageError: The recorder was not entered.
        """
        thread = self._thread
        if thread is None:
            raise UsageError("the recorder was not entered")
        self._let_go()
        end = asyncio.get_running_loop().time()
        self._put(lambda: self._close(end), wait=True)
        self._put(None, wait=True)
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        if self._problem is not None:
            raise self._problem
        assert self.summary is not None
        return self.summary

    # On the session's event loop

    def _tile_updated(self, event: VideoTileUpdated) -> None:
        tile = self._session.video.tiles.get(event.tile.tile_id)
        if tile is not None and event.tile.group_id:
            self._look(tile)

    def _tile_removed(self, event: VideoTileRemoved) -> None:
        known = self._sinks.pop(event.tile_id, None)
        if known is not None:
            key, time = known[0].attendee_id, asyncio.get_running_loop().time()
            self._put(lambda: self._remove(key, time))

    def _speakers_changed(self, event: ActiveSpeakersChanged) -> None:
        speaker = event.attendee_ids[0] if event.attendee_ids else None
        self._put(lambda: self._set_speaker(speaker))

    def _look(self, tile: VideoTile) -> None:
        if tile.tile_id not in self._sinks and not tile.removed:
            sink = _TileSink(self, tile.attendee_id, f"{tile.attendee_id}-{tile.tile_id}.mp4")
            self._sinks[tile.tile_id] = (tile, sink)
            tile.bind(sink)

    def _let_go(self) -> None:
        session = self._session
        for handler in (self._tile_updated, self._tile_removed, self._speakers_changed):
            session.hub.off(handler)
        session.audio.unlisten(self._heard)
        for tile, sink in self._sinks.values():
            tile.unbind(sink)
        self._sinks.clear()

    # On the media thread

    def _heard(self, samples: Samples, now: float) -> None:
        # Sound waits for late packets at the node and here, pictures do not: both go where they were taken.
        receiver = self._session.engine.receiver
        said = now - receiver.behind
        if receiver.first_packet_at is not None:
            self._put(lambda: self._write_audio(samples, said))
        else:
            self._put(lambda: self._advance(said))

    def seen(self, key: str, track: str, frame: VideoFrame) -> None:
        """Called with each picture of a tile."""
        if self._frames_waiting >= _MOST_FRAMES:
            self.dropped += 1
            return
        self._frames_waiting += 1
        self._put(lambda: self._write_video(key, track, frame))

    def _put(self, item: Callable[[], None] | None, *, wait: bool = False) -> None:
        try:
            self._items.put(item, timeout=30.0) if wait else self._items.put_nowait(item)
        except queue.Full:
            # A minute of sound waits: the disk has stopped.
            self._problem = self._problem or ConfigurationError("path", f"{self._path} is not being written any more")

    # On the recording's thread

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            if self._problem is not None and not isinstance(self._problem, EmptyRecordingError):
                continue
            try:
                item()
            except Exception as error:
                # Told by `stop`; what still comes is thrown away.
                self._problem = error
                log.warning("Recording %s failed: %s", self._path, error)

    def _write_audio(self, samples: Samples, time: float) -> None:
        for recorder in self._all():
            recorder.write_audio(samples, time)
        self._advance(time)

    def _advance(self, time: float) -> None:
        for recorder in self._all():
            recorder.advance(time)

    def _write_video(self, key: str, track: str, frame: VideoFrame) -> None:
        self._frames_waiting -= 1
        if self._main is not None:
            self._main.write_video(key, frame)
        if self._folder is None:
            return
        recorder = self._tracks.get(track)
        if recorder is None:
            width, height = max(16, frame.width // 2 * 2), max(16, frame.height // 2 * 2)
            recorder = Recorder(self._folder / track, self._begin, width=width, height=height, audio=False)
            self._tracks[track] = recorder
        recorder.write_video(key, frame)

    def _remove(self, key: str, time: float) -> None:
        for recorder in self._all():
            recorder.remove_video(key, time)

    def _set_speaker(self, key: str | None) -> None:
        if self._main is not None:
            self._main.set_speaker(key)

    def _close(self, end: float) -> None:
        main, tracks = self._main, self._tracks
        self._main, self._tracks = None, {}
        for name, recorder in tracks.items():
            try:
                self.track_summaries[name] = recorder.close(end)
            except EmptyRecordingError:
                log.debug("nothing was heard")
        if main is not None:
            self.summary = main.close(end)

    def _all(self) -> list[Recorder]:
        return ([] if self._main is None else [self._main]) + list(self._tracks.values())


class _TileSink:
    """Takes the pictures of one tile."""

    def __init__(self, recorder: MeetingRecorder, key: str, track: str) -> None:
        self._recorder = recorder
        self._key = key
        self._track = track

    def write(self, frame: VideoFrame) -> None:
        self._recorder.seen(self._key, self._track, frame)

    def close(self) -> None:
        """What came is written already."""
