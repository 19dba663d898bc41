"""CPU time of a client per data message: DataMessageSession against the official signalling client in Node.

    python tests/benchmarks/data_client.py [--messages 100000] [--runs 3]

A feeder process plays the service: it lets an attendee join and then sends data messages of 256 bytes as fast as they
are read, one a frame, over plain TCP. Every client decodes the frames and hands the messages of one topic to one
observer, which adds up their sizes. What is compared is CPU time, user and system, of the client process between the
first message and the last; the best run of each counts. The Node peer needs `npm ci` in tests/interop/js.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
from websockets.utils import accept_key

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from chime_messaging.meeting_events import DataMessage  # noqa: E402
from chime_messaging.sessions.data_messages import DataMessageSession  # noqa: E402
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration  # noqa: E402
from chime_messaging.wire import signaling  # noqa: E402
from chime_messaging.wire.signaling_pb2 import SignalFrame  # noqa: E402

TOPIC = "chat"
DATA_BYTES = 256
BLOCK = 1_000
INTEROP = ROOT / "tests" / "interop" / "js"
PEER = Path(__file__).with_name("js") / "data_client.mjs"


# The load


def framed(frame: SignalFrame) -> bytes:
    """A websocket message as a server writes it."""
    body = signaling.encode(frame, signaling.SERVER_PREFIX)
    head = bytes([0x82, len(body)]) if len(body) < 126 else b"\x82\x7e" + len(body).to_bytes(2, "big")
    return head + body


def answer_to_join() -> bytes:
    """JOIN_ACK, and the INDEX that completes a join."""
    ack = SignalFrame(timestamp_ms=1, type=SignalFrame.JOIN_ACK)
    ack.joinack.turn_credentials.ttl = 300
    ack.joinack.video_subscription_limit = 25
    index = SignalFrame(timestamp_ms=1, type=SignalFrame.INDEX)
    index.index.at_capacity = False
    index.index.num_participants = 2
    return framed(ack) + framed(index)


def data_frames(count: int) -> list[bytes]:
    """Framed data messages, each with a time of its own, in blocks."""
    blocks = []
    for start in range(0, count, BLOCK):
        block = bytearray()
        for number in range(start, start + BLOCK):
            frame = SignalFrame(timestamp_ms=1_700_000_000_000, type=SignalFrame.DATA_MESSAGE)
            frame.data_message.messages.add(
                topic=TOPIC,
                data=b"x" * DATA_BYTES,
                sender_attendee_id="61d83b5d-598d-319f-f4b3-b2062ed873cc",
                sender_external_user_id="alice",
                ingest_time_ns=1_700_000_000_000_000_000 + number,
            )
            block += framed(frame)
        blocks.append(bytes(block))
    return blocks


def feed(listener: socket.socket, messages: int) -> None:
    """Serve connections for ever, each with the same messages."""
    hello, blocks = answer_to_join(), data_frames(messages)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65_536)
            head, _, rest = request.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            key = next(line.partition(": ")[2] for line in lines if line.lower().startswith("sec-websocket-key"))
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Protocol: _aws_wt_session\r\n"
                b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
            )
            # The first that comes is JOIN, or a PING just before it; both clients take an early answer.
            if not rest:
                connection.recv(65_536)
            connection.sendall(hello)
            try:
                for block in blocks:
                    connection.sendall(block)
                while connection.recv(65_536):
                    continue
            except OSError:
                continue


# Ours


class Meter:
    """Counts messages and the CPU time from the first to the last."""

    def __init__(self, messages: int, done: anyio.Event) -> None:
        self.left = messages
        self.bytes = 0
        self._messages = messages
        self._done = done
        self._cpu = 0.0
        self._wall = 0.0

    def take(self, message: DataMessage) -> None:
        if self.left == self._messages:
            self._cpu, self._wall = time.process_time(), time.perf_counter()
        self.bytes += len(message.data)
        self.left -= 1
        if not self.left:
            self._report()
            self._done.set()

    def _report(self) -> None:
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        line = {"cpu": cpu, "wall": wall, "messages": self._messages, "bytes": self.bytes}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def configuration(port: int) -> MeetingSessionConfiguration:
    return MeetingSessionConfiguration(
        {"Meeting": {"MeetingId": "m", "MediaPlacement": {"SignalingUrl": f"ws://127.0.0.1:{port}/control/m"}}},
        {"Attendee": {"AttendeeId": "a", "ExternalUserId": "u", "JoinToken": "token"}},
    )


async def session_client(port: int, messages: int) -> None:
    meter = Meter(messages, anyio.Event())
    session = DataMessageSession(configuration(port))
    session.on_topic(TOPIC)(meter.take)
    async with session:
        with anyio.move_on_after(60):
            await meter._done.wait()
    if meter.left:
        sys.stderr.write(f"{meter.left} messages were lost\n")


def run_client(name: str, port: int, messages: int) -> None:
    backends: dict[str, dict[str, Any]] = {
        "session asyncio": {},
        "session uvloop": {"backend_options": {"use_uvloop": True}},
        "session trio": {"backend": "trio"},
    }
    anyio.run(session_client, port, messages, **backends[name])


# The comparison

NAMES = {
    "session asyncio": "DataMessageSession, one observer, asyncio",
    "session uvloop": "DataMessageSession, one observer, asyncio on uvloop",
    "session trio": "DataMessageSession, one observer, trio",
    "node": "amazon-chime-sdk-js signalling client, one observer, Node",
}


def measure(name: str, port: int, messages: int) -> float:
    """Microseconds of CPU per message in one run of a client."""
    if name == "node":
        command = ["node", str(PEER), str(port), str(messages)]
    else:
        command = [sys.executable, __file__, "--client", name, "--port", str(port), "--messages", str(messages)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300, env={**os.environ, "NODE_ENV": ""})
    result = json.loads(done.stdout)
    if result["messages"] != messages or result["bytes"] != messages * DATA_BYTES:
        raise SystemExit(f"{name} did not read what was sent: {result}")
    return float(result["cpu"]) / messages * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    messages = options.messages // BLOCK * BLOCK
    if options.client:
        run_client(options.client, options.port, messages)
        return
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    feeder = os.fork()
    if feeder == 0:
        feed(listener, messages)
    try:
        compare(listener.getsockname()[1], messages, options.runs)
    finally:
        os.kill(feeder, 15)
        os.waitpid(feeder, 0)


def compare(port: int, messages: int, runs: int) -> None:
    names = list(NAMES)
    if not shutil.which("node") or not (INTEROP / "node_modules").is_dir():
        names.remove("node")
        sys.stdout.write("no Node peer: install Node and run `npm ci` in tests/interop/js\n")
    best: dict[str, float] = {}
    for _ in range(runs):
        # In turns, so that a busy moment of the machine meets everybody.
        for name in names:
            best[name] = min(best.get(name, float("inf")), measure(name, port, messages))
    ours = best["session asyncio"]
    sys.stdout.write(f"{messages} data messages of {DATA_BYTES} bytes, best of {runs} runs, CPU time of the client\n\n")
    for name, cost in best.items():
        ratio = f"{cost / ours:5.2f} x ours"
        sys.stdout.write(f"{NAMES[name]:60} {cost:7.2f} us/message {1e6 / cost:12,.0f} messages/CPU s  {ratio}\n")


if __name__ == "__main__":
    main()
