"""What every source of sound or pictures offers, and how sources that are read from disk keep ahead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE
from chime_messaging.errors import ChimeError

if TYPE_CHECKING:
    from chime_media.rtc.video_frame import VideoFrame

Samples = npt.NDArray[np.int16]
"""48 kHz: shape (n,) for one channel, (n, 2) for two."""
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
ItemT = TypeVar("ItemT")


class SourceEnded(ChimeError):
    """A source has nothing more to give: its file is over, or its device is gone.

    Attributes:
        problem: Why it failed, None if it came to its end as it should.
    """

    def __init__(self, problem: Exception | None = None) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return "the source came to its end" if self.problem is None else f"the source failed: {self.problem}"


class AudioSource(Protocol):
    """Where the sound comes from that an attendee sends."""

    @property
    def channels(self) -> int:
        """1 or 2."""

    def read(self) -> Samples | bytes | None:
        """The next 20 ms: 960 samples per channel, or one Opus packet that goes out as it is; None for silence.

        Called once each 20 ms on the event loop, so it must not wait.

        Raises:
            SourceEnded: There is no more.
        """

    def close(self) -> None:
        """Let go of files, devices and threads. Harmless when repeated."""


class VideoSource(Protocol):
    """Where the pictures come from that an attendee sends."""

    @property
    def width(self) -> int:
        """In pixels, of most pictures; 0 if not known yet."""

    @property
    def height(self) -> int:
        """In pixels."""

    @property
    def frame_rate(self) -> float:
        """How often `read` is to be called, per second."""

    def read(self, elapsed: float) -> VideoFrame | None:
        """The picture to show `elapsed` seconds after the beginning; None if it is still the one before.

        Called on a thread, one call after another; it may take as long as a picture is shown.

        Raises:
            SourceEnded: There is no more.
        """

    def close(self) -> None:
        """Let go of files, devices and threads. Harmless when repeated."""


class ReadAhead(Generic[ItemT]):
    """Runs a generator on a thread of its own, a bounded number of items ahead of who takes them.

    Args:
        items: Makes the generator; it is made, run and closed on the thread.
        capacity: How many items may wait.
        name: Of the thread.
    """

    def __init__(self, items: Callable[[], Iterator[ItemT]], capacity: int, name: str) -> None:
        self._items = items
        self._queue: queue.Queue[ItemT | SourceEnded] = queue.Queue(capacity)
        self._ended: SourceEnded | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def take(self) -> ItemT | None:
        """The next item, None if there is none yet.

        Raises:
            SourceEnded: All were taken, or the generator failed.
        """
        if self._ended is not None:
            raise self._ended
        try:
            item = self._queue.get_nowait()
        except queue.Empty:
            return None
        return self._checked(item)

    def wait(self, timeout: float) -> ItemT | None:
        """The next item, None if there is none within `timeout` seconds. Not for the event loop.

        Raises:
            SourceEnded: All were taken, or the generator failed.
        """
        if self._ended is not None:
            raise self._ended
        try:
            item = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        return self._checked(item)

    def close(self) -> None:
        """Stop the thread and wait for it. Items that were not taken are gone."""
        self._stopped.set()
        self._ended = self._ended or SourceEnded()
        self._empty()
        if threading.current_thread() is not self._thread:
            self._thread.join(5.0)

    def _checked(self, item: ItemT | SourceEnded) -> ItemT:
        if isinstance(item, SourceEnded):
            self._ended = item
            raise item
        return item

    def _empty(self) -> None:
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return

    def _run(self) -> None:
        end = SourceEnded()
        items: Iterator[ItemT] = iter(())
        try:
            items = self._items()
            for item in items:
                self._put(item)
                if self._stopped.is_set():
                    break
        except Exception as error:
            # Whatever went wrong is told to who takes the items, as this thread has nobody to tell.
            end = SourceEnded(error)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        self._put(end)

    def _put(self, item: ItemT | SourceEnded) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return
