"""The official clients against the local server. Node and Chromium are optional for you, compulsory in CI."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_REGION, LOCAL_SECRET_KEY, ServerConfiguration
from chime_messaging.server.local_server import LocalServer

JS = Path(__file__).parent / "js"
CREDENTIALS = {"accessKeyId": LOCAL_ACCESS_KEY, "secretAccessKey": LOCAL_SECRET_KEY}
PATIENCE = 20.0
"""Seconds a test waits for something that should take milliseconds."""


def require(available: bool, advice: str) -> None:
    """Skip with advice; in CI, fail."""
    if available:
        return
    if os.environ.get("CHIME_INTEROP") == "required":
        pytest.fail(f"interop tests are compulsory here: {advice}")
    pytest.skip(advice)


@pytest.fixture(scope="session")
def node() -> str:
    """Path of node, with the npm packages installed."""
    path = shutil.which("node")
    require(path is not None, "install Node.js 20 or newer (Debian: apt-get install nodejs npm)")
    require((JS / "node_modules").is_dir(), "run: cd tests/interop/js && npm ci")
    assert path is not None
    return path


@dataclass
class LocalChime:
    """A local server as synchronous tests hold it: clients for the control plane, faults through `run`."""

    server: LocalServer
    portal: BlockingPortal
    stack: ExitStack

    def __post_init__(self) -> None:
        self.identity = self.server.client("chime-sdk-identity")
        self.messaging = self.server.client("chime-sdk-messaging")
        self.app_instance = self.identity.create_app_instance(Name="interop")["AppInstanceArn"]

    def stop(self) -> None:
        """Stop the server; harmless when it has."""
        self.identity.close()
        self.messaging.close()
        self.stack.close()

    def run(self, call: Callable[..., Any], *args: Any) -> Any:
        """Run one of the server's async methods."""
        return self.portal.call(call, *args)

    def user(self, user_id: str) -> str:
        """Create a user; its ARN."""
        answer = self.identity.create_app_instance_user(
            AppInstanceArn=self.app_instance, AppInstanceUserId=user_id, Name=user_id.title()
        )
        return str(answer["AppInstanceUserArn"])

    def channel(self, creator: str, *members: str, **settings: Any) -> str:
        """Create a channel with members; its ARN."""
        others = {"MemberArns": list(members)} if members else {}
        answer = self.messaging.create_channel(
            AppInstanceArn=self.app_instance, Name="general", ChimeBearer=creator, **others, **settings
        )
        return str(answer["ChannelArn"])

    def send(self, channel: str, bearer: str, content: str, **settings: Any) -> str:
        """Send a message; its id."""
        defaults = {"Type": "STANDARD", "Persistence": "PERSISTENT"}
        answer = self.messaging.send_channel_message(
            ChannelArn=channel, ChimeBearer=bearer, Content=content, **(defaults | settings)
        )
        return str(answer["MessageId"])

    @property
    def options(self) -> dict[str, Any]:
        """What every JavaScript client needs to find the server."""
        return {"endpoint": self.server.url, "region": LOCAL_REGION, "credentials": CREDENTIALS}

    @property
    def node_environment(self) -> dict[str, str]:
        """Environment in which Node trusts the local certificate authority."""
        ca = {"NODE_EXTRA_CA_CERTS": str(self.server.ca_path)} if self.server.ca_path else {}
        return os.environ | ca


@pytest.fixture(scope="session")
def start_chime() -> Iterator[Callable[..., LocalChime]]:
    """Start servers with settings of one's own; they end with the session."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def start(*, port: int = 0, **settings: Any) -> LocalChime:
            server_stack = stack.enter_context(ExitStack())
            server = LocalServer(ServerConfiguration(port=port, **settings))
            server_stack.enter_context(portal.wrap_async_context_manager(server))
            return LocalChime(server, portal, server_stack)

        yield start


@pytest.fixture(scope="session")
def chime(start_chime: Callable[..., LocalChime]) -> LocalChime:
    """A server over TLS, as the official session insists, and without rate limits."""
    return start_chime(tls=True, quotas=False)


class Reports:
    """Values that a JavaScript client reports, in order."""

    def __init__(self) -> None:
        self.queue: Queue[dict[str, Any]] = Queue()
        self.seen: list[dict[str, Any]] = []

    def next(self, patience: float = PATIENCE) -> dict[str, Any]:
        """The next report."""
        try:
            report = self.queue.get(timeout=patience)
        except Empty:
            pytest.fail(f"nothing reported within {patience} s; so far: {self.seen}")
        self.seen.append(report)
        return report

    def until(self, event: str, *others: str, **fields: Any) -> dict[str, Any]:
        """The next report of a kind, or of others, with these fields; those before it are kept in `seen`."""
        while True:
            report = self.next()
            if report["event"] in (event, *others) and all(report.get(name) == value for name, value in fields.items()):
                return report

    def message(self, event_type: str) -> dict[str, Any]:
        """The next messaging event of a type."""
        return self.until("message", type=event_type)


class NodeProcess(Reports):
    """A script in Node that takes lines on stdin and prints JSON lines."""

    def __init__(self, node: str, script: str, options: dict[str, Any], environment: dict[str, str]) -> None:
        super().__init__()
        self.process = subprocess.Popen(
            [node, str(JS / script), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=JS,
        )
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.queue.put(json.loads(line))

    def tell(self, line: str) -> None:
        """Write a line to the script."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Write a request, wait for its answer."""
        self.tell(json.dumps(request))
        return self.next()

    def close(self) -> None:
        """End the script and wait for it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.reader.join(PATIENCE)
            self.process.stdout.close()


@pytest.fixture
def run_node(node: str, chime: LocalChime) -> Iterator[Callable[..., NodeProcess]]:
    """Start a script in Node with options added to those that find the server."""
    with ExitStack() as stack:

        def start(script: str, of: LocalChime = chime, **options: Any) -> NodeProcess:
            process = NodeProcess(node, script, of.options | options, of.node_environment)
            stack.callback(process.close)
            return process

        yield start
