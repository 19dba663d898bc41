"""Puts the parts of a server together, runs them, and takes them down in the right order."""

from __future__ import annotations

import asyncio
import importlib
import logging
import pkgutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from chime_messaging.server import identity, meetings, messaging, tls
from chime_messaging.server.app import App
from chime_messaging.server.broker import MAX_CONNECTIONS_PER_USER, Broker
from chime_messaging.server.callbacks import CallbackRunner, ProcessorRegistry
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.connections import Listener
from chime_messaging.server.control import PlannedFailures
from chime_messaging.server.http import HttpConnection, WebSocketRoutes
from chime_messaging.server.janitor import Janitor
from chime_messaging.server.live_meetings import LiveMeetings
from chime_messaging.server.media import MediaService
from chime_messaging.server.meeting_attendance import AttendanceRecorder
from chime_messaging.server.meetings.attendance import disconnect_all
from chime_messaging.server.meetings.ingestion import ClientEvents
from chime_messaging.server.meetings.placement import SIGNALING_PATH
from chime_messaging.server.metrics import Metrics
from chime_messaging.server.notices import Notice
from chime_messaging.server.prefetch import channel_details
from chime_messaging.server.quotas import Limiter
from chime_messaging.server.rest.dispatch import Dispatcher
from chime_messaging.server.signaling import SignalingListener
from chime_messaging.server.store.database import Database
from chime_messaging.server.streams import StreamingSink
from chime_messaging.server.transcription import TranscriptionRunner
from chime_messaging.server.websocket import WebSocket

if sys.platform == "win32":
    new_event_loop = asyncio.new_event_loop
else:
    from uvloop import new_event_loop as new_event_loop

KEEP_ALIVE = 75
"""Seconds an idle HTTP connection stays open; SDKs keep theirs for about a minute."""
DRAIN_TIMEOUT = 5.0
"""Seconds that requests may take to finish when the server stops."""
_BACKLOG = 2048

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Node:
    """A server that accepts connections."""

    url: str
    """For example ``http://127.0.0.1:8765``."""
    port: int
    ca_path: Path | None
    """Certificate of the authority to trust, with TLS."""
    broker: Broker
    live: LiveMeetings
    """Who is connected to which meeting."""
    sink: StreamingSink
    """What app instances stream."""
    processors: ProcessorRegistry
    """What stands in for Lambda functions and Lex bots."""
    failures: PlannedFailures
    metrics: Metrics
    transcription: TranscriptionRunner
    """Who transcribes meetings."""
    client_events: ClientEvents
    """What clients of meetings reported."""
    media: MediaService | None
    """Who brings the media of meetings."""


def serve(configuration: ServerConfiguration, ready: Callable[[Node], None]) -> None:
    """Run a server until SIGTERM or SIGINT, then stop it cleanly: sockets close, commits are finished.

    Messaging sessions are closed with 1012, signalling ones with 4503: the official clients of both come back then.

    Args:
        configuration: of the server.
        ready: called once, when connections are accepted.

    Raises:
        OSError: if the address cannot be used.
    """
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(configuration, ready))


async def _serve(configuration: ServerConfiguration, ready: Callable[[Node], None]) -> None:
    stop = asyncio.Event()
    if sys.platform != "win32":
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    async with running(configuration) as node:
        ready(node)
        await stop.wait()
        _log.info("stopping")


@asynccontextmanager
async def running(configuration: ServerConfiguration) -> AsyncIterator[Node]:
    """Run a server on the current event loop (asyncio) for the length of the block."""
    register_handlers()
    async with AsyncExitStack() as stack:
        sockets = [stack.enter_context(bound) for bound in _bind(configuration.host, configuration.port)]
        port: int = sockets[0].getsockname()[1]
        configuration = replace(configuration, port=port)
        certificate = tls.identify((configuration.host, configuration.public_host or "")) if configuration.tls else None
        broker = Broker(
            asyncio.get_running_loop(),
            coalesce=configuration.coalesce,
            max_connections=MAX_CONNECTIONS_PER_USER if configuration.quotas else None,
        )
        media: MediaService | None = None
        if configuration.media is not None:
            media = await stack.enter_async_context(configuration.media(configuration))
        live = _live_meetings(configuration, media)
        outlets = _Outlets(broker, live)
        database = await stack.enter_async_context(Database(configuration.database, on_commit=outlets.apply))
        sink = await stack.enter_async_context(StreamingSink(configuration.streaming_path, database))
        processors = ProcessorRegistry(configuration.processors)
        callbacks = CallbackRunner(database, processors, timeout=configuration.flow_timeout)
        await stack.enter_async_context(callbacks)
        await database.run(disconnect_all)
        recorder = await stack.enter_async_context(AttendanceRecorder(database))
        live.on_attendance = recorder.note
        transcription = TranscriptionRunner(database, lambda notice: outlets.apply([notice]))
        await stack.enter_async_context(transcription)
        outlets.others += (sink.apply, callbacks.apply, transcription.apply)
        await stack.enter_async_context(Janitor(database))
        limiter = Limiter() if configuration.quotas else None
        metrics, failures, client_events = Metrics(), PlannedFailures(), ClientEvents()
        _watch(metrics, broker, database, sink, callbacks)
        _watch_signaling(metrics, live)
        _watch_meetings(metrics, transcription, client_events)
        if media is not None:
            media.watch(metrics)
        dispatcher = Dispatcher(configuration, database, limiter=limiter, failures=failures)
        listener = Listener(configuration, database, broker, limiter=limiter, prefetch=channel_details)
        context = certificate.context if certificate else None
        pages = media.pages if media is not None else None
        app = App(dispatcher, metrics, client_events, configuration.region, pages=pages)
        signaling = SignalingListener(configuration, database, live)
        routes = WebSocketRoutes({SIGNALING_PATH: signaling}, fallback=listener)
        stops = (broker.shutdown, live.shutdown)
        await stack.enter_async_context(_listening(app, routes, stops, sockets, context))
        yield Node(
            url=f"{'https' if certificate else 'http'}://{_authority(configuration.host, port)}",
            port=port,
            ca_path=certificate.ca_path if certificate else None,
            broker=broker,
            live=live,
            sink=sink,
            processors=callbacks.processors,
            failures=failures,
            metrics=metrics,
            transcription=transcription,
            client_events=client_events,
            media=media,
        )


class _Outlets:
    """Who hears of a commit: the sockets first, then what streams and calls."""

    def __init__(self, broker: Broker, live: LiveMeetings) -> None:
        self._broker = broker
        self._live = live
        self.others: tuple[Callable[[Notice], None], ...] = ()

    def apply(self, notices: list[Notice]) -> None:
        self._broker.apply(notices)
        self._live.apply(notices)
        for take in self.others:
            for notice in notices:
                take(notice)


def _live_meetings(configuration: ServerConfiguration, media: MediaService | None) -> LiveMeetings:
    return LiveMeetings(
        asyncio.get_running_loop(),
        coalesce=configuration.coalesce,
        quotas=configuration.quotas,
        reconnect_grace=configuration.reconnect_grace,
        ping_interval=configuration.signaling_ping_interval,
        media=media,
    )


@cache
def register_handlers() -> None:
    """Import every module that registers handlers, and with them the tables they need."""
    for room in (identity, messaging, meetings):
        for module in pkgutil.iter_modules(room.__path__):
            importlib.import_module(f"{room.__name__}.{module.name}")


Stops = Sequence[Callable[[], Coroutine[Any, Any, None]]]
"""What closes the websockets of each kind."""


class _Connections(set[Any]):
    """uvicorn's set of connections, which can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.empty = asyncio.Event()
        self.empty.set()

    def add(self, connection: Any) -> None:
        super().add(connection)
        self.empty.clear()

    def discard(self, connection: Any) -> None:
        super().discard(connection)
        if not self:
            self.empty.set()


@asynccontextmanager
async def _listening(
    app: App, routes: WebSocketRoutes, stops: Stops, sockets: list[socket.socket], context: Any
) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        http=HttpConnection,
        ws=routes,  # type: ignore[arg-type]  # called like the protocol class it stands for
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
    )
    config.load()
    state = ServerState()
    state.connections = connections = _Connections()
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        return HttpConnection(config=config, server_state=state, app_state={})

    async with asyncio.TaskGroup() as tasks:
        dates = tasks.create_task(_keep_date(state))
        servers = [await loop.create_server(protocol, sock=each, ssl=context, backlog=_BACKLOG) for each in sockets]
        try:
            yield
        finally:
            for server in servers:
                server.close()
            await _drain(state, connections, stops)
            dates.cancel()


async def _drain(state: ServerState, connections: _Connections, stops: Stops) -> None:
    """Let requests finish, then close the websockets, so that they still get what the last requests did."""
    for connection in list(connections):
        if not isinstance(connection, WebSocket):
            connection.shutdown()
    if state.tasks:
        await asyncio.wait(set(state.tasks), timeout=DRAIN_TIMEOUT)
    await asyncio.gather(*(stop() for stop in stops))
    stalled = [connection for connection in connections if not isinstance(connection, WebSocket)]
    if stalled:
        _log.warning("%d requests had not come to their end when the server stopped", len(stalled))
        for connection in stalled:
            connection.transport.abort()
    async with asyncio.timeout(DRAIN_TIMEOUT):
        await connections.empty.wait()


async def _keep_date(state: ServerState) -> None:
    """Refresh the Date header each second: SDKs correct their clock by it."""
    while True:
        state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
        await asyncio.sleep(1)


def _bind(host: str, port: int) -> list[socket.socket]:
    """Bind every address of `host` to one port; port 0 becomes the first free one."""
    sockets: list[socket.socket] = []
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            bound = socket.create_server((address[0], port), family=family, backlog=_BACKLOG)
        except OSError:
            if not sockets:
                raise
            continue  # "localhost" may name an address family that this machine does not have
        bound.setblocking(False)
        sockets.append(bound)
        port = bound.getsockname()[1]
    return sockets


def _authority(host: str, port: int) -> str:
    """Host and port as clients on this machine call them."""
    if host in ("", "0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _watch(
    metrics: Metrics, broker: Broker, database: Database, sink: StreamingSink, callbacks: CallbackRunner
) -> None:
    counters, store = broker.counters, database.statistics
    metrics.watch_gauge("chime_sockets", "Websockets open now.", lambda: broker.connections)
    metrics.watch_gauge("chime_users", "Users with an established websocket.", lambda: broker.users)
    metrics.watch_counter("chime_sockets_established", "Sessions established.", lambda: counters.established)
    metrics.watch_counter("chime_sockets_refused", "Sockets refused.", lambda: counters.refused)
    metrics.watch_counter("chime_events", "Events with an audience.", lambda: counters.events)
    metrics.watch_counter("chime_deliveries", "Frames given to sockets.", lambda: counters.deliveries)
    metrics.watch_counter("chime_delivered_bytes", "Bytes given to sockets.", lambda: counters.bytes)
    metrics.watch_counter("chime_drops_slow", "Sockets closed for slow reading.", lambda: counters.slow)
    metrics.watch_counter("chime_drops_silent", "Sockets dropped without a pong.", lambda: counters.silent)
    metrics.watch_counter("chime_commits", "Durable commits' transactions.", lambda: store.commits)
    metrics.watch_counter("chime_commit_batches", "Commits to the disk.", lambda: store.batches)
    metrics.watch_counter("chime_commit_seconds", "Time spent in commits.", lambda: store.commit_seconds)
    metrics.watch_gauge("chime_store_waiting", "Calls that wait for the store.", lambda: database.waiting)
    metrics.watch_counter("chime_drops_streaming", "Streamed records lost.", lambda: sink.dropped)
    metrics.watch_counter("chime_drops_callbacks", "Bot invocations lost.", lambda: callbacks.dropped)


def _watch_meetings(metrics: Metrics, transcription: TranscriptionRunner, client_events: ClientEvents) -> None:
    metrics.watch_gauge("chime_transcriptions", "Meetings a transcriber works on.", lambda: transcription.running)
    metrics.watch_counter("chime_client_events", "Events that clients reported.", lambda: client_events.events)
    metrics.watch_counter("chime_client_reports", "Reports of client events taken.", lambda: client_events.posts)
    metrics.watch_counter(
        "chime_client_reports_refused", "Reports of client events refused.", lambda: client_events.refused
    )


def _watch_signaling(metrics: Metrics, live: LiveMeetings) -> None:
    counters = live.counters
    metrics.watch_gauge("chime_signaling_sockets", "Signalling websockets open now.", lambda: live.connections)
    metrics.watch_gauge("chime_meetings", "Live meetings.", lambda: live.meetings)
    metrics.watch_gauge("chime_attendees", "Attendees connected.", lambda: live.attendees)
    metrics.watch_counter("chime_joins", "JOINs answered.", lambda: counters.joins)
    metrics.watch_counter("chime_joins_refused", "JOINs refused.", lambda: counters.refused)
    metrics.watch_counter("chime_attendees_dropped", "Attendees who did not come back.", lambda: counters.dropped)
    metrics.watch_counter("chime_data_messages", "Data messages delivered.", lambda: counters.messages)
    metrics.watch_counter("chime_data_throttled", "Data messages returned.", lambda: counters.throttled)
    metrics.watch_counter("chime_data_rejected", "Sockets closed for data messages.", lambda: counters.rejected)
    metrics.watch_counter("chime_signaling_deliveries", "Shared frames given.", lambda: counters.deliveries)
    metrics.watch_counter("chime_signaling_skipped", "Frames not understood.", lambda: counters.skipped)
    metrics.watch_counter("chime_drops_slow_signaling", "Slow readers closed.", lambda: counters.slow)
    metrics.watch_counter("chime_drops_silent_signaling", "No answer to a ping.", lambda: counters.silent)
