"""Records a session into a file, and each video into one of its own if wanted, on a thread beside it."""

from __future__ import annotations

import queue
import re
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread

from chime_media.devices.recorder import EmptyRecordingError, Layout, Recorder, RecordingSummary
from chime_media.devices.sources import Samples
from chime_media.events import ActiveSpeakersChanged, VideoTileRemoved, VideoTileUpdated
from chime_media.rtc.video_frame import VideoFrame
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.sessions.video import VideoTile
from chime_messaging.events import Event

WAITING = 1500
"""Pieces of sound and pictures that wait to be written; beyond them pictures are left out."""

Piece = tuple[str, VideoFrame | None, Samples | None, float]
"""Of whom, empty for sound and for who speaks; the picture or the sound; its time."""


class Recording:
    """Writes all that a session hears and sees while the block lasts. Enter it before or after the session.

    Args:
        session: Whose ears and eyes it has.
        path: .mp4, .mov or .mkv.
        layout: Of the pictures.
        tracks: A folder for one more file per video; it is made.
        width: Of the pictures.
        height: The same.

    Raises:
        ConfigurationError: Such a file cannot be written.
    """

    def __init__(
        self,
        session: MeetingSession,
        path: Path,
        *,
        layout: Layout = "speaker",
        tracks: Path | None = None,
        width: int = 1280,
        height: int = 720,
    ) -> None:
        self.summary: RecordingSummary | None = None
        """What has become of it, once the block was left; None if there was nothing to record."""
        self.tracks: list[RecordingSummary] = []
        self.dropped = 0
        """Pictures that were left out, as the disk or the processor was too slow."""
        self.problem: Exception | None = None
        """Why nothing more is written."""
        self.path = path
        self._session = session
        self._begin = time.monotonic()
        self._size = (width, height)
        self._folder = tracks
        if tracks is not None:
            tracks.mkdir(parents=True, exist_ok=True)
        self._recorder = Recorder(path, self._begin, layout=layout, width=width, height=height)
        self._of_track: dict[str, Recorder] = {}
        self._names: dict[str, str] = {}
        self._pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._sinks: dict[int, tuple[VideoTile, _Track]] = {}
        self._is_over = False
        self._thread = threading.Thread(target=self._write, name="recording")
        session.on(VideoTileUpdated, VideoTileRemoved, ActiveSpeakersChanged)(self._follow)

    async def __aenter__(self) -> Self:
        self._thread.start()
        self._session.audio.listen(self._heard)
        self._session.realtime.detect_speakers()
        for tile in self._session.video.remote_tiles:
            self._watch(tile)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over = True
        self._session.audio.unlisten(self._heard)
        for tile, sink in self._sinks.values():
            tile.unbind(sink)
        self._pieces.put(None)
        # Not given up when the block is left by Ctrl-C: the file must be completed.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._thread.join)
        if self.problem is not None and kind is None:
            raise self.problem

    def _heard(self, samples: Samples, at: float) -> None:
        """Called on the media thread."""
        self._put(("", None, samples, at))

    def seen(self, key: str, frame: VideoFrame) -> None:
        """Called on the media thread by the sinks."""
        if self._pieces.qsize() >= WAITING:
            self.dropped += 1
        else:
            self._put((key, frame, None, frame.time))

    def _put(self, piece: Piece) -> None:
        if not self._is_over:
            self._pieces.put(piece)

    def _follow(self, event: Event) -> None:
        if self._is_over or not self._thread.is_alive():
            return
        if isinstance(event, VideoTileUpdated):
            tile = self._session.video.tiles.get(event.tile.tile_id)
            if tile is not None and tile.state.group_id:
                self._watch(tile)
        elif isinstance(event, VideoTileRemoved):
            gone = self._sinks.pop(event.tile_id, None)
            if gone is not None:
                self._put((gone[1].key, None, None, time.monotonic()))
        elif isinstance(event, ActiveSpeakersChanged) and event.attendee_ids:
            self._recorder.set_speaker(event.attendee_ids[0])

    def _watch(self, tile: VideoTile) -> None:
        if tile.tile_id not in self._sinks:
            sink = _Track(self, tile.attendee_id)
            self._sinks[tile.tile_id] = (tile, sink)
            self._names[tile.attendee_id] = tile.state.bound_external_user_id
            tile.bind(sink)

    # On its thread

    def _write(self) -> None:
        try:
            while (piece := self._pieces.get()) is not None:
                self._write_piece(*piece)
            self._complete()
        except Exception as error:
            # Told when the block is left; the media thread must not be the one to fail.
            self.problem = error
            self._is_over = True

    def _write_piece(self, key: str, frame: VideoFrame | None, samples: Samples | None, at: float) -> None:
        if samples is not None:
            self._recorder.write_audio(samples, at)
        elif frame is not None:
            self._recorder.write_video(key, frame)
            if self._folder is not None:
                self._track(key, frame).write_video(key, frame)
        elif key:
            self._recorder.remove_video(key, at)

    def _track(self, key: str, frame: VideoFrame) -> Recorder:
        known = self._of_track.get(key)
        if known is None:
            assert self._folder is not None
            name = re.sub(r"[^\w.-]", "_", self._names.get(key, key)) + ("-share" if key.endswith("#content") else "")
            path = self._folder / f"{name}-{key.partition('#')[0][:8]}.mp4"
            size = (max(frame.width, 16), max(frame.height, 16))
            known = Recorder(path, self._begin, width=size[0], height=size[1], audio=False)
            self._of_track[key] = known
        return known

    def _complete(self) -> None:
        for track in self._of_track.values():
            self.tracks.append(track.close())
        try:
            self.summary = self._recorder.close()
        except EmptyRecordingError:
            self.summary = None


class _Track:
    """Takes the pictures of one tile."""

    def __init__(self, recording: Recording, key: str) -> None:
        self.key = key
        self._recording = recording

    def write(self, frame: VideoFrame) -> None:
        self._recording.seen(self.key, frame)

    def close(self) -> None:
        """The recording completes the file."""
