"""What runs a meeting session on the media thread: its signalling, the negotiation and the connection for media.

Nothing here waits for the application, and the application waits for nothing here but by `MediaThread.run`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import anyio
from anyio.abc import TaskGroup

from chime_media.events import MediaConnected
from chime_media.protocol.offer import Negotiation
from chime_media.protocol.subscribing import Subscribing, Wish
from chime_media.rtc.audio_receiver import AudioReceiver
from chime_media.rtc.audio_sender import AudioFormat, AudioSender
from chime_media.rtc.ice import ClientTransport
from chime_media.rtc.media_thread import MediaThread
from chime_media.rtc.peer import Peer
from chime_media.sessions.media_link import EventOutlet, MediaLink
from chime_media.wire.sdp import TransportDescription
from chime_messaging.errors import ChimeError, ConnectTimeoutError, SessionNotEstablishedError
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    AttendeeMuted,
    IndexReceived,
    JoinAckReceived,
    MeetingReconnectScheduled,
    MeetingSessionStatusCode,
    MeetingSessionStopped,
    RosterAttendee,
    SignalFrameReceived,
    VideoSource,
)
from chime_messaging.protocol.signal_frames import MEDIA_CLIENT
from chime_messaging.protocol.signaling import SignalingClientProtocol
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.sessions.signaling import SignalingSession
from chime_messaging.transport.base import Connector
from chime_messaging.wire.signaling_pb2 import SignalFrame

CONNECT_TIMEOUT = 15.0
"""Seconds from JOIN_ACK until media flows, and for the answer to each offer."""
CONSENT_TIMEOUT = 15.0
"""Seconds after which a path that no longer answers counts as lost."""
LOSS_GRACE = 0.5
"""Seconds from the end of media until the session connects anew, if signalling does not say why media ended."""
RELEASE_TIMEOUT = 2.0
"""Seconds that the end of a session waits for relays to free its addresses."""
SECOND = 1.0

log = logging.getLogger(__name__)


class MeetingEngine:
    """Runs one session. Made on any thread, then it belongs to the media thread.

    Args:
        configuration: Which meeting, who and how.
        audio_format: How sound is encoded.
        tell: Takes events for the application; called on the media thread, must not wait.
        connector: What opens websockets.
        rng: Gives numbers in [0, 1).
        clock: Gives seconds since the epoch.
    """

    def __init__(
        self,
        configuration: MeetingSessionConfiguration,
        audio_format: AudioFormat,
        tell: Callable[[list[Event]], None],
        *,
        connector: Connector | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.configuration = configuration
        self.sender = AudioSender(audio_format)
        self.receiver = AudioReceiver(2 if audio_format.stereo else 1)
        self.reconnects = 0
        """Times that media was connected again."""
        self.tell = tell
        """Tells the application; on the media thread."""
        self.on_settled: Callable[[Peer, Subscribing], None] | None = None
        """Called when an answer was taken on the present connection, or another became that."""
        self.on_second: Callable[[float], None] | None = None
        """Called once a second with the loop's time, while there is a connection for media."""
        self.sources: tuple[VideoSource, ...] = ()
        """What INDEX lists."""
        self._second_at = 0.0
        self._connector = connector
        self._rng = rng
        self._clock = clock
        self.attendees: Mapping[str, RosterAttendee] = {}
        """The roster, by attendee id. Replaced when it changes, so that any thread may read it."""
        self._thread: MediaThread | None = None
        self._signaling: SignalingSession | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._releasing: set[asyncio.Task[None]] = set()
        self._is_to_stop = False
        self._tasks: TaskGroup | None = None
        self._link: MediaLink | None = None
        self._peer: Peer | None = None
        self._wish = Wish()
        self._streams: frozenset[int] = frozenset()
        self._was_connected = False

    @property
    def signaling(self) -> SignalingSession:
        """The signalling connection.

        Raises:
            SessionNotEstablishedError: before it runs.
        """
        if self._signaling is None:
            raise SessionNotEstablishedError("the session was not entered")
        return self._signaling

    @property
    def peer(self) -> Peer | None:
        """The present connection for media; None before the first and after the last."""
        return self._peer

    @property
    def subscribing(self) -> Subscribing | None:
        """What was asked for over the present signalling connection; None while there is none."""
        return None if self._link is None else self._link.subscribing

    def prepare(self, thread: MediaThread) -> None:
        """Make what needs the running loop. Called on the media thread before `run`."""
        self._thread = thread
        self._signaling = SignalingSession(
            self.configuration,
            self._inspect,
            self._work,
            EventOutlet(self.tell),
            connector=self._connector,
            rng=self._rng,
            clock=self._clock,
            client_source=MEDIA_CLIENT,
        )

    async def run(self) -> None:
        """Run the session until it is over and its addresses are free; the terminal event tells what happened to it."""
        signaling = self.signaling
        if self._is_to_stop:
            return
        try:
            await signaling.enter()
        except ChimeError as error:
            log.debug("the session ended while it was entered: %s", error)
            return
        await signaling.life.wait_over()
        await signaling.life.exit(None, None, None)
        if self._releasing:
            await asyncio.wait(self._releasing, timeout=RELEASE_TIMEOUT)

    def answer(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
        """Let the application's loop call something soon, together with what else there is to tell it."""
        assert self._thread is not None
        self._thread.answer(loop, call)

    def stop(self) -> None:
        """Leave the meeting. Returns at once."""
        self._is_to_stop = True
        if self._signaling is not None:
            self._soon(self._signaling.stop)

    # What the application wants

    def want(self, wish: Wish) -> None:
        """Say which videos are to be sent and received from now on."""
        self._wish = wish
        link = self._link
        if link is not None and link.subscribing is not None:
            link.subscribing.want(wish)
            link.changed.set()

    def mute(self, muted: bool) -> None:
        """Send silence instead of what the source gives, and tell the others; or do so no longer."""
        if self.sender.muted == muted:
            return
        self.sender.muted = muted
        self.write_soon(lambda protocol, now: protocol.mute(muted, now))

    def break_off(self, status: MeetingSessionStatusCode, reason: str) -> None:
        """Connect anew, or end the session, as the status says. Returns at once."""
        self._soon(lambda: self.signaling.break_off(status, reason))

    def write_soon(self, add: Callable[[SignalingClientProtocol, float], None]) -> None:
        """Write what `add` puts into the protocol, if the session is joined; otherwise it is forgotten."""
        if self._signaling is not None:
            self._spawn(self._write(add))

    def _soon(self, call: Callable[[], None]) -> None:
        """Call something that wants to be called by a task, from wherever this is called."""

        async def work() -> None:
            call()

        self._spawn(work())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _write(self, add: Callable[[SignalingClientProtocol, float], None]) -> None:
        try:
            await self.signaling.write(add)
        except ChimeError as error:
            # Whatever is said this way is said again by the next SUBSCRIBE.
            log.debug("a frame was not written: %s", error)

    # Its life

    async def _work(self) -> None:
        assert self._thread is not None
        beat = self._thread.beat
        beat.add(self._tick)
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                await anyio.sleep_forever()
        finally:
            self._tasks = None
            beat.remove(self._tick)
            self._end()

    def _end(self) -> None:
        self._unlink()
        if self._peer is not None:
            self._close(self._peer)
            self._peer = None
        self.sender.detach()
        self.receiver.close()

    def _tick(self, now: float, number: int) -> None:
        peer = self._peer
        if peer is not None:
            peer.tick(now)
            self.sender.tick(number)
            if now >= self._second_at:
                self._second_at = now + SECOND
                if self.on_second is not None:
                    self.on_second(now)
        self.receiver.tick(now)

    def _inspect(self, events: list[Event]) -> list[Event]:
        """Look at what the connection brought, before the application is told."""
        for event in events:
            if isinstance(event, SignalFrameReceived):
                link = self._link
                if link is not None and event.frame.type == SignalFrame.SUBSCRIBE_ACK:
                    link.acks.put_nowait(event.frame)
            elif isinstance(event, IndexReceived):
                self.sources = event.sources
                self._streams = frozenset(source.stream_id for source in event.sources)
                if self._link is not None:
                    self._link.joined.set()
            elif isinstance(event, JoinAckReceived):
                self._unlink()
                if self._tasks is not None:
                    self._link = link = MediaLink(event)
                    self._tasks.start_soon(self._connect, link)
            elif isinstance(event, MeetingReconnectScheduled | MeetingSessionStopped):
                self._unlink()
            elif isinstance(event, AttendeeJoined | AttendeeLeft | AttendeeMuted):
                self.attendees = dict(self.signaling.protocol.attendees)
        return events

    def _unlink(self) -> None:
        """Give up what belongs to the signalling connection. Media goes on until there is other media, or an end."""
        link, self._link = self._link, None
        if link is None:
            return
        link.scope.cancel()
        if link.peer is not None and link.peer is not self._peer:
            self._close(link.peer)

    def _close(self, peer: Peer) -> None:
        """End a connection for media; the end of the session waits until its addresses are free."""
        peer.close()
        task = asyncio.get_running_loop().create_task(peer.transport.aclose())
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def _connect(self, link: MediaLink) -> None:
        with link.scope:
            try:
                await self._establish(link)
                await self._keep_up(link)
            except TimeoutError:
                self._failed(link, ConnectTimeoutError("media", CONNECT_TIMEOUT))
            except SessionNotEstablishedError as error:
                # The signalling connection went away; it says itself what comes next.
                log.debug("no media: %s", error)
            except ChimeError as error:
                self._failed(link, error)
            except Exception as error:
                log.exception("media failed")
                self._failed(link, error)

    def _failed(self, link: MediaLink, error: Exception) -> None:
        if self._link is link:
            log.warning("Attendee %s: no media: %s", self.configuration.credentials.attendee_id, error)
            self.break_off(MeetingSessionStatusCode.TASK_FAILED, f"no media: {error}")

    async def _establish(self, link: MediaLink) -> None:
        """Make a connection for media, and let it take the place of the one before."""
        async with asyncio.timeout(CONNECT_TIMEOUT):
            transport = await ClientTransport.gather(
                link.ack.turn_credentials, relay_only=True, consent_timeout=CONSENT_TIMEOUT
            )
            link.peer = peer = Peer(transport, self.sender, self.receiver, self._peer_closed)
            credentials, urls = self.configuration.credentials, self.configuration.urls
            link.subscribing = Subscribing(
                Negotiation(transport.description, peer.audio_offer()),
                peer.camera_offer,
                attendee_id=credentials.attendee_id,
                audio_host=urls.audio_host_url,
                compressed=link.ack.wants_compressed_sdp,
            )
            await link.joined.wait()
            # Video waits until there is sound, but for a connection that is to take another's place.
            link.subscribing.want(self._present_wish() if self._was_connected else Wish())
            remote = None
            while remote is None:
                remote = await self._subscribe(link, link.subscribing, peer)
            await transport.connect(remote, peer, CONNECT_TIMEOUT)
        before, self._peer = self._peer, peer
        peer.begin()
        if before is not None:
            self._close(before)
        self.signaling.settle()
        reconnected, self._was_connected = self._was_connected, True
        self.reconnects += reconnected
        self.tell([MediaConnected(reconnected=reconnected)])
        self._settled(link, peer)

    async def _keep_up(self, link: MediaLink) -> None:
        """Ask for what is wanted, whenever that changes."""
        subscribing, peer = link.subscribing, link.peer
        assert subscribing is not None
        assert peer is not None
        subscribing.want(self._present_wish())
        while True:
            link.changed.clear()
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if await self._subscribe(link, subscribing, peer) is not None:
                    self._settled(link, peer)
            if not link.changed.is_set():
                await link.changed.wait()

    async def _subscribe(self, link: MediaLink, subscribing: Subscribing, peer: Peer) -> TransportDescription | None:
        """Write what is to be asked for, and take the answer; None if there was nothing."""
        frame = subscribing.next_frame(self.sender.muted)
        if frame is None:
            return None
        await self.signaling.write(lambda protocol, now: protocol.write(frame, now))
        if not subscribing.waiting:
            return None
        ack = await link.acks.get()
        if ack.HasField("error") and not (ack.suback.sdp_answer or ack.suback.compressed_sdp_answer):
            # Whatever ends or restarts the session does so by itself. What is left is that no video may be sent.
            subscribing.refused()
            self._wish = replace(self._wish, sending=())
            subscribing.want(replace(subscribing.wish, sending=()))
            link.changed.set()
            return None
        negotiated = subscribing.answered(ack.suback)
        peer.settle(negotiated)
        return negotiated.remote

    def _present_wish(self) -> Wish:
        """What is wanted, without the streams that the newest INDEX does not have: they may be from before."""
        receiving = {group: id_ for group, id_ in self._wish.receiving.items() if id_ in self._streams}
        return replace(self._wish, receiving=MappingProxyType(receiving))

    def _settled(self, link: MediaLink, peer: Peer) -> None:
        if self.on_settled is not None and link.subscribing is not None:
            self.on_settled(peer, link.subscribing)

    def _peer_closed(self, peer: Peer, reason: str) -> None:
        link = self._link
        self._close(peer)
        if peer is self._peer:
            self._peer = None
            self.sender.detach()
            if link is not None and link.peer is peer:
                self._spawn(self._media_lost(link, reason))

    async def _media_lost(self, link: MediaLink, reason: str) -> None:
        # A service that ends the session says so, but its media may end first.
        await asyncio.sleep(LOSS_GRACE)
        if self._link is link:
            self.signaling.break_off(MeetingSessionStatusCode.CONNECTION_HEALTH_RECONNECT, f"media was lost: {reason}")
