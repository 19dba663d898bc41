from dataclasses import replace

import pytest

from chime_media.protocol.answer import AnswerPlan, OfferRefusedError, RemoteVideo, answer
from chime_media.protocol.negotiated import Negotiated
from chime_media.wire.sdp import AUDIO_LEVEL, MID, REPAIRED_RID, RID, MediaSection, SessionDescription
from tests.media.descriptions import OFFERS, TRANSPORT, offer

PLAN = AnswerPlan(TRANSPORT, audio_ssrc=1111, videos={"2": RemoteVideo(2222, 2223), "3": RemoteVideo(3332, 3333)})


def answered(name: str, plan: AnswerPlan = PLAN) -> tuple[SessionDescription, dict[str, Negotiated]]:
    """An answer as the client reads it, and what it settles."""
    description, settled = answer(offer(name), plan)
    return SessionDescription.parse(str(description)), settled


@pytest.mark.parametrize("name", OFFERS)
def test_an_answer_has_the_sections_of_the_offer(name: str) -> None:
    made, settled = answered(name)
    for theirs, ours in zip(offer(name).sections, made.sections, strict=True):
        assert (ours.kind, ours.mid, ours.is_stopped) == (theirs.kind, theirs.mid, theirs.is_stopped)
        assert {codec.payload_type for codec in ours.codecs} <= {codec.payload_type for codec in theirs.codecs}
        assert ours.extensions.items() <= theirs.extensions.items()
        assert (ours.mid in settled) is not ours.is_stopped
        if not ours.is_stopped:
            assert ours.rtcp_mux
            assert ours.transport is not None
            assert ours.transport.ufrag == TRANSPORT.ufrag


def test_audio_is_answered_as_the_service_does() -> None:
    made, settled = answered("join")
    audio = made.sections[0]
    assert (audio.port, audio.address) == (40000, "127.0.0.1")
    assert audio.transport is not None
    assert audio.transport.candidates == TRANSPORT.candidates
    assert audio.transport.setup == "passive"
    assert audio.msid == "audio audio"
    assert audio.ssrcs == {1111: "chime"}
    assert [codec.name for codec in audio.codecs] == ["red", "opus"]
    assert audio.codecs[1].parameters == "minptime=10;useinbandfec=1"
    assert list(audio.extensions.values()) == [AUDIO_LEVEL]
    assert settled["0"].red == 63
    assert list(settled["0"].codecs) == [111]
    assert settled["0"].ssrc == 2590197246
    assert settled["0"].sends
    assert settled["0"].receives


def test_redundant_audio_is_taken_only_as_first_choice() -> None:
    reordered = offer("join")
    codecs = reordered.sections[0].codecs
    codecs.append(codecs.pop(0))
    made, settled = answer(reordered, PLAN)
    assert [codec.name for codec in made.sections[0].codecs] == ["opus"]
    assert settled["0"].red is None
    assert answered("join", replace(PLAN, red=False))[1]["0"].red is None


def test_stereo_and_packet_lengths_are_mirrored() -> None:
    stereo = offer("join")
    audio = stereo.sections[0]
    audio.codecs = [replace(codec, parameters="minptime=20;stereo=1") for codec in audio.codecs if codec.name == "opus"]
    audio.maxptime = 20
    made = answer(stereo, PLAN)[0].sections[0]
    assert made.codecs[0].parameter("stereo") == "1"
    assert made.maxptime == 20


def test_a_camera_that_is_off_is_answered_inactive() -> None:
    made, settled = answered("join")
    assert made.sections[1].direction == "inactive"
    assert not settled["1"].receives


def test_a_camera_is_answered_with_the_word_that_clients_look_for() -> None:
    made, settled = answered("camera-and-video")
    assert made.sections[1].direction == "sendrecv"
    assert made.sections[1].msid == offer("camera-and-video").sections[1].msid != ""
    assert settled["1"].receives
    assert settled["1"].ssrc is not None
    assert settled["1"].rtx_ssrc is not None
    assert {MID, RID} <= set(settled["1"].extensions) <= {MID, RID, REPAIRED_RID}


def test_codecs_are_those_that_are_allowed_with_their_retransmission() -> None:
    made, settled = answered("join", replace(PLAN, video_codecs=("VP8", "H264")))
    names = [codec.name for codec in made.sections[1].codecs]
    assert set(names) == {"VP8", "H264", "rtx"}
    assert names[:2] == ["VP8", "rtx"]
    assert len(settled["1"].rtx) == len(settled["1"].codecs)
    assert {codec.name for codec in settled["1"].codecs.values()} == {"VP8", "H264"}


def test_parameters_are_echoed_but_for_codecs_that_clients_compare_without() -> None:
    theirs = {codec.payload_type: codec for codec in offer("join").sections[1].codecs}
    for codec in answered("join")[0].sections[1].codecs:
        if codec.name in ("VP8", "AV1"):
            assert codec.parameters == ""
        else:
            assert codec.parameters == theirs[codec.payload_type].parameters


def test_the_node_does_not_promise_transport_wide_feedback() -> None:
    for codec in answered("join")[0].sections[1].codecs:
        assert "transport-cc" not in codec.feedback
        if codec.name != "rtx":
            assert set(codec.feedback) == {"goog-remb", "ccm fir", "nack", "nack pli"}


def test_a_video_is_named_after_its_section() -> None:
    made, settled = answered("camera-and-video")
    video = made.sections[2]
    assert video.direction == "sendonly"
    assert video.msid == "v_2 track_2"
    assert video.ssrc_groups == [("FID", (2222, 2223))]
    assert video.ssrcs == {2222: "chime", 2223: "chime"}
    assert settled["2"].sends
    assert not settled["2"].receives


def test_a_video_that_nobody_sends_is_answered_inactive() -> None:
    made, settled = answered("camera-and-video", replace(PLAN, videos={}))
    assert made.sections[2].direction == "inactive"
    assert not settled["2"].sends


def test_a_section_that_is_used_again_is_known_by_its_new_mid() -> None:
    made, settled = answered("section-used-again")
    assert made.sections[2].msid == "v_3 track_3"
    assert list(settled) == ["0", "1", "3"]


def test_a_stopped_section_is_answered_stopped_and_not_bundled() -> None:
    description, _ = answer(offer("video-stopped"), PLAN)
    assert "a=group:BUNDLE 0 1\r\n" in str(description)
    assert description.sections[2].is_stopped
    assert description.sections[2].mid == "2"


def test_all_layers_of_a_camera_are_taken() -> None:
    made, settled = answered("simulcast")
    assert settled["1"].rids == ("low", "mid", "hi")
    assert made.sections[1].simulcast == "recv low;mid;hi"
    assert made.sections[1].rids == [("low", "recv"), ("mid", "recv"), ("hi", "recv")]


def test_sections_that_are_no_media_are_refused_one_by_one() -> None:
    with_data = offer("join")
    data = MediaSection("application", "2", protocol="UDP/DTLS/SCTP", payload_types="webrtc-datachannel")
    with_data.sections.append(data)
    made = answer(with_data, PLAN)[0]
    assert [section.is_stopped for section in made.sections] == [False, False, True]
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n" in str(made)


def test_offers_that_cannot_be_told_apart_are_refused() -> None:
    twice = offer("join")
    twice.sections[1].mid = "0"
    with pytest.raises(OfferRefusedError, match="mid"):
        answer(twice, PLAN)
    nameless = offer("join")
    nameless.sections[1].mid = ""
    with pytest.raises(OfferRefusedError, match="mid"):
        answer(nameless, PLAN)
    dead = offer("join")
    for section in dead.sections:
        section.port = 0
    with pytest.raises(OfferRefusedError, match="live"):
        answer(dead, PLAN)
