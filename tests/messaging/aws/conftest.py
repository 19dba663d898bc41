"""A control plane that answers by script: a real HTTP server on loopback, asked by real boto3."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config


@dataclass
class Answer:
    """One answer of the script."""

    status: int = 200
    body: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    """Sent as ``x-amzn-ErrorType``."""
    hold: Event | None = None
    """The answer is kept back until this is set."""
    hang_up: bool = False


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ScriptedService:
    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.asked: list[Asked] = []
        self.arrived = Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.asked.append(Asked(self.command, self.path, headers, json.loads(raw) if raw else {}))
                service.arrived.set()
                answer = service.script.pop(0) if service.script else Answer(500, error="ScriptIsOver")
                if answer.hold is not None:
                    answer.hold.wait(20)
                if answer.hang_up:
                    self.close_connection = True
                    return
                body = json.dumps(answer.body).encode()
                self.send_response(answer.status)
                if answer.error:
                    self.send_header("x-amzn-ErrorType", answer.error)
                self.send_header("x-amzn-RequestId", "request-1")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - names of http.server

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.clients: list[Any] = []

    def client(self, **changes: Any) -> Any:
        settings = {"retries": {"total_max_attempts": 1, "mode": "standard"}} | changes
        client = boto3.client(
            "chime-sdk-messaging",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(**settings),
        )
        self.clients.append(client)
        return client


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    scripted = ScriptedService()
    thread = Thread(target=scripted.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield scripted
    for client in scripted.clients:
        client.close()
    scripted.server.shutdown()
    thread.join()
    scripted.server.server_close()


@pytest.fixture
def answer() -> type[Answer]:
    return Answer
