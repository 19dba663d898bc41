import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.wire.sdp import AUDIO_LEVEL, MAX_LENGTH, Candidate, SessionDescription
from chime_messaging.errors import DecodeError
from tests.media.descriptions import ANSWERS, OFFERS, offer, service_answer, text_of

HEAD = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
CREDENTIALS = "a=ice-ufrag:u\r\na=ice-pwd:p\r\n"


def parse(*lines: str) -> SessionDescription:
    return SessionDescription.parse(HEAD + "\r\n".join(lines) + "\r\n")


@pytest.mark.parametrize("name", [f"chromium/{name}" for name in OFFERS] + [f"service/{name}" for name in ANSWERS])
def test_what_is_written_reads_the_same_again(name: str) -> None:
    description = SessionDescription.parse(text_of(name))
    again = SessionDescription.parse(str(description))
    assert str(again) == str(description)
    for ours, theirs in zip(again.sections, description.sections, strict=True):
        if ours.is_stopped:
            continue
        assert (ours.mid, ours.direction, ours.codecs) == (theirs.mid, theirs.direction, theirs.codecs)
        assert (ours.ssrcs, ours.ssrc_groups, ours.rids) == (theirs.ssrcs, theirs.ssrc_groups, theirs.rids)
        assert (ours.extensions, ours.msid, ours.simulcast) == (theirs.extensions, theirs.msid, theirs.simulcast)


def test_a_browser_s_offer_is_read() -> None:
    audio, camera, video = offer("camera-and-video").sections
    assert [audio.kind, camera.kind, video.kind] == ["audio", "video", "video"]
    assert [audio.direction, camera.direction, video.direction] == ["sendrecv", "sendrecv", "recvonly"]
    assert audio.codecs[0].name == "red"
    assert audio.codecs[1].name == "opus"
    assert audio.codecs[1].channels == 2
    assert audio.codecs[1].parameter("useinbandfec") == "1"
    assert audio.extension(AUDIO_LEVEL) == 1
    assert camera.ssrc_groups[0][0] == "FID"
    assert set(camera.ssrc_groups[0][1]) == set(camera.ssrcs)
    vp8 = next(codec for codec in camera.codecs if codec.name == "VP8")
    assert vp8.feedback == ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
    assert camera.rtx[vp8.payload_type + 1] == vp8.payload_type


def test_what_a_codec_s_parameters_say_is_kept_to_the_letter() -> None:
    h264 = next(codec for codec in offer("join").sections[1].codecs if codec.name == "H264")
    assert h264.parameters.startswith("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f")


def test_simulcast_layers_are_read_with_those_that_are_paused() -> None:
    camera = offer("simulcast").sections[1]
    assert camera.simulcast == "send low;~mid;hi"
    assert camera.layers("send") == ["low", "mid", "hi"]
    assert camera.layers("recv") == []


def test_a_section_is_found_by_its_mid_wherever_it_stands() -> None:
    again = offer("section-used-again")
    section = again.section("3")
    assert section is again.sections[2]
    assert not section.is_stopped
    assert again.section("2") is None
    stopped = offer("video-stopped").section("2")
    assert stopped is not None
    assert stopped.is_stopped


def test_the_service_s_candidates_are_in_its_first_section() -> None:
    transport = service_answer("2023").transport
    assert transport is not None
    kinds = [Candidate.parse(text).kind for text in transport.candidates]
    assert kinds == ["srflx", "srflx", "host", "host"]
    assert {Candidate.parse(text).kind for text in transport.without_reflexive().candidates} == {"host"}
    assert transport.setup == "passive"


def test_a_candidate_is_written_as_it_was_read() -> None:
    text = "candidate:Ha0344c5 1 udp 1694498815 10.3.68.197 16565 typ host generation 0"
    assert str(Candidate.parse(text)) == text
    assert Candidate.parse("candidate:1 1 UDP 1 a.local 9 typ host").protocol == "udp"


def test_repeated_lines_are_one() -> None:
    description = parse(
        "m=video 9 UDP/TLS/RTP/SAVPF 108 109 108",
        "a=mid:1",
        "a=rtpmap:108 H264/90000",
        "a=rtpmap:109 rtx/90000",
        "a=rtpmap:109 rtx/90000",
        "a=fmtp:109 apt=108",
        "a=fmtp:109 apt=108",
        "a=rtcp-fb:108 nack",
        "a=rtcp-fb:108 nack",
        "a=rtcp-fb:* nack pli",
    )
    section = description.sections[0]
    assert [codec.payload_type for codec in section.codecs] == [108, 109]
    assert section.codecs[0].feedback == ("nack", "nack pli")
    assert section.rtx == {109: 108}


def test_attributes_of_the_session_are_those_of_sections_without() -> None:
    description = parse(
        *(CREDENTIALS + "a=fingerprint:SHA-256 ab:cd\r\na=setup:active\r\na=inactive").split("\r\n"),
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=setup:passive",
        "a=sendonly",
    )
    audio, video = description.sections
    assert audio.transport is not None
    assert video.transport is not None
    assert (audio.transport.setup, video.transport.setup) == ("active", "passive")
    assert audio.transport.fingerprint == "sha-256 AB:CD"
    assert (audio.direction, video.direction) == ("inactive", "sendonly")


def test_the_sha_256_fingerprint_is_chosen() -> None:
    description = parse(
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        *CREDENTIALS.split(),
        "a=fingerprint:sha-512 01:02",
        "a=fingerprint:sha-256 03:04",
        "a=fingerprint:sha-1 05:06",
    )
    assert description.transport is not None
    assert description.transport.fingerprint == "sha-256 03:04"


def test_a_section_that_lives_in_the_bundle_only_is_not_stopped() -> None:
    description = parse("m=video 0 UDP/TLS/RTP/SAVPF 120", "a=bundle-only", "a=mid:1", "a=rtpmap:120 VP8/90000")
    assert not description.sections[0].is_stopped
    assert "a=group:BUNDLE 1" in str(description)


def test_a_stopped_section_says_no_more_than_its_name() -> None:
    lines = str(offer("video-stopped")).split("\r\n")
    assert lines[-5:-1] == [lines[-5], "c=IN IP4 0.0.0.0", "a=mid:2", "a=inactive"]
    assert lines[-5].startswith("m=video 0 UDP/TLS/RTP/SAVPF ")
    assert "a=group:BUNDLE 0 1" in lines


@pytest.mark.parametrize(
    "line",
    [
        "m=audio",
        "m=audio 70000 UDP/TLS/RTP/SAVPF 111",
        "m=audio 9 UDP/TLS/RTP/SAVPF 300",
        "m=audio 9 UDP/TLS/RTP/SAVPF x",
        "no line",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:x opus/48000",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ssrc:99999999999 cname:x",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=extmap:² urn:x",
        "",
    ],
)
def test_what_is_no_description_is_refused(line: str) -> None:
    with pytest.raises(DecodeError):
        parse(line)


def test_endless_descriptions_are_refused() -> None:
    with pytest.raises(DecodeError, match="too long"):
        SessionDescription.parse("a" * (MAX_LENGTH + 1))
    with pytest.raises(DecodeError):
        parse(*["m=video 9 UDP/TLS/RTP/SAVPF 96"] * 200)


@given(data=st.data())
def test_broken_descriptions_are_read_or_refused(data: st.DataObject) -> None:
    lines = text_of("chromium/simulcast").split("\r\n")
    for _ in range(data.draw(st.integers(1, 8))):
        index = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[index])))
        lines[index] = lines[index][:cut] + data.draw(st.text(max_size=12))
    try:
        description = SessionDescription.parse("\r\n".join(lines))
    except DecodeError:
        return
    SessionDescription.parse(str(description))


@given(st.text(max_size=300))
def test_nonsense_is_refused_with_an_error_of_ours(text: str) -> None:
    with pytest.raises(DecodeError):
        SessionDescription.parse(text)
