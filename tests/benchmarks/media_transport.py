"""What one packet costs the media node: in from one attendee, out to another, against aiortc's transports.

    python tests/benchmarks/media_transport.py [--seconds 6] [--rate 5000] [--size 1100]

Two attendees live in another process. One sends RTP at the rate, the measured process decrypts each packet, makes it
one of another stream, encrypts it and sends it to the other, who counts. Printed is the CPU time of the measured
process per packet, for our port on asyncio and on uvloop, and for aioice with aiortc's DTLS transport on uvloop.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from aioice import Candidate
from aioice import Connection as IceConnection
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtp import RtpPacket
from measure import processes

from chime_media.rtc.ice import ClientTransport
from chime_media.rtc.transport import MediaTransport
from chime_media.server.media_port import MediaPort
from chime_media.wire import rtp
from chime_media.wire.sdp import TransportDescription


@dataclass
class Forwarder:
    """Sends what one attendee sends to the other, as a stream of its own."""

    to: MediaTransport | None = None
    count: int = 0

    def transport_connected(self) -> None: ...

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        if self.to is not None:
            parsed = rtp.parse(packet)
            self.count += 1
            self.to.send_rtp(
                rtp.rewrite(
                    parsed,
                    ssrc=99,
                    payload_type=96,
                    sequence_number=parsed.sequence_number + 7,
                    timestamp=parsed.timestamp + 7,
                )
            )

    def rtcp_received(self, packet: bytes, arrival: float) -> None: ...

    def transport_closed(self, reason: str) -> None: ...


async def ours(control: Connection) -> Any:
    port = await MediaPort.open(silence_timeout=60)
    first, second = Forwarder(), Forwarder()
    offers = control.recv()
    node = port.add(offers[0].fingerprint, "passive", first)
    first.to = port.add(offers[1].fingerprint, "passive", second)
    control.send([node.description, first.to.description])
    return port, first


class Ice:
    """What aiortc's DTLS transport asks of the layer below, without its gatherer."""

    role = "controlled"

    def __init__(self, connection: IceConnection) -> None:
        self.connection = connection
        self._recv, self._send = connection.recv, connection.send


class Theirs(RTCDtlsTransport):
    to: Theirs | None = None
    count = 0

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        if self.to is not None:
            self.count += 1
            packet = RtpPacket.parse(data)
            packet.ssrc, packet.sequence_number = 99, (packet.sequence_number + 7) & 0xFFFF
            packet.timestamp = (packet.timestamp + 7) & 0xFFFFFFFF
            await self.to._send_rtp(packet.serialize())


async def theirs(control: Connection) -> Any:
    certificate = RTCCertificate.generateCertificate()
    fingerprint = certificate.getFingerprints()[0]
    made, answers, offers = [], [], control.recv()
    for offer in offers:
        connection = IceConnection(ice_controlling=False)
        await connection.gather_candidates()
        connection.remote_username, connection.remote_password = offer.ufrag, offer.pwd
        for text in offer.candidates:
            await connection.add_remote_candidate(Candidate.from_sdp(text.removeprefix("candidate:")))
        await connection.add_remote_candidate(None)
        candidates = tuple(f"candidate:{candidate.to_sdp()}" for candidate in connection.local_candidates)
        value = f"{fingerprint.algorithm} {fingerprint.value}"
        answers.append(
            TransportDescription(connection.local_username, connection.local_password, value, "passive", candidates)
        )
        made.append((connection, Theirs(Ice(connection), [certificate])))  # type: ignore[arg-type]
    control.send(answers)

    async def connect(offer: TransportDescription, connection: IceConnection, transport: Theirs) -> None:
        await connection.connect()
        transport._set_role("server")
        await transport.start(RTCDtlsParameters([RTCDtlsFingerprint(*offer.fingerprint.split())]))

    await asyncio.gather(*(connect(offer, *pair) for offer, pair in zip(offers, made, strict=True)))
    made[0][1].to = made[1][1]
    return made, made[0][1]


async def serve(kind: str, control: Connection) -> None:
    kept, counting = await {"ours": ours, "theirs": theirs}[kind](control)
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, control.recv) == "measure"
    before, packets = time.process_time(), counting.count
    await loop.run_in_executor(None, control.recv)
    control.send((time.process_time() - before, counting.count - packets))
    del kept


def server(kind: str, loop: str, control: Connection) -> None:
    if loop == "uvloop":
        uvloop.run(serve(kind, control))
    else:
        asyncio.run(serve(kind, control))


@dataclass
class Counter(Forwarder):
    def rtp_received(self, packet: bytes, arrival: float) -> None:
        self.count += 1


async def load(control: Connection, seconds: float, rate: int, size: int) -> tuple[float, int, int]:
    clients = [await ClientTransport.gather() for _ in range(2)]
    control.send([client.description for client in clients])
    answers = control.recv()
    counters = [Counter(), Counter()]
    await asyncio.gather(
        *(client.connect(answer, counter) for client, answer, counter in zip(clients, answers, counters, strict=True))
    )
    talker = clients[0]
    payload = bytes(size - 12 - 16)
    loop = asyncio.get_running_loop()
    start, sent, heard_before = loop.time(), 0, 0
    measuring = False
    while loop.time() - start < seconds + 1:
        if not measuring and loop.time() - start > 0.5:
            measuring = True
            control.send("measure")
            heard_before = counters[1].count
        due = int((loop.time() - start) * rate)
        while sent < due:
            talker.send_rtp(
                rtp.build(payload_type=96, sequence_number=sent, timestamp=sent * 3, ssrc=1, payload=payload)
            )
            sent += 1
        await asyncio.sleep(0.001)
    control.send("stop")
    cpu, packets = control.recv()
    for client in clients:
        await client.aclose()
    return cpu, packets, counters[1].count - heard_before


def measured(kind: str, loop: str, options: argparse.Namespace) -> float:
    ours_end, theirs_end = processes.Pipe()
    process = processes.Process(target=server, args=(kind, loop, theirs_end))
    process.start()
    cpu, packets, heard = uvloop.run(load(ours_end, options.seconds, options.rate, options.size))
    process.join(10)
    each = cpu / packets * 1e6
    arrived = f"{heard / packets:.1%} of {packets} heard"
    print(f"{kind:>8} on {loop:<8} {each:6.1f} us of CPU per packet, {arrived}", flush=True)
    return each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rate", type=int, default=5000, help="packets per second")
    parser.add_argument("--size", type=int, default=1100, help="bytes of a datagram")
    options = parser.parse_args()
    measured("ours", "asyncio", options)
    mine = measured("ours", "uvloop", options)
    peer = measured("theirs", "uvloop", options)
    print(f"ours / aiortc's: {mine / peer:.2f}")


if __name__ == "__main__":
    main()
