"""A real TURN server (coturn) on loopback, over UDP, TCP and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from chime_messaging.meeting_events import TurnCredentials

TURNSERVER = shutil.which("turnserver")
USER, PASSWORD = "attendee", "secret"


@dataclass(frozen=True)
class Relay:
    port: int
    tls_port: int
    tls: ssl.SSLContext
    process: asyncio.subprocess.Process

    @property
    def udp(self) -> str:
        return f"turn:127.0.0.1:{self.port}?transport=udp"

    @property
    def tcp(self) -> str:
        return f"turn:127.0.0.1:{self.port}?transport=tcp"

    @property
    def secure(self) -> str:
        return f"turns:localhost:{self.tls_port}?transport=tcp"

    def credentials(self, *uris: str, password: str = PASSWORD) -> TurnCredentials:
        return TurnCredentials(USER, password, 300, uris)


@asynccontextmanager
async def running_relay(directory: Path) -> AsyncIterator[Relay]:
    assert TURNSERVER is not None
    authority = trustme.CA()
    own = authority.issue_cert("localhost", "127.0.0.1")
    own.private_key_pem.write_to_path(directory / "key.pem")
    for index, blob in enumerate(own.cert_chain_pems):
        blob.write_to_path(directory / "cert.pem", append=index > 0)
    port, tls_port = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        *(TURNSERVER, "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}"),
        *(f"--tls-listening-port={tls_port}", f"--cert={directory / 'cert.pem'}", f"--pkey={directory / 'key.pem'}"),
        *("--lt-cred-mech", f"--user={USER}:{PASSWORD}", "--realm=meetings", "--allow-loopback-peers", "--no-cli"),
        *("--no-dtls", "--log-file=stdout", f"--pidfile={directory / 'pid'}", f"--userdb={directory / 'db'}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=directory,
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    try:
        for place in (port, tls_port):
            await listening(place)
        yield Relay(port, tls_port, context, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listening(port: int) -> None:
    """Wait until something takes connections there."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
