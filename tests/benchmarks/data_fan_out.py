"""Data messages of one attendee to the others: our server, nats-server, mosquitto. Run: python data_fan_out.py.

In bulk: server CPU time per delivery of 256 bytes to 100 attendees, with a window so that no queue grows. Paced at the
soft limit of 100 a second with 250 attendees: time from the send to the last receiver. Receivers are raw TCP readers in
another process, and each server is published to over a raw connection, ours with the frames that clients write.
"""

from __future__ import annotations

import argparse
import asyncio
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

import boto3
import fan_out
import measure
from websockets.frames import Frame, Opcode

from chime_messaging.protocol import signal_frames
from chime_messaging.protocol.signal_frames import JoinOptions
from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, ServerConfiguration
from chime_messaging.server.serving import running
from chime_messaging.wire.signaling import encode
from chime_messaging.wire.signaling_pb2 import SignalFrame

SIZE = 256
PAYLOAD = b"x" * SIZE
TOPIC = "chat"
LAST_CODECS = b"\x28\x0a\x28\x0b"
"""End of an INDEX as our server writes it."""
SETTLE = 2.5
"""Seconds for the news of the last joins to arrive, and the one ping that nats-server sends to new clients."""


@dataclass(frozen=True)
class Peer:
    """A server that runs, and how to talk to it."""

    name: str
    pid: int
    port: int
    hellos: Sequence[tuple[bytes, ...]]
    """What each receiver says first, as `measure.greet` takes it."""
    ready: bytes
    """End of the answer."""
    publisher: socket.socket
    packet: bytes
    """Publishes `PAYLOAD`."""
    delivered: int
    """Bytes that a receiver gets of it."""


def serve(port: int) -> None:
    """Our server as users start it, quotas aside."""
    import uvloop

    async def main() -> None:
        hour = 3600.0
        configuration = ServerConfiguration(
            port=port, quotas=False, signaling_ping_interval=hour, signaling_ping_grace=hour
        )
        async with running(configuration):
            await asyncio.get_running_loop().create_future()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def framed(signal: SignalFrame) -> bytes:
    """A frame as a client writes it."""
    signal.timestamp_ms = time.time_ns() // 1_000_000
    return Frame(Opcode.BINARY, encode(signal)).serialize(mask=True)


def hello(port: int, meeting_id: str, token: str) -> tuple[bytes, bytes]:
    """Upgrade and JOIN. Without HAS_STREAM_UPDATE, so that all that follows is INDEX and the messages."""
    request = measure.upgrade(port, f"/control/{meeting_id}?X-Chime-Control-Protocol-Version=3")
    signal = signal_frames.join(JoinOptions(audio_session_id=1))
    signal.join.flags = 0
    return request[:-2] + f"Sec-WebSocket-Protocol: _aws_wt_session, {token}\r\n\r\n".encode(), framed(signal)


def delivered_size() -> int:
    """Bytes of one message on its way to a receiver: ids are of fixed length, times have been for years."""
    signal = signal_frames.data_message(TOPIC, PAYLOAD, 0)
    signal.timestamp_ms = time.time_ns() // 1_000_000
    (message,) = signal.data_message.messages
    message.sender_attendee_id, message.sender_external_user_id = "-" * 36, "u000"
    message.ingest_time_ns = time.time_ns()
    return len(Frame(Opcode.BINARY, encode(signal)).serialize(mask=False))


@contextmanager
def ours(receivers: int) -> Iterator[Peer]:
    port = measure.free_port()
    with measure.child(serve, port) as pid:
        measure.wait_for_port(port)
        api: Any = boto3.client(
            "chime-sdk-meetings",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=LOCAL_ACCESS_KEY,
            aws_secret_access_key=LOCAL_SECRET_KEY,
        )
        meeting_id = api.create_meeting(
            ClientRequestToken="benchmark", MediaRegion="us-east-1", ExternalMeetingId="benchmark"
        )["Meeting"]["MeetingId"]
        names = [f"u{number:03}" for number in range(receivers + 1)]
        tokens = [
            api.create_attendee(MeetingId=meeting_id, ExternalUserId=name)["Attendee"]["JoinToken"] for name in names
        ]
        with measure.greet(port, *hello(port, meeting_id, tokens[0]), until=LAST_CODECS) as publisher:
            publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield Peer(
                "ours",
                pid,
                port,
                [hello(port, meeting_id, token) for token in tokens[1:]],
                LAST_CODECS,
                publisher,
                framed(signal_frames.data_message(TOPIC, PAYLOAD, 0)),
                delivered_size(),
            )


@contextmanager
def nats(receivers: int) -> Iterator[Peer]:
    port = measure.free_port()
    with measure.program("/usr/sbin/nats-server", "-a", "127.0.0.1", "-p", str(port)) as server:
        measure.wait_for_port(port)
        connect = b'CONNECT {"verbose":false,"pedantic":false}\r\n'
        with measure.greet(port, connect + b"PING\r\n", until=b"PONG\r\n") as publisher:
            publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hellos = [(connect + b"SUB %s 1\r\nPING\r\n" % TOPIC.encode(),)] * receivers
            packet = b"PUB %s %d\r\n%s\r\n" % (TOPIC.encode(), SIZE, PAYLOAD)
            delivered = len(b"MSG %s 1 %d\r\n%s\r\n" % (TOPIC.encode(), SIZE, PAYLOAD))
            yield Peer("nats-server", server.pid, port, hellos, b"PONG\r\n", publisher, packet, delivered)


# In bulk


def bulk_cost(peer: Peer, bulk: int) -> fan_out.Cost:
    with measure.readers(peer.port, peer.hellos, peer.ready) as readers:
        peer.publisher.sendall(peer.packet)  # comes after all that was to be told of the joins
        before = -1
        while before != readers.received or before < peer.delivered * len(peer.hellos):
            before = readers.received
            time.sleep(SETTLE)
        return fan_out.pump(
            peer.name,
            peer.pid,
            readers,
            lambda count: peer.publisher.sendall(peer.packet * count),
            SIZE,
            peer.delivered,
            bulk,
        )


# Paced


def _watch(
    port: int,
    hellos: Sequence[tuple[bytes, ...]],
    until: bytes,
    size: int,
    count: int,
    sent: Any,
    ready: Event,
    result: Any,
) -> None:
    """Receive `count` messages over each connection; report how long each took to its last receiver."""
    selector = selectors.DefaultSelector()
    for each in hellos:
        connection = measure.greet(port, *each, until=until)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, [0])
    while events := selector.select(SETTLE):
        for key, _ in events:
            key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
    missing = [len(hellos)] * count
    latencies = [0.0] * count
    ready.set()
    buffer = bytearray(1 << 16)
    while missing[-1]:
        for key, _ in selector.select(20):
            received = key.data[0]
            key.data[0] += key.fileobj.recv_into(buffer)  # type: ignore[union-attr]
            for number in range(received // size, key.data[0] // size):
                missing[number] -= 1
                if not missing[number]:
                    latencies[number] = time.monotonic() - sent[number]
    result.send(latencies)


def paced_latencies(peer: Peer, per_second: float, count: int) -> list[float]:
    sent = measure.processes.Array("d", count, lock=False)
    ready = measure.processes.Event()
    here, there = measure.processes.Pipe()
    with measure.child(_watch, peer.port, peer.hellos, peer.ready, peer.delivered, count, sent, ready, there):
        if not ready.wait(60):
            raise TimeoutError("the receivers did not get ready")
        start = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, start + number / per_second - time.monotonic()))
            sent[number] = time.monotonic()
            peer.publisher.sendall(peer.packet)
        if not here.poll(60):
            raise TimeoutError("not everything was received")
        latencies: list[float] = here.recv()
        return latencies


def percentiles(latencies: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    cuts = statistics.quantiles(latencies, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bulk", type=int, default=32, help="messages published together")
    parser.add_argument("--attendees", type=int, default=250, help="receivers of paced messages")
    parser.add_argument("--rate", type=float, default=100.0, help="paced messages a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each paced run")
    parser.add_argument("--rounds", type=int, default=2, help="paced runs of each server, in turns")
    arguments = parser.parse_args()
    peers: list[Callable[[int], Any]] = [ours, nats]
    costs = []
    for start in peers:
        with start(fan_out.SUBSCRIBERS) as peer:
            costs.append(bulk_cost(peer, arguments.bulk))
    costs += fan_out.measure_mosquitto([SIZE], arguments.bulk)
    for cost in costs:
        print(cost)
    for cost in costs[1:]:
        print(f"{cost.name} / ours: {cost.per_delivery / costs[0].per_delivery:.2f} times the CPU per delivery")
    count = int(arguments.rate * arguments.seconds)
    latencies: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        for start in peers:
            with start(arguments.attendees) as peer:
                latencies.setdefault(peer.name, []).extend(paced_latencies(peer, arguments.rate, count))
    for name, values in latencies.items():
        median, tail = percentiles(values)
        print(f"{name:<12} {arguments.rate:g}/s to {arguments.attendees}: p50 {median:.2f} ms, p99 {tail:.2f} ms")
    (_, mine), (_, theirs) = (percentiles(latencies[name]) for name in ("ours", "nats-server"))
    print(f"ours / nats-server: {mine / theirs:.2f} times the p99 latency")


if __name__ == "__main__":
    main()
