"""Video of a session on the media thread: which source is sent over the present connection, and who gets what comes."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias

from chime_media.devices.sources import SourceEnded, VideoSource
from chime_media.events import LocalVideoEnded, LocalVideoStarted, RemoteVideosSettled
from chime_media.protocol import media_frames
from chime_media.protocol.media_frames import SentLayer
from chime_media.protocol.subscribing import Subscribing, Wish
from chime_media.rtc.peer import Peer
from chime_messaging.events import Event
from chime_messaging.protocol.signaling import SignalingClientProtocol
from chime_messaging.wire.signaling_pb2 import SignalFrame

if TYPE_CHECKING:
    from chime_media.rtc.video_frame import VideoFrame
    from chime_media.rtc.video_sender import VideoSender

Listener: TypeAlias = "Callable[[int, VideoFrame], object]"
"""Takes a group id and a picture; called on the media thread, must not wait."""

log = logging.getLogger(__name__)


class Engine(Protocol):
    """What is needed of a `MeetingEngine`."""

    on_settled: Callable[[Peer, Subscribing], None] | None

    @property
    def peer(self) -> Peer | None:
        """The present connection."""

    @property
    def subscribing(self) -> Subscribing | None:
        """What was asked for."""

    def want(self, wish: Wish) -> None:
        """Say which videos are to be sent and received."""

    def tell(self, events: list[Event]) -> None:
        """Tell the application."""

    def write_soon(self, add: Callable[[SignalingClientProtocol, float], None]) -> None:
        """Write a frame."""


class VideoEngine:
    """Sends and receives the video of one session, over all its connections. Belongs to the media thread.

    Args:
        engine: The session's.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._source: VideoSource | None = None
        self._source_paused = False
        self._held_at = 0.0
        self._epoch: float | None = None
        self._layers: tuple[SentLayer, ...] = ()
        self._sender: VideoSender | None = None
        self._receiving: Mapping[int, int] = {}
        self._listeners: dict[int, tuple[Listener, ...]] = {}
        self._endings: set[asyncio.Task[None]] = set()
        engine.on_settled = self._settled

    # What is sent

    def show(self, source: VideoSource, layer: SentLayer) -> None:
        """Send the pictures of a source instead of what was sent before, which is closed."""
        self._let_go()
        self._source, self._epoch = source, None
        self._layers = (layer,)
        self._want()
        # With the same layer nothing is asked for, so nothing would be answered.
        peer = self._engine.peer
        if peer is not None and self._engine.subscribing is not None and peer.has_video:
            self._send(peer)

    def hide(self) -> None:
        """Send nothing any more, and close the source."""
        self._let_go()
        self._layers = ()
        self._want()

    def hold(self, held: bool) -> None:
        """Send nothing for a while, without asking anybody; or go on."""
        if held == self._source_paused:
            return
        self._source_paused = held
        now, peer = asyncio.get_running_loop().time(), self._engine.peer
        if held:
            self._held_at = now
        elif self._epoch is not None:
            # The source goes on where it was.
            self._epoch += now - self._held_at
        if held and self._sender is not None:
            self._sender.hold()
        elif not held and peer is not None and peer.has_video:
            self._send(peer)

    def limit(self, bitrate: int, scale: float) -> None:
        """Send no more than `bitrate` bit/s, and pictures whose width and height are divided by `scale`."""
        if self._sender is not None:
            self._sender.set_max_bitrate(bitrate)
            self._sender.scale = scale

    # What is received

    def receive(self, streams: Mapping[int, int]) -> None:
        """Receive these streams, by group id, and no others."""
        if dict(streams) != dict(self._receiving):
            self._receiving = dict(streams)
            self._want()

    def listen(self, group_id: int, listener: Listener) -> None:
        """Hand the pictures of a group to somebody; with the first, decoding begins."""
        self._listeners[group_id] = (*self._listeners.get(group_id, ()), listener)
        self._bind()

    def unlisten(self, group_id: int, listener: Listener) -> None:
        """Hand them over no more; with the last, decoding ends."""
        left = tuple(other for other in self._listeners.get(group_id, ()) if other != listener)
        if left:
            self._listeners[group_id] = left
            return
        self._listeners.pop(group_id, None)
        peer, subscribing = self._engine.peer, self._engine.subscribing
        if peer is None or subscribing is None or not peer.has_video:
            return
        receiver = peer.video.receivers.get(subscribing.mids.get(group_id, ""))
        if receiver is not None:
            receiver.unbind()

    def unlisten_all(self, group_id: int) -> None:
        """Hand the pictures of a group over to nobody any more."""
        for listener in self._listeners.get(group_id, ()):
            self.unlisten(group_id, listener)

    def pause(self, stream_ids: Iterable[int]) -> None:
        """Ask the service to send these streams no more for now."""
        self._write(media_frames.pause(stream_ids))

    def resume(self, stream_ids: Iterable[int]) -> None:
        """Ask for them again."""
        self._write(media_frames.resume(stream_ids))

    def close(self) -> None:
        """The session is over. The source is left to who calls, as this thread may end before it is closed."""
        self._source = None
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.hold()
        self._listeners.clear()

    def _want(self) -> None:
        self._engine.want(Wish(self._layers, MappingProxyType(dict(self._receiving))))

    def _write(self, frame: SignalFrame) -> None:
        self._engine.write_soon(lambda protocol, now: protocol.write(frame, now))

    def _settled(self, peer: Peer, subscribing: Subscribing) -> None:
        """An answer was taken: there may be other sections, or another connection."""
        if peer.has_video:
            self._send(peer)
        self._bind_on(peer, subscribing)
        self._engine.tell([RemoteVideosSettled(tuple(subscribing.mids))])

    def _send(self, peer: Peer) -> None:
        source, sender = self._source, peer.video.sender
        if source is None or self._source_paused or (sender is self._sender and sender.source is source):
            return
        if self._epoch is None:
            self._epoch = asyncio.get_running_loop().time()
            self._engine.tell([LocalVideoStarted()])
        self._sender = sender
        if self._layers and self._layers[0].max_bitrate_kbps:
            sender.set_max_bitrate(self._layers[0].max_bitrate_kbps * 1000)
        sender.start(source, functools.partial(self._source_ended, source), self._epoch)

    def _source_ended(self, source: VideoSource, problem: Exception) -> None:
        if source is self._source:
            reason = problem.problem if isinstance(problem, SourceEnded) else problem
            if reason is not None:
                log.warning("The source of the own video failed: %s", reason)
            self._engine.tell([LocalVideoEnded(reason)])

    def _let_go(self) -> None:
        source, self._source = self._source, None
        sender, self._sender = self._sender, None
        if source is not None:
            ending = asyncio.get_running_loop().create_task(_end(sender, source))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    def _bind(self) -> None:
        peer, subscribing = self._engine.peer, self._engine.subscribing
        if peer is not None and subscribing is not None:
            self._bind_on(peer, subscribing)

    def _bind_on(self, peer: Peer, subscribing: Subscribing) -> None:
        for group_id, mid in subscribing.mids.items():
            if group_id in self._listeners:
                receiver = peer.video.receivers.get(mid)
                if receiver is not None and not receiver.bound:
                    receiver.bind(functools.partial(self._received, group_id))

    def _received(self, group_id: int, frame: VideoFrame) -> None:
        for listener in self._listeners.get(group_id, ()):
            try:
                listener(group_id, frame)
            except Exception:
                log.exception("%r failed on a picture and gets no more", listener)
                self.unlisten(group_id, listener)


async def _end(sender: VideoSender | None, source: VideoSource) -> None:
    if sender is not None and sender.source is source:
        await sender.stop()
    await asyncio.get_running_loop().run_in_executor(None, source.close)
