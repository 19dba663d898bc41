"""What it costs the media node to forward an RTP packet of video, against Janus' VideoRoom on the same streams.

    python tests/benchmarks/video_node.py            # both, in turns: 1 and 8 who watch, 500 and 2000 packets a second
    python tests/benchmarks/video_node.py --seconds 5 --rounds 1 --only 8,2000
    python tests/benchmarks/video_node.py --only 8,2000 --rounds 1 --profile node.prof

One attendee sends packets of 1100 bytes as a browser's pacer does, every 5 ms; the others count what comes. All of them
are of one generator, which does the same for either server: ICE, DTLS and SRTP of ours, RTCP once a second. Every 50th
packet is decrypted, which verifies it and tells when it was sent. CPU is user and system time of the server's process
over the packets that arrived; delays are from sender to receiver, the generator's part included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import statistics
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psutil

from measure import cpu_seconds, rss  # isort: skip
from janus import JanusSession, janus, own_address  # isort: skip
from media_peer import PinnedTransport, run  # isort: skip

from chime_media.protocol.receive_statistics import ReceiveStatistics
from chime_media.protocol.video_format import VideoFormat
from chime_media.rtc import srtp
from chime_media.rtc.certificate import Certificate
from chime_media.rtc.ice import ClientTransport
from chime_media.wire import rtcp
from chime_media.wire.sdp import SessionDescription, TransportDescription

CASES = ((1, 500), (8, 500), (1, 2000), (8, 2000))
PROFILES = {"sha1": srtp.AES128_CM_SHA1_80, "gcm128": srtp.AEAD_AES_128_GCM}
PAYLOAD_TYPE = 96
PAYLOAD_BYTES = 1088
BURST = 0.005
FRAMES_PER_SECOND = 30
LATE = 0.03
CHECKED = 50
ROOM = 1
_HEADER = struct.Struct("!BBHII")
_DESCRIPTOR = struct.Struct("!BBH")
_SENT_AT = struct.Struct("!d")


# The generator


class CountingTransport(PinnedTransport):
    """Takes media from its clear header and decrypts every 50th packet only: the generator has one core for all."""

    media: Callable[[bytes], bool] = staticmethod(lambda datagram: False)

    def datagram_received(self, datagram: bytes, now: float) -> None:
        if 127 < datagram[0] < 192 and not 192 <= datagram[1] <= 223 and not self.media(datagram):
            return
        super().datagram_received(datagram, now)


class Attendee:
    transport: PinnedTransport
    done = False
    lost = ""

    def transport_connected(self) -> None: ...

    def rtp_received(self, packet: bytes, arrival: float) -> None: ...

    def rtcp_received(self, packet: bytes, arrival: float) -> None: ...

    def transport_closed(self, reason: str) -> None:
        self.lost = "" if self.done else reason


class Publisher(Attendee):
    """Sends what looks like VP8 of 30 frames a second, every 30th a key frame."""

    def __init__(self, pps: int) -> None:
        self.ssrc = random.getrandbits(32)
        self.pps = pps
        self.sent = self.octets = self.skipped = self.picture = self.place = self.timestamp = 0
        self.per_frame = max(1, round(pps / FRAMES_PER_SECOND))
        self.step = round(90000 * self.per_frame / pps)
        self.rest = os.urandom(PAYLOAD_BYTES - _DESCRIPTOR.size - 1 - _SENT_AT.size)

    async def send(self) -> None:
        due = time.monotonic()
        credit = 0.0
        while True:
            due += BURST
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() - due > LATE:
                # A burst after a stall would overflow the server's socket, whose buffer is the kernel's default.
                self.skipped += 1
                due = time.monotonic()
            credit += self.pps * BURST
            while credit >= 1:
                credit -= 1
                self.packet()

    def packet(self) -> None:
        first, last = self.place == 0, self.place == self.per_frame - 1
        kind = b"\x01" if self.picture % FRAMES_PER_SECOND or not first else b"\x00"
        self.transport.send_rtp(
            _HEADER.pack(0x80, PAYLOAD_TYPE | last << 7, self.sent & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
            + _DESCRIPTOR.pack(0x90 if first else 0x80, 0x80, 0x8000 | self.picture & 0x7FFF)
            + kind
            + _SENT_AT.pack(time.monotonic())
            + self.rest
        )
        self.sent += 1
        self.octets += PAYLOAD_BYTES
        self.place = 0 if last else self.place + 1
        self.picture += last
        self.timestamp += self.step * last

    def report(self) -> None:
        ntp = int((time.time() + 2208988800) * 2**32)
        report = rtcp.SenderReport(self.ssrc, ntp, self.timestamp, self.sent, self.octets)
        self.transport.send_rtcp(rtcp.compound((report, rtcp.SourceDescription(self.ssrc, "publisher"))))


class Watcher(Attendee):
    def __init__(self) -> None:
        self.ssrc = random.getrandbits(32)
        self.statistics = ReceiveStatistics(0)
        self.delays: list[float] = []

    def media(self, datagram: bytes) -> bool:
        statistics = self.statistics
        if statistics.ssrc == 0:
            statistics.ssrc = int.from_bytes(datagram[8:12], "big")
        statistics.count(datagram[2] << 8 | datagram[3], len(datagram))
        return statistics.received % CHECKED == 0

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        at = 12 + (4 + 4 * int.from_bytes(packet[14:16], "big") if packet[0] & 0x10 else 0)
        self.delays.append(time.monotonic() - _SENT_AT.unpack_from(packet, at + 5)[0])

    def report(self) -> None:
        self.transport.send_rtcp(rtcp.ReceiverReport(self.ssrc, (self.statistics.report(time.monotonic()),)).pack())


async def every_second(attendees: list[Publisher | Watcher]) -> None:
    while True:
        for attendee in attendees:
            attendee.report()
            await asyncio.sleep(1 / len(attendees))


def description(transport: ClientTransport, *, mid: str, direction: str, setup: str, payload_type: int) -> str:
    """A browser's description of one video section, as short as servers take it."""
    lines = [
        "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mid}", "a=msid-semantic: WMS *",
        f"m=video 9 UDP/TLS/RTP/SAVPF {payload_type}", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{transport.ufrag}", f"a=ice-pwd:{transport.pwd}", f"a=fingerprint:{transport.fingerprint}",
        f"a=setup:{setup}", f"a=mid:{mid}", f"a={direction}", "a=rtcp-mux", f"a=rtpmap:{payload_type} VP8/90000",
        f"a=rtcp-fb:{payload_type} nack", f"a=rtcp-fb:{payload_type} nack pli",
        *(f"a={candidate}" for candidate in transport.candidates), "a=end-of-candidates", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


# The servers


class Server:
    """How attendees get into the one call of a server."""

    pid: int

    async def publish(self, publisher: Publisher, transport: PinnedTransport) -> TransportDescription:
        raise NotImplementedError

    async def watch(self, watcher: Watcher, transport: PinnedTransport) -> TransportDescription:
        raise NotImplementedError


class JanusVideoRoom(Server):
    def __init__(self, pid: int, session: JanusSession) -> None:
        self.pid = pid
        self._session = session
        self._feed = 0

    async def publish(self, publisher: Publisher, transport: PinnedTransport) -> TransportDescription:
        handle = await self._session.attach("videoroom")
        room = {"request": "create", "room": ROOM, "publishers": 100, "videocodec": "vp8", "bitrate": 100_000_000}
        await self._session.message(handle, room)
        joined, _ = await self._session.message(handle, {"request": "join", "ptype": "publisher", "room": ROOM})
        self._feed = joined["id"]
        offer = description(transport, mid="0", direction="sendonly", setup="actpass", payload_type=PAYLOAD_TYPE)
        offer += f"a=ssrc:{publisher.ssrc} cname:publisher\r\n"
        return _transport((await self._session.message(handle, {"request": "publish"}, offer=offer))[1])

    async def watch(self, watcher: Watcher, transport: PinnedTransport) -> TransportDescription:
        handle = await self._session.attach("videoroom")
        join = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{"feed": self._feed}]}
        _, offer = await self._session.message(handle, join)
        section = SessionDescription.parse(offer).sections[0]
        number = next(codec.payload_type for codec in section.codecs if codec.name.upper() == "VP8")
        answer = description(
            transport, mid=section.mid or "0", direction="recvonly", setup="active", payload_type=number
        )
        await self._session.message(handle, {"request": "start"}, answer=answer)
        return _transport(offer)


def _transport(text: str) -> TransportDescription:
    found = SessionDescription.parse(text).transport
    assert found is not None
    return found


class OurNode(Server):
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process

    async def publish(self, publisher: Publisher, transport: PinnedTransport) -> TransportDescription:
        return await self._ask(transport, publisher.ssrc)

    async def watch(self, watcher: Watcher, transport: PinnedTransport) -> TransportDescription:
        return await self._ask(transport, 0)

    async def _ask(self, transport: PinnedTransport, publishes: int) -> TransportDescription:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"fingerprint": transport.fingerprint, "publishes": publishes}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        said = json.loads(await self._process.stdout.readline())
        return TransportDescription(**{**said, "candidates": tuple(said["candidates"])})


@asynccontextmanager
async def peer() -> AsyncIterator[Server]:
    with janus() as (pid, url):
        async with JanusSession(url) as session:
            yield JanusVideoRoom(pid, session)


@asynccontextmanager
async def ours() -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield OurNode(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def serve() -> None:
    """The node's media without its signalling: a media port and one forwarder, fingerprints on stdin."""
    from chime_media.server.media_port import MediaPort
    from chime_media.server.video_forwarder import VideoForwarder
    from chime_media.server.video_publication import Layer

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    address = own_address()
    vp8 = VideoFormat.of("VP8")
    async with await MediaPort.open(address, advertised=[address]) as port:
        forwarder = VideoForwarder(loop)
        print(json.dumps("ready"), flush=True)
        while line := await reader.readline():
            asked = json.loads(line)
            receiver = _NodeAttendee()
            transport = port.add(asked["fingerprint"], "passive", receiver)
            if asked["publishes"]:
                receiver.video = forwarder.publish("publisher", transport, [Layer(3)], {PAYLOAD_TYPE: vp8})
            else:
                ssrc = random.getrandbits(32)
                receiver.video = forwarder.subscribe(transport, "2", ssrc, None, {vp8: PAYLOAD_TYPE}, stream_id=3)
            found = transport.description
            said = {name: getattr(found, name) for name in ("ufrag", "pwd", "fingerprint", "setup", "candidates")}
            print(json.dumps(said), flush=True)


class _NodeAttendee:
    video: Any = None

    def transport_connected(self) -> None: ...

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        self.video.rtp_received(packet, arrival)

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        self.video.rtcp_received(rtcp.parse(packet), arrival)

    def transport_closed(self, reason: str) -> None: ...


# The measurement


async def load(server: Server, watchers: int, pps: int, seconds: float) -> dict[str, float]:
    certificate = Certificate.generate()
    memory = rss(server.pid)
    publisher = Publisher(pps)
    publisher.transport = await PinnedTransport.gather(certificate=certificate, addresses=[own_address()])
    remote = await server.publish(publisher, publisher.transport)
    await publisher.transport.connect(remote, publisher)
    tasks = [asyncio.create_task(publisher.send())]
    await asyncio.sleep(0.5)
    audience = [Watcher() for _ in range(watchers)]
    for watcher in audience:
        transport = await CountingTransport.gather(certificate=certificate, addresses=[own_address()])
        transport.media = watcher.media
        watcher.transport = transport
        await transport.connect(await server.watch(watcher, transport), watcher)
    tasks.append(asyncio.create_task(every_second([publisher, *audience])))
    await asyncio.sleep(2.5)
    gc.collect()
    gc.freeze()
    for watcher in audience:
        watcher.delays.clear()
    process = psutil.Process(server.pid)
    before = [(w.statistics.received, w.statistics.highest) for w in audience]
    own, cpu, system, started = (
        time.process_time(),
        cpu_seconds(server.pid),
        process.cpu_times().system,
        time.monotonic(),
    )
    await asyncio.sleep(seconds)
    wall, own = time.monotonic() - started, time.process_time() - own
    cpu, system = cpu_seconds(server.pid) - cpu, process.cpu_times().system - system
    received = sum(w.statistics.received - b[0] for w, b in zip(audience, before, strict=True))
    span = sum(w.statistics.highest - b[1] for w, b in zip(audience, before, strict=True))
    delays = statistics.quantiles((1000 * delay for w in audience for delay in w.delays), n=100)
    memory = rss(server.pid) - memory
    for task in tasks:
        task.cancel()
    for attendee in (publisher, *audience):
        attendee.done = True
        if attendee.lost:
            raise RuntimeError(f"a {type(attendee).__name__} lost its connection: {attendee.lost}")
    for attendee in (publisher, *audience):
        await attendee.transport.aclose()
    return {
        "cpu": 1e6 * cpu / received,
        "system": 1e6 * system / received,
        "percent": 100 * cpu / wall,
        "rate": received / wall / watchers,
        "missing": span - received,
        "p50": delays[49],
        "p99": delays[98],
        "memory": memory / 2**20 / (watchers + 1),
        "generator": 100 * own / wall,
        "skipped": publisher.skipped,
    }


async def _measure(server: Any, watchers: int, pps: int, seconds: float) -> dict[str, float]:
    async with server() as started:
        return await load(started, watchers, pps, seconds)


COLUMNS = {
    "cpu": ("us/packet", ".1f"),
    "system": ("of it system", ".1f"),
    "percent": ("core %", ".1f"),
    "rate": ("rate", ".0f"),
    "missing": ("missing", ".0f"),
    "p50": ("p50 ms", ".2f"),
    "p99": ("p99 ms", ".2f"),
    "memory": ("MiB/attendee", ".2f"),
    "generator": ("generator %", ".1f"),
    "skipped": ("skipped", ".0f"),
}


def compare(cases: list[tuple[int, int]], rounds: int, seconds: float, servers: dict[str, Any]) -> None:
    print("watchers x pps   server " + " ".join(f"{title:>12}" for title, _ in COLUMNS.values()))
    for watchers, pps in cases:
        results: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, server in servers.items():
                results[name].append(run(partial(_measure, server, watchers, pps, seconds)))
        median = {
            name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
            for name, rows in results.items()
        }
        for name, row in median.items():
            figures = " ".join(f"{row[key]:12{form}}" for key, (_, form) in COLUMNS.items())
            print(f"{watchers:5} x {pps:<8} {name:6} {figures}", flush=True)
        if len(median) == 2:
            ratio = median["ours"]["cpu"] / median["janus"]["cpu"]
            print(f"{'':16} ratio  {ratio:12.3f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", help="watchers,packets per second of one case")
    options.add_argument("--srtp", choices=tuple(PROFILES), default="sha1")
    options.add_argument("--alone", action="store_true", help="our node without Janus beside it")
    options.add_argument("--profile", help="write a profile of our node to this file; it slows the node down")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    PinnedTransport.profile = PROFILES[chosen.srtp]
    if chosen.serve:
        _serve(os.environ.get("VIDEO_NODE_PROFILE"))
        return
    if chosen.profile:
        os.environ["VIDEO_NODE_PROFILE"] = chosen.profile
    cases = [tuple(map(int, chosen.only.split(",")))] if chosen.only else list(CASES)
    servers = {"ours": ours} if chosen.alone or chosen.profile else {"janus": peer, "ours": ours}
    compare(cases, chosen.rounds, chosen.seconds, servers)  # type: ignore[arg-type]


def _serve(target: str | None) -> None:
    if target is None:
        run(serve)
        return
    import cProfile
    import signal

    profile = cProfile.Profile()

    def stop(*_: object) -> None:
        profile.disable()
        profile.dump_stats(target)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    profile.enable()
    run(serve)


if __name__ == "__main__":
    main()
