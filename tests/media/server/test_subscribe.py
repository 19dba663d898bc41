"""What a SUBSCRIBE asks for: recorded offers of Chromium, the native client's way, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.server.subscribe import RefusedError, Subscribe, VideoLayer, read
from chime_media.wire.sdp import SessionDescription
from chime_media.wire.sdp_compression import compress
from chime_messaging.wire.signaling_pb2 import AUDIO, DUPLEX, RX, VIDEO, StreamDescriptor, SubscribeFrame
from tests.media.descriptions import OFFERS, text_of

VOICE = StreamDescriptor(media_type=AUDIO, stream_id=1, group_id=1, track_label="AmazonChimeExpressAudio")
CAMERA = StreamDescriptor(
    media_type=VIDEO,
    stream_id=2,
    group_id=2,
    track_label="AmazonChimeExpressVideo",
    max_bitrate_kbps=1400,
    framerate=15,
)


def frame(name: str, receiving: list[int], *sending: StreamDescriptor) -> SubscribeFrame:
    duplex = DUPLEX if sending else RX
    return SubscribeFrame(
        duplex=duplex,
        send_streams=[VOICE, *sending],
        receive_stream_ids=receiving,
        sdp_offer=text_of(f"chromium/{name}"),
    )


def refusal(asked: SubscribeFrame, limit: int = 25) -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        read(asked, limit=limit)
    return caught.value.status, caught.value.description


def sections(name: str) -> list[tuple[str, str, bool]]:
    offer = SessionDescription.parse(text_of(f"chromium/{name}"))
    return [(each.mid, each.direction, each.is_stopped) for each in offer.sections if each.kind == "video"]


def test_the_first_subscribe_of_a_browser_sends_and_receives_no_video() -> None:
    found = read(frame("join", [0]))
    assert (found.sending, found.receiving, found.compressed) == ((), {}, False)
    assert found.offer.sections[0].kind == "audio"


def test_a_compressed_offer_is_read_with_and_without_the_one_before() -> None:
    text = text_of("chromium/join")
    for previous in ("", text_of("chromium/camera-and-video")):
        asked = frame("join", [0])
        asked.ClearField("sdp_offer")
        asked.compressed_sdp_offer = compress(text, previous)
        found = read(asked, previous or "something else")
        assert found.compressed
        assert found.text == text


def test_ids_stand_in_the_order_of_the_video_sections() -> None:
    name = "camera-and-video"
    places = sections(name)
    ids = [number + 10 if direction == "recvonly" else 0 for number, (_, direction, _) in enumerate(places)]
    found = read(frame(name, ids, CAMERA))
    expected = {mid: number + 10 for number, (mid, direction, _) in enumerate(places) if direction == "recvonly"}
    assert expected
    assert found.receiving == expected
    assert found.sending == (VideoLayer(None, 1400, 15, 0, 0, "AmazonChimeExpressVideo"),)


def test_the_native_client_gives_the_ids_of_its_receiving_sections_behind_a_zero_for_its_audio() -> None:
    name = "camera-and-video"
    wanting = [mid for mid, direction, stopped in sections(name) if direction == "recvonly" and not stopped]
    found = read(frame(name, [0, *range(5, 5 + len(wanting))], CAMERA))
    assert list(found.receiving.items()) == list(zip(wanting, range(5, 5 + len(wanting)), strict=True))


def test_its_streams_are_video_although_they_do_not_say_so() -> None:
    asked = frame("camera-and-video", [0, 5], CAMERA)
    for stream in asked.send_streams:
        stream.ClearField("media_type")
    assert read(asked).sending[0].rid is None


def test_a_section_that_was_stopped_carries_nothing_whatever_the_ids_say() -> None:
    name = "video-stopped"
    places = sections(name)
    assert any(stopped for _, _, stopped in places)
    found = read(frame(name, [0] * len(places)))
    assert found.receiving == {}


def test_layers_of_simulcast_are_those_of_the_offer_in_the_order_of_the_streams() -> None:
    streams = [StreamDescriptor(media_type=VIDEO, max_bitrate_kbps=kbps) for kbps in (300, 0)]
    name = "simulcast"
    found = read(frame(name, [0] * len(sections(name)), *streams))
    assert [(layer.rid, layer.max_bitrate_kbps) for layer in found.sending] == [("low", 300), ("mid", 0), ("hi", 0)]


def test_duplex_without_a_video_to_send_is_refused() -> None:
    assert refusal(frame("join", [0], CAMERA)) == (400, "failed to initialize video session")
    asked = frame("camera-and-video", [0, 5])
    asked.duplex = DUPLEX
    assert refusal(asked) == (400, "failed to initialize video session")


def test_receiving_sections_without_ids_are_refused() -> None:
    assert refusal(frame("camera-and-video", [], CAMERA)) == (400, "failed to initialize video session")


def test_more_ids_than_sections_are_refused() -> None:
    assert refusal(frame("camera-and-video", [0, 5, 6, 7], CAMERA)) == (400, "failed to initialize video session")


def test_more_videos_than_the_limit_are_refused() -> None:
    assert refusal(frame("camera-and-video", [0, *range(1, 27)], CAMERA))[0] == 400
    assert refusal(frame("camera-and-video", [5, 6], CAMERA), limit=1) == (400, "more than 1 videos")


@pytest.mark.parametrize("text", ["", "v=0", "nonsense", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"])
def test_what_is_no_offer_of_a_peer_is_refused(text: str) -> None:
    assert refusal(SubscribeFrame(sdp_offer=text)) == (400, "failed to initialize video session")


@given(st.binary(max_size=300), st.lists(st.integers(0, 50), max_size=40), st.sampled_from(OFFERS))
def test_any_bytes_are_read_or_refused(data: bytes, ids: list[int], name: str) -> None:
    text = text_of(f"chromium/{name}")
    asked = SubscribeFrame(duplex=DUPLEX, receive_stream_ids=ids, send_streams=[CAMERA])
    for broken in (data.decode("latin-1"), text[: len(data) * 20], text.replace("1", data[:3].decode("latin-1"))):
        asked.sdp_offer = broken
        assert_read_or_refused(asked)
    asked.compressed_sdp_offer = data or b"\0"
    assert_read_or_refused(asked)


def assert_read_or_refused(asked: SubscribeFrame) -> None:
    try:
        found = read(asked)
    except RefusedError as error:
        assert error.status == 400
        return
    assert isinstance(found, Subscribe)
    assert len(found.receiving) <= 25
