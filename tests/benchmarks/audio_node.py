"""What one attendee's audio costs the media node, against Janus' AudioBridge on the same streams in the same run.

    python tests/benchmarks/audio_node.py            # both, in turns: 2, 20 and 50 attendees
    python tests/benchmarks/audio_node.py --seconds 5 --rounds 1 --only 20,3
    python tests/benchmarks/audio_node.py --latency  # how much later what is said comes out

The attendees are of one generator, which does the same for either server: ICE, DTLS and SRTP of ours, canned Opus of
32 kbit/s every 20 ms (speech, or the silence of a microphone that is on) spread over the 20 ms, RTCP once a second.
What the first attendee hears is decoded as a check. CPU is user and system time of the server's process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import heapq
import json
import os
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import numpy as np
import psutil

from measure import cpu_seconds, rss  # isort: skip
from janus import JanusSession, janus, own_address  # isort: skip
from media_peer import PinnedTransport, run  # isort: skip

from chime_media.protocol.audio_levels import attenuation_of
from chime_media.rtc import srtp
from chime_media.rtc.certificate import Certificate
from chime_media.rtc.ice import ClientTransport
from chime_media.rtc.opus import OpusDecoder, OpusEncoder, Samples
from chime_media.wire import rtcp, rtp
from chime_media.wire.sdp import SessionDescription, TransportDescription

CASES = ((2, 2), (20, 3), (20, 20), (50, 3))
PROFILES = {"sha1": srtp.AES128_CM_SHA1_80, "gcm128": srtp.AEAD_AES_128_GCM}
PAYLOAD_TYPE = 111
LEVEL_EXTENSION = 1
SECONDS_PER_PACKET = 0.02
LATE = 0.03
ROOM = 1


# The streams


def speech(seconds: float = 8.0) -> Samples:
    """Something with the pitch, the formants and the pauses of speech."""
    rng = np.random.default_rng(7)
    time_ = np.arange(int(seconds * 48000)) / 48000
    phase = 2 * np.pi * np.cumsum(125 + 30 * np.sin(2 * np.pi * 0.6 * time_)) / 48000
    wave = np.zeros(len(time_))
    for k in range(1, 24):
        wave += np.sin(k * phase) * np.exp(-(((k * 125 - 600) / 800) ** 2))
    wave = wave * np.clip(np.sin(2 * np.pi * 2.3 * time_) + 0.4, 0, None)
    wave += 0.3 * rng.standard_normal(len(time_)) * np.clip(np.sin(2 * np.pi * 1.1 * time_) - 0.7, 0, None)
    samples: Samples = (wave / np.abs(wave).max() * 10000).astype(np.int16)
    return samples


def canned(samples: Samples, bitrate: int = 32000) -> list[tuple[bytes, int]]:
    """(packet, attenuation) for each 20 ms."""
    encoder = OpusEncoder(bitrate=bitrate, complexity=9)
    blocks = [samples[at : at + 960] for at in range(0, len(samples) - 959, 960)]
    return [(encoder.encode(block), attenuation_of(block)) for block in blocks][10:]


def offer(transport: ClientTransport, ssrc: int) -> str:
    """A browser's offer of one audio section, as short as servers take it."""
    lines = [
        "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=msid-semantic: WMS *",
        f"m=audio 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE}", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{transport.ufrag}", f"a=ice-pwd:{transport.pwd}", "a=setup:actpass", "a=mid:0", "a=sendrecv",
        f"a=fingerprint:{_named(transport.fingerprint)}", "a=rtcp-mux", f"a=rtpmap:{PAYLOAD_TYPE} opus/48000/2",
        f"a=fmtp:{PAYLOAD_TYPE} minptime=10;useinbandfec=1",
        f"a=ssrc:{ssrc} cname:attendee",
        f"a=extmap:{LEVEL_EXTENSION} urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        *(f"a={candidate}" for candidate in transport.candidates), "a=end-of-candidates", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


def _named(fingerprint: str) -> str:
    return fingerprint if fingerprint.startswith("sha-256") else f"sha-256 {fingerprint}"


class Attendee:
    """Sends canned packets and counts what comes back."""

    def __init__(self, index: int, packets: list[tuple[bytes, int]], heard: deque[tuple[float, bytes]] | None) -> None:
        self.index = index
        self.packets = packets
        self.position = index * 37 % len(packets)
        self.heard = heard
        self.received = 0
        self.first = self.highest = -1
        self.sent = 0
        self.octets = 0
        self.ssrc = random.getrandbits(32)
        self.remote_ssrc = 0
        self.on_send: Callable[[int, float], None] | None = None

    async def connect(self, signalling: Signalling, certificate: Certificate) -> None:
        self.transport = await PinnedTransport.gather(certificate=certificate, addresses=[own_address()])
        answer = await signalling.join(self.index, offer(self.transport, self.ssrc))
        remote = SessionDescription.parse(answer).transport
        assert isinstance(remote, TransportDescription)
        await self.transport.connect(remote, self)

    def transport_connected(self) -> None:
        """Nothing to do: packets are sent when their turn comes."""

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        self.received += 1
        number = packet[2] << 8 | packet[3]
        if self.first < 0:
            self.first = self.highest = number
            self.remote_ssrc = int.from_bytes(packet[8:12], "big")
        ahead = (number - self.highest) & 0xFFFF
        if ahead < 0x8000:
            self.highest += ahead
        if self.heard is not None:
            self.heard.append((arrival, rtp.parse(packet).payload))

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        """Reports are of no interest here."""

    def transport_closed(self, reason: str) -> None:
        if reason != "closed":
            raise SystemExit(f"attendee {self.index} lost its connection: {reason}")

    @property
    def missing(self) -> int:
        return self.highest - self.first + 1 - self.received if self.first >= 0 else 0

    def send(self) -> None:
        payload, attenuation = self.packets[self.position]
        if self.on_send is not None:
            self.on_send(self.position, time.monotonic())
        self.position = (self.position + 1) % len(self.packets)
        extension = b"\xbe\xde\x00\x01" + bytes((LEVEL_EXTENSION << 4, attenuation | (attenuation < 60) << 7, 0, 0))
        header = bytes((0x90, PAYLOAD_TYPE)) + (self.sent & 0xFFFF).to_bytes(2, "big")
        header += (self.sent * 960 & 0xFFFFFFFF).to_bytes(4, "big") + self.ssrc.to_bytes(4, "big")
        self.transport.send_rtp(header + extension + payload)
        self.sent += 1
        self.octets += len(payload)

    def report(self) -> None:
        ntp = int((time.time() + 2208988800) * 2**32)
        blocks: tuple[rtcp.ReportBlock, ...] = ()
        if self.first >= 0:
            blocks = (rtcp.ReportBlock(self.remote_ssrc, 0, max(self.missing, 0), self.highest, 0),)
        self.transport.send_rtcp(
            rtcp.SenderReport(self.ssrc, ntp, self.sent * 960, self.sent, self.octets, blocks).pack()
            + rtcp.SourceDescription(self.ssrc, f"attendee-{self.index}").pack()
        )


class Generator:
    """Lets all attendees send in their turns."""

    def __init__(self) -> None:
        self.attendees: list[Attendee] = []
        self.skipped = 0
        self._turns: list[tuple[float, int, float, Callable[[], None]]] = []

    def add(self, attendee: Attendee) -> None:
        self.attendees.append(attendee)
        start = time.monotonic() + 0.05 + attendee.index * 0.618 % 1 * SECONDS_PER_PACKET
        number = len(self._turns)
        heapq.heappush(self._turns, (start, number, SECONDS_PER_PACKET, attendee.send))
        heapq.heappush(self._turns, (start + attendee.index * 0.618 % 1, number + 1, 1.0, attendee.report))

    async def run(self) -> None:
        turns = self._turns
        while True:
            now = time.monotonic()
            while turns and turns[0][0] <= now:
                due, number, every, turn = turns[0]
                turn()
                if due + every < now - LATE:
                    # A burst after a stall would overflow the server's socket, whose buffer is the kernel's default.
                    self.skipped += 1
                    due = now - every
                heapq.heapreplace(turns, (due + every, number, every, turn))
            await asyncio.sleep(0.002)


# The servers


class Signalling:
    """How attendees get into the one call of a server."""

    pid: int

    async def join(self, index: int, offer: str) -> str:
        """The server's answer."""
        raise NotImplementedError


class JanusAudioBridge(Signalling):
    def __init__(self, pid: int, session: JanusSession) -> None:
        self.pid = pid
        self._session = session
        self._created = False

    async def join(self, index: int, offer: str) -> str:
        handle = await self._session.attach("audiobridge")
        if not self._created:
            self._created = True
            room = {"request": "create", "room": ROOM, "sampling_rate": 48000, "audiolevel_event": False}
            await self._session.message(handle, room)
        await self._session.message(handle, {"request": "join", "room": ROOM, "display": str(index)})
        return (await self._session.message(handle, {"request": "configure", "muted": False}, offer=offer))[1]


class OurNode(Signalling):
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process

    async def join(self, index: int, offer: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"index": index, "offer": offer}).encode() + b"\n")
        return str(json.loads(await self._process.stdout.readline()))


@asynccontextmanager
async def peer() -> AsyncIterator[Signalling]:
    with janus() as (pid, url):
        async with JanusSession(url) as session:
            yield JanusAudioBridge(pid, session)


@asynccontextmanager
async def ours() -> AsyncIterator[Signalling]:
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
    """The node's media without its signalling: a media port and one mixer, offers on stdin, answers on stdout."""
    from chime_media.server.audio_clock import AudioClock
    from chime_media.server.audio_mixer import AudioMixer
    from chime_media.server.media_port import MediaPort

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    address = own_address()
    async with await MediaPort.open(address, advertised=[address]) as port:
        mixer = AudioMixer(AudioClock())
        print(json.dumps("ready"), flush=True)
        while line := await reader.readline():
            asked = json.loads(line)
            remote = SessionDescription.parse(asked["offer"]).transport
            assert remote is not None
            receiver = _NodeAttendee()
            transport = port.add(remote.fingerprint, "passive", receiver)
            ssrc = random.getrandbits(32)
            receiver.leg = mixer.join(
                str(asked["index"]),
                str(asked["index"]),
                transport.send_rtp,
                ssrc=ssrc,
                payload_type=PAYLOAD_TYPE,
                level_extension=LEVEL_EXTENSION,
                send_rtcp=transport.send_rtcp,
            )
            print(json.dumps(_answer(transport, ssrc)), flush=True)


class _NodeAttendee:
    leg: Any = None

    def transport_connected(self) -> None:
        """The mixer sends from the beginning; what cannot go out yet is dropped."""

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        self.leg.rtp_received(packet, arrival)

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        self.leg.rtcp_received(packet, arrival)

    def transport_closed(self, reason: str) -> None:
        self.leg.leave()


def _answer(transport: Any, ssrc: int) -> str:
    lines = [
        "v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=ice-lite",
        f"m=audio 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE}", "c=IN IP4 0.0.0.0", f"a=ice-ufrag:{transport.ufrag}",
        f"a=ice-pwd:{transport.pwd}", "a=setup:passive", "a=mid:0", "a=sendrecv",
        f"a=fingerprint:{_named(transport.fingerprint)}", "a=rtcp-mux", f"a=rtpmap:{PAYLOAD_TYPE} opus/48000/2",
        f"a=ssrc:{ssrc} cname:node", *(f"a={candidate}" for candidate in transport.candidates), "",
    ]  # fmt: skip
    return "\r\n".join(lines)


# The measurement


async def load(attendees: int, talkers: int, seconds: float, signalling: Signalling) -> dict[str, float]:
    talk, silence = canned(speech()), canned(np.zeros(48000, np.int16))
    certificate = Certificate.generate()
    generator = Generator()
    pump = asyncio.create_task(generator.run())
    memory = rss(signalling.pid)
    heard: deque[tuple[float, bytes]] = deque(maxlen=150)
    for index in range(attendees):
        packets = talk if index >= attendees - talkers else silence
        attendee = Attendee(index, packets, heard if index == 0 else None)
        await attendee.connect(signalling, certificate)
        generator.add(attendee)
    await asyncio.sleep(3)
    gc.collect()
    gc.freeze()
    before = [attendee.received for attendee in generator.attendees]
    missing = sum(attendee.missing for attendee in generator.attendees)
    started, own, cpu = time.monotonic(), time.process_time(), cpu_seconds(signalling.pid)
    system = psutil.Process(signalling.pid).cpu_times().system
    await asyncio.sleep(seconds)
    cpu, own, wall = cpu_seconds(signalling.pid) - cpu, time.process_time() - own, time.monotonic() - started
    system = psutil.Process(signalling.pid).cpu_times().system - system
    rates = [(a.received - b) / wall for a, b in zip(generator.attendees, before, strict=True)]
    decoder = OpusDecoder()
    levels = [attenuation_of(decoder.decode(payload)) for _, payload in heard]
    memory = rss(signalling.pid) - memory
    pump.cancel()
    for attendee in generator.attendees:
        await attendee.transport.aclose()
    return {
        "cpu": 100 * cpu / wall / attendees,
        "system": 100 * system / wall / attendees,
        "memory": memory / 2**20 / attendees,
        "rate": min(rates),
        "missing": sum(a.missing for a in generator.attendees) - missing,
        "heard": float(statistics.median(levels)),
        "bytes": statistics.mean(len(payload) for _, payload in heard),
        "generator": 100 * own / wall,
        "skipped": generator.skipped,
    }


async def delay(seconds: float, index: int, signalling: Signalling) -> list[float]:
    """Milliseconds by which tone bursts in soft noise come later than they were sent.

    Of the codecs only the server's own is in it. `index` says at which part of its 20 ms the talker sends.
    """
    rng = np.random.default_rng(3)
    period = 31 * 960
    wave = rng.standard_normal(period) * 60
    wave[9600:19200] += 8000 * np.sin(2 * np.pi * 500 * np.arange(9600) / 48000)
    packets = canned(np.tile(wave.astype(np.int16), 12))
    direct = OpusDecoder()
    onsets = {}
    for index, onset in _onsets([direct.decode(payload) for payload, _ in packets]):
        onsets[index] = onset
    certificate = Certificate.generate()
    generator = Generator()
    pump = asyncio.create_task(generator.run())
    heard: deque[tuple[float, bytes]] = deque()
    said: list[float] = []

    def sent(position: int, now: float) -> None:
        if position in onsets:
            said.append(now + onsets[position])

    listener = Attendee(0, canned(np.zeros(48000, np.int16)), heard)
    talker = Attendee(index, packets, None)
    talker.position = 0
    talker.on_send = sent
    for attendee in (listener, talker):
        await attendee.connect(signalling, certificate)
        generator.add(attendee)
    await asyncio.sleep(seconds)
    pump.cancel()
    decoder = OpusDecoder()
    arrivals = list(heard)
    samples = [decoder.decode(payload) for _, payload in arrivals]
    came = [arrivals[index][0] + onset for index, onset in _onsets(samples)]
    for attendee in (listener, talker):
        await attendee.transport.aclose()
    first = [next((at for at in came if said_at < at < said_at + 0.55), None) for said_at in said]
    return [1000 * (at - said_at) for said_at, at in zip(said, first, strict=True) if at is not None][2:]


def _onsets(frames: list[Samples]) -> list[tuple[int, float]]:
    """(frame, seconds into it) at which a burst begins."""
    found = []
    loud = True
    quiet_for = 0
    for index, frame in enumerate(frames):
        for part in range(0, len(frame), 60):
            now = bool(np.abs(frame[part : part + 60]).max() > 2500)
            if now and not loud and quiet_for > 40:
                found.append((index, part / 48000))
            quiet_for = 0 if now else (quiet_for + 1 if not loud else 1)
            loud = now
    return found


SERVERS: tuple[tuple[str, Callable[[], AbstractAsyncContextManager[Signalling]]], ...] = (
    ("janus", peer),
    ("ours", ours),
)


async def _measure(server: Any, work: Callable[[Signalling], Coroutine[Any, Any, Any]]) -> Any:
    async with server() as signalling:
        return await work(signalling)


COLUMNS = ("cpu", "system", "memory", "rate", "missing", "heard", "bytes", "generator")


def compare(cases: list[tuple[int, int]], rounds: int, seconds: float) -> None:
    print("CPU in % of a core and memory in MiB, both per attendee; system: part of CPU; rate: packets a second to the")
    print("attendee with the fewest; heard: dB below full scale, and bytes a packet, of the first attendee's mix")
    print(f"{'attendees,talkers':18} {'':6}" + "".join(f"{column:>11}" for column in COLUMNS))
    for case in cases:
        results: dict[str, list[dict[str, float]]] = {"janus": [], "ours": []}
        for _ in range(rounds):
            for name, server in SERVERS:
                results[name].append(run(partial(_measure, server, partial(load, *case, seconds))))
        median = {
            name: {key: statistics.median(r[key] for r in rows) for key in rows[0]} for name, rows in results.items()
        }
        label = f"{case[0]},{case[1]}"
        for name, row in median.items():
            print(f"{label:18} {name:6}" + "".join(f"{row[column]:11.2f}" for column in COLUMNS), flush=True)
        ratios = [median["ours"][key] / max(median["janus"][key], 1e-3) for key in ("cpu", "memory")]
        print(f"{'':18} ratio {ratios[0]:11.3f}{'':11}{ratios[1]:11.2f}", flush=True)


def compare_latency(seconds: float) -> None:
    for name, server in SERVERS:
        delays: list[float] = []
        for index in range(1, 6):
            delays += run(partial(_measure, server, partial(delay, seconds, index)))
        low, high = np.percentile(delays, [50, 99])
        print(f"{name:6} added one-way latency: p50 {low:.1f} ms, p99 {high:.1f} ms, {len(delays)} bursts", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", help="attendees,talkers of one case")
    options.add_argument("--srtp", choices=tuple(PROFILES), default="sha1")
    options.add_argument("--latency", action="store_true")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--profile", help="write a profile of our server to this file")
    chosen = options.parse_args()
    PinnedTransport.profile = PROFILES[chosen.srtp]
    if chosen.serve:
        import uvloop

        target = os.environ.get("AUDIO_NODE_PROFILE")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if target:
                _profiled(runner, target)
            else:
                runner.run(serve())
        return
    if chosen.profile:
        os.environ["AUDIO_NODE_PROFILE"] = chosen.profile
    if chosen.latency:
        compare_latency(chosen.seconds)
        return
    cases = [tuple(map(int, chosen.only.split(",")))] if chosen.only else list(CASES)
    compare(cases, chosen.rounds, chosen.seconds)  # type: ignore[arg-type]


def _profiled(runner: asyncio.Runner, target: str) -> None:
    import cProfile
    import signal

    profile = cProfile.Profile()

    def stop(*_: object) -> None:
        profile.disable()
        profile.dump_stats(target)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    profile.enable()
    runner.run(serve())


if __name__ == "__main__":
    main()
