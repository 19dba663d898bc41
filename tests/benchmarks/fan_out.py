"""Server CPU time per delivered event: our server, `websockets.broadcast`, mosquitto. Run: python fan_out.py.

100 subscribers of one channel are raw TCP readers in another process. Events come in bulk, with a window so that no
queue grows. Ours is fed twice: at the broker, like the peers, and end to end through signed SendChannelMessage calls.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import measure
from websockets.asyncio.server import ServerConnection, broadcast, serve

from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, Authorization, ServerConfiguration
from chime_messaging.server.notices import Deliver, Join
from chime_messaging.server.serving import running
from chime_messaging.server.websocket import frame

SUBSCRIBERS = 100
WINDOW = 4 << 20
"""Bytes on their way to all subscribers together, at most; 0 with --one-by-one."""
APP = "arn:aws:chime:us-east-1:123456789012:app-instance/7f6e5c4d-0000-4000-8000-000000000001"
USERS = [f"{APP}/user/{number}" for number in range(SUBSCRIBERS)]
ESTABLISHED = b'"Payload":null}'


@dataclass(frozen=True)
class Cost:
    """What a run came to."""

    name: str
    size: int
    events: int
    cpu: float
    seconds: float

    @property
    def per_delivery(self) -> float:
        """Microseconds of the server's CPU per delivered event."""
        return self.cpu / (self.events * SUBSCRIBERS) * 1e6

    def __str__(self) -> str:
        return (
            f"{self.name:<34} {self.size:>5} B {self.events:>7} events {self.per_delivery:8.3f} us/delivery "
            f"{self.events * SUBSCRIBERS / self.seconds / 1e6:7.2f} M deliveries/s"
        )


async def _serve_feed(port: int, apply: Callable[[int, int], None]) -> None:
    """Take commands (count, size), each a bulk of events to publish."""

    async def feed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await reader.read(8):
            while len(command) % 8:
                command += await reader.readexactly(8 - len(command) % 8)
            apply(*struct.unpack("!II", command))

    async with await asyncio.start_server(feed, "127.0.0.1", port):
        await asyncio.get_running_loop().create_future()


def ours(port: int, feed_port: int) -> None:
    """Our server; commands go to its broker."""
    import uvloop

    async def main() -> None:
        configuration = ServerConfiguration(
            port=port, quotas=False, authorization=Authorization.TRUST, ping_interval=600
        )
        async with running(configuration) as node:

            def apply(count: int, size: int) -> None:
                if size == 0:
                    node.broker.apply([Join(arn, "group") for arn in USERS])
                else:
                    node.broker.apply([Deliver("X", b"x" * size, "group") for _ in range(count)])

            await _serve_feed(feed_port, apply)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def library(port: int, feed_port: int) -> None:
    """A server with `websockets.broadcast`, on uvloop as ours."""
    import uvloop

    async def main() -> None:
        connections: set[ServerConnection] = set()

        async def handler(connection: ServerConnection) -> None:
            connections.add(connection)
            await connection.wait_closed()
            connections.discard(connection)

        def apply(count: int, size: int) -> None:
            for _ in range(count):
                broadcast(connections, "x" * size)

        async with serve(handler, "127.0.0.1", port, compression=None, ping_interval=None):
            await _serve_feed(feed_port, apply)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def pump(
    name: str, pid: int, readers: measure.Readers, publish: Callable[[int], None], size: int, wire: int, bulk: int
) -> Cost:
    """Publish for about three seconds, in bulks of `bulk` (0: one by one), and see what it costs process `pid`.

    Args:
        name: of the row.
        pid: of the measured process.
        readers: the subscribers.
        publish: publishes this many events.
        size: bytes of an event.
        wire: bytes of an event as a subscriber receives it.
        bulk: events published together.
    """
    window = WINDOW if bulk else 0
    bulk = bulk or 1
    base, events = readers.received, 0
    cpu, started = measure.cpu_seconds(pid), time.perf_counter()
    while time.perf_counter() - started < 3.0:
        publish(bulk)
        events += bulk
        readers.wait(base + events * wire * SUBSCRIBERS - window)
    readers.wait(base + events * wire * SUBSCRIBERS)
    seconds, cpu = time.perf_counter() - started, measure.cpu_seconds(pid) - cpu
    if readers.received != base + events * wire * SUBSCRIBERS:
        raise RuntimeError("more was received than published")
    return Cost(name, size, events, cpu, seconds)


def measure_ours(sizes: list[int], bulk: int) -> list[Cost]:
    port, feed_port = measure.free_port(), measure.free_port()
    with measure.child(ours, port, feed_port) as pid:
        measure.wait_for_port(feed_port)
        hellos = [measure.upgrade(port, f"/connect?userArn={quote(arn)}&sessionId=1") for arn in USERS]
        with (
            measure.readers(port, hellos, ESTABLISHED) as readers,
            socket.create_connection(("127.0.0.1", feed_port)) as feed,
        ):
            feed.sendall(struct.pack("!II", 0, 0))
            return [
                pump("ours, fed at the broker", pid, readers, _feeder(feed, size), size, len(frame(b"x" * size)), bulk)
                for size in sizes
            ]


def measure_library(sizes: list[int], bulk: int) -> list[Cost]:
    port, feed_port = measure.free_port(), measure.free_port()
    with measure.child(library, port, feed_port) as pid:
        measure.wait_for_port(feed_port)
        hellos = [measure.upgrade(port, "/") for _ in USERS]
        with (
            measure.readers(port, hellos, b"\r\n\r\n") as readers,
            socket.create_connection(("127.0.0.1", feed_port)) as feed,
        ):
            return [
                pump("websockets.broadcast", pid, readers, _feeder(feed, size), size, len(frame(b"x" * size)), bulk)
                for size in sizes
            ]


def _feeder(feed: socket.socket, size: int) -> Callable[[int], None]:
    return lambda count: feed.sendall(struct.pack("!II", count, size))


def _mqtt(kind: int, body: bytes) -> bytes:
    length, encoded = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        encoded += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([kind]) + encoded + body


def measure_mosquitto(sizes: list[int], bulk: int) -> list[Cost]:
    port = measure.free_port()
    topic = b"\x00\x01t"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mosquitto.conf")
        path.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "log_type none\npersistence false\nuser root\n"
        )
        with measure.program("/usr/sbin/mosquitto", "-c", str(path)) as broker:
            measure.wait_for_port(port)
            hellos = [
                _mqtt(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack("!H", len(str(n))) + str(n).encode())
                + _mqtt(0x82, b"\x00\x01" + topic + b"\x00")
                for n in range(SUBSCRIBERS)
            ]
            with (
                measure.readers(port, hellos, b"\x90\x03\x00\x01\x00") as readers,
                socket.create_connection(("127.0.0.1", port)) as publisher,
            ):
                publisher.sendall(_mqtt(0x10, b"\x00\x04MQTT\x04\x02\x00\x00\x00\x01p"))
                publisher.recv(4)
                packets = {size: _mqtt(0x30, topic + b"x" * size) for size in sizes}
                return [
                    pump(
                        "mosquitto (QoS 0)",
                        broker.pid,
                        readers,
                        lambda count, packet=packets[size]: publisher.sendall(packet * count),  # type: ignore[misc]
                        size,
                        len(packets[size]),
                        bulk,
                    )
                    for size in sizes
                ]


def whole(port: int) -> None:
    """Our server as users start it, quotas aside."""
    import uvloop

    async def main() -> None:
        async with running(ServerConfiguration(port=port, quotas=False, ping_interval=600)):
            await asyncio.get_running_loop().create_future()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def measure_end_to_end(size: int, count: int) -> list[Cost]:
    """SendChannelMessage by 32 senders, with and without subscribers."""
    port = measure.free_port()
    url = f"http://127.0.0.1:{port}"
    with measure.child(whole, port) as pid:
        measure.wait_for_port(port)
        options: dict[str, Any] = {
            "region_name": "us-east-1",
            "endpoint_url": url,
            "aws_access_key_id": LOCAL_ACCESS_KEY,
            "aws_secret_access_key": LOCAL_SECRET_KEY,
        }
        identity: Any = boto3.client("chime-sdk-identity", **options)
        messaging: Any = boto3.client("chime-sdk-messaging", **options)
        instance = identity.create_app_instance(Name="b", ClientRequestToken="instance")["AppInstanceArn"]
        arns = [
            identity.create_app_instance_user(
                AppInstanceArn=instance, AppInstanceUserId=f"u{n}", Name=f"u{n}", ClientRequestToken=f"user-{n}"
            )["AppInstanceUserArn"]
            for n in range(SUBSCRIBERS)
        ]
        channel = messaging.create_channel(
            AppInstanceArn=instance, Name="c", ClientRequestToken="channel", ChimeBearer=arns[0]
        )["ChannelArn"]
        messaging.batch_create_channel_membership(ChannelArn=channel, MemberArns=arns[1:], ChimeBearer=arns[0])

        def run(name: str) -> Cost:
            requests = [send_message(url, channel, arns[0], "x" * size) for _ in range(count)]
            cpu = measure.cpu_seconds(pid)
            sent = measure.send(port, requests, 32)
            if sent.failures:
                raise RuntimeError(f"{sent.failures} of {sent.requests} failed")
            return Cost(name, size, count, measure.cpu_seconds(pid) - cpu, sent.seconds)

        run("warm-up")
        alone = run("alone")
        hellos = [measure.upgrade(port, f"/connect?userArn={quote(arn)}&sessionId=1") for arn in arns]
        with measure.readers(port, hellos, ESTABLISHED) as readers:
            together = run("ours, through SendChannelMessage")
            readers.wait(count * size * SUBSCRIBERS)
        fan_out = Cost("  of it the fan-out", size, count, together.cpu - alone.cpu, together.seconds)
        return [together, fan_out]


def send_message(url: str, channel: str, bearer: str, content: str) -> bytes:
    """A signed SendChannelMessage."""
    body = (
        f'{{"Content":"{content}","Type":"STANDARD","Persistence":"PERSISTENT","ClientRequestToken":"{uuid.uuid4()}"}}'
    ).encode()
    headers = {"Content-Type": "application/json", "x-amz-chime-bearer": bearer}
    path = f"/channels/{quote(channel, safe='')}/messages"
    return measure.sign(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, "chime", "POST", url + path, body, headers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 750])
    parser.add_argument("--bulk", type=int, default=32, help="events published together")
    parser.add_argument("--sends", type=int, default=2000, help="messages sent end to end")
    parser.add_argument("--one-by-one", action="store_true", help="no bulk: an event when the last has arrived")
    arguments = parser.parse_args()
    bulk = 0 if arguments.one_by_one else arguments.bulk
    mine = measure_ours(arguments.sizes, bulk)
    peers = [measure_library(arguments.sizes, bulk), measure_mosquitto(arguments.sizes, bulk)]
    for row in (mine, *peers):
        for cost in row:
            print(cost)
    for peer in peers:
        for cost, ours_cost in zip(peer, mine, strict=True):
            ratio = cost.per_delivery / ours_cost.per_delivery
            print(f"{cost.name} / ours at {cost.size} B: {ratio:.1f} times the CPU")
    for cost in measure_end_to_end(400, arguments.sends):
        print(cost)


if __name__ == "__main__":
    main()
