"""What a join costs: CPU time and resident memory per attendee, of the server and of DataMessageSession.

    python tests/benchmarks/meeting_joins.py [--attendees 1000] [--meeting 250]

Attendees join meetings of `--meeting` attendees each and stay; everybody is told of everybody, so that a join costs
more the larger the meeting is. The server is measured with raw TCP attendees of another process that send what the
official client sends; the client with sessions of one process, each with an observer of one topic.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import boto3
import measure

from chime_messaging.meeting_events import DataMessage
from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, ServerConfiguration
from chime_messaging.server.serving import running
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.wire import signaling
from chime_messaging.wire.signaling_pb2 import PingPongFrame, SignalFrame

AT_A_TIME = 32
"""Attendees that are joining at any moment."""
WARM = 10
"""Attendees of a first meeting, after which everything is loaded."""
QUERY = "?X-Chime-Control-Protocol-Version=3&X-Amzn-Chime-Send-Close-On-Error=1"

Joining = tuple[dict[str, Any], dict[str, Any]]


# The server


def serve(port: int) -> None:
    import uvloop

    async def main() -> None:
        async with running(ServerConfiguration(port=port, quotas=False)):
            await asyncio.get_running_loop().create_future()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def make_attendees(port: int, count: int, size: int) -> list[Joining]:
    """Create meetings and attendees; give what each needs to join."""
    client = boto3.client(
        "chime-sdk-meetings",
        "us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=LOCAL_ACCESS_KEY,
        aws_secret_access_key=LOCAL_SECRET_KEY,
    )
    made: list[Joining] = []
    while len(made) < count:
        token = str(uuid4())
        meeting = client.create_meeting(ClientRequestToken=token, MediaRegion="us-east-1", ExternalMeetingId=token)
        left = min(size, count - len(made))
        for start in range(0, left, 100):
            answer = client.batch_create_attendee(
                MeetingId=meeting["Meeting"]["MeetingId"],
                Attendees=[{"ExternalUserId": f"user-{n}"} for n in range(start, min(start + 100, left))],
            )
            made += [({"Meeting": meeting["Meeting"]}, {"Attendee": one}) for one in answer["Attendees"]]
    client.close()
    return made


# Attendees without a client


def masked(frame: SignalFrame) -> bytes:
    """A websocket message as a client writes it; the mask is zero, which leaves the bytes as they are."""
    body = signaling.encode(frame, signaling.CLIENT_PREFIX)
    head = bytes([0x82, 0x80 | len(body)]) if len(body) < 126 else b"\x82\xfe" + len(body).to_bytes(2, "big")
    return head + bytes(4) + body


def join_frame(number: int) -> bytes:
    frame = SignalFrame(timestamp_ms=int(time.time() * 1000), type=SignalFrame.JOIN)
    frame.join.protocol_version = 2
    frame.join.flags = signaling.JoinFlags.HAS_STREAM_UPDATE
    frame.join.audio_session_id = number + 1
    frame.join.client_details.client_source = "amazon-chime-sdk-js"
    return masked(frame)


class RawAttendee:
    """A TCP connection that joins, answers pings and reads what comes."""

    def __init__(self, joining: Joining, number: int) -> None:
        url = urlsplit(joining[0]["Meeting"]["MediaPlacement"]["SignalingUrl"])
        self.socket = socket.create_connection((url.hostname, url.port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.joined = False
        self._number = number
        self._buffer = b""
        self._upgraded = False
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {url.path}{QUERY} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: _aws_wt_session, {joining[1]['Attendee']['JoinToken']}\r\n\r\n".encode()
        )

    def receive(self) -> None:
        """Read what there is and react."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError(f"the server hung up on attendee {self._number}")
        self._buffer += data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(head)
            self._upgraded, self._buffer = True, rest
            self.socket.sendall(join_frame(self._number))
        for body in self._frames():
            self._react(body)

    def _frames(self) -> Iterator[bytes]:
        while len(self._buffer) >= 2:
            size, start = self._buffer[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self._buffer[2:start], "big")
            if len(self._buffer) < start + size:
                return
            opcode, body = self._buffer[0] & 15, self._buffer[start : start + size]
            self._buffer = self._buffer[start + size :]
            if opcode == 2:
                yield body

    def _react(self, body: bytes) -> None:
        frame = signaling.decode(body)
        if frame is None:
            return
        if frame.type == SignalFrame.INDEX:
            self.joined = True
        elif frame.type == SignalFrame.PING_PONG and frame.ping_pong.type == PingPongFrame.PING:
            pong = SignalFrame(timestamp_ms=frame.timestamp_ms, type=SignalFrame.PING_PONG)
            pong.ping_pong.type = PingPongFrame.PONG
            pong.ping_pong.ping_id = frame.ping_pong.ping_id
            self.socket.sendall(masked(pong))


def attend(joinings: list[Joining], seconds: Any, ready: Any) -> None:
    """Join them all, a few at a time, and stay."""
    selector = selectors.DefaultSelector()
    waiting = list(reversed(list(enumerate(joinings))))
    joined = 0
    began = time.perf_counter()

    def begin() -> None:
        if waiting:
            number, joining = waiting.pop()
            attendee = RawAttendee(joining, number)
            selector.register(attendee.socket, selectors.EVENT_READ, attendee)

    for _ in range(AT_A_TIME):
        begin()
    while True:
        for key, _ in selector.select():
            attendee: RawAttendee = key.data
            before = attendee.joined
            attendee.receive()
            if attendee.joined and not before:
                joined += 1
                begin()
                if joined == len(joinings):
                    seconds.value = time.perf_counter() - began
                    ready.set()


@contextmanager
def attending(joinings: list[Joining]) -> Iterator[float]:
    """Have attendees in their meetings; yields the seconds that they took to join."""
    seconds, ready = measure.processes.Value("d", 0.0, lock=False), measure.processes.Event()
    with measure.child(attend, joinings, seconds, ready):
        if not ready.wait(120):
            raise TimeoutError("not everybody has joined")
        yield float(seconds.value)


def measure_server(attendees: int, size: int) -> None:
    port = measure.free_port()
    with measure.child(serve, port) as pid:
        measure.wait_for_port(port)
        with attending(make_attendees(port, WARM, size)):
            pass
        joinings = make_attendees(port, attendees, size)
        memory, cpu = measure.rss(pid), measure.cpu_seconds(pid)
        with attending(joinings) as seconds:
            cpu = measure.cpu_seconds(pid) - cpu
            memory = measure.rss(pid) - memory
    print(
        f"server: {attendees / cpu:8,.0f} joins/CPU s  {cpu / attendees * 1e6:7.0f} us/join  "
        f"{attendees / seconds:8,.0f} joins/s on the clock  {memory / attendees / 1024:6.1f} KiB per attendee"
    )


# Sessions


async def hold_sessions(joinings: list[Joining]) -> tuple[float, float]:
    """Join, stay until all have; give CPU seconds and bytes of growth."""
    gate, stop = anyio.Semaphore(AT_A_TIME), anyio.Event()

    def take(message: DataMessage) -> None:
        print(message)

    async def hold(joining: Joining, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        session = DataMessageSession(MeetingSessionConfiguration(*joining))
        session.on_topic("chat")(take)
        async with AsyncExitStack() as stack:
            async with gate:
                await stack.enter_async_context(session)
            task_status.started()
            await stop.wait()

    gc.collect()
    memory, cpu = measure.rss(os.getpid()), time.process_time()
    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as opening:
            for joining in joinings:
                opening.start_soon(tasks.start, hold, joining)
        cpu = time.process_time() - cpu
        gc.collect()
        memory = measure.rss(os.getpid()) - memory
        stop.set()
    return cpu, memory


async def run_client(path: str) -> None:
    with open(path) as file:  # noqa: ASYNC230
        warm, joinings = json.load(file)
    await hold_sessions(warm)
    cpu, memory = await hold_sessions(joinings)
    print(json.dumps({"cpu": cpu, "memory": memory}))


def measure_client(attendees: int, size: int, folder: str) -> None:
    port = measure.free_port()
    with measure.child(serve, port):
        measure.wait_for_port(port)
        path = os.path.join(folder, "joinings.json")
        for backend in ("asyncio", "trio"):
            with open(path, "w") as file:
                json.dump([make_attendees(port, count, size) for count in (WARM, attendees)], file)
            command = [sys.executable, __file__, "--client", path, "--backend", backend]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300)
            result = json.loads(done.stdout)
            print(
                f"client: {attendees / result['cpu']:8,.0f} joins/CPU s  {result['cpu'] / attendees * 1e6:7.0f} us/join"
                f"{'':30}{result['memory'] / attendees / 1024:6.1f} KiB per session, {backend}"
            )


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attendees", type=int, default=1000)
    parser.add_argument("--meeting", type=int, default=250)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--backend", default="asyncio", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        anyio.run(run_client, options.client, backend=options.backend)
        return
    print(f"{options.attendees} attendees in meetings of {options.meeting}")
    measure_server(options.attendees, options.meeting)
    with tempfile.TemporaryDirectory() as folder:
        measure_client(options.attendees, options.meeting, folder)


if __name__ == "__main__":
    main()
