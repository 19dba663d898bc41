"""What receivers see of any stream that a sender may send: packets of one stream that never steps back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chime_media.server.video_forwarder import VideoForwarder
from chime_media.server.video_publication import ExtensionIds, Layer
from chime_media.wire import rtcp, rtp
from chime_messaging.errors import DecodeError
from tests.media.server.video_simulation import VP8, Link, VirtualLoop

RID = 4
KEY, DELTA = b"\x90\xc0\x80\x01\x07\x00", b"\x90\xc0\x80\x01\x07\x01"


class Layered:
    """Two layers that are sent by hand, and one who watches them."""

    def __init__(self, first: int, stamp: int) -> None:
        self.loop = VirtualLoop()
        self.forwarder = VideoForwarder(self.loop)
        self.up, self.down = Link(self.loop), Link(self.loop)
        layers = [Layer(1, "low"), Layer(2, "hi")]
        ids = ExtensionIds(rid=RID, repaired_rid=5)
        self.publication = self.forwarder.publish("a", self.up, layers, {96: VP8}, {97: 96}, extensions=ids)
        self.subscription = self.forwarder.subscribe(self.down, "2", 70, 71, {VP8: 100}, {100: 101}, stream_id=1)
        self.next = [first, (first * 7) % 65536]
        self.stamps = [stamp, (stamp * 3) % (1 << 32)]

    def send(self, layer: int, number: int, stamp: int, *, key: bool) -> None:
        packet = rtp.build(
            payload_type=96,
            sequence_number=number,
            timestamp=stamp,
            ssrc=50 + layer,
            payload=(KEY if key else DELTA) + number.to_bytes(2, "big") + bytes([layer]),
            marker=True,
            extensions={RID: (b"low", b"hi")[layer]},
        )
        self.publication.rtp_received(packet, self.loop.time())

    def frame(self, layer: int, *, key: bool, skip: int = 0, repeat: bool = False) -> None:
        self.next[layer] += 1 + skip
        self.stamps[layer] += 3000 * (1 + skip)
        number, stamp = self.next[layer] % 65536, self.stamps[layer] % (1 << 32)
        self.send(layer, number, stamp, key=key)
        if repeat:
            self.send(layer, number, stamp, key=key)

    def late(self, layer: int, behind: int) -> None:
        number = (self.next[layer] - behind) % 65536
        self.send(layer, number, (self.stamps[layer] - behind * 3000) % (1 << 32), key=False)


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["frame", "frame", "frame", "key", "gap", "repeat", "late", "switch", "pause", "resume", "wait"]
        ),
        st.integers(0, 1),
        st.integers(1, 40),
    ),
    max_size=80,
)


def play(call: Layered, script: list[tuple[str, int, int]]) -> None:
    for action, layer, amount in script:
        if action in {"frame", "key", "repeat"}:
            call.frame(layer, key=action == "key", repeat=action == "repeat")
        elif action == "gap":
            call.frame(layer, key=amount % 2 == 0, skip=amount)
        elif action == "late":
            call.late(layer, amount)
        elif action == "switch":
            call.subscription.switch(layer + 1)
        elif action == "pause":
            call.subscription.pause()
        elif action == "resume":
            call.subscription.resume()
        else:
            call.loop.run(amount / 30)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 65535), st.integers(0, (1 << 32) - 1), steps)
def test_no_number_comes_twice_and_time_never_steps_back(
    first: int, stamp: int, script: list[tuple[str, int, int]]
) -> None:
    call = Layered(first, stamp)
    play(call, [("frame", 0, 1), ("frame", 1, 1), ("key", 0, 1), *script])
    sent = call.down.sent
    assert sent
    unwrapper, stamps = rtp.Unwrapper(), rtp.Unwrapper(32)
    by_number: dict[int, int] = {}
    origins: list[int] = []
    for packet in sent:
        number = unwrapper.unwrap(packet.sequence_number)
        assert number not in by_number
        by_number[number] = stamps.unwrap(packet.timestamp)
        origins.append(packet.payload[-1])
        assert (packet.ssrc, packet.payload_type) == (70, 100)
        assert not packet.extensions
    ordered = [by_number[number] for number in sorted(by_number)]
    assert ordered == sorted(ordered)
    # Where the layer changes, a key frame begins, and the number is the next after all before it.
    for index in range(1, len(sent)):
        if origins[index] != origins[index - 1]:
            assert not sent[index].payload[5] & 1
            before = max(list(by_number)[:index])
            assert list(by_number)[index] == before + 1


def test_a_packet_that_comes_again_when_it_is_forgotten_is_not_sent_again() -> None:
    call = Layered(9, 9)
    play(call, [("frame", 0, 1), ("key", 0, 1), ("frame", 0, 1), ("wait", 0, 60), ("frame", 0, 1), ("frame", 0, 1)])
    sent = len(call.down.sent)
    for behind in range(1, 5):
        call.late(0, behind)
    assert len(call.down.sent) == sent


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 65535), steps)
def test_what_is_sent_again_is_what_was_sent(first: int, script: list[tuple[str, int, int]]) -> None:
    call = Layered(first, 0)
    # Who has turned away from a stream asks for nothing of it any more, and nothing is kept forever.
    watching = [step for step in script if step[0] not in {"pause", "switch", "wait"}]
    play(call, [("frame", 0, 1), ("frame", 1, 1), ("key", 0, 1), *watching])
    before = {packet.sequence_number: packet for packet in call.down.sent}
    last = call.down.sent[-1]
    call.subscription.rtcp_received([rtcp.GenericNack(1, 70, (last.sequence_number,))], call.loop.time())
    again = call.down.sent[len(before) :]
    assert len(again) == 1
    assert (again[0].ssrc, again[0].payload_type, again[0].timestamp) == (71, 101, last.timestamp)
    assert again[0].payload == last.sequence_number.to_bytes(2, "big") + last.payload


def test_a_number_asked_for_over_and_over_is_sent_a_few_times_only() -> None:
    call = Layered(5, 5)
    play(call, [("frame", 0, 1), ("key", 0, 1)])
    number = call.down.sent[-1].sequence_number
    for _ in range(1000):
        call.subscription.rtcp_received([rtcp.GenericNack(1, 70, (number,) * 17)], call.loop.time())
        call.loop.run(0.01)
    assert call.subscription.resent <= 10


@settings(max_examples=400, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20), st.lists(st.binary(max_size=60), max_size=20))
def test_packets_of_any_bytes_do_no_harm(media: list[bytes], reports: list[bytes]) -> None:
    call = Layered(9, 9)
    play(call, [("frame", 0, 1), ("key", 0, 1)])
    for packet in media:
        call.publication.rtp_received(packet, call.loop.time())
        call.publication.rtp_received(b"\x80\x61" + packet, call.loop.time())
        call.publication.rtp_received(b"\x90\xe0" + packet, call.loop.time())
    for packet in reports:
        for head in (b"", b"\x81\xcd\x00\x05\x00\x00\x00\x01\x00\x00\x00\x46", b"\x8f\xce\x00\x05"):
            try:
                parsed = rtcp.parse(head + packet)
            except DecodeError:
                continue
            call.publication.rtcp_received(parsed, call.loop.time())
            call.subscription.rtcp_received(parsed, call.loop.time())
    call.loop.run(2)
    before = len(call.down.sent)
    call.frame(0, key=True)
    assert len(call.down.sent) == before + 1


def test_a_flood_of_unknown_streams_takes_no_memory() -> None:
    call = Layered(9, 9)
    play(call, [("frame", 0, 1), ("key", 0, 1)])
    for ssrc in range(1000, 6000):
        for payload_type in (96, 97, 120):
            packet = rtp.build(
                payload_type=payload_type, sequence_number=ssrc, timestamp=1, ssrc=ssrc, payload=b"\x00\x09\x10\x00\x01"
            )
            call.publication.rtp_received(packet, call.loop.time())
    assert call.publication.unknown_packets == 15000
    assert len(call.publication.streams) == 1


def test_retransmissions_of_layers_are_told_apart_by_repaired_rid_or_by_what_is_missing() -> None:
    call = Layered(100, 100)
    call.frame(0, key=False)
    call.frame(1, key=False)
    call.frame(0, key=True)
    high = call.forwarder.subscribe(Link(call.loop), "3", 80, 81, {VP8: 100}, stream_id=2)
    call.frame(1, key=True)
    call.frame(0, key=False, skip=2)
    sent = len(call.down.sent)

    def resend(layer: int, ssrc: int, behind: int, extensions: dict[int, bytes] | None) -> None:
        number = (call.next[layer] - behind) % 65536
        call.publication.rtp_received(
            rtp.build(
                payload_type=97,
                sequence_number=1,
                timestamp=5,
                ssrc=ssrc,
                payload=number.to_bytes(2, "big") + DELTA + b"abc",
                extensions=extensions,
            ),
            call.loop.time(),
        )

    resend(0, 500, 1, {5: b"low"})
    assert len(call.down.sent) == sent + 1
    resend(0, 501, 2, None)
    assert len(call.down.sent) == sent + 2
    assert high.packets == 1


def test_the_node_asks_for_a_key_frame_itself_when_a_packet_cannot_be_had() -> None:
    call = Layered(9, 9)
    play(call, [("frame", 0, 1), ("key", 0, 1)])
    before = call.up.asked(rtcp.PictureLossIndication)
    call.frame(0, key=False, skip=1)
    call.loop.run(0.9)
    asked = call.up.asked(rtcp.PictureLossIndication)
    assert asked > before
    assert call.up.asked(rtcp.GenericNack) >= 3
    call.loop.run(0.9)
    assert call.up.asked(rtcp.PictureLossIndication) > asked, "asked again as long as none comes"
    call.frame(0, key=True)
    call.loop.run(0.1)
    asked = call.up.asked(rtcp.PictureLossIndication)
    call.loop.run(3)
    assert call.up.asked(rtcp.PictureLossIndication) == asked


def test_senders_reports_make_a_switch_exact_however_late_the_packets_are() -> None:
    call = Layered(9, 9)
    play(call, [("frame", 0, 1), ("frame", 1, 1), ("key", 0, 1)])
    low, high = call.stamps
    call.publication.rtcp_received([rtcp.SenderReport(50, 500 << 32, low % (1 << 32), 1, 1)], call.loop.time())
    # The same camera half a second later, by the other layer's clock.
    later = (500 << 32) + (1 << 31)
    call.publication.rtcp_received([rtcp.SenderReport(51, later, high % (1 << 32), 1, 1)], call.loop.time())
    before = call.down.sent[-1].timestamp
    call.subscription.switch(2)
    call.loop.run(0.7)
    call.frame(1, key=True)
    assert rtp.timestamp_distance(call.down.sent[-1].timestamp, before) == 45000 + 3000


def test_padding_goes_on_as_packets_without_payload_so_that_no_number_is_missing() -> None:
    call = Layered(9, 9)
    play(call, [("frame", 0, 1), ("key", 0, 1)])
    call.next[0] += 1
    packet = rtp.build(
        payload_type=96, sequence_number=call.next[0], timestamp=5, ssrc=50, payload=b"", padding=200, marker=False
    )
    call.publication.rtp_received(packet, call.loop.time())
    call.frame(0, key=False)
    numbers = [packet.sequence_number for packet in call.down.sent]
    assert [(number - numbers[0]) % 65536 for number in numbers] == [0, 1, 2]
    assert [len(packet.data) for packet in call.down.sent][1] == 12
