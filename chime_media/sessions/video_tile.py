"""One video of a meeting, and how its pictures are had: by a sink, or by iterating."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from chime_media.events import VideoTileState
from chime_messaging.errors import UsageError

if TYPE_CHECKING:
    from chime_media.rtc.video_frame import VideoFrame
    from chime_media.sessions.video import MeetingVideo

KEPT_FRAMES = 4


class VideoSink(Protocol):
    """Takes the pictures of a tile."""

    def write(self, frame: VideoFrame) -> None:
        """Take a picture. Called on the media thread, must not wait."""

    def close(self) -> None:
        """There is no more."""


class VideoTile:
    """One tile. Official name: VideoTile. It stays readable after it was removed."""

    def __init__(self, video: MeetingVideo, state: VideoTileState) -> None:
        self._video = video
        self._last = state
        self._sinks: dict[int, tuple[VideoSink, Callable[[int, VideoFrame], object]]] = {}
        self._listeners: list[Callable[[int, VideoFrame], object]] = []
        self._streams: list[VideoFrames] = []

    @property
    def state(self) -> VideoTileState:
        """As it is, or as it was when it was removed."""
        return self._last

    @property
    def tile_id(self) -> int:
        """Its number."""
        return self._last.tile_id

    @property
    def attendee_id(self) -> str:
        """Whose video it shows."""
        return self._last.bound_attendee_id

    @property
    def removed(self) -> bool:
        """Whether it is gone."""
        return self._video.tiles.get(self.tile_id) is not self

    def bind(self, sink: VideoSink) -> None:
        """Write its pictures to a sink; decoding begins with the first. Official name: bindVideoElement.

        Raises:
            UsageError: It shows the own video, which is not received, or was removed.
        """
        self._require_remote()
        if id(sink) in self._sinks:
            return

        def write(group_id: int, frame: VideoFrame) -> None:
            del group_id
            sink.write(frame)

        self._sinks[id(sink)] = (sink, write)
        self._listen(write)

    def unbind(self, sink: VideoSink) -> None:
        """Write no more to a sink, and close it. Harmless if it was not bound. Official name: unbindVideoElement."""
        known = self._sinks.pop(id(sink), None)
        if known is not None:
            self._unlisten(known[1])
            self._video.post(sink.close)

    def frames(self, *, size: int = KEPT_FRAMES) -> VideoFrames:
        """Return an asynchronous iterator over its pictures; it ends when the tile is removed.

        Args:
            size: How many may wait; beyond that the oldest are lost, and counted in `dropped`.

        Raises:
            UsageError: It shows the own video, which is not received.
        """
        if self._last.local_tile:
            raise UsageError("the own video is not received")
        return VideoFrames(self, size)

    def pause(self) -> None:
        """Ask the service to send it no more for now. Official name: pauseVideoTile."""
        self._video.pause(self.tile_id)

    def unpause(self) -> None:
        """Ask for it again. Official name: unpauseVideoTile."""
        self._video.unpause(self.tile_id)

    # For the session

    def attach(self, stream: VideoFrames, listener: Callable[[int, VideoFrame], object]) -> None:
        """Called by an iterator that begins."""
        self._require_remote()
        self._streams.append(stream)
        self._listen(listener)

    def detach(self, stream: VideoFrames, listener: Callable[[int, VideoFrame], object]) -> None:
        """Called by an iterator that ends."""
        if stream in self._streams:
            self._streams.remove(stream)
            self._unlisten(listener)

    def changed(self, state: VideoTileState) -> None:
        """Called with what has changed."""
        self._last = state

    def ended(self) -> None:
        """Called when it is removed."""
        for stream in tuple(self._streams):
            stream.end()
        for sink, _ in tuple(self._sinks.values()):
            self.unbind(sink)

    def _require_remote(self) -> None:
        if self.removed:
            raise UsageError(f"tile {self.tile_id} was removed")
        if not self._last.group_id:
            raise UsageError("the own video is not received")

    def _listen(self, listener: Callable[[int, VideoFrame], object]) -> None:
        self._listeners.append(listener)
        self._video.listen(self._last, listener)

    def _unlisten(self, listener: Callable[[int, VideoFrame], object]) -> None:
        self._listeners.remove(listener)
        self._video.unlisten(self._last, listener, last=not self._listeners)


class VideoFrames:
    """Pictures of a tile; see `VideoTile.frames`. Breaking off needs `aclose` or ``async with``."""

    def __init__(self, tile: VideoTile, size: int) -> None:
        if size < 1:
            raise UsageError("a stream of frames needs room for one")
        self.dropped = 0
        """Pictures that were lost as nobody took them in time."""
        self._tile = tile
        self._waiting: deque[VideoFrame] = deque()
        self._size = size
        self._arrived = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    async def aclose(self) -> None:
        """Look no longer."""
        self.end()

    async def __anext__(self) -> VideoFrame:
        self._begin()
        while True:
            try:
                return self._waiting.popleft()
            except IndexError:
                if self._is_over:
                    raise StopAsyncIteration from None
            self._arrived.clear()
            if not self._waiting:
                await self._arrived.wait()

    def end(self) -> None:
        """Look no longer; what waits can still be taken."""
        if not self._is_over:
            self._is_over = True
            if self._loop is not None:
                self._tile.detach(self, self._seen)
            self._arrived.set()

    def _begin(self) -> None:
        if self._loop is None and not self._is_over:
            if self._tile.removed:
                self._is_over = True
                return
            self._loop = asyncio.get_running_loop()
            self._tile.attach(self, self._seen)

    def _seen(self, group_id: int, frame: VideoFrame) -> None:
        """Called on the media thread."""
        del group_id
        if len(self._waiting) >= self._size:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(frame)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)


class SizeWatch:
    """Tells the application's loop when the size of pictures changes. Called on the media thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tile_id: int, resized: Callable[[int, int, int], None]) -> None:
        self._loop = loop
        self._tile_id = tile_id
        self._resized = resized
        self._size = (0, 0)

    def __call__(self, group_id: int, frame: VideoFrame) -> None:
        """Take a picture, on the media thread."""
        size = (frame.width, frame.height)
        if size != self._size and not self._loop.is_closed():
            self._size = size
            self._loop.call_soon_threadsafe(self._resized, self._tile_id, *size)
