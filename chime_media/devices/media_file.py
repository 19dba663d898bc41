"""Sound and pictures of files, in whatever format FFmpeg reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from chime_media.devices.sources import ReadAhead, Samples, SourceEnded
from chime_media.devices.video_sources import check_size
from chime_media.rtc.video_frame import VideoFrame
from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE, sample_count
from chime_messaging.errors import ConfigurationError

_AUDIO_AHEAD = 50
_VIDEO_AHEAD = 8
_LATE = 0.5


class AudioFile:
    """The sound of a file (WAV, MP3, Ogg, the sound of an MP4, ...), decoded on a thread, about a second ahead.

    Args:
        path: The file.
        stereo: Two channels instead of one.
        loop: Begin anew at the end.

    Raises:
        ConfigurationError: The file cannot be read or has no sound.
    """

    def __init__(self, path: Path | str, *, stereo: bool = False, loop: bool = False) -> None:
        self.path = Path(path)
        self.channels = 2 if stereo else 1
        self._loop = loop
        with _open(self.path) as container:
            if not container.streams.audio:
                raise ConfigurationError("path", f"{self.path} has no sound")
        self._ahead: ReadAhead[Samples] = ReadAhead(self._frames, _AUDIO_AHEAD, f"decoding {self.path.name}")

    def read(self) -> Samples | None:
        """The next 20 ms, None if the disk is too slow.

        Raises:
            SourceEnded: The file is over or broken.
        """
        return self._ahead.take()

    def wait(self, timeout: float = 5.0) -> Samples | None:
        """The next 20 ms, None if the disk has not given them in so many seconds. Not for the event loop.

        Raises:
            SourceEnded: The file is over or broken.
        """
        return self._ahead.wait(timeout)

    def close(self) -> None:
        """Stop the thread and close the file."""
        self._ahead.close()

    def _frames(self) -> Iterator[Samples]:
        while True:
            yield from self._once()
            if not self._loop:
                return

    def _once(self) -> Iterator[Samples]:
        layout = "stereo" if self.channels == 2 else "mono"
        resampler = av.AudioResampler(format="s16", layout=layout, rate=SAMPLE_RATE)
        waiting = np.empty((0, self.channels), np.int16)
        with _open(self.path) as container:
            for decoded in _decoded_audio(container):
                decoded_samples = [
                    np.asarray(part.to_ndarray()).reshape(-1, self.channels) for part in resampler.resample(decoded)
                ]
                waiting = np.concatenate([waiting, *decoded_samples])
                while len(waiting) >= FRAME_SAMPLES:
                    yield self._shaped(waiting[:FRAME_SAMPLES])
                    waiting = waiting[FRAME_SAMPLES:]
        if len(waiting):
            yield self._shaped(
                np.concatenate([waiting, np.zeros((FRAME_SAMPLES - len(waiting), self.channels), np.int16)])
            )

    def _shaped(self, samples: Samples) -> Samples:
        return np.ascontiguousarray(samples[:, 0] if self.channels == 1 else samples)


class OpusFile:
    """The packets of a file with Opus (.opus, .ogg, .webm, .mka) as they are, without decoding or encoding.

    Args:
        path: The file; its packets have to be of 20 ms, as most programs write them.
        loop: Begin anew at the end.

    Raises:
        ConfigurationError: The file cannot be read, has no Opus, or packets of another duration.
    """

    def __init__(self, path: Path | str, *, loop: bool = False) -> None:
        self.path = Path(path)
        with _open(self.path) as container:
            if not container.streams.audio or container.streams.audio[0].codec_context.name not in ("opus", "libopus"):
                raise ConfigurationError("path", f"{self.path} has no Opus; AudioFile plays any format")
            stream = container.streams.audio[0]
            self.channels = stream.codec_context.channels
            packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
        for packet in packets:
            samples = sample_count(packet)
            if samples != FRAME_SAMPLES:
                raise ConfigurationError("path", f"{self.path} has packets of {samples / 48} ms instead of 20")
        if not packets:
            raise ConfigurationError("path", f"{self.path} has no packets")
        self._packets = packets
        self._loop = loop
        self._at = 0

    def read(self) -> bytes:
        """The next packet.

        Raises:
            SourceEnded: The file is over.
        """
        if self._at == len(self._packets):
            if not self._loop:
                raise SourceEnded
            self._at = 0
        self._at += 1
        return self._packets[self._at - 1]

    def close(self) -> None:
        """Nothing to let go of."""


class VideoFile:
    """The pictures of a file at the times that it says, decoded on a thread, a few ahead.

    Args:
        path: The file.
        width: Scale to this width in pixels; None keeps the file's.
        loop: Begin anew at the end.

    Raises:
        ConfigurationError: The file cannot be read or has no pictures.
    """

    def __init__(self, path: Path | str, *, width: int | None = None, loop: bool = False) -> None:
        self.path = Path(path)
        self._loop = loop
        with _open(self.path) as container:
            if not container.streams.video:
                raise ConfigurationError("path", f"{self.path} has no pictures")
            stream = container.streams.video[0]
            context = stream.codec_context
            if not context.width or not context.height:
                raise ConfigurationError("path", f"{self.path} does not say how large its pictures are")
            self.width = (width or context.width) // 2 * 2
            self.height = round(context.height * self.width / context.width) // 2 * 2
            self.frame_rate = min(30.0, float(stream.average_rate or 25))
        check_size(self.width, self.height, self.frame_rate)
        self._waiting: VideoFrame | None = None
        self._ahead: ReadAhead[VideoFrame] = ReadAhead(self._frames, _VIDEO_AHEAD, f"decoding {self.path.name}")

    def read(self, elapsed: float) -> VideoFrame | None:
        """The last picture that is due by then; those that were due before it are left out.

        Raises:
            SourceEnded: The file is over or broken.
        """
        due: VideoFrame | None = None
        half = 0.5 / self.frame_rate
        while True:
            if self._waiting is None:
                try:
                    self._waiting = self._ahead.wait(_LATE if due is None else 1 / self.frame_rate)
                except SourceEnded:
                    if due is not None:
                        return due
                    raise
            if self._waiting is None or self._waiting.time > elapsed + half:
                return due
            due, self._waiting = self._waiting, None

    def close(self) -> None:
        """Stop the thread and close the file."""
        self._ahead.close()

    def _frames(self) -> Iterator[VideoFrame]:
        begin = 0.0
        while True:
            last = begin
            with _open(self.path) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                first: float | None = None
                for picture in container.decode(stream):
                    at = picture.time if picture.time is not None else last - begin + 1 / self.frame_rate
                    first = at if first is None else first
                    last = begin + at - first
                    yield VideoFrame(picture, last).scaled(self.width, self.height)
            if not self._loop:
                return
            begin = last + 1 / self.frame_rate


class Clip:
    """A file with pictures, sound, or both, to be shown together.

    Args:
        path: The file.
        stereo: Two channels of sound.
        width: Scale the pictures to this width.
        loop: Begin anew at the end.

    Raises:
        ConfigurationError: The file cannot be read or has neither.

    Attributes:
        audio: Its sound, None if it has none.
        video: Its pictures, None if it has none.
    """

    def __init__(self, path: Path | str, *, stereo: bool = False, width: int | None = None, loop: bool = False) -> None:
        self.path = Path(path)
        with _open(self.path) as container:
            has_audio, has_video = bool(container.streams.audio), bool(container.streams.video)
        if not has_audio and not has_video:
            raise ConfigurationError("path", f"{self.path} has neither pictures nor sound")
        self.audio = AudioFile(self.path, stereo=stereo, loop=loop) if has_audio else None
        self.video = VideoFile(self.path, width=width, loop=loop) if has_video else None

    def close(self) -> None:
        """Close both."""
        for source in (self.audio, self.video):
            if source is not None:
                source.close()


def _open(path: Path) -> av.container.InputContainer:
    try:
        return av.open(str(path), "r")
    except (FFmpegError, OSError, ValueError) as error:
        raise ConfigurationError("path", f"{path} cannot be read: {error}") from error


def _decoded_audio(container: av.container.InputContainer) -> Iterator[av.AudioFrame | None]:
    """The frames and, at the end, None, which makes a resampler give what it kept."""
    yield from container.decode(container.streams.audio[0])
    yield None
