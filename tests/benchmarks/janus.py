"""Janus (Debian package `janus`) as a peer for the benchmarks of the media node: a process of our own, and its API.

Janus leaves loopback addresses out when it gathers candidates, so it is given the machine's own address; the kernel
routes what goes there over loopback all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websockets
from aioice.ice import get_host_addresses

from measure import free_port, wait_for_port  # isort: skip

_PLUGINS = ("audiobridge", "videoroom")


def own_address() -> str:
    """The machine's first address that is not loopback's, or loopback's if there is none."""
    return next(iter(get_host_addresses(use_ipv4=True, use_ipv6=False)), "127.0.0.1")


@contextmanager
def janus(event_loops: int = 0) -> Iterator[tuple[int, str]]:
    """Run Janus with the two plugins that are measured and the WebSocket API; gives its process id and URL."""
    binary = shutil.which("janus")
    if binary is None:
        raise SystemExit("needs the Debian package janus")
    home = next(path for path in Path("/usr/lib").glob("*/janus") if path.is_dir())
    folder = Path(tempfile.mkdtemp(prefix="janus-"))
    port = free_port()
    unused = [file.name for file in (home / "plugins").glob("*.so") if not any(name in file.name for name in _PLUGINS)]
    transports = [file.name for file in (home / "transports").glob("*.so") if "websockets" not in file.name]
    (folder / "janus.jcfg").write_text(
        f"""
        general: {{ configs_folder = "{folder}"; plugins_folder = "{home}/plugins"
          transports_folder = "{home}/transports"; events_folder = "{home}/events"; loggers_folder = "{home}/loggers"
          debug_level = 3; admin_secret = "none"; event_loops = {event_loops} }}
        media: {{ rtp_port_range = "20000-29999"; ipv6 = false }}
        nat: {{ ice_enforce_list = "{own_address()}"; full_trickle = false }}
        plugins: {{ disable = "{",".join(unused)}" }}
        transports: {{ disable = "{",".join(transports)}" }}
        loggers: {{ disable = "libjanus_jsonlog.so" }}
        """
    )
    for plugin in _PLUGINS:
        (folder / f"janus.plugin.{plugin}.jcfg").write_text("general: { }\n")
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{ json = "compact"; ws = true; ws_port = {port}; ws_ip = "127.0.0.1"; wss = false }}\n'
        "admin: { admin_ws = false }\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "-F", folder, "-C", folder / "janus.jcfg", "-o"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for_port(port)
        time.sleep(0.5)
        yield process.pid, f"ws://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


class JanusSession:
    """One session over one WebSocket; `async with`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._session: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> JanusSession:
        protocol: Any = "janus-protocol"
        self._socket = await websockets.connect(self._url, subprotocols=[protocol], max_size=None, ping_interval=None)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._keep_alive())]
        self._session = (await self._ask(janus="create"))["data"]["id"]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await self._socket.close()

    async def attach(self, plugin: str) -> int:
        """A new handle of a plugin."""
        return int((await self._ask(janus="attach", plugin=f"janus.plugin.{plugin}"))["data"]["id"])

    async def message(
        self, handle: int, body: dict[str, Any], *, offer: str = "", answer: str = ""
    ) -> tuple[dict[str, Any], str]:
        """Ask a plugin; gives what it says, and its session description if there is one.

        Raises:
            RuntimeError: the plugin refused.
        """
        extra: dict[str, Any] = {}
        if offer or answer:
            extra["jsep"] = {"type": "offer" if offer else "answer", "sdp": offer or answer}
        said = await self._ask(janus="message", handle_id=handle, body=body, **extra)
        data = said["plugindata"]["data"]
        if "error" in data:
            raise RuntimeError(f"{body['request']}: {data['error']}")
        return data, said.get("jsep", {}).get("sdp", "")

    async def _ask(self, **request: Any) -> dict[str, Any]:
        key = str(len(self._waiting))
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._session is not None:
            request["session_id"] = self._session
        await self._socket.send(json.dumps({**request, "transaction": key}))
        said: dict[str, Any] = await asyncio.wait_for(future, 20)
        if said["janus"] == "error":
            raise RuntimeError(f"{request['janus']}: {said['error']}")
        return said

    async def _read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self._socket:
                said = json.loads(text)
                future = self._waiting.get(said.get("transaction"))
                if future is not None and not future.done() and said["janus"] != "ack":
                    future.set_result(said)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(20)
            await self._socket.send(
                json.dumps({"janus": "keepalive", "session_id": self._session, "transaction": "alive"})
            )
