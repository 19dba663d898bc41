"""The video sections of one connection: what the attendee sends, and what it is sent."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chime_media.protocol.negotiated import Negotiated
from chime_media.protocol.video_format import VideoFormat
from chime_media.rtc.transport import MediaTransport
from chime_media.server.subscribe import VideoLayer
from chime_media.server.video_capabilities import capabilities_of
from chime_media.server.video_publication import ExtensionIds, Layer, Publication
from chime_media.server.video_subscription import Subscription
from chime_media.wire import rtcp
from chime_media.wire.sdp import MID, REPAIRED_RID, RID
from chime_messaging.meeting_events import VideoSource
from chime_messaging.server.party import Party
from chime_messaging.wire.signaling_pb2 import RemoteVideoUpdateFrame, SubscribeAckFrame

if TYPE_CHECKING:
    from chime_media.server.meeting_media import NodeMeeting

TRACK_LABEL = "AmazonChimeExpressVideo"

_TARGETED = (rtcp.PictureLossIndication, rtcp.GenericNack)


@dataclass(frozen=True, slots=True)
class _Published:
    """What of an answer a publication depends on: as long as it is the same, the publication goes on."""

    transport: MediaTransport
    mid: str
    rids: tuple[str | None, ...]
    formats: tuple[tuple[int, VideoFormat], ...]
    rtx: tuple[tuple[int, int], ...]
    extensions: ExtensionIds


class VideoConnection:
    """Video of one connection.

    Args:
        meeting: It is in.
        party: Whose it is.
    """

    def __init__(self, meeting: NodeMeeting, party: Party) -> None:
        self.decodes: frozenset[int] = frozenset()
        """The service's codecs that its sections have in common."""
        self._meeting = meeting
        self._party = party
        self._transport: MediaTransport | None = None
        self._layers: tuple[VideoLayer, ...] = ()
        self._published: _Published | None = None
        self._publication: Publication | None = None
        self._group_id = 0
        self._ids: dict[str | None, int] = {}
        self._ssrcs: dict[str, tuple[int, int]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._by_ssrc: dict[int, Subscription] = {}
        self._paused: set[int] = set()

    # What it sends

    @property
    def is_sending(self) -> bool:
        """Whether it sends video."""
        return self._publication is not None

    def sources(self, rates: Mapping[int, int]) -> list[VideoSource]:
        """The streams it sends, for INDEX; layers that are switched off are left out."""
        if self._publication is None:
            return []
        party = self._party
        return [
            VideoSource(
                self._ids[layer.rid],
                self._group_id,
                party.attendee_id,
                party.external_user_id,
                TRACK_LABEL,
                layer.framerate,
                layer.max_bitrate_kbps,
                min(rates.get(self._ids[layer.rid], 0), 0xFFFFFFFF),
                layer.width,
                layer.height,
            )
            for layer in self._layers
            if layer.max_bitrate_kbps
        ]

    def refresh(self, now: float) -> None:
        """Ask for a key frame of each layer that somebody watches."""
        if self._publication is not None:
            for stream in self._publication.streams:
                if stream.watchers:
                    stream.request_key_frame(now)

    def ssrcs(self, mid: str) -> tuple[int, int]:
        """Give what a section is sent on, with its retransmissions; always the same."""
        found = self._ssrcs.get(mid)
        if found is None:
            found = self._ssrcs[mid] = (secrets.randbelow(0xFFFFFFFF) + 1, secrets.randbelow(0xFFFFFFFF) + 1)
        return found

    # SUBSCRIBE

    def settle(
        self,
        transport: MediaTransport,
        sending: tuple[VideoLayer, ...],
        receiving: Mapping[str, int],
        sections: Mapping[str, Negotiated],
        cname: str,
    ) -> None:
        """Do what was agreed on.

        Args:
            transport: Of the connection.
            sending: Layers of the video that the attendee sends; empty for none.
            receiving: Stream ids by mid.
            sections: As answered.
            cname: As in the answer.
        """
        self._transport = transport
        videos = [section for section in sections.values() if section.kind == "video"]
        camera = next((section for section in videos if section.receives), None)
        self._publish(transport, sending if camera is not None else (), camera)
        self._receive(transport, receiving, sections, cname)
        able = [capabilities_of(section.codecs.values()) for section in videos]
        before, self.decodes = self.decodes, frozenset.intersection(*able) if able else frozenset()
        if self.decodes != before:
            self._meeting.codecs_changed()

    def describe(self, ack: SubscribeAckFrame) -> None:
        """Write allocations and tracks into SUBSCRIBE_ACK."""
        layers: Sequence[VideoLayer] = self._layers if self._publication is not None else ()
        self._allocate(None if not layers else layers[0].rid)
        for layer in layers:
            label = layer.track_label or ("" if layer.rid else TRACK_LABEL)
            ack.allocations.add(track_label=label, stream_id=self._ids[layer.rid], group_id=self._group_id)
        if not layers:
            ack.allocations.add(track_label="", stream_id=next(iter(self._ids.values())), group_id=self._group_id)
        for mid, subscription in self._subscriptions.items():
            ack.tracks.add(stream_id=subscription.stream_id, ssrc=subscription.ssrc, track_label=f"v_{mid}")

    def _allocate(self, rid: str | None) -> int:
        """Give a layer's stream id: the same for as long as the attendee stays."""
        if not self._group_id:
            self._group_id = next(self._meeting.numbers)
        if rid not in self._ids:
            unnamed = self._ids.pop(None, None) if rid is not None else None
            self._ids[rid] = unnamed if unnamed is not None else next(self._meeting.numbers)
        return self._ids[rid]

    def _publish(self, transport: MediaTransport, layers: tuple[VideoLayer, ...], section: Negotiated | None) -> None:
        if not layers or section is None:
            self._unpublish()
            return
        formats = {number: VideoFormat.of(c.name, c.parameters) for number, c in section.codecs.items()}
        ids = section.extensions
        extensions = ExtensionIds(ids.get(MID), ids.get(RID), ids.get(REPAIRED_RID))
        rids = tuple(layer.rid for layer in layers)
        wanted = _Published(
            transport, section.mid, rids, tuple(formats.items()), tuple(section.rtx.items()), extensions
        )
        if wanted != self._published:
            forwarder = self._meeting.forwarder
            if self._publication is not None:
                forwarder.unpublish(self._publication)
            self._publication = forwarder.publish(
                self._party.attendee_id,
                transport,
                [Layer(self._allocate(layer.rid), layer.rid) for layer in layers],
                formats,
                section.rtx,
                extensions=extensions,
                mid=section.mid,
            )
            self._published = wanted
        elif layers == self._layers:
            return
        self._layers = layers
        self._meeting.sources_changed()

    def _unpublish(self) -> None:
        if self._publication is not None:
            self._meeting.forwarder.unpublish(self._publication)
            self._publication = self._published = None
            self._layers = ()
            self._meeting.sources_changed()

    def _receive(
        self,
        transport: MediaTransport,
        receiving: Mapping[str, int],
        sections: Mapping[str, Negotiated],
        cname: str,
    ) -> None:
        forwarder = self._meeting.forwarder
        for mid in [mid for mid in self._subscriptions if mid not in receiving or mid not in sections]:
            self._drop(mid)
        for mid, stream_id in receiving.items():
            section = sections.get(mid)
            if section is None or not section.sends:
                continue
            types: dict[VideoFormat, int] = {}
            for number, codec in section.codecs.items():
                types.setdefault(VideoFormat.of(codec.name, codec.parameters), number)
            repeating = {repeated: number for number, repeated in section.rtx.items()}
            subscription = self._subscriptions.get(mid)
            if subscription is None:
                ssrc, rtx_ssrc = self.ssrcs(mid)
                subscription = forwarder.subscribe(
                    transport, mid, ssrc, rtx_ssrc if repeating else None, types, repeating,
                    stream_id=stream_id, cname=cname,
                )  # fmt: skip
                self._subscriptions[mid] = self._by_ssrc[ssrc] = subscription
            else:
                subscription.renegotiated(types, repeating)
                if subscription.stream_id != stream_id:
                    subscription.switch(stream_id)
            self._apply_pause(subscription)

    def _drop(self, mid: str) -> None:
        subscription = self._subscriptions.pop(mid)
        del self._by_ssrc[subscription.ssrc]
        self._meeting.forwarder.unsubscribe(subscription)

    # Other frames

    def pause(self, stream_ids: Iterable[int]) -> None:
        """Do not send these streams."""
        self._paused.update(stream_ids)
        self._apply_pauses()

    def resume(self, stream_ids: Iterable[int]) -> None:
        """Send these streams again."""
        self._paused.difference_update(stream_ids)
        self._apply_pauses()

    def update(self, frame: RemoteVideoUpdateFrame) -> None:
        """Send other layers, or no longer."""
        for mid in frame.removed_video_subscription_mids:
            if mid in self._subscriptions:
                self._drop(mid)
        for wanted in frame.added_or_updated_video_subscriptions:
            subscription = self._subscriptions.get(wanted.mid)
            if subscription is None or not wanted.stream_id or wanted.stream_id == subscription.stream_id:
                continue
            if self._meeting.see_stream(self._party, wanted.stream_id):
                subscription.switch(wanted.stream_id)
                self._apply_pause(subscription)

    def _apply_pauses(self) -> None:
        wanted = {subscription.stream_id for subscription in self._subscriptions.values()}
        self._paused &= wanted
        for subscription in self._subscriptions.values():
            self._apply_pause(subscription)

    def _apply_pause(self, subscription: Subscription) -> None:
        paused = subscription.stream_id in self._paused
        paused = paused or not self._meeting.see_stream(self._party, subscription.stream_id)
        if paused and not subscription.paused:
            subscription.pause()
        elif subscription.paused and not paused:
            subscription.resume()

    # Media

    def connected(self) -> None:
        """Media may flow: what was asked for before can be sent now."""
        now = self._meeting.loop.time()
        for subscription in self._subscriptions.values():
            found = self._meeting.forwarder.layer(subscription.stream_id)
            if found is not None:
                found[0].request_key_frame(subscription.stream_id, now)

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        """Take one RTP packet of video."""
        if self._publication is not None:
            self._publication.rtp_received(packet, arrival)

    def rtcp_received(self, packets: Sequence[rtcp.RtcpPacket], arrival: float) -> None:
        """Take reports and requests."""
        if self._publication is not None:
            self._publication.rtcp_received(packets, arrival)
        everybody = []
        for packet in packets:
            if isinstance(packet, _TARGETED):
                subscription = self._by_ssrc.get(packet.media_ssrc)
                if subscription is not None:
                    subscription.rtcp_received((packet,), arrival)
            else:
                everybody.append(packet)
        if everybody:
            for subscription in self._subscriptions.values():
                subscription.rtcp_received(everybody, arrival)

    def change(self, party: Party) -> None:
        """Other capabilities, or another attendee that it speaks for."""
        is_same = party.attendee_id == self._party.attendee_id
        self._party = party
        if not party.shows or not is_same:
            self._unpublish()
        for subscription in self._subscriptions.values():
            self._apply_pause(subscription)

    def disconnect(self) -> None:
        """The transport is over; another may come."""
        self._unpublish()
        for mid in tuple(self._subscriptions):
            self._drop(mid)
        self._ssrcs.clear()
        self._transport = None

    def close(self) -> None:
        """Stop."""
        self.disconnect()
