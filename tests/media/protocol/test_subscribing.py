"""One SUBSCRIBE at a time, and only the newest wish counts."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from chime_media.protocol.answer import AnswerPlan, RemoteVideo, answer
from chime_media.protocol.media_frames import SentLayer
from chime_media.protocol.negotiated import NegotiatedSession
from chime_media.protocol.offer import AudioOffer, CameraOffer, Negotiation
from chime_media.protocol.subscribing import Subscribing, Wish
from chime_media.wire.sdp import SessionDescription, TransportDescription
from chime_media.wire.sdp_compression import compress, decompress
from chime_messaging.errors import ProtocolError, UsageError
from chime_messaging.wire.signaling_pb2 import DUPLEX, RX, SignalFrame, SubscribeAckFrame, SubscribeFrame

OURS = TransportDescription("ours", "p" * 24, "sha-256 " + ":".join(["AB"] * 32), "actpass")
THEIRS = TransportDescription("theirs", "q" * 24, "sha-256 " + ":".join(["CD"] * 32), "passive")
CAMERA = (SentLayer(1400, 15),)


def subscribing(*, compressed: bool = False) -> Subscribing:
    negotiation = Negotiation(OURS, AudioOffer(11, "me"))
    return Subscribing(
        negotiation, lambda: CameraOffer(21, 22), attendee_id="a", audio_host="audio:3478", compressed=compressed
    )


def wish(receiving: dict[int, int] | None = None, sending: tuple[SentLayer, ...] = ()) -> Wish:
    return Wish(sending, MappingProxyType(receiving or {}))


def asked(frame: SignalFrame | None) -> SubscribeFrame:
    assert frame is not None
    assert frame.type == SignalFrame.SUBSCRIBE
    return frame.sub


def answered(loop: Subscribing, frame: SubscribeFrame, previous: str | None = None) -> tuple[NegotiatedSession, str]:
    text = frame.sdp_offer or decompress(frame.compressed_sdp_offer)
    offer = SessionDescription.parse(text)
    remote = {
        section.mid: RemoteVideo(100 + place, 200 + place)
        for place, section in enumerate(offer.sections)
        if section.direction == "recvonly"
    }
    answer_text = str(answer(offer, AnswerPlan(THEIRS, 31, "service", remote))[0])
    if previous is None:
        return loop.answered(SubscribeAckFrame(sdp_answer=answer_text)), answer_text
    return loop.answered(SubscribeAckFrame(compressed_sdp_answer=compress(answer_text, previous))), answer_text


def test_the_first_offer_has_sound_and_an_inactive_camera() -> None:
    loop = subscribing()
    frame = asked(loop.next_frame(muted=True))
    assert frame.duplex == RX
    assert list(frame.receive_stream_ids) == [0]
    assert frame.audio_host == "audio:3478"
    assert frame.audio_muted
    assert [stream.track_label for stream in frame.send_streams] == ["AmazonChimeExpressAudio"]
    offer = SessionDescription.parse(frame.sdp_offer)
    assert [(section.kind, section.direction) for section in offer.sections] == [
        ("audio", "sendrecv"),
        ("video", "inactive"),
    ]
    negotiated, _ = answered(loop, frame)
    assert negotiated.sections["0"].codec("opus") is not None


def test_nothing_is_asked_for_while_an_answer_is_awaited_and_only_the_newest_wish_after_it() -> None:
    loop = subscribing()
    first = asked(loop.next_frame(muted=False))
    loop.want(wish({7: 70}))
    assert loop.next_frame(muted=False) is None
    loop.want(wish({8: 80, 9: 90}))
    assert loop.next_frame(muted=False) is None
    answered(loop, first)
    second = asked(loop.next_frame(muted=False))
    assert list(second.receive_stream_ids) == [0, 80, 90]
    answered(loop, second)
    assert loop.next_frame(muted=False) is None
    assert loop.mids == {8: "2", 9: "3"}


def test_another_layer_of_the_same_video_needs_no_offer() -> None:
    loop = subscribing()
    loop.want(wish({7: 70, 8: 80}))
    answered(loop, asked(loop.next_frame(muted=False)))
    loop.want(wish({7: 71, 8: 80}))
    frame = loop.next_frame(muted=False)
    assert frame is not None
    assert frame.type == SignalFrame.REMOTE_VIDEO_UPDATE
    (update,) = frame.remote_video_update.added_or_updated_video_subscriptions
    assert (update.mid, update.stream_id, update.group_id) == ("2", 71, 7)
    assert loop.next_frame(muted=False) is None
    loop.want(wish({7: 71, 8: 80, 9: 90}))
    assert list(asked(loop.next_frame(muted=False)).receive_stream_ids) == [0, 71, 80, 90]


def test_the_camera_makes_it_duplex_and_its_end_does_not_leave_it_so() -> None:
    loop = subscribing()
    loop.want(wish(sending=CAMERA))
    frame = asked(loop.next_frame(muted=False))
    assert frame.duplex == DUPLEX
    assert [stream.track_label for stream in frame.send_streams] == [
        "AmazonChimeExpressAudio",
        "AmazonChimeExpressVideo",
    ]
    answered(loop, frame)
    assert loop.granted_sending
    loop.want(wish())
    frame = asked(loop.next_frame(muted=False))
    assert frame.duplex == RX
    assert SessionDescription.parse(frame.sdp_offer).sections[1].direction == "inactive"
    answered(loop, frame)
    assert not loop.granted_sending


def test_a_place_that_was_given_up_is_used_again() -> None:
    loop = subscribing()
    for receiving in ({7: 70, 8: 80}, {8: 80}, {8: 80, 9: 90}):
        loop.want(wish(receiving))
        frame = asked(loop.next_frame(muted=False))
        answered(loop, frame)
    assert list(frame.receive_stream_ids) == [0, 90, 80]
    assert loop.mids == {8: "3", 9: "4"}


def test_answers_are_decompressed_with_the_answer_before() -> None:
    loop = subscribing(compressed=True)
    frame = asked(loop.next_frame(muted=False))
    assert not frame.sdp_offer
    _, text = answered(loop, frame, "")
    loop.want(wish({7: 70}))
    negotiated, _ = answered(loop, asked(loop.next_frame(muted=False)), text)
    assert negotiated.sections["2"].ssrc == 102


def test_a_refusal_without_an_answer_leads_to_another_offer() -> None:
    loop = subscribing()
    loop.want(wish(sending=CAMERA))
    asked(loop.next_frame(muted=False))
    loop.refused()
    loop.want(wish())
    frame = asked(loop.next_frame(muted=False))
    assert frame.duplex == RX
    answered(loop, frame)


def test_answers_that_do_not_fit_are_refused() -> None:
    loop = subscribing()
    with pytest.raises(UsageError):
        loop.answered(SubscribeAckFrame())
    asked(loop.next_frame(muted=False))
    for ack in (
        SubscribeAckFrame(),
        SubscribeAckFrame(sdp_answer="v=0\r\n"),
        SubscribeAckFrame(compressed_sdp_answer=b"\x00\xff"),
    ):
        with pytest.raises(ProtocolError):
            loop.answered(ack)
