"""The sound of a meeting as its user holds it: `session.audio`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chime_media.devices.sources import AudioSource, Samples, SourceEnded
from chime_media.events import AudioInputEnded
from chime_messaging.errors import SessionClosedError, UsageError
from chime_messaging.events import Event

if TYPE_CHECKING:
    from chime_media.devices.audio_sinks import AudioSink
    from chime_media.rtc.audio_receiver import Listener
    from chime_media.rtc.audio_sender import FrameSource
    from chime_media.sessions.threaded_signaling import ThreadedSignaling

KEPT_FRAMES = 250
"""Frames of 20 ms that wait for who iterates over them; beyond them the oldest are lost."""


class MeetingAudio:
    """What an attendee says and hears. Its methods are for the session's event loop.

    A source is read on the media thread, every 20 ms, so that nothing the application does makes it stutter.

    Args:
        signaling: The session's.
        emit: Tells an event.
    """

    def __init__(self, signaling: ThreadedSignaling, emit: Callable[[Event], object]) -> None:
        self._signaling = signaling
        self._emit = emit
        self._engine = signaling.engine
        self._engine.sender.on_source_error = self._source_ended
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()
        self._input: AudioSource | None = None
        self._playing: tuple[AudioSource, asyncio.Future[None]] | None = None
        self._muted = False
        self._can_unmute = True
        self._streams: list[AudioFrames] = []
        self._sinks: dict[int, tuple[AudioSink, Listener]] = {}
        self._is_over = False

    # Saying

    async def play(self, source: AudioSource | Path | str) -> None:
        """Say something, and return when all of it is sent. What is played meanwhile waits for its turn.

        The input is not heard for that time. A muted attendee plays silence.

        Args:
            source: Anything of `chime_media.devices`, or the path of a sound file. It is closed at the end.

        Raises:
            SourceEnded: It failed before its end; `problem` says why.
            SessionClosedError: The session is over.
        """
        source = _opened(source)
        try:
            async with self._turn:
                if self._is_over:
                    raise SessionClosedError("the session is over")
                self._loop = asyncio.get_running_loop()
                ended = self._loop.create_future()
                self._playing = (source, ended)
                try:
                    self._choose_source()
                    await ended
                finally:
                    self._playing = None
                    self._choose_source()
        finally:
            source.close()

    def start_input(self, source: AudioSource | Path | str) -> None:
        """Say from now on what a source gives; one that was used before is closed. Official name: startAudioInput.

        At its end `AudioInputEnded` is told.
        """
        before, self._input = self._input, _opened(source)
        self._loop = _running_loop() or self._loop
        self._choose_source()
        if before is not None and before is not self._input:
            self._signaling.post(before.close)

    def stop_input(self) -> None:
        """Say nothing any more. Official name: stopAudioInput."""
        before, self._input = self._input, None
        self._choose_source()
        if before is not None:
            self._signaling.post(before.close)

    @property
    def input(self) -> AudioSource | None:
        """What is said when nothing is played."""
        return self._input

    @property
    def is_playing(self) -> bool:
        """Whether something is played."""
        return self._playing is not None

    # Muting

    @property
    def is_muted(self) -> bool:
        """Whether silence is sent instead. Official name: realtimeIsLocalAudioMuted."""
        return self._muted

    @property
    def can_unmute(self) -> bool:
        """Whether `unmute` works. Official name: realtimeCanUnmuteLocalAudio."""
        return self._can_unmute

    def mute(self) -> None:
        """Send silence. Official name: realtimeMuteLocalAudio."""
        self._set_muted(True)

    def unmute(self) -> bool:
        """Be heard again; False if that is forbidden. Official name: realtimeUnmuteLocalAudio."""
        if not self._can_unmute:
            return False
        self._set_muted(False)
        return True

    def forbid_unmute(self) -> None:
        """Let `unmute` do nothing. Official name: realtimeSetCanUnmuteLocalAudio(false)."""
        self._can_unmute = False

    def allow_unmute(self) -> None:
        """Let `unmute` work again. Official name: realtimeSetCanUnmuteLocalAudio(true)."""
        self._can_unmute = True

    # Hearing

    def frames(self, *, size: int = KEPT_FRAMES) -> AudioFrames:
        """Return an asynchronous iterator over what is heard: int16 arrays of 960 samples at 48 kHz, 20 ms each.

        Shape (960,), or (960, 2) with a stereo format; silence comes as zeros, in its time. Frames are kept from the
        first step on. It ends when the session does.

        Args:
            size: How many may wait; beyond that the oldest are lost, and counted in `dropped`.
        """
        stream = AudioFrames(self, size)
        self._streams.append(stream)
        return stream

    def add_sink(self, sink: AudioSink) -> None:
        """Write what is heard to a sink, on the media thread, until `remove_sink` or the end of the session."""
        if id(sink) in self._sinks:
            return

        def listen(samples: Samples, now: float) -> None:
            del now
            sink.write(samples)

        self._sinks[id(sink)] = (sink, listen)
        self._signaling.post(self._engine.receiver.add, listen)

    def remove_sink(self, sink: AudioSink) -> None:
        """Write no more to a sink, and close it. Harmless if it was not added."""
        known = self._sinks.pop(id(sink), None)
        if known is not None:
            self._signaling.post(self._remove_sink, *known)

    def listen(self, listener: Listener) -> None:
        """Let a function hear: it is called on the media thread with 20 ms and their time, and must not wait."""
        self._signaling.post(self._engine.receiver.add, listener)

    def unlisten(self, listener: Listener) -> None:
        """Let it hear no more."""
        self._signaling.post(self._engine.receiver.remove, listener)

    # Its end

    def close(self) -> None:
        """The session is over."""
        self._is_over = True
        if self._playing is not None and not self._playing[1].done():
            self._playing[1].set_exception(SessionClosedError("the session ended while sound was played"))
        for stream in tuple(self._streams):
            stream.end()
        for sink, _ in tuple(self._sinks.values()):
            self.remove_sink(sink)
        self.stop_input()

    def answer(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
        """Let the application's loop call something soon. Called on the media thread."""
        self._engine.answer(loop, call)

    def forget(self, stream: AudioFrames) -> None:
        """Called by a stream that has ended."""
        if stream in self._streams:
            self._streams.remove(stream)

    def _remove_sink(self, sink: AudioSink, listener: Listener) -> None:
        self._engine.receiver.remove(listener)
        sink.close()

    def _set_muted(self, muted: bool) -> None:
        if muted != self._muted:
            self._muted = muted
            self._signaling.post(self._engine.mute, muted)

    def _choose_source(self) -> None:
        source = self._playing[0] if self._playing is not None else self._input
        self._signaling.post(setattr, self._engine.sender, "source", source)

    def _source_ended(self, source: FrameSource, error: Exception) -> None:
        """Called on the media thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take_end, source, error)

    def _take_end(self, source: FrameSource, error: Exception) -> None:
        problem = error.problem if isinstance(error, SourceEnded) else error
        playing = self._playing
        if playing is not None and playing[0] is source:
            if playing[1].done():
                return
            if problem is None:
                playing[1].set_result(None)
            else:
                playing[1].set_exception(error if isinstance(error, SourceEnded) else SourceEnded(problem))
        elif source is self._input:
            self._input.close()
            self._input = None
            self._emit(AudioInputEnded(problem))


class AudioFrames:
    """What is heard, 20 ms at a time; see `MeetingAudio.frames`. Breaking off needs `aclose` or ``async with``."""

    def __init__(self, audio: MeetingAudio, size: int) -> None:
        if size < 1:
            raise UsageError("a stream of frames needs room for one")
        self.dropped = 0
        """Frames that were lost as nobody took them in time."""
        self._audio = audio
        self._size = size
        self._waiting: deque[Samples] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._is_told = False
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
        """Listen no longer."""
        self.end()

    async def __anext__(self) -> Samples:
        self._begin()
        while not self._waiting:
            if self._is_over:
                raise StopAsyncIteration
            assert self._loop is not None
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter
        try:
            return self._waiting.popleft()
        except IndexError:
            return await self.__anext__()

    def end(self) -> None:
        """Listen no longer; what waits can still be taken."""
        if not self._is_over:
            self._is_over = True
            self._audio.unlisten(self._heard)
            self._audio.forget(self)
            self._wake()

    def _begin(self) -> None:
        if self._loop is None and not self._is_over:
            self._loop = asyncio.get_running_loop()
            self._audio.listen(self._heard)

    def _heard(self, samples: Samples, now: float) -> None:
        """Called on the media thread."""
        del now
        if len(self._waiting) >= self._size:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(samples)
        if not self._is_told and self._loop is not None:
            self._is_told = True
            self._audio.answer(self._loop, self._wake)

    def _wake(self) -> None:
        # From here on the media thread tells again; what it put in before is taken by who waits.
        self._is_told = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def _opened(source: AudioSource | Path | str) -> AudioSource:
    if isinstance(source, Path | str):
        from chime_media.devices.media_file import AudioFile

        return AudioFile(source)
    return source


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
