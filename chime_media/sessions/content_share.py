"""What an attendee shares beside its own video: `ContentShare`, which is a second attendee with a session of its own.

    share = ContentShare(session)
    await share.start("slides.mp4")
    ...
    await share.stop()

The meeting sees it as one more attendee, whose id is the sharer's with ``#content`` behind it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from chime_media.devices.media_file import Clip
from chime_media.devices.sources import AudioSource, Samples, VideoSource
from chime_media.events import (
    AudioInputEnded,
    ContentSharePaused,
    ContentShareStarted,
    ContentShareStopped,
    ContentShareUnpaused,
    LocalVideoEnded,
    LocalVideoStarted,
)
from chime_media.protocol.tiles import CONTENT_SUFFIX
from chime_media.sessions.meeting_session import MeetingSession
from chime_messaging.errors import ConfigurationError, SessionClosedError, SessionTimeoutError, UsageError
from chime_messaging.meeting_events import AttendeeJoined, MeetingSessionStopped
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

START_TIMEOUT = 15.0
BITRATE_KBPS = 1500

log = logging.getLogger(__name__)


class ContentSession(MeetingSession):
    """The session of what is shared: it sends and receives nothing."""

    _receives_video: ClassVar[bool] = False


class ContentShare:
    """Shares a clip, pictures or the screen, with or without sound. Official name: ContentShareController.

    Events are told by the attendee's session: `ContentShareStarted`, `ContentShareStopped`, `ContentSharePaused` and
    `ContentShareUnpaused`. A source that ends or fails ends the share; so does the end of the session. Use as ``async
    with`` to stop at the end of the block.

    Args:
        session: The attendee's, which must be joined.
    """

    def __init__(self, session: MeetingSession) -> None:
        self._session = session
        self._content: ContentSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._finish = asyncio.Event()
        self._audio: _Pausable | None = None
        self._paused = False
        self._problem: Exception | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def is_shared(self) -> bool:
        """Whether something is shared."""
        return self._task is not None and not self._task.done()

    @property
    def is_paused(self) -> bool:
        """Whether the share is paused."""
        return self._paused

    @property
    def session(self) -> MeetingSession | None:
        """The second attendee's session, while something is shared."""
        return self._content

    async def start(
        self,
        source: Path | str | Clip | VideoSource | None,
        *,
        audio: AudioSource | None = None,
        max_bitrate_kbps: int = BITRATE_KBPS,
        timeout: float = START_TIMEOUT,
    ) -> None:
        """Share something; return when the meeting sees it. Official name: startContentShare.

        Args:
            source: A file with pictures, sound or both, a `Clip`, or any source of pictures; None with `audio` alone.
            audio: The sound for a source of pictures.
            max_bitrate_kbps: What pictures are sent with at most.
            timeout: In seconds.

        Raises:
            UsageError: Something is shared already.
            ConfigurationError: The file cannot be shared, or there is nothing to share.
            MeetingAtCapacityError: The meeting has as many shares as it can have.
            MeetingSessionError: The service refuses it for another reason.
            SessionTimeoutError: It was not seen in time.
        """
        if self.is_shared:
            raise UsageError("something is shared already")
        pictures, sound = _opened(source, audio)
        self._finish = asyncio.Event()
        self._problem, self._paused = None, False
        self._audio = None if sound is None else _Pausable(sound)
        seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._share(pictures, self._audio, max_bitrate_kbps, seen))
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(seen)
        except TimeoutError:
            await self._abandon()
            raise SessionTimeoutError(timeout) from None
        except asyncio.CancelledError:
            await self._abandon()
            raise

    def pause(self) -> None:
        """Send neither pictures nor sound for a while; the last picture stays. Official name: pauseContentShare."""
        self._hold(True)

    def unpause(self) -> None:
        """Go on where the source was. Official name: unpauseContentShare."""
        self._hold(False)

    async def stop(self) -> None:
        """Share nothing any more; harmless when nothing is. Official name: stopContentShare."""
        task = self._task
        if task is not None:
            self._finish.set()
            await asyncio.wait([task])

    def _hold(self, held: bool) -> None:
        if self._content is None or held == self._paused:
            return
        self._paused = held
        self._content.video.hold(held)
        if self._audio is not None:
            self._audio.paused = held
        self._session.hub.emit(ContentSharePaused() if held else ContentShareUnpaused())

    async def _abandon(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _share(
        self,
        pictures: VideoSource | None,
        sound: _Pausable | None,
        max_bitrate_kbps: int,
        seen: asyncio.Future[None],
    ) -> None:
        """Run the second session for as long as something is shared."""
        started, tile_id = False, None
        try:
            async with ContentSession(content_configuration(self._session.configuration)) as content:
                self._content = content
                await self._present(content, pictures, sound, max_bitrate_kbps)
                await self._until_seen(content)
                started = True
                tile_id = self._session.video.add_own_content(pictures)
                self._session.hub.emit(ContentShareStarted())
                if not seen.done():
                    seen.set_result(None)
                await self._until_over(content)
        except Exception as error:
            self._problem = error
        finally:
            self._content = None
            for source in (pictures, sound):
                if source is not None:
                    # Harmless when the session did it already.
                    await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, source.close))
            if started:
                if tile_id is not None:
                    self._session.video.remove(tile_id)
                self._session.hub.emit(ContentShareStopped(self._problem))
            if not seen.done():
                seen.set_exception(self._problem or SessionClosedError("the share ended before it was seen"))

    async def _present(
        self, content: ContentSession, pictures: VideoSource | None, sound: _Pausable | None, max_bitrate_kbps: int
    ) -> None:
        if pictures is None:

            @content.on(AudioInputEnded)
            def sound_ended(event: AudioInputEnded) -> None:
                self._problem = event.problem
                self._finish.set()

        else:

            @content.on(LocalVideoEnded)
            def ended(event: LocalVideoEnded) -> None:
                self._problem = event.problem
                self._finish.set()

            async with content.events(LocalVideoStarted) as started:
                content.video.start_local_tile(pictures, max_bitrate_kbps=max_bitrate_kbps)
                # Sound begins with the pictures, and not before.
                await anext(aiter(started))
        if sound is not None:
            content.audio.start_input(sound)

    async def _until_seen(self, content: ContentSession) -> None:
        """The share counts when the attendee itself is told that it is there."""
        own = content.attendee_id
        async with self._session.events(AttendeeJoined, MeetingSessionStopped) as events:
            if own in self._session.roster:
                return
            async for event in events:
                if isinstance(event, MeetingSessionStopped):
                    raise SessionClosedError("the session is over")
                if event.attendee.attendee_id == own:
                    return

    async def _until_over(self, content: ContentSession) -> None:
        waits = {
            asyncio.create_task(self._finish.wait()),
            asyncio.create_task(_stopped(content)),
            asyncio.create_task(_stopped(self._session)),
        }
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)
        for wait in done:
            error = wait.result()
            if isinstance(error, Exception) and self._problem is None:
                self._problem = error


class _Pausable:
    """A source of sound that stands still while it is paused."""

    def __init__(self, source: AudioSource) -> None:
        self.channels = source.channels
        self.paused = False
        self._source = source

    def read(self) -> Samples | bytes | None:
        return None if self.paused else self._source.read()

    def close(self) -> None:
        self._source.close()


def content_configuration(configuration: MeetingSessionConfiguration) -> MeetingSessionConfiguration:
    """The configuration of the attendee that an attendee shares as."""
    credentials = configuration.credentials
    attendee = {
        "AttendeeId": credentials.attendee_id + CONTENT_SUFFIX,
        "ExternalUserId": credentials.external_user_id,
        "JoinToken": credentials.join_token + CONTENT_SUFFIX,
    }
    return replace(configuration, attendee=attendee)


def _opened(
    source: Path | str | Clip | VideoSource | None, audio: AudioSource | None
) -> tuple[VideoSource | None, AudioSource | None]:
    if isinstance(source, Path | str):
        source = Clip(source)
    if isinstance(source, Clip):
        if audio is not None and source.audio is not None:
            source.audio.close()
        return source.video, audio or source.audio
    if source is None and audio is None:
        raise ConfigurationError("source", "there is neither a picture nor a sound to share")
    return source, audio


async def _stopped(session: MeetingSession) -> Exception | None:
    return (await session.wait_stopped()).error
