"""What the benchmarks share: CPU time of a process, cheap raw readers, senders of signed requests.

Not a test. Load comes from other processes, so that the CPU time of the measured process is its own.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psutil
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

sys.path.insert(0, str(Path(__file__).parents[2]))

processes = multiprocessing.get_context("spawn")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def rss(pid: int) -> int:
    """Resident bytes of a process."""
    return int(psutil.Process(pid).memory_info().rss)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def wait_for_port(port: int, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def wait_until_closed(port: int) -> None:
    """Connect, and wait until the server has closed the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30.0) as connection:
        while connection.recv(4096):
            pass


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the length of the block."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def child(target: Callable[..., None], *arguments: Any) -> Iterator[int]:
    """Run a function in a process of its own for the length of the block; yields its pid."""
    process = processes.Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        assert process.pid is not None
        yield process.pid
    finally:
        process.terminate()
        process.join(10)


def upgrade(port: int, target: str) -> bytes:
    """A websocket upgrade request."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def greet(port: int, *hello: bytes, until: bytes) -> socket.socket:
    """Connect, say hello, and wait until the answer ends with `until`.

    Args:
        port: on this machine.
        hello: what to say; each part but the last is answered by an HTTP head.
        until: end of the answer to the last.
    """
    connection = socket.create_connection(("127.0.0.1", port), timeout=20.0)
    for number, part in enumerate(hello, 1):
        connection.sendall(part)
        answer = b""
        while not answer.endswith(until if number == len(hello) else b"\r\n\r\n"):
            data = connection.recv(4096)
            if not data:
                raise ConnectionError(answer)
            answer += data
    return connection


def _read(port: int, hellos: Sequence[bytes | tuple[bytes, ...]], until: bytes, counter: Any, ready: Event) -> None:
    selector = selectors.DefaultSelector()
    for hello in hellos:
        connection = greet(port, *([hello] if isinstance(hello, bytes) else hello), until=until)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
    ready.set()
    buffer = bytearray(1 << 18)
    while True:
        received = 0
        for key, _ in selector.select():
            connection = key.fileobj  # type: ignore[assignment]
            size = connection.recv_into(buffer)
            if size == 0:
                selector.unregister(connection)
            received += size
        counter.value += received


class Readers:
    """Raw TCP subscribers in a process of their own, that only count bytes."""

    def __init__(self, counter: Any) -> None:
        self._counter = counter

    @property
    def received(self) -> int:
        """Bytes received by all of them since they were ready."""
        return int(self._counter.value)

    def wait(self, size: int, timeout: float = 60.0) -> None:
        """Wait until `size` bytes have been received."""
        deadline = time.monotonic() + timeout
        while self.received < size:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.received} of {size} bytes")
            time.sleep(0.0005)


@contextmanager
def readers(port: int, hellos: Sequence[bytes | tuple[bytes, ...]], until: bytes) -> Iterator[Readers]:
    """Connect subscribers; each says hello as to `greet` and is ready when the answer ends with `until`."""
    counter = processes.Value("Q", 0, lock=False)
    ready = processes.Event()
    with child(_read, port, hellos, until, counter, ready):
        if not ready.wait(60):
            raise TimeoutError("the subscribers did not get ready")
        yield Readers(counter)


@dataclass(frozen=True)
class Sent:
    """What a sender came to."""

    requests: int
    seconds: float
    failures: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def sign(
    access_key: str, secret_key: str, service: str, method: str, url: str, body: bytes, headers: dict[str, str]
) -> bytes:
    """One whole HTTP/1.1 request with SigV4 in its headers, as botocore signs it."""
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    SigV4Auth(Credentials(access_key, secret_key), service, "us-east-1").add_auth(request)
    host, _, path = url.split("//", 1)[1].partition("/")
    lines = [f"{method} /{path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Sender:
    """One keep-alive connection that sends the next request when the last is answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answer = b""
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self) -> int | None:
        """The status once the answer is complete; the connection is made anew if the server closed it."""
        data = self.socket.recv(65536)
        self.answer += data
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if not found:
            if not data:
                raise ConnectionError("closed without an answer")
            return None
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), None)
        if data and (length is None or len(body) < length):
            return None
        self.answer = b""
        closing = not data or head.startswith(b"HTTP/1.0") or b"connection: close" in head.lower()
        if closing:
            self.socket.close()
        return int(head[9:12]) * (-1 if closing else 1)


def _send(port: int, requests: Sequence[bytes], concurrency: int, result: Any) -> None:
    selector = selectors.DefaultSelector()
    waiting = iter(requests)
    failures = done = 0
    started = time.perf_counter()
    for _ in range(concurrency):
        sender = _Sender(port)
        sender.socket.sendall(next(waiting))
        selector.register(sender.socket, selectors.EVENT_READ, sender)
    while done < len(requests):
        for key, _ in selector.select(30):
            sender = key.data
            old = sender.socket
            status = sender.receive()
            if status is None:
                continue
            done += 1
            failures += abs(status) >= 300
            following = next(waiting, None)
            if status < 0 or following is None:
                selector.unregister(old)
            if following is None:
                continue
            if status < 0:
                sender.connect()
                selector.register(sender.socket, selectors.EVENT_READ, sender)
            sender.socket.sendall(following)
    result.send((done, time.perf_counter() - started, failures))


def send(port: int, requests: Sequence[bytes], concurrency: int) -> Sent:
    """Send requests over `concurrency` connections from another process; wait for all answers."""
    ours, theirs = processes.Pipe()
    with child(_send, port, requests, concurrency, theirs):
        if not ours.poll(300):
            raise TimeoutError("the requests were not answered")
        done, seconds, failures = ours.recv()
    return Sent(done, seconds, failures)
