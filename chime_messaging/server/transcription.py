"""Who transcribes: a function of one's own, run for each meeting as long as the meeting is transcribed.

None is built in. What it publishes reaches the attendees as the service's own transcripts do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec

from chime_messaging.server.meetings.transcription import fail_transcription
from chime_messaging.server.notices import (
    MeetingEnded,
    MeetingMessage,
    Notice,
    TranscriptionStarted,
    TranscriptionStopped,
)
from chime_messaging.server.store.database import Database
from chime_messaging.server.store.meetings import transcribed_meetings
from chime_messaging.wire.signaling import TRANSCRIPTION_TOPIC
from chime_messaging.wire.transcript import Transcript, TranscriptResult, encode

STOP_TIMEOUT = 5.0
"""Seconds that transcribers may take to clean up when the server stops."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Transcription:
    """What a transcriber is given: one meeting, from start to stop."""

    meeting_id: str
    configuration: dict[str, Any]
    """TranscriptionConfiguration as StartMeetingTranscription had it."""
    deliver: Callable[[Notice], None]
    over: bool = False
    """Whether it was stopped: nothing is published any more."""

    def publish(self, *results: TranscriptResult) -> None:
        """Send results to the attendees. One with the ``result_id`` of an earlier one replaces it there."""
        if self.over or not results:
            return
        self.deliver(MeetingMessage(self.meeting_id, TRANSCRIPTION_TOPIC, encode([Transcript(results)])))


Transcriber = Callable[[Transcription], Awaitable[None]]
"""Runs until it is cancelled, which is how transcription stops; what it raises becomes the event ``FAILED``."""


class TranscriptionRunner:
    """Runs the transcriber, as ``async with TranscriptionRunner(...)``. Belongs to the event loop.

    Args:
        database: read once for meetings that are transcribed already; must be open for longer than the runner.
        deliver: takes the data messages for attendees.
        transcriber: None until one is plugged in.
    """

    def __init__(
        self, database: Database, deliver: Callable[[Notice], None], transcriber: Transcriber | None = None
    ) -> None:
        self._database = database
        self._deliver = deliver
        self._transcriber = transcriber
        self._configurations: dict[str, dict[str, Any]] = {}
        self._running: dict[str, tuple[Transcription, asyncio.Task[None]]] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        for meeting_id, configuration in (await self._database.run(transcribed_meetings)).items():
            self._start(meeting_id, configuration)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for meeting_id in list(self._running):
            self._stop(meeting_id)
        if self._stopping:
            _, late = await asyncio.wait(set(self._stopping), timeout=STOP_TIMEOUT)
            if late:
                _log.warning("%d transcribers had not come to their end when the server stopped", len(late))

    @property
    def running(self) -> int:
        """Meetings that the transcriber works on."""
        return len(self._running)

    def plug(self, transcriber: Transcriber | None) -> None:
        """Have another transcriber (None: nobody) do the work, also for meetings that are transcribed already."""
        self._transcriber = transcriber
        for meeting_id, configuration in list(self._configurations.items()):
            self._start(meeting_id, configuration)

    def apply(self, notice: Notice) -> None:
        """Start or stop, as a committed change says."""
        if isinstance(notice, TranscriptionStarted):
            self._start(notice.meeting_id, msgspec.json.decode(notice.configuration))
        elif isinstance(notice, (TranscriptionStopped, MeetingEnded)):
            self._configurations.pop(notice.meeting_id, None)
            self._stop(notice.meeting_id)

    def _start(self, meeting_id: str, configuration: dict[str, Any]) -> None:
        self._stop(meeting_id)
        self._configurations[meeting_id] = configuration
        if self._transcriber is not None:
            transcription = Transcription(meeting_id, configuration, self._deliver)
            work = self._work(self._transcriber, transcription)
            self._running[meeting_id] = transcription, asyncio.create_task(work, name="chime-transcriber")

    def _stop(self, meeting_id: str) -> None:
        found = self._running.pop(meeting_id, None)
        if found is not None:
            transcription, task = found
            transcription.over = True
            task.cancel()
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    async def _work(self, transcriber: Transcriber, transcription: Transcription) -> None:
        try:
            await transcriber(transcription)
        except Exception as error:
            _log.exception("a transcriber failed", extra={"meeting_id": transcription.meeting_id})
            if not transcription.over:
                reason = f"The transcriber failed: {type(error).__name__}"
                await self._database.run(lambda tx: fail_transcription(tx, transcription.meeting_id, reason))
