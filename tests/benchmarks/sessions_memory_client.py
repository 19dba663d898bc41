"""Memory of an idle client session: many MessagingSessions in one process, against bare websocket connections.

    python tests/benchmarks/sessions_memory_client.py [--sessions 1000]

The local server runs in a process of its own. Every session has one observer and is held by a task of its own; one
boto3 client serves them all. What is told is the growth of the resident set from before the first session to all
established, per session, after a warm-up that has everything loaded. Each row is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import psutil
import websockets

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chime_messaging.aws.clients import create_client
from chime_messaging.events import MessageCreated
from chime_messaging.observers.observer import MessagingSessionObserver
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.messaging_session import MessagingSession
from chime_messaging.sessions.service import AwsSessionService

AT_A_TIME = 32
ROWS = {
    "asyncio": "MessagingSession, one observer, asyncio",
    "trio": "MessagingSession, one observer, trio",
    "websockets": "bare websockets connection (keepalive on, no compression), asyncio",
}


class Observer(MessagingSessionObserver):
    def on_message_created(self, event: MessageCreated) -> None:
        sys.stdout.write(event.message.message_id)


def resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def report(before: int, after: int, sessions: int) -> None:
    sys.stdout.write(json.dumps({"bytes": (after - before) / sessions}) + "\n")
    sys.stdout.flush()


async def hold_sessions(users: list[str], sessions: int) -> None:
    client = create_client()
    gate = anyio.Semaphore(AT_A_TIME)

    async def hold(user: str, up: anyio.abc.TaskStatus[None], stop: anyio.Event) -> None:
        session = MessagingSession(MessagingSessionConfiguration(user, chime_client=client))
        session.add_observer(Observer())
        await gate.acquire()
        async with session:
            gate.release()
            up.started()
            await stop.wait()

    async def round_of(count: int, measure: bool) -> None:
        stop = anyio.Event()
        before = resident()
        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as opening:
                for number in range(count):
                    opening.start_soon(tasks.start, _Started(hold, users[number % len(users)], stop))
            if measure:
                report(before, resident(), count)
            stop.set()

    await round_of(AT_A_TIME, measure=False)
    await round_of(sessions, measure=True)


class _Started:
    """Binds arguments of a task that says when it has started."""

    def __init__(self, function: Any, user: str, stop: anyio.Event) -> None:
        self._function, self._user, self._stop = function, user, stop

    async def __call__(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        await self._function(self._user, task_status, self._stop)


async def hold_websockets(users: list[str], sessions: int) -> None:
    client = create_client()
    service = AwsSessionService(MessagingSessionConfiguration(users[0], chime_client=client))
    gate = asyncio.Semaphore(AT_A_TIME)

    async def hold(up: asyncio.Event, stop: asyncio.Event) -> None:
        async with gate:
            connection = await websockets.connect(await service.connect_url(first=True), compression=None)
            await connection.recv()
        up.set()
        await stop.wait()
        await connection.close()

    async def round_of(count: int, measure: bool) -> None:
        stop = asyncio.Event()
        before = resident()
        ups = [asyncio.Event() for _ in range(count)]
        tasks = [asyncio.create_task(hold(up, stop)) for up in ups]
        for up in ups:
            await up.wait()
        if measure:
            report(before, resident(), count)
        stop.set()
        await asyncio.gather(*tasks)

    await round_of(AT_A_TIME, measure=False)
    await round_of(sessions, measure=True)


def serve() -> None:
    """Run the local server until stdin ends."""
    with LocalServer(ServerConfiguration(port=0, quotas=False)) as server:
        users = [anyio.run(server.create_user, f"user {number}") for number in range(10)]
        sys.stdout.write(json.dumps({"environment": server.environment, "users": users}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def run(row: str, users: list[str], sessions: int) -> None:
    if row == "websockets":
        asyncio.run(hold_websockets(users, sessions))
    else:
        anyio.run(hold_sessions, users, sessions, backend=row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--users", help=argparse.SUPPRESS)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if options.row == "server":
        serve()
    elif options.row:
        run(options.row, json.loads(options.users), options.sessions)
    else:
        compare(options.sessions)


def compare(sessions: int) -> None:
    command = [sys.executable, __file__, "--sessions", str(sessions), "--row"]
    with subprocess.Popen([*command, "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        environment = {**os.environ, **told["environment"]}
        costs = {}
        for row in ROWS:
            done = subprocess.run(
                [*command, row, "--users", json.dumps(told["users"])],
                stdout=subprocess.PIPE,
                env=environment,
                check=True,
                timeout=300,
            )
            costs[row] = json.loads(done.stdout)["bytes"] / 1024
        assert server.stdin is not None
        server.stdin.close()
    for row, cost in costs.items():
        sys.stdout.write(f"{ROWS[row]:68} {cost:7.1f} KiB/session  {cost / costs['asyncio']:5.2f} x ours\n")


if __name__ == "__main__":
    main()
