"""What an attendee asks of the media node: one SUBSCRIBE at a time, and only the newest wish counts.

Pure. The shell says what is wanted (`want`), writes what `next_frame` returns, and hands in what SUBSCRIBE_ACK brings.
While an offer waits for its answer nothing else is written; wishes that come meanwhile replace one another, and what
is left of them goes out after the answer. Another stream of the same group (a layer of the same video) needs no offer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from chime_media.protocol import media_frames
from chime_media.protocol.media_frames import SentLayer
from chime_media.protocol.negotiated import NegotiatedSession
from chime_media.protocol.offer import AnswerRefusedError, CameraOffer, Negotiation
from chime_media.wire.sdp import SessionDescription
from chime_media.wire.sdp_compression import compress, decompress
from chime_messaging.errors import UsageError
from chime_messaging.wire.signaling_pb2 import SignalFrame, SubscribeAckFrame


@dataclass(frozen=True, slots=True)
class Wish:
    """Which videos an attendee wants to send and receive.

    Attributes:
        sending: The layers of the own video; empty for none.
        receiving: The stream to receive, by the group it belongs to.
    """

    sending: tuple[SentLayer, ...] = ()
    receiving: MappingProxyType[int, int] = field(default_factory=lambda: MappingProxyType({}))


class Subscribing:
    """All SUBSCRIBEs of one connection.

    Args:
        negotiation: Writes the offers.
        camera: Tells what is sent as video, once there is some; its layers follow the wish.
        attendee_id: Whose connection it is.
        audio_host: AudioHostUrl of the meeting.
        compressed: Whether the service takes compressed descriptions.
    """

    def __init__(
        self,
        negotiation: Negotiation,
        camera: Callable[[], CameraOffer],
        *,
        attendee_id: str,
        audio_host: str = "",
        compressed: bool = False,
    ) -> None:
        self._negotiation = negotiation
        self._camera = camera
        self._attendee_id = attendee_id
        self._audio_host = audio_host
        self._compressed = compressed
        self._wish = Wish()
        self._granted: Wish | None = None
        self._offered: Wish | None = None
        self._answer = ""
        self._mids: dict[int, str] = {}
        self.allocations: tuple[tuple[int, int], ...] = ()
        """(stream id, group id) of what is sent as video, as the service numbered it; in the order of the layers."""

    @property
    def waiting(self) -> bool:
        """Whether an offer waits for its answer."""
        return self._offered is not None

    @property
    def mids(self) -> dict[int, str]:
        """Where each group that was asked for comes."""
        return dict(self._mids)

    @property
    def wish(self) -> Wish:
        """What is wanted at present."""
        return self._wish

    @property
    def granted_sending(self) -> bool:
        """Whether the service takes our video."""
        return self._granted is not None and bool(self._granted.sending)

    def want(self, wish: Wish) -> None:
        """Say what is wanted from now on; what was said before and not asked for yet is forgotten."""
        self._wish = wish

    def next_frame(self, muted: bool) -> SignalFrame | None:
        """What to write now; None while an offer waits for its answer, or if there is nothing to ask for."""
        if self.waiting:
            return None
        wish, granted = self._wish, self._granted
        if granted is None or wish.sending != granted.sending or wish.receiving.keys() != granted.receiving.keys():
            return self._subscribe(wish, muted)
        switched = {group: id_ for group, id_ in wish.receiving.items() if granted.receiving[group] != id_}
        if not switched:
            return None
        for group, stream_id in switched.items():
            self._negotiation.switch(self._mids[group], stream_id)
        self._granted = wish
        return media_frames.remote_video_update({self._mids[group]: (id_, group) for group, id_ in switched.items()})

    def refused(self) -> None:
        """Say that the service gave no answer to the offer; what is wanted by then is asked for with the next one."""
        self._offered = self._granted = None

    def answered(self, ack: SubscribeAckFrame) -> NegotiatedSession:
        """Take a SUBSCRIBE_ACK.

        Raises:
            UsageError: No offer waits for an answer.
            ProtocolError: The answer does not fit the offer, or cannot be read.
        """
        if self._offered is None:
            raise UsageError("a SUBSCRIBE_ACK without a SUBSCRIBE")
        text = ack.sdp_answer
        if ack.compressed_sdp_answer:
            text = decompress(ack.compressed_sdp_answer, self._answer)
        if not text:
            raise AnswerRefusedError("a SUBSCRIBE_ACK without an answer")
        negotiated = self._negotiation.read_answer(SessionDescription.parse(text))
        self._answer = text
        self._granted, self._offered = self._offered, None
        self.allocations = tuple((each.stream_id, each.group_id) for each in ack.allocations)
        return negotiated

    def _subscribe(self, wish: Wish, muted: bool) -> SignalFrame:
        negotiation = self._negotiation
        for group in self._mids.keys() - wish.receiving.keys():
            negotiation.stop(self._mids.pop(group))
        for group, stream_id in wish.receiving.items():
            if group in self._mids:
                negotiation.switch(self._mids[group], stream_id)
            else:
                self._mids[group] = negotiation.receive(stream_id)
        negotiation.camera = self._camera_for(wish)
        text = str(negotiation.offer())
        self._offered = wish
        return media_frames.subscribe(
            attendee_id=self._attendee_id,
            audio_host=self._audio_host,
            muted=muted,
            sending=wish.sending,
            receive_stream_ids=negotiation.receive_stream_ids,
            # Without a dictionary, which not every service expects of an offer.
            offer=compress(text) if self._compressed else text,
        )

    def _camera_for(self, wish: Wish) -> CameraOffer | None:
        if not wish.sending:
            return None
        rids = tuple(layer.rid for layer in wish.sending if layer.rid)
        return replace(self._camera(), rids=rids)
