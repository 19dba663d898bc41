"""Resident memory of the server per idle session: ours, and the `websockets` library's.

Run: python sessions_memory_server.py. Sessions are raw TCP connections of another process; every user
is a member of one channel.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
from typing import Any
from urllib.parse import quote

import measure
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_library

from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.notices import Join
from chime_messaging.server.serving import running

APP = "arn:aws:chime:us-east-1:123456789012:app-instance/7f6e5c4d-0000-4000-8000-000000000001"
ESTABLISHED = b'"Payload":null}'


async def _tell(port: int, prepare: Any = None) -> None:
    """Say on a port of its own, once per connection, when everything is in place."""

    async def ready(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if prepare is not None:
            prepare()
        gc.collect()
        writer.write(b"ready")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(ready, "127.0.0.1", port):
        await asyncio.get_running_loop().create_future()


def ours(port: int, ready_port: int, sessions: int) -> None:
    """Our server, with all users in one channel."""
    import uvloop

    async def main() -> None:
        configuration = ServerConfiguration(port=port, quotas=False, authorization=Authorization.TRUST)
        async with running(configuration) as node:

            def join() -> None:
                node.broker.apply([Join(f"{APP}/user/{n}", "group") for n in range(sessions)])

            await _tell(ready_port, join)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def library(port: int, ready_port: int, sessions: int) -> None:
    """The smallest server that the `websockets` library allows."""
    import uvloop

    async def main() -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.send('{"Payload":null}')
            await connection.wait_closed()

        async with serve_library(handler, "127.0.0.1", port, compression=None):
            await _tell(ready_port)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def per_session(target: Any, path: str, sessions: int) -> float:
    """Bytes per session, above what the server needs after it has seen one."""
    port, ready_port = measure.free_port(), measure.free_port()
    with measure.child(target, port, ready_port, sessions) as pid:
        measure.wait_for_port(ready_port)
        hellos = [measure.upgrade(port, path.format(user=quote(f"{APP}/user/{n}"))) for n in range(sessions)]
        with measure.readers(port, hellos[:1], ESTABLISHED):
            measure.wait_until_closed(ready_port)
        before = measure.rss(pid)
        with measure.readers(port, hellos, ESTABLISHED):
            measure.wait_until_closed(ready_port)
            return (measure.rss(pid) - before) / sessions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    sessions = parser.parse_args().sessions
    mine = per_session(ours, "/connect?userArn={user}&sessionId=1", sessions)
    theirs = per_session(library, "/{user}", sessions)
    print(f"ours        {mine / 1024:7.1f} KiB per idle session ({sessions} sessions)")
    print(f"websockets  {theirs / 1024:7.1f} KiB")
    print(f"ours / websockets: {mine / theirs:.2f}")


if __name__ == "__main__":
    main()
