"""Video of one meeting: who sends what to whom. Nothing is decoded; packets are renumbered for each receiver.

    forwarder = VideoForwarder(asyncio.get_running_loop())
    publication = forwarder.publish("attendee", transport, [Layer(stream_id=3)], {96: VideoFormat.of("VP8")}, {97: 96})
    subscription = forwarder.subscribe(other, "2", ssrc, rtx_ssrc, {VideoFormat.of("VP8"): 96}, {96: 97}, stream_id=3)
    publication.rtp_received(packet, loop.time())
    subscription.rtcp_received(rtcp.parse(packet), loop.time())

Everything is synchronous and belongs to the loop's thread. The only timer is one per meeting, and it runs only while
somebody sends video.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from chime_media.protocol.video_format import VideoFormat
from chime_media.rtc.transport import MediaTransport
from chime_media.server.video_publication import ExtensionIds, Layer, Publication
from chime_media.server.video_subscription import Subscription

CEILING = 6_000_000
"""What a sender may send in all its layers, in bit/s."""


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """Let it not happen."""


class Timers(Protocol):
    """The part of an event loop that the forwarder needs."""

    def time(self) -> float:
        """Now, in seconds."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call at that time."""


class VideoForwarder:
    """Video of one meeting.

    Args:
        loop: The event loop, for time and timers.
        ceiling: What a sender may send, in bit/s.
        wall: The time of day in seconds since 1970, for the sender reports to receivers.
    """

    def __init__(self, loop: Timers, *, ceiling: int = CEILING, wall: Callable[[], float] = time.time) -> None:
        self._loop = loop
        self._ceiling = ceiling
        self._wall = wall() - loop.time()
        self._publications: list[Publication] = []
        self._layers: dict[int, tuple[Publication, Layer]] = {}
        self._subscriptions: dict[Subscription, None] = {}
        self._by_transport: dict[MediaTransport, dict[Subscription, None]] = {}
        self._by_publication: dict[Publication, dict[Subscription, None]] = {}
        self._timer: Timer | None = None
        self._due = 0.0

    @property
    def publications(self) -> tuple[Publication, ...]:
        """Those that are not over."""
        return tuple(self._publications)

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Those that are not over."""
        return tuple(self._subscriptions)

    def publish(
        self,
        attendee_id: str,
        transport: MediaTransport,
        layers: Sequence[Layer],
        formats: Mapping[int, VideoFormat],
        retransmissions: Mapping[int, int] | None = None,
        *,
        extensions: ExtensionIds = ExtensionIds(),  # noqa: B008, frozen
        mid: str | None = None,
        feedback_ssrc: int = 1,
    ) -> Publication:
        """Take video of an attendee from now on.

        Args:
            attendee_id: Whose it is.
            transport: Takes feedback to the sender.
            layers: In order of rising quality; one without rid if the picture is sent once.
            formats: By the payload types of the sender's section, without retransmissions.
            retransmissions: For each payload type of retransmissions the one that it repeats (`apt`).
            extensions: Numbers of header extensions in the sender's section.
            mid: The sender's section. Packets that name another are not taken.
            feedback_ssrc: Who gives feedback.
        """
        publication = Publication(
            attendee_id,
            transport,
            layers,
            formats,
            retransmissions or {},
            extensions,
            mid,
            feedback_ssrc,
            self._ceiling,
            self._wake,
            self._layer_found,
            self._downlink,
        )
        self._publications.append(publication)
        self._by_publication[publication] = {}
        for layer in layers:
            self._layers[layer.stream_id] = (publication, layer)
        wanted = {layer.stream_id: layer for layer in layers}
        for subscription in self._subscriptions:
            if subscription.stream_id in wanted:
                subscription.watch(publication, wanted[subscription.stream_id], self._loop.time())
        return publication

    def unpublish(self, publication: Publication) -> None:
        """The attendee sends this no more; its subscriptions stay and show nothing."""
        if publication.closed:
            return
        publication.closed = True
        self._publications.remove(publication)
        for layer in publication.layers:
            if self._layers.get(layer.stream_id, (None, layer))[0] is publication:
                del self._layers[layer.stream_id]
        for subscription in tuple(self._by_publication[publication]):
            subscription.detach()
        del self._by_publication[publication]

    def subscribe(
        self,
        transport: MediaTransport,
        mid: str,
        ssrc: int,
        rtx_ssrc: int | None,
        payload_types: Mapping[VideoFormat, int],
        retransmissions: Mapping[int, int] | None = None,
        *,
        stream_id: int,
        cname: str = "video",
    ) -> Subscription:
        """Send a stream to a receiver, from its next key frame on, which is asked for.

        Args:
            transport: The receiver's.
            mid: The receiver's section.
            ssrc: What the receiver was told to expect.
            rtx_ssrc: The same for retransmissions; without, packets are repeated as they were.
            payload_types: The receiver's payload type of each format that it takes.
            retransmissions: The receiver's payload type of retransmissions for each of its payload types.
            stream_id: What to send. It may be published later.
            cname: As in the receiver's answer.
        """
        subscription = Subscription(
            transport,
            mid,
            ssrc,
            rtx_ssrc,
            payload_types,
            retransmissions or {},
            cname,
            self._wall,
            self,
        )
        self._subscriptions[subscription] = None
        self._by_transport.setdefault(transport, {})[subscription] = None
        subscription.switch(stream_id)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """The receiver wants it no more."""
        if not subscription.closed:
            del self._subscriptions[subscription]
            others = self._by_transport[subscription.transport]
            del others[subscription]
            if not others:
                del self._by_transport[subscription.transport]
            subscription.close()

    def bitrates(self) -> dict[int, int]:
        """Bits per second of each published stream by stream id, as measured over the last second."""
        rates: dict[int, int] = {}
        for publication in self._publications:
            rates |= publication.bitrates()
        return rates

    def now(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def layer(self, stream_id: int) -> tuple[Publication, Layer] | None:
        """Who publishes a stream, None if nobody does at present."""
        return self._layers.get(stream_id)

    def sent_to(self, transport: MediaTransport) -> float:
        """What a receiver is sent in all, in bit/s."""
        return sum(other.bitrate for other in self._by_transport.get(transport, ()))

    def attached(self, subscription: Subscription, publication: Publication) -> None:
        """Note that this is watched from now on."""
        self._by_publication[publication][subscription] = None

    def detached(self, subscription: Subscription, publication: Publication) -> None:
        """Note that it is not any more."""
        del self._by_publication[publication][subscription]

    def close(self) -> None:
        """The meeting is over."""
        for subscription in self.subscriptions:
            self.unsubscribe(subscription)
        for publication in list(self._publications):
            self.unpublish(publication)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def tick(self) -> None:
        """Do what is due. The timer calls it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        for publication in self._publications:
            reports = publication.reports
            due = publication.tick(now)
            if publication.reports != reports:
                self._second_passed(publication, now)
            if due is not None:
                self._wake(due)

    def _second_passed(self, publication: Publication, now: float) -> None:
        for subscription in self._by_publication[publication]:
            subscription.measure(now)
            subscription.aim(now)

    def _wake(self, when: float) -> None:
        if self._timer is not None:
            if self._due <= when:
                return
            self._timer.cancel()
        self._due = when
        self._timer = self._loop.call_at(when, self.tick)

    def _layer_found(self, publication: Publication, layer: Layer) -> None:
        now = self._loop.time()
        for subscription in self._by_publication[publication]:
            subscription.aim(now)

    def _downlink(self, publication: Publication) -> float | None:
        """What the receiver with the best link can take; the others choose a layer or pause."""
        best: float | None = None
        for subscription in self._by_publication.get(publication, ()):
            if not subscription.paused:
                limit = subscription.limit.bitrate
                if limit is None:
                    return None
                best = limit if best is None else max(best, limit)
        return best
