from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chime_media.devices.sources import SourceEnded
from chime_media.devices.video_sources import DrawnVideo, FrameSource, TestCard
from chime_media.rtc.video_codecs import CODECS
from chime_media.rtc.video_frame import VideoFrame
from chime_media.wire import rtcp, rtp
from chime_media.wire.rtp import RtpPacket
from chime_messaging.errors import DecodeError
from tests.media.rtc.video_pair import Pair

pytestmark = pytest.mark.anyio
RED, BLUE = (200, 40, 60), (30, 120, 200)


def colour(frame: VideoFrame) -> list[float]:
    median: list[float] = np.median(frame.rgb.reshape(-1, 3), axis=0).tolist()
    return median


def ignore(problem: Exception) -> None:
    raise AssertionError("the source ended") from problem


@pytest.mark.parametrize("codec", CODECS)
async def test_pictures_come_with_their_colours_and_at_their_pace(codec: str) -> None:
    async with Pair(codec) as pair:
        pair.look()
        pair.sender.start(TestCard(RED, 320, 180, 30), ignore)
        await pair.until(lambda: len(pair.frames) >= 15)
        assert all(colour(frame) == pytest.approx(RED, abs=6) for frame in pair.frames)
        steps = [later.time - earlier.time for earlier, later in pairwise(pair.frames)]
        assert np.median(steps) == pytest.approx(1 / 30, abs=0.01)
        assert pair.receiver.counters.key_frames >= 1
        assert pair.receiver.codec == codec
        assert {packet.ssrc for packet in pair.there.rtp} == {pair.sender.ssrc}
        assert all(packet.extensions[4] == b"1" and len(packet.extensions[2]) == 3 for packet in pair.there.rtp)


async def test_nothing_is_decoded_or_asked_for_until_somebody_looks() -> None:
    async with Pair() as pair:
        pair.there.rule = lambda packet: packet.sequence_number % 5 != 0
        pair.sender.start(TestCard(RED, 160, 96, 60), ignore)
        arrived = asyncio.Event()
        asyncio.get_running_loop().call_later(0.4, arrived.set)
        await arrived.wait()
        assert pair.receiver.statistics.received > 5
        assert pair.receiver.counters.frames_decoded == 0
        assert not [packet for packet in pair.back.rtcp if isinstance(packet, rtcp.GenericNack)]
        assert not [thread for thread in threading.enumerate() if "video-decoding" in thread.name]
        pair.there.rule = lambda packet: True
        pair.look()
        await pair.until(lambda: pair.frames)
        assert pair.sender.counters.plis >= 1, "a key frame was asked for"
        pair.receiver.unbind()
        decoded = pair.receiver.counters.frames_decoded
        before = pair.receiver.statistics.received
        more = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, more.set)
        await more.wait()
        assert pair.receiver.statistics.received > before
        assert pair.receiver.counters.frames_decoded <= decoded + 1


@pytest.mark.parametrize("with_rtx", [True, False])
async def test_lost_packets_are_sent_again(with_rtx: bool) -> None:
    noise = np.random.default_rng(7)
    lost: set[int] = set()

    def drop(packet: RtpPacket) -> bool:
        number = packet.sequence_number
        if packet.ssrc == pair.sender.ssrc and number % 7 == 0 and number not in lost:
            lost.add(number)
            return False
        return True

    def draw(_: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return noise.integers(0, 255, (180, 320, 3), np.uint8)

    async with Pair(with_rtx=with_rtx) as pair:
        pair.there.rule = drop
        pair.look()
        pair.sender.start(DrawnVideo(draw, 320, 180, 30), ignore)
        await pair.until(lambda: len(pair.frames) >= 20)
        assert len(lost) >= 3
        assert pair.sender.counters.repeated >= len(lost) - 2
        assert pair.sender.counters.key_frames < len(lost)
        repeats = [packet for packet in pair.there.rtp if packet.ssrc == pair.sender.rtx_ssrc]
        assert bool(repeats) == with_rtx


async def test_a_lost_key_frame_that_is_not_repeated_is_asked_for_anew_within_a_second() -> None:
    async with Pair() as pair:
        loop = asyncio.get_running_loop()
        pair.look()
        pair.sender.start(TestCard(RED, 320, 180, 30), ignore)
        await pair.until(lambda: len(pair.frames) >= 5)
        cut = loop.time()
        pair.there.rule = lambda packet: loop.time() > cut + 1.2
        pair.sender.request_key_frame()
        count = len(pair.frames)
        await pair.until(lambda: len(pair.frames) > count + 3 and loop.time() > cut + 1.2)
        assert loop.time() - (cut + 1.2) < 1.0


async def test_a_key_frame_that_was_asked_for_comes_though_the_picture_stands_still() -> None:
    async with Pair() as pair:
        source = FrameSource(160, 96, 30)
        source.push(np.full((96, 160, 3), BLUE, np.uint8))
        pair.sender.start(source, ignore)
        sent = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, sent.set)
        await sent.wait()
        pair.look()
        await pair.until(lambda: pair.frames, timeout=3)
        assert colour(pair.frames[0]) == pytest.approx(BLUE, abs=6)


async def test_a_receiver_can_lower_the_rate() -> None:
    noise = np.random.default_rng(7)
    async with Pair() as pair:
        pair.sender.set_max_bitrate(3_000_000)
        pair.look()

        def draw(_: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
            return noise.integers(108, 148, (192, 320, 3), np.uint8)

        pair.sender.start(DrawnVideo(draw, 320, 192, 30), ignore)
        await pair.until(lambda: len(pair.frames) >= 15)
        before = pair.sender.counters.octets / pair.sender.counters.frames
        limit = rtcp.ReceiverEstimatedMaximumBitrate(9, 300_000, (pair.sender.ssrc,))
        pair.back.send_rtcp(limit.pack())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert pair.sender.bitrate == 300_000
        pair.back.peer = None  # The receiver itself thinks better of the path and would say so.
        seen = len(pair.frames)
        await pair.until(lambda: len(pair.frames) >= seen + 15)
        frames, octets, seen = pair.sender.counters.frames, pair.sender.counters.octets, len(pair.frames)
        await pair.until(lambda: len(pair.frames) >= seen + 15)
        after = (pair.sender.counters.octets - octets) / (pair.sender.counters.frames - frames)
        assert after < before / 2


async def test_a_source_that_fails_is_told_and_sending_ends() -> None:
    def draw(elapsed: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        if elapsed > 0.1:
            raise RuntimeError("the camera is gone")
        return np.zeros((48, 64, 3), np.uint8)

    async with Pair() as pair:
        ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        pair.sender.start(DrawnVideo(draw, 64, 48, 30), ended.set_result)
        problem = await asyncio.wait_for(ended, 5)
        assert isinstance(problem, SourceEnded)
        assert "the camera is gone" in str(problem)
        assert not pair.sender.sending


async def test_what_cannot_be_encoded_in_time_is_left_out() -> None:
    slow = threading.Event()

    def draw(elapsed: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        slow.wait(0.1)
        return np.full((48, 64, 3), 90, np.uint8)

    async with Pair() as pair:
        pair.look()
        pair.sender.start(DrawnVideo(draw, 64, 48, 30), ignore)
        await pair.until(lambda: len(pair.frames) >= 4)
        assert pair.sender.counters.skipped >= 4
        assert pair.frames[-1].time - pair.frames[0].time > 0.25


async def test_a_source_can_be_replaced_and_stopped_and_started() -> None:
    async with Pair() as pair:
        pair.look()
        pair.sender.start(TestCard(RED, 160, 96, 30), ignore)
        await pair.until(lambda: len(pair.frames) >= 3)
        pair.sender.start(TestCard(BLUE, 320, 180, 30), ignore)
        await pair.until(lambda: pair.frames[-1].width == 320)
        assert colour(pair.frames[-1]) == pytest.approx(BLUE, abs=6)
        await pair.sender.stop()
        assert not pair.sender.sending
        pair.sender.start(TestCard(RED, 160, 96, 30), ignore)
        await pair.until(lambda: pair.frames[-1].width == 160)
        assert colour(pair.frames[-1]) == pytest.approx(RED, abs=6)


async def test_reports_go_both_ways() -> None:
    async with Pair() as pair:
        pair.look()
        pair.sender.start(TestCard(RED, 160, 96, 30), ignore)
        reported = asyncio.Event()

        def look() -> None:
            if pair.sender.counters.round_trip is not None:
                reported.set()
            else:
                asyncio.get_running_loop().call_later(0.05, look)

        look()
        await asyncio.wait_for(reported.wait(), 5)
        assert pair.sender.counters.fraction_lost == 0
        assert pair.sender.counters.round_trip is not None
        assert pair.sender.counters.round_trip < 0.5
        names = {packet.cname for packet in pair.there.rtcp if isinstance(packet, rtcp.SourceDescription)}
        assert names == {"cname"}
        remb = [packet for packet in pair.back.rtcp if isinstance(packet, rtcp.ReceiverEstimatedMaximumBitrate)]
        assert remb[-1].ssrcs == (pair.sender.ssrc,)


async def test_of_codecs_nobody_decodes_nothing_is_shown_and_it_is_counted() -> None:
    async with Pair("VP9") as pair:
        assert not pair.sender.sending, "VP9 cannot be encoded"
        pair.look()
        for number in range(3):
            pair.there.send_rtp(
                b"\x80\x62" + number.to_bytes(2, "big") + bytes(4) + pair.sender.ssrc.to_bytes(4, "big") + b"vp9"
            )
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(0.02, done.set)
        await done.wait()
        assert pair.receiver.counters.undecodable == 3


async def test_a_section_that_ends_ends_its_receiver() -> None:
    async with Pair() as pair:
        pair.look()
        pair.sender.start(TestCard(RED, 160, 96, 30), ignore)
        await pair.until(lambda: pair.frames)
        pair.receiving.settle({})
        assert not pair.receiving.receivers
        assert not pair.receiver.bound


@pytest.mark.parametrize("codec", CODECS)
async def test_garbage_from_the_other_side_is_survived(codec: str) -> None:
    chance = random.Random(6)
    async with Pair(codec) as pair:
        pair.look()
        pair.sender.start(TestCard(RED, 160, 96, 30), ignore)
        await pair.until(lambda: len(pair.frames) >= 3)
        kept = [packet.data for packet in pair.there.rtp]
        for number in range(2000):
            data = bytearray(chance.choice(kept))
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(12, len(data))] = chance.randrange(256)
            data = data[: chance.randrange(13, len(data) + 1)]
            data[2:4] = ((pair.receiver.statistics.highest + chance.randint(-3, 20)) & 0xFFFF).to_bytes(2, "big")
            data[4:8] = (number * 3000).to_bytes(4, "big")
            if number % 5 == 0:
                data[1] = chance.randrange(256)
                data[8:12] = chance.choice((pair.sender.ssrc, pair.sender.rtx_ssrc)).to_bytes(4, "big")
            with contextlib.suppress(DecodeError):  # That one is no RTP at all and gets no further than its connection.
                pair.receiving.rtp_received(rtp.parse(bytes(data)), asyncio.get_running_loop().time())
        seen = len(pair.frames)
        await pair.until(lambda: len(pair.frames) > seen + 10 and colour(pair.frames[-1]) == pytest.approx(RED, abs=8))


@pytest.mark.parametrize("loss", [0.05, 0.15])
async def test_pictures_go_on_while_packets_get_lost(loss: float) -> None:
    chance, texture = random.Random(3), np.random.default_rng(7).integers(60, 200, (180, 320, 3), np.uint8)

    def draw(elapsed: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.roll(texture, int(elapsed * 60), axis=1)

    async with Pair() as pair:
        pair.there.rule = lambda packet: chance.random() >= loss
        pair.look()
        pair.sender.start(DrawnVideo(draw, 320, 180, 30), ignore)
        await pair.until(lambda: len(pair.frames) >= 60)
        assert pair.sender.counters.repeated > 0
        assert len(pair.frames) > 0.8 * pair.sender.counters.frames
        assert max(later.time - earlier.time for earlier, later in pairwise(pair.frames)) < 1.0


class HeldExecutor(ThreadPoolExecutor):
    """Begins its first job when it is told to."""

    def __init__(self) -> None:
        super().__init__(1)
        self.gate = threading.Event()
        self.asked = asyncio.Event()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked.set()
        return super().submit(self._held, fn, *args, **kwargs)

    def _held(self, fn: Any, *args: Any) -> Any:
        assert self.gate.wait(10)
        return fn(*args)


async def test_who_begins_to_look_is_not_shown_what_was_decoded_for_another() -> None:
    async with Pair() as pair:
        with HeldExecutor() as executor:
            pair.receiver._executor = executor
            pair.look()
            pair.sender.start(TestCard(RED, 160, 96, 30), ignore)
            async with asyncio.timeout(10):
                await executor.asked.wait()
            pair.receiver.unbind()
            pair.sender.start(TestCard(BLUE, 160, 96, 30), ignore)
            pair.frames.clear()
            pair.look()
            executor.gate.set()
            await pair.until(lambda: len(pair.frames) >= 3)
            assert all(colour(frame) == pytest.approx(BLUE, abs=6) for frame in pair.frames)
