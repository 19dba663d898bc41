"""CPU time of a client per event: MessagingSession against the official session in Node, and against bare libraries.

    python tests/benchmarks/client_events.py [--events 100000] [--runs 3]

A feeder process sends CREATE_CHANNEL_MESSAGE frames of 750 bytes as fast as they are read, over plain TCP. Every
client decodes the frame and the message in it and adds up the content's length. What is compared is CPU time, user and
system, of the client process between the first event and the last; the best run of each counts. The Node peer needs
`npm install` in tests/benchmarks/js.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import anyio
import msgspec
import picows
import websockets
from websockets.utils import accept_key

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from chime_messaging.events import MessageCreated  # noqa: E402
from chime_messaging.observers.observer import MessagingSessionObserver  # noqa: E402
from chime_messaging.sessions.configuration import MessagingSessionConfiguration  # noqa: E402
from chime_messaging.sessions.messaging_session import MessagingSession  # noqa: E402
from chime_messaging.sessions.service import SessionService  # noqa: E402
from chime_messaging.transport.websocket import WebSocketConnector  # noqa: E402
from chime_messaging.wire import envelope, payloads  # noqa: E402

FRAME_BYTES = 750
BLOCK = 1_000
JS = Path(__file__).with_name("js")
USER = "arn:aws:chime:us-east-1:123456789012:app-instance/i/user/u"
CHANNEL = "arn:aws:chime:us-east-1:123456789012:app-instance/i/channel/c"


# The load


def frames(count: int) -> list[bytes]:
    """Framed events of exactly FRAME_BYTES bytes, each with an id of its own, in blocks."""
    message_id = "0123456789abcdef" * 4

    def text(content: str) -> bytes:
        message = {
            "ChannelArn": CHANNEL,
            "MessageId": message_id,
            "Content": content,
            "Type": "STANDARD",
            "CreatedTimestamp": "2026-06-03T16:26:31.013Z",
            "LastUpdatedTimestamp": "2026-06-03T16:26:31.013Z",
            "Sender": {"Arn": USER, "Name": "User"},
            "Redacted": False,
            "Persistence": "PERSISTENT",
        }
        return envelope.encode("CREATE_CHANNEL_MESSAGE", message, message_type="STANDARD")

    body = text("x" * (FRAME_BYTES - len(text(""))))
    head, tail = body.split(message_id.encode())
    head = b"\x81\x7e" + len(body).to_bytes(2, "big") + head
    return [
        b"".join(head + b"%064x" % number + tail for number in range(start, start + BLOCK))
        for start in range(0, count, BLOCK)
    ]


def feed(listener: socket.socket, events: int) -> None:
    """Serve connections for ever, each with the same events."""
    blocks = frames(events)
    hello = envelope.encode("SESSION_ESTABLISHED", None)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65_536)
            lines = request.decode().split("\r\n")
            key = next(line.partition(": ")[2] for line in lines if line.lower().startswith("sec-websocket-key"))
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
            )
            connection.sendall(bytes([0x81, len(hello)]) + hello)
            try:
                for block in blocks:
                    connection.sendall(block)
                connection.recv(65_536)
            except OSError:
                continue


# The clients


class Meter:
    """Counts events and the CPU time from the first to the last."""

    def __init__(self, events: int) -> None:
        self.left = events
        self.bytes = 0
        self._events = events
        self._cpu = 0.0
        self._wall = 0.0

    def start(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def report(self) -> None:
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        line = {"cpu": cpu, "wall": wall, "events": self._events, "bytes": self.bytes}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class Service:
    """Tells the session where the feeder is."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def connector(self) -> WebSocketConnector:
        return WebSocketConnector()

    async def connect_url(self, *, first: bool) -> str:
        return self._url

    async def activities(self) -> list[object]:
        return []


class Observer(MessagingSessionObserver):
    def __init__(self, meter: Meter, done: anyio.Event) -> None:
        self._meter = meter
        self._done = done
        self._started = False

    def on_message_created(self, event: MessageCreated) -> None:
        meter = self._meter
        if not self._started:
            self._started = True
            meter.start()
        meter.bytes += len(event.message.content or "")
        meter.left -= 1
        if not meter.left:
            meter.report()
            self._done.set()


async def session_client(url: str, events: int) -> None:
    done = anyio.Event()
    configuration = MessagingSessionConfiguration(USER, messaging_session_id=str(events))
    session = MessagingSession(configuration, service=cast("SessionService", Service(url)))
    meter = Meter(events)
    session.add_observer(Observer(meter, done))
    async with session:
        with anyio.move_on_after(60):
            await done.wait()
    if meter.left:
        sys.stderr.write(f"{meter.left} events were lost\n")


_decode_envelope = msgspec.json.Decoder(envelope.Envelope).decode
_decode_message = msgspec.json.Decoder(payloads.ChannelMessage).decode


def consume(meter: Meter, text: str | bytes) -> None:
    """What every bare client does with a frame."""
    frame = _decode_envelope(text)
    if frame.headers[envelope.EVENT_TYPE] == "CREATE_CHANNEL_MESSAGE":
        if not meter.bytes:
            meter.start()
        meter.bytes += len(_decode_message(frame.payload or "").content or "")
        meter.left -= 1
        if not meter.left:
            meter.report()


async def websockets_client(url: str, events: int) -> None:
    meter = Meter(events)
    async with websockets.connect(url, compression=None, max_queue=1024) as connection:
        async for text in connection:
            consume(meter, text)
            if not meter.left:
                break


async def picows_client(url: str, events: int) -> None:
    meter = Meter(events)

    class Listener(picows.WSListener):
        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            consume(meter, frame.get_payload_as_utf8_text())
            if not meter.left:
                transport.disconnect()

    transport, _ = await picows.ws_connect(Listener, url)
    await transport.wait_disconnected()


def run_client(name: str, url: str, events: int) -> None:
    import uvloop

    clients: dict[str, Callable[[], object]] = {
        "session asyncio": lambda: anyio.run(session_client, url, events),
        "session uvloop": lambda: anyio.run(session_client, url, events, backend_options={"use_uvloop": True}),
        "session trio": lambda: anyio.run(session_client, url, events, backend="trio"),
        "websockets": lambda: asyncio.run(websockets_client(url, events)),
        "picows": lambda: asyncio.run(picows_client(url, events)),
        "picows uvloop": lambda: uvloop.run(picows_client(url, events)),
    }
    clients[name]()


# The comparison

NAMES = {
    "session asyncio": "MessagingSession, one observer, asyncio",
    "session uvloop": "MessagingSession, one observer, asyncio on uvloop",
    "session trio": "MessagingSession, one observer, trio",
    "node": "amazon-chime-sdk-js DefaultMessagingSession, one observer, Node",
    "websockets": "bare websockets + msgspec, asyncio",
    "picows": "bare picows + msgspec, asyncio",
    "picows uvloop": "bare picows + msgspec, uvloop",
}


def measure(name: str, port: int, events: int) -> float:
    """Microseconds of CPU per event in one run of a client."""
    if name == "node":
        command = ["node", str(JS / "client_events.mjs"), str(port), str(events)]
    else:
        url = f"ws://127.0.0.1:{port}/connect"
        command = [sys.executable, __file__, "--client", name, "--url", url, "--events", str(events)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300, env={**os.environ, "NODE_ENV": ""})
    result = json.loads(done.stdout)
    if result["events"] != events or not 0 < result["bytes"] // events < FRAME_BYTES:
        raise SystemExit(f"{name} did not read what was sent: {result}")
    return float(result["cpu"]) / events * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    events = options.events // BLOCK * BLOCK
    if options.client:
        run_client(options.client, options.url, events)
        return
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    feeder = os.fork()
    if feeder == 0:
        feed(listener, events)
    try:
        compare(listener.getsockname()[1], events, options.runs)
    finally:
        os.kill(feeder, 15)
        os.waitpid(feeder, 0)


def compare(port: int, events: int, runs: int) -> None:
    names = list(NAMES)
    if not shutil.which("node") or not (JS / "node_modules").is_dir():
        names.remove("node")
        sys.stdout.write("no Node peer: install Node and run `npm install` in tests/benchmarks/js\n")
    best: dict[str, float] = {}
    for _ in range(runs):
        # In turns, so that a busy moment of the machine meets everybody.
        for name in names:
            best[name] = min(best.get(name, float("inf")), measure(name, port, events))
    ours = best["session asyncio"]
    sys.stdout.write(f"{events} events of {FRAME_BYTES} bytes, best of {runs} runs, CPU time of the client\n\n")
    for name, cost in best.items():
        ratio = f"{cost / ours:5.2f} x ours"
        sys.stdout.write(f"{NAMES[name]:64} {cost:7.2f} us/event {1e6 / cost:12,.0f} events/CPU s  {ratio}\n")


if __name__ == "__main__":
    main()
