from __future__ import annotations

import itertools
import logging

import pytest

from chime_media.protocol.video_format import VideoFormat
from chime_media.server.video_forwarder import VideoForwarder
from chime_media.server.video_publication import ExtensionIds, Layer, Publication
from chime_media.server.video_subscription import Subscription
from chime_media.testing.impairments import Impairment
from chime_media.wire import rtcp, rtp
from tests.media.server.video_simulation import (
    H264,
    PERFECT,
    VP8,
    Link,
    Receiver,
    Sender,
    VirtualLoop,
    is_like,
)

RED, GREEN, BLUE = (200, 40, 40), (40, 200, 40), (40, 40, 200)
RID = 10


class Call:
    """One sender and any number of receivers around a forwarder."""

    def __init__(
        self, up: Impairment = PERFECT, *, form: VideoFormat = VP8, seed: int = 3, resends: bool = True
    ) -> None:
        self.loop = VirtualLoop()
        self.forwarder = VideoForwarder(self.loop, wall=lambda: 1_700_000_000.0)
        self.form = form
        self.up = Link(self.loop, up, seed)
        self.sender = Sender(self.loop, self.up, form=form, resends=resends)
        self.publication = self.publish([Layer(3)])
        self.connect(self.sender)

    def publish(self, layers: list[Layer]) -> Publication:
        ids = ExtensionIds(rid=RID)
        return self.forwarder.publish("a", self.up, layers, {96: self.form}, {97: 96}, extensions=ids)

    def connect(self, *senders: Sender) -> None:
        def feedback(packet: bytes) -> None:
            for sender in senders:
                sender.rtcp_received(packet)

        self.up.rtcp_out = feedback
        for sender in senders:
            sender.received = self.publication.rtp_received
            sender.reported = self.reported

    def reported(self, report: rtcp.SenderReport, now: float) -> None:
        self.publication.rtcp_received([report], now)

    def watch(
        self, down: Impairment = PERFECT, *, ssrc: int = 700, stream_id: int = 3, seed: int = 4
    ) -> tuple[Receiver, Subscription]:
        link = Link(self.loop, down, seed + ssrc)
        receiver = Receiver(self.loop, link, ssrc=ssrc, form=self.form)
        subscription = self.forwarder.subscribe(
            link, "2", ssrc, ssrc + 1, {self.form: 100}, {100: 101}, stream_id=stream_id, cname="node"
        )
        receiver.feedback = subscription.rtcp_received
        return receiver, subscription


@pytest.mark.parametrize("form", [VP8, H264], ids=str)
def test_what_is_sent_is_seen_by_all_who_watch(form: VideoFormat) -> None:
    call = Call(form=form)
    receivers = [call.watch(ssrc=700 + 10 * index)[0] for index in range(3)]
    call.loop.run(2)
    for receiver in receivers:
        assert len(receiver.seen) >= 28
        assert all(is_like(colour, RED) for colour in receiver.colours(0))


def test_a_late_watcher_sees_a_picture_at_once_because_a_key_frame_is_asked_for() -> None:
    call = Call()
    call.loop.run(2)
    late, _ = call.watch()
    call.loop.run(0.2)
    assert late.seen
    assert is_like(late.seen[0][1], RED)
    assert call.up.asked(rtcp.PictureLossIndication) == 1


def test_many_who_begin_at_once_cost_the_sender_few_key_frames() -> None:
    call = Call()
    call.loop.run(2)
    before = len(call.sender.key_frames)
    receivers = []
    for index in range(10):
        receivers.append(call.watch(ssrc=700 + 10 * index)[0])
        call.loop.run(0.02)
    call.loop.run(1)
    assert all(receiver.seen for receiver in receivers)
    assert len(call.sender.key_frames) - before <= 2


def test_a_watcher_of_what_nobody_sends_yet_sees_it_when_it_comes() -> None:
    call = Call()
    receiver, subscription = call.watch(stream_id=9)
    call.loop.run(0.5)
    assert not receiver.seen
    assert subscription.watched is None
    call.forwarder.unpublish(call.publication)
    call.publication = call.publish([Layer(9)])
    call.connect(call.sender)
    call.loop.run(0.5)
    assert receiver.seen


def test_pause_stops_and_resume_goes_on_with_a_key_frame_and_without_gaps() -> None:
    call = Call()
    receiver, subscription = call.watch()
    call.loop.run(1)
    subscription.pause()
    call.loop.run(0.1)
    paused = len(receiver.seen)
    call.loop.run(2)
    assert len(receiver.seen) == paused
    call.sender.colour = GREEN
    subscription.resume()
    call.loop.run(1)
    assert is_like(receiver.seen[-1][1], GREEN)
    assert len(receiver.nack) == 0
    assert_continuous(receiver.link.sent)


def test_nothing_is_sent_after_unsubscribe_or_unpublish() -> None:
    call = Call()
    one, first = call.watch(ssrc=700)
    two, _ = call.watch(ssrc=710)
    call.loop.run(0.5)
    call.forwarder.unsubscribe(first)
    call.forwarder.unsubscribe(first)
    call.loop.run(0.1)
    seen = len(one.seen)
    call.loop.run(0.5)
    assert len(one.seen) == seen
    assert len(two.seen) > seen
    call.forwarder.unpublish(call.publication)
    call.loop.run(0.1)
    seen = len(two.seen)
    call.loop.run(0.5)
    assert len(two.seen) == seen
    call.forwarder.close()
    assert not call.forwarder.subscriptions


@pytest.mark.parametrize("loss", [0.05, 0.15])
@pytest.mark.parametrize("form", [VP8, H264], ids=str)
def test_video_comes_through_loss_in_both_directions(loss: float, form: VideoFormat) -> None:
    network = Impairment(loss=loss, delay=0.02)
    call = Call(network, form=form)
    receiver, subscription = call.watch(network)
    call.loop.run(1)
    begin = call.loop.time()
    call.loop.run(5)
    assert receiver.longest_freeze(begin) < 1
    assert all(is_like(colour, RED) for colour in receiver.colours(begin))
    assert len(receiver.colours(begin)) > 5 * 15 * 0.9
    assert subscription.resent > 0


@pytest.mark.parametrize("loss", [0.05, 0.15])
def test_a_lost_key_frame_is_made_up_for_within_a_second(loss: float) -> None:
    network = Impairment(loss=loss, delay=0.02)
    for seed in range(3):
        call = Call(network, seed=seed)
        receiver, _ = call.watch(network, seed=seed + 50)
        call.loop.run(1)
        begin = call.loop.time()
        # No packet of it reaches the node, and the sender does not have it any more either.
        call.sender.lose_next_key_frame = True
        call.sender.wants_key = True
        call.loop.run(3)
        assert receiver.longest_freeze(begin) <= 1, seed
        assert is_like(receiver.seen[-1][1], RED)


def test_without_retransmissions_a_key_frame_repairs_the_picture() -> None:
    call = Call(Impairment(loss=0.03, delay=0.02), resends=False)
    receiver, _ = call.watch()
    call.loop.run(10)
    assert len(call.sender.key_frames) > 1
    assert is_like(receiver.seen[-1][1], RED)
    assert call.loop.time() - receiver.seen[-1][0] < 1.5


def test_jitter_reordering_and_duplication_do_no_harm() -> None:
    bad = Impairment(delay=0.02, jitter=0.2, reorder=0.05, duplication=0.05)
    call = Call(bad)
    receiver, _ = call.watch(bad)
    call.loop.run(6)
    begin = call.loop.time() - 5
    assert all(is_like(colour, RED) for colour in receiver.colours(0))
    assert len(receiver.colours(begin)) > 65
    assert_unique(receiver.link.sent)


def assert_unique(packets: list[rtp.RtpPacket]) -> None:
    media = [packet for packet in packets if packet.ssrc % 10 == 0]
    numbers = [packet.sequence_number for packet in media]
    assert len(set(numbers)) == len(numbers)


def assert_continuous(packets: list[rtp.RtpPacket]) -> None:
    for before, after in itertools.pairwise(packets):
        assert rtp.sequence_distance(after.sequence_number, before.sequence_number) == 1
        assert rtp.timestamp_distance(after.timestamp, before.timestamp) >= 0


class Simulcast(Call):
    def __init__(self) -> None:
        super().__init__()
        self.sender.running = False
        self.forwarder.unpublish(self.publication)
        self.publication = self.publish([Layer(5, "low"), Layer(6, "hi")])
        self.low = Sender(
            self.loop, self.up, ssrc=21, colour=GREEN, extensions={RID: b"low"}, size=(90, 160), bitrate=250_000
        )
        self.high = Sender(self.loop, self.up, ssrc=22, colour=BLUE, extensions={RID: b"hi"})
        self.connect(self.low, self.high)


def test_layers_are_told_apart_by_rid_and_each_receiver_gets_its_own() -> None:
    call = Simulcast()
    small, _ = call.watch(ssrc=700, stream_id=5)
    large, _ = call.watch(ssrc=710, stream_id=6)
    call.loop.run(2)
    assert is_like(small.seen[-1][1], GREEN)
    assert is_like(large.seen[-1][1], BLUE)
    rates = call.forwarder.bitrates()
    assert 0 < rates[5] < rates[6]


def test_a_switch_of_layers_begins_with_a_key_frame_and_goes_on_in_numbers_and_time() -> None:
    call = Simulcast()
    receiver, subscription = call.watch(stream_id=5)
    for stream_id, colour in ((6, BLUE), (5, GREEN), (6, BLUE)):
        call.loop.run(1.5)
        before = len(receiver.seen)
        subscription.switch(stream_id)
        call.loop.run(0.5)
        colours = [shown for _, shown in receiver.seen[before:]]
        # The old layer is shown until the new one's key frame, and never again after it.
        assert colours
        assert is_like(colours[-1], colour)
        changes = sum(is_like(a, colour) != is_like(b, colour) for a, b in itertools.pairwise(colours))
        assert changes <= 1
    assert_continuous(receiver.link.sent)
    assert receiver.longest_freeze(receiver.seen[0][0]) < 0.2
    steps = [rtp.timestamp_distance(b, a) for a, b in itertools.pairwise(receiver.timestamps)]
    assert all(0 < step < 2.5 * 90000 / 15 for step in steps)
    ids = picture_ids(receiver.link.sent)
    assert all((b - a) % 32768 in {0, 1} for a, b in itertools.pairwise(ids))


def picture_ids(packets: list[rtp.RtpPacket]) -> list[int]:
    from chime_media.wire import vp8

    found = [vp8.parse(packet.payload).picture_id for packet in packets]
    return [number for number in found if number is not None]


def test_a_layer_that_falls_silent_is_replaced_by_another_until_it_is_back() -> None:
    call = Simulcast()
    receiver, subscription = call.watch(stream_id=6)
    call.loop.run(2)
    assert is_like(receiver.seen[-1][1], BLUE)
    call.high.running = False
    call.loop.run(3)
    assert is_like(receiver.seen[-1][1], GREEN)
    assert subscription.stream_id == 6
    call.high.running = True
    call.high.frame()
    call.loop.run(2)
    assert is_like(receiver.seen[-1][1], BLUE)
    assert_continuous([packet for packet in receiver.link.sent if packet.ssrc == 700])


def test_a_sender_that_begins_anew_with_other_numbers_or_another_ssrc_is_followed() -> None:
    call = Call()
    receiver, _ = call.watch()
    call.loop.run(1)
    call.sender.number += 20000 + 40000
    call.sender.base += 12345678
    call.loop.run(1)
    assert call.loop.time() - receiver.seen[-1][0] < 0.3
    call.sender.running = False
    other = Sender(call.loop, call.up, ssrc=99, colour=GREEN)
    call.connect(other)
    call.loop.run(1)
    assert is_like(receiver.seen[-1][1], GREEN)
    assert_continuous(receiver.link.sent)


def test_a_format_that_the_receiver_has_not_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    call = Call()
    link = Link(call.loop)
    subscription = call.forwarder.subscribe(link, "2", 1, 2, {H264: 100}, stream_id=3)
    with caplog.at_level(logging.WARNING):
        call.loop.run(1)
    assert subscription.undecodable > 10
    assert not link.sent
    assert len(caplog.records) == 1
    assert "VP8" in caplog.text


def test_sender_reports_tell_receivers_the_time_of_the_node() -> None:
    call = Call(Impairment(delay=0.03))
    receiver, _ = call.watch()
    call.loop.run(3.5)
    assert len(receiver.reports) >= 3
    for report in receiver.reports:
        assert report.ssrc == 700
        moment = report.ntp_time / (1 << 32) - 2208988800 - 1_700_000_000
        # The sender's clock says 5000 at its start; what it says of a moment is true 30 ms later at the node.
        assert abs(moment - round(moment - 0.1, 0) - 0.1) < 0.05
    first, last = receiver.reports[0], receiver.reports[-1]
    ticks = rtp.timestamp_distance(last.rtp_timestamp, first.rtp_timestamp)
    assert abs(ticks / 90000 - (last.ntp_time - first.ntp_time) / (1 << 32)) < 0.005
    names = [report for report in receiver.link.reports if isinstance(report, rtcp.SourceDescription)]
    assert names[0].cname == "node"


def test_the_sender_is_told_of_loss_and_of_the_bitrate_that_fits() -> None:
    call = Call(Impairment(loss=0.2))
    call.watch()
    call.loop.run(4)
    reports = [report for report in call.up.reports if isinstance(report, rtcp.ReceiverReport)]
    estimates = [r.bitrate for r in call.up.reports if isinstance(r, rtcp.ReceiverEstimatedMaximumBitrate)]
    assert len(reports) >= 4
    assert 0.1 < sum(report.reports[0].fraction_lost for report in reports) / len(reports) / 256 < 0.3
    assert estimates[-1] < estimates[0]
    assert reports[-1].reports[0].last_sender_report != 0


def test_the_best_receiver_says_what_the_sender_is_allowed() -> None:
    call = Call()
    _, one = call.watch(ssrc=700)
    _, two = call.watch(ssrc=710)
    call.loop.run(3)
    free = call.publication.allowed_bitrate
    one.rtcp_received([rtcp.ReceiverEstimatedMaximumBitrate(1, 150_000, (700,))], call.loop.time())
    assert call.publication.allowed_bitrate == free
    two.rtcp_received([rtcp.ReceiverEstimatedMaximumBitrate(1, 250_000, (710,))], call.loop.time())
    assert 240_000 < call.publication.allowed_bitrate <= 250_000
    two.pause()
    assert 140_000 < call.publication.allowed_bitrate <= 150_000


def test_receiver_reports_say_how_it_goes() -> None:
    call = Call()
    receiver, subscription = call.watch()
    call.loop.run(2.5)
    report = receiver.reports[-1]
    call.loop.run(0.1)
    block = rtcp.ReportBlock(700, 64, 3, 1, 0, report.ntp_time >> 16 & 0xFFFFFFFF, 0)
    subscription.rtcp_received([rtcp.ReceiverReport(5, (block,))], call.loop.time())
    assert subscription.fraction_lost == 0.25
    assert subscription.round_trip is not None
    assert 0 <= subscription.round_trip < 1.2


def test_the_timer_rests_while_nobody_sends() -> None:
    loop = VirtualLoop()
    forwarder = VideoForwarder(loop)
    link = Link(loop)
    forwarder.publish("a", link, [Layer(1)], {96: VP8})
    forwarder.subscribe(link, "1", 5, None, {VP8: 96}, stream_id=1)
    assert not loop._queue
