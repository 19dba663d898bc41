from dataclasses import replace

import pytest

from chime_media.protocol.answer import AnswerPlan, RemoteVideo, answer
from chime_media.protocol.negotiated import Negotiated, NegotiatedSession
from chime_media.protocol.offer import (
    H264,
    MAX_REMOTE_VIDEOS,
    VP8,
    AnswerRefusedError,
    AudioOffer,
    CameraOffer,
    Negotiation,
)
from chime_media.wire.sdp import Codec, SessionDescription
from chime_messaging.errors import UsageError
from tests.media.descriptions import TRANSPORT, service_answer

OURS = replace(TRANSPORT, ufrag="ours", setup="actpass", candidates=("candidate:1 1 udp 5 10.0.0.1 5000 typ relay",))
AUDIO = AudioOffer(ssrc=10, cname="me")
PLAN = AnswerPlan(TRANSPORT, 1111, videos={str(mid): RemoteVideo(mid * 10, mid * 10 + 1) for mid in range(2, 40)})


def negotiate(negotiation: Negotiation, plan: AnswerPlan = PLAN) -> tuple[NegotiatedSession, dict[str, Negotiated]]:
    """One offer with its answer, over the wire: what it settles for the client and for the service."""
    offer = SessionDescription.parse(str(negotiation.offer()))
    description, theirs = answer(offer, plan)
    return negotiation.read_answer(SessionDescription.parse(str(description))), theirs


def test_the_first_offer_is_audio_and_a_camera_that_is_off() -> None:
    offer = SessionDescription.parse(str(Negotiation(OURS, AUDIO).offer()))
    audio, camera = offer.sections
    assert offer.origin.startswith("mozilla-")
    assert (audio.kind, audio.mid, audio.direction) == ("audio", "0", "sendrecv")
    assert (camera.kind, camera.mid, camera.direction) == ("video", "1", "inactive")
    assert (audio.address, audio.port) == ("10.0.0.1", 5000)
    assert offer.transport == OURS
    assert [codec.name for codec in audio.codecs] == ["opus"]
    assert audio.ssrcs == {10: "me"}
    assert Negotiation(OURS, AUDIO).receive_stream_ids == [0]


def test_audio_is_offered_as_asked() -> None:
    wanted = AudioOffer(10, "me", stereo=True, max_average_bitrate=1_000_000, red=True)
    audio = Negotiation(OURS, wanted).offer().sections[0]
    assert [codec.name for codec in audio.codecs] == ["red", "opus"]
    opus = audio.codecs[1]
    assert (opus.parameter("maxaveragebitrate"), opus.parameter("sprop-stereo")) == ("510000", "1")


def test_both_sides_settle_the_same() -> None:
    negotiation = Negotiation(OURS, AudioOffer(10, "me", red=True))
    negotiation.camera = CameraOffer(20, 21)
    mid = negotiation.receive(77)
    ours, theirs = negotiate(negotiation)
    assert ours.remote == TRANSPORT
    assert list(ours.sections) == list(theirs) == ["0", "1", "2"]
    for name, section in ours.sections.items():
        assert section.codecs == theirs[name].codecs
        assert section.rtx == theirs[name].rtx
        assert section.red == theirs[name].red
        assert section.sends == theirs[name].receives
        assert section.receives == theirs[name].sends
    assert (theirs["1"].ssrc, theirs["1"].rtx_ssrc) == (20, 21)
    assert (ours.sections[mid].ssrc, ours.sections[mid].rtx_ssrc) == (20, 21)
    assert ours.sections["0"].ssrc == 1111
    assert ours.sections[mid].msid == "v_2 track_2"
    assert negotiation.receive_stream_ids == [0, 77]


def test_a_camera_goes_on_and_off() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    assert not negotiate(negotiation)[0].sections["1"].sends
    negotiation.camera = CameraOffer(20, 21)
    assert negotiate(negotiation)[0].sections["1"].sends
    negotiation.camera = None
    assert not negotiate(negotiation)[0].sections["1"].sends


def test_layers_are_offered_and_settled() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    negotiation.camera = CameraOffer(20, 21, rids=("low", "hi"))
    ours, theirs = negotiate(negotiation)
    assert ours.sections["1"].rids == theirs["1"].rids == ("low", "hi")
    assert theirs["1"].ssrc is None


def test_a_place_is_used_again_once_the_service_knows_that_it_is_free() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    first, second = negotiation.receive(5), negotiation.receive(6)
    negotiate(negotiation)
    negotiation.stop(first)
    third = negotiation.receive(7)
    assert negotiation.receive_stream_ids == [0, 0, 6, 7]
    assert list(negotiate(negotiation)[0].sections) == ["0", "1", second, third]
    fourth = negotiation.receive(8)
    assert len({first, second, third, fourth}) == 4
    assert negotiation.receive_stream_ids == [0, 8, 6, 7]
    assert list(negotiate(negotiation)[0].sections) == ["0", "1", fourth, second, third]
    assert negotiation.received == {fourth: 8, second: 6, third: 7}


def test_what_stops_while_an_answer_is_awaited_is_offered_stopped_before_it_is_used_again() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    mid = negotiation.receive(5)
    offer = negotiation.offer()
    negotiation.stop(mid)
    negotiation.read_answer(answer(offer, PLAN)[0])
    negotiation.receive(6)
    assert negotiation.receive_stream_ids == [0, 0, 6]


def test_what_was_never_offered_leaves_no_trace() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    negotiation.stop(negotiation.receive(5))
    assert negotiation.receive_stream_ids == [0]
    assert len(negotiation.offer().sections) == 2


def test_another_layer_of_the_same_video_needs_no_offer() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    mid = negotiation.receive(5)
    negotiation.switch(mid, 9)
    assert negotiation.receive_stream_ids == [0, 9]
    with pytest.raises(UsageError):
        negotiation.switch("30", 9)


def test_no_more_than_25_videos_are_received() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    for stream_id in range(MAX_REMOTE_VIDEOS):
        negotiation.receive(stream_id + 1)
    with pytest.raises(UsageError, match="25"):
        negotiation.receive(99)


@pytest.mark.parametrize("name", ["2023", "2023-again"])
def test_answers_of_the_service_are_read(name: str) -> None:
    # What the browser of that time offered: the service answers with the offer's payload types.
    h264 = tuple(replace(codec, payload_type=codec.payload_type - 2) for codec in H264)
    h264 = (h264[0], replace(h264[1], parameters="apt=106"))
    negotiation = Negotiation(OURS, AUDIO, (VP8, h264))
    negotiation.offer()
    session = negotiation.read_answer(service_answer(name))
    assert session.remote.setup == "passive"
    assert all(" typ host" in candidate for candidate in session.remote.candidates)
    assert session.remote.candidates
    audio, camera = session.sections["0"], session.sections["1"]
    assert audio.codec("OPUS") is not None
    assert audio.sends
    assert audio.receives
    assert not camera.sends
    assert [codec.name for codec in camera.codecs.values()] == ["VP8", "H264"]
    assert camera.rtx == {97: 96, 107: 106}


def test_a_video_of_the_service_is_read() -> None:
    h264 = (Codec(125, "H264", 90000), Codec(107, "rtx", 90000, parameters="apt=125"))
    negotiation = Negotiation(OURS, AUDIO, (VP8, h264))
    negotiation.camera = CameraOffer(20, 21, ("low", "mid", "hi"))
    mid = negotiation.receive(4)
    negotiation.offer()
    session = negotiation.read_answer(service_answer("2021-simulcast"))
    assert session.sections["1"].rids == ("low", "mid", "hi")
    video = session.sections[mid]
    assert (video.ssrc, video.rtx_ssrc) == (329551586, 3927739495)
    assert video.receives
    assert video.msid == "v_2 track_2"


def test_answers_to_something_else_are_refused() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    good = answer(negotiation.offer(), PLAN)[0]
    with pytest.raises(AnswerRefusedError, match="sections"):
        negotiation.read_answer(SessionDescription(good.sections[:1]))
    swapped = SessionDescription(good.sections[::-1])
    with pytest.raises(AnswerRefusedError):
        negotiation.read_answer(swapped)
    bare = SessionDescription([replace(section, transport=None) for section in good.sections])
    with pytest.raises(AnswerRefusedError, match="credentials"):
        negotiation.read_answer(bare)
    negotiation.read_answer(good)
    with pytest.raises(UsageError):
        negotiation.read_answer(good)


def test_codecs_that_were_not_offered_are_not_used() -> None:
    negotiation = Negotiation(OURS, AUDIO)
    made = answer(negotiation.offer(), PLAN)[0]
    made.sections[1].codecs.append(Codec(35, "VP9", 90000))
    made.sections[1].codecs.append(Codec(96, "VP9", 90000))
    codecs = negotiation.read_answer(made).sections["1"].codecs
    assert {codec.name for codec in codecs.values()} == {"VP8", "H264"}
