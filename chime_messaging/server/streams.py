"""Where streamed records go: JSON lines in a folder, or memory, in place of Kinesis.

A record is ``{"EventType": ..., "Payload": {...}}``, one line each, in commit order.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict, deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from chime_messaging.server.messaging.streaming import streams_notice
from chime_messaging.server.notices import Notice, Stream, Streams
from chime_messaging.server.store.database import Database
from chime_messaging.server.store.streaming import all_streams

MAX_REMEMBERED = 10_000
"""Records that memory keeps of one stream; the oldest go first."""
MAX_BEHIND = 100_000
"""Records that may wait for the disk; more are dropped and counted."""

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class StreamingSink:
    """Takes the records of every app instance that has a streaming configuration, as ``async with StreamingSink(...)``.

    Args:
        folder: gets one file per stream, ``{stream name}.jsonl``, appended to; None keeps records in memory only.
        database: read once, for the configurations that are there at the start.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, database: Database) -> None:
        self.dropped = 0
        """Records that the disk was too slow for."""
        self._folder = None if folder is None else Path(folder)
        self._database = database
        self._streams: dict[str, dict[str, str]] = {}
        self._remembered: defaultdict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=MAX_REMEMBERED))
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for app_instance_arn, streams in (await self._database.run(all_streams)).items():
            self.apply(streams_notice(app_instance_arn, streams))
        if self._folder is not None:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            self._writer = asyncio.create_task(self._write(), name="chime-streams")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            await self.flush()
            self._writer.cancel()
            await asyncio.wait([self._writer])

    def apply(self, notice: Notice) -> None:
        """Take a record, or note that a configuration changed. On the event loop, never waits; ignores the rest."""
        if isinstance(notice, Stream):
            streams = self._streams.get(notice.app_instance_arn)
            name = streams.get(notice.data_type) if streams else None
            if name is not None:
                self._take(name, notice)
        elif isinstance(notice, Streams):
            self._streams[notice.app_instance_arn] = dict(notice.streams)
            if not notice.streams:
                del self._streams[notice.app_instance_arn]

    def records(self, stream: str) -> list[Mapping[str, Any]]:
        """Read the latest records of a stream by its name, oldest first; in memory, so since the start."""
        return [msgspec.json.decode(line) for line in self._remembered.get(stream, ())]

    async def flush(self) -> None:
        """Wait until every record that was taken is in its file."""
        await self._idle.wait()

    def _take(self, name: str, notice: Stream) -> None:
        # The payload is JSON already and goes in as it is.
        line = _encode({"EventType": notice.event_type, "Payload": msgspec.Raw(notice.payload.encode())})
        self._remembered[name].append(line)
        if self._folder is None:
            return
        if len(self._waiting) >= MAX_BEHIND:
            self.dropped += 1
            return
        self._waiting.append((name, line))
        self._idle.clear()
        self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch: dict[str, list[bytes]] = {}
            while self._waiting:
                name, line = self._waiting.popleft()
                batch.setdefault(name, []).append(line)
            for name, lines in batch.items():
                try:
                    await asyncio.to_thread(self._append, name, lines)
                except OSError as error:
                    self.dropped += len(lines)
                    _log.error("stream %s: %d records are lost: %s", name, len(lines), error)
            if not self._waiting:
                self._idle.set()

    def _append(self, name: str, lines: list[bytes]) -> None:
        assert self._folder is not None
        with (self._folder / f"{name}.jsonl").open("ab") as file:
            file.write(b"\n".join(lines) + b"\n")
