"""``chime meeting join``, ``record`` and ``share``."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio

from chime_media.cli.board import Board
from chime_media.cli.sources import audio_source, existing, video_source
from chime_media.devices.media_file import Clip
from chime_media.devices.recorder import Layout
from chime_media.events import ContentShareStopped
from chime_media.sessions.content_share import ContentShare
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.sessions.recording import MeetingRecorder
from chime_messaging.cli.data import Joining
from chime_messaging.cli.interrupts import until_interrupted
from chime_messaging.meeting_events import MeetingSessionStatusCode

ENDS = frozenset({MeetingSessionStatusCode.MEETING_ENDED, MeetingSessionStatusCode.LEFT})
"""With which a session ends as it should."""


@dataclass(frozen=True)
class Part:
    """What an attendee does in a meeting."""

    speak: str | None = None
    show: str | None = None
    record: Path | None = None
    layout: Layout = "speaker"
    tracks: Path | None = None
    mute: bool = False
    duration: float | None = None


def join(joining: Joining, part: Part) -> None:
    """Take part in a meeting until Ctrl-C, SIGTERM, the end of the meeting, or for a time.

    Raises:
        SessionError: if the session is refused, or ended by the service.
        ConfigurationError: if a text means nothing.
        EmptyRecordingError: if there was nothing to record.
    """
    anyio.run(_join, joining, part)


async def _join(joining: Joining, part: Part) -> None:
    speak = None if part.speak is None else audio_source(part.speak)
    show = None if part.show is None else video_source(part.show)
    recorder: MeetingRecorder | None = None
    board: Board | None = None
    async with until_interrupted(), AsyncExitStack() as stack:
        session = MeetingSession(await joining.configuration())
        board = stack.enter_context(Board(session, recording=part.record))
        if part.mute:
            session.audio.mute()
        await stack.enter_async_context(session)
        session.realtime.detect_speakers()
        if part.record is not None:
            recorder = MeetingRecorder(session, part.record, layout=part.layout, tracks=part.tracks)
            await recorder.__aenter__()
            stack.push_async_callback(complete, recorder)
        if speak is not None:
            session.audio.start_input(speak)
        if show is not None:
            session.video.start_local_tile(show)
        await _stay(session, part.duration)
    if recorder is not None and board is not None:
        tell(recorder, board)


async def complete(recorder: MeetingRecorder) -> None:
    """Complete the file, also when the command is left by Ctrl-C."""
    with anyio.CancelScope(shield=True):
        await recorder.stop()


async def _stay(session: MeetingSession, duration: float | None) -> None:
    with anyio.move_on_after(duration):
        stopped = await session.wait_stopped()
        if stopped.error is not None and stopped.status not in ENDS:
            raise stopped.error


def tell(recorder: MeetingRecorder, board: Board) -> None:
    """Say what was recorded, once the files are complete."""
    summary = recorder.summary
    if summary is not None:
        videos = len(summary.attendees)
        board.say(f"{summary.path}: {summary.seconds:.1f} s, {summary.frames} pictures of {videos} videos")
    for track in recorder.track_summaries.values():
        board.say(f"{track.path}: {track.seconds:.1f} s, {track.frames} pictures")
    if recorder.dropped:
        board.say(f"{recorder.dropped} pictures were left out: this machine is too slow for so many")


def share(joining: Joining, what: str, *, loop: bool) -> None:
    """Share a file with a meeting until it is over, or until Ctrl-C.

    Raises:
        SessionError: if the session or the share is refused, or ended by the service.
        ConfigurationError: if the file cannot be shared.
    """
    if what != "screen":
        existing(what, "file")
    anyio.run(_share, joining, what, loop)


async def _share(joining: Joining, what: str, loop: bool) -> None:
    async with until_interrupted(), AsyncExitStack() as stack:
        session = MeetingSession(await joining.configuration())
        board = stack.enter_context(Board(session))
        session.audio.mute()
        await stack.enter_async_context(session)
        shared = ContentShare(session)
        async with session.events(ContentShareStopped) as stopped:
            await shared.start(video_source(what) if what == "screen" else Clip(what, loop=loop))
            board.say(f"{what} is shared; Ctrl-C ends it")
            try:
                async for event in stopped:
                    if event.problem is not None:
                        raise event.problem
                    return
            finally:
                with anyio.CancelScope(shield=True):
                    await shared.stop()
        if session.stopped is not None and session.stopped.error is not None and session.stopped.status not in ENDS:
            raise session.stopped.error
