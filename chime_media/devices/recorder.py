"""A file of what is seen and heard: pictures side by side or of who speaks, and all sound, at their times.

Does its work where it is called, which takes milliseconds per picture: not for the event loop or the media thread.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from chime_media.devices.audio_sinks import with_channels
from chime_media.devices.sources import Samples
from chime_media.devices.video_sources import check_size
from chime_media.protocol.recording import AudioTimeline, Cell, fit, grid, spotlight
from chime_media.rtc.video_frame import VideoFrame
from chime_messaging.errors import ChimeError, ConfigurationError, UsageError

Layout = Literal["speaker", "grid"]
Planes = npt.NDArray[np.uint8]

_RATE = 48_000
_CLOCK = Fraction(1, 90_000)
_LATE = 0.15
_STILL = 1.0
_TICK = 0.001
_MOST_AT_ONCE = _RATE * 10
_BLACK, _GREY = 16, 128
_CODECS = {".mp4": ("libx264", "aac"), ".mov": ("libx264", "aac"), ".mkv": ("libx264", "flac")}


class EmptyRecordingError(ChimeError):
    """Nothing arrived that could be recorded; there is no file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: neither sound nor pictures arrived"


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """What a recording has become."""

    path: Path
    seconds: float
    frames: int
    """Pictures that were written."""
    filled: float
    """Seconds of silence that were put where sound was missing."""
    attendees: tuple[str, ...]
    """Who was seen."""


class Recorder:
    """Writes one file. All times are seconds on one clock; what came at one time is seen and heard at one time.

    Args:
        path: .mp4, .mov (H.264 and AAC) or .mkv (H.264 and lossless FLAC); overwritten if there is one.
        begin: The time at which the recording begins; what is earlier is left out.
        layout: ``speaker``: shared content or else who speaks in all the room, ``grid``: all side by side.
        width: Of the pictures in pixels, even.
        height: The same.
        frame_rate: Pictures per second at most; as many as arrive are written.
        audio: Whether there is sound.
        video: Whether there are pictures.
        channels: 1 or 2.

    Raises:
        ConfigurationError: Such a file cannot be written.
    """

    def __init__(
        self,
        path: Path | str,
        begin: float,
        *,
        layout: Layout = "speaker",
        width: int = 1280,
        height: int = 720,
        frame_rate: float = 30,
        audio: bool = True,
        video: bool = True,
        channels: int = 1,
    ) -> None:
        check_size(width, height, frame_rate)
        self.path = Path(path)
        codecs = _CODECS.get(self.path.suffix.lower())
        if codecs is None or not (audio or video) or channels not in (1, 2):
            raise ConfigurationError("path", f"{path}: one of {', '.join(_CODECS)} with sound or pictures is written")
        self._begin = begin
        self._layout: Layout = layout
        self._size = (width, height)
        self._interval = 0.98 / frame_rate
        self._channels = channels
        self._timeline = AudioTimeline(begin)
        self._container = _opened(self.path)
        self._video = self._add_video(codecs[0]) if video else None
        self._audio = self._add_audio(codecs[1]) if audio else None
        self._pending: list[tuple[float, int, str, VideoFrame | None]] = []
        self._count = 0
        self._shown: dict[str, VideoFrame] = {}
        self._cells: dict[str, tuple[VideoFrame, Cell, Planes]] = {}
        self._speaker: str | None = None
        self._content: str | None = None
        self._changed = False
        self._drawn = self._fresh = begin - 1.0
        self._frames = 0
        self._seen: list[str] = []
        self._heard = False
        self._encoded = 0
        self._latest = begin
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._closed:
            if kind is None:
                self.close()
            else:
                self._abandon()

    @property
    def end(self) -> float:
        """The latest time that something came of."""
        return self._latest

    def write_audio(self, samples: Samples, time: float) -> None:
        """Take sound whose first sample is of `time`.

        Raises:
            UsageError: The file was closed.
        """
        self._require_open()
        if self._audio is None or time + len(samples) / _RATE <= self._begin:
            return
        self._heard = True
        silence, skip = self._timeline.place(time, len(samples))
        self._encode_silence(silence)
        self._encode_audio(with_channels(samples[skip:], self._channels))
        self.advance(time)

    def write_video(self, key: str, frame: VideoFrame) -> None:
        """Take a picture of `frame.time` of somebody.

        Args:
            key: Who is seen; ``#content`` at its end tells that it is shared.
            frame: The picture.

        Raises:
            UsageError: The file was closed.
        """
        self._require_open()
        if self._video is not None:
            self._put(frame.time, key, frame)

    def remove_video(self, key: str, time: float) -> None:
        """Somebody is seen no longer from `time` on."""
        self._require_open()
        if self._video is not None:
            self._put(time, key, None)

    def set_speaker(self, key: str | None) -> None:
        """Say who speaks, from now on."""
        if key is not None and key != self._speaker:
            self._speaker = key
            self._changed = True

    def advance(self, time: float) -> None:
        """Everything before `time` has come but for what is late on its way: write it."""
        self._latest = max(self._latest, time)
        if self._video is None:
            return
        due = self._latest - _LATE
        while self._pending and self._pending[0][0] <= due:
            at, _, key, frame = heapq.heappop(self._pending)
            self._draw_until(at)
            self._show(key, frame)
        self._draw_until(due)

    def close(self, time: float | None = None) -> RecordingSummary:
        """Complete the file.

        Args:
            time: Until when it lasts; by default until the last sound or picture.

        Raises:
            EmptyRecordingError: Nothing arrived; the file is removed.
            ConfigurationError: The file could not be completed, for example as the disk is full.
        """
        self._require_open()
        end = max(self._latest, self._begin) if time is None else time
        while self._pending:
            at, _, key, frame = heapq.heappop(self._pending)
            self._draw_until(at)
            self._show(key, frame)
            end = max(end, at)
        if not self._heard and not self._seen:
            self._abandon()
            raise EmptyRecordingError(self.path)
        if self._video is not None:
            self._draw_until(end)
            self._draw(max(end, self._drawn + self._interval))
        if self._audio is not None:
            self._encode_silence(self._timeline.extend(end))
        self._finish()
        return RecordingSummary(
            self.path,
            max(end, self._timeline.end) - self._begin,
            self._frames,
            self._timeline.filled / _RATE,
            tuple(self._seen),
        )

    # Pictures

    def _put(self, time: float, key: str, frame: VideoFrame | None) -> None:
        self._count += 1
        heapq.heappush(self._pending, (time, self._count, key, frame))
        self.advance(time)

    def _show(self, key: str, frame: VideoFrame | None) -> None:
        self._changed = True
        if frame is None:
            self._shown.pop(key, None)
            self._cells.pop(key, None)
            if self._content == key:
                self._content = None
            return
        if key not in self._seen:
            self._seen.append(key)
        if key.endswith("#content"):
            self._content = key
        self._shown[key] = frame

    def _draw_until(self, time: float) -> None:
        """Draw what was shown before `time`, as often as there is something new, and once a second if there is not."""
        if self._drawn < self._begin:
            if time <= self._begin and not self._changed:
                return
            self._draw(self._begin)
        while True:
            next_at = self._drawn + _STILL
            if self._changed:
                # A repetition just before does not hold a new picture up.
                next_at = max(self._drawn + _TICK, self._fresh + self._interval, min(self._newest(), time))
            if next_at > time:
                return
            self._draw(next_at)

    def _newest(self) -> float:
        return max((frame.time for frame in self._shown.values()), default=self._drawn)

    def _draw(self, at: float) -> None:
        if self._video is None:
            return
        width, height = self._size
        canvas = np.empty((height * 3 // 2, width), np.uint8)
        canvas[:height], canvas[height:] = _BLACK, _GREY
        for key, cell in self._arranged().items():
            self._paste(canvas, key, cell)
        picture = av.VideoFrame.from_ndarray(canvas, format="yuv420p")
        picture.pts, picture.time_base = round((at - self._begin) / _CLOCK), _CLOCK
        if self._changed:
            self._fresh = at
        self._drawn, self._changed = at, False
        self._frames += 1
        self._mux(lambda: self._video.encode(picture) if self._video is not None else [])

    def _arranged(self) -> dict[str, Cell]:
        keys = sorted(self._shown, key=self._seen.index)
        if self._layout == "grid":
            return dict(zip(keys, grid(len(keys), *self._size), strict=True))
        speaker = self._speaker if self._speaker in self._shown else None
        cameras = [key for key in keys if not key.endswith("#content")]
        speaker = speaker or (cameras[0] if cameras else None)
        return spotlight(keys, self._content or speaker, speaker if self._content else None, *self._size)

    def _paste(self, canvas: Planes, key: str, cell: Cell) -> None:
        frame = self._shown[key]
        kept = self._cells.get(key)
        if kept is None or kept[0] is not frame or kept[1] != cell:
            place = fit(frame.width, frame.height, cell)
            planes = np.asarray(frame.scaled(place.width, place.height).picture.to_ndarray(), np.uint8)
            kept = self._cells[key] = (frame, cell, planes)
        planes = kept[2]
        place = fit(frame.width, frame.height, cell)
        (width, height), (left, top) = self._size, (place.left, place.top)
        canvas[top : top + place.height, left : left + place.width] = planes[: place.height]
        chroma = canvas[height:].reshape(2, height // 2, width // 2)
        small = planes[place.height :].reshape(2, place.height // 2, place.width // 2)
        bottom, right = (top + place.height) // 2, (left + place.width) // 2
        chroma[:, top // 2 : bottom, left // 2 : right] = small

    # Sound

    def _encode_silence(self, count: int) -> None:
        while count > 0:
            part = min(count, _MOST_AT_ONCE)
            self._encode_audio(np.zeros(part if self._channels == 1 else (part, 2), np.int16))
            count -= part

    def _encode_audio(self, samples: Samples) -> None:
        if self._audio is None or not len(samples):
            return
        layout = "mono" if self._channels == 1 else "stereo"
        sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), format="s16", layout=layout)
        sound.rate = _RATE
        sound.pts, sound.time_base = self._encoded, Fraction(1, _RATE)
        self._encoded += len(samples)
        self._mux(lambda: self._audio.encode(sound) if self._audio is not None else [])

    # The file

    def _add_video(self, codec: str) -> av.VideoStream:
        options = {"preset": "veryfast", "bf": "0", "crf": "25"}
        stream = cast("av.VideoStream", self._container.add_stream(codec, rate=30, options=options))
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _CLOCK
        return stream

    def _add_audio(self, codec: str) -> av.AudioStream:
        layout = "mono" if self._channels == 1 else "stereo"
        stream = cast("av.AudioStream", self._container.add_stream(codec, rate=_RATE, layout=layout))
        if codec == "aac":
            stream.bit_rate = 64_000 * self._channels
        return stream

    def _mux(self, encode: Callable[[], list[av.Packet[Any]]]) -> None:
        try:
            self._container.mux(encode())
        except (FFmpegError, OSError) as error:
            raise ConfigurationError("path", f"{self.path} cannot be written: {error}") from error

    def _finish(self) -> None:
        self._closed = True
        try:
            for stream in (self._video, self._audio):
                if stream is not None:
                    self._container.mux(stream.encode(None))
            self._container.close()
        except (FFmpegError, OSError) as error:
            raise ConfigurationError("path", f"{self.path} cannot be completed: {error}") from error

    def _abandon(self) -> None:
        self._closed = True
        self._container.close()
        self.path.unlink(missing_ok=True)

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError(f"{self.path} was closed")


def _opened(path: Path) -> av.container.OutputContainer:
    try:
        # FFmpeg opens it with the first picture only, which is late to be told that it cannot be written.
        path.touch()
        return av.open(str(path), "w")
    except (FFmpegError, OSError, ValueError) as error:
        raise ConfigurationError("path", f"{path} cannot be written: {error}") from error
