"""A meeting with sound and pictures, as its user holds it.

    async with MeetingSession(MeetingSessionConfiguration(meeting, attendee)) as session:
        await session.audio.play("hello.wav")
        async for frame in session.audio.frames():
            ...

All that a `DataMessageSession` does, it does, too: roster, topics, events. Entering returns when media flows, or raises
why it will not. Signalling and media run on a thread of their own, one for all sessions of the process: whatever the
application does on its event loop, it is heard without a gap and the service gets its answers in time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from chime_media.events import VideoSendUnavailable
from chime_media.observers import MEDIA_SESSION
from chime_media.protocol.media_life import MediaLife
from chime_media.rtc.audio_sender import AudioFormat
from chime_media.sessions.audio import MeetingAudio
from chime_media.sessions.meeting_engine import MeetingEngine
from chime_media.sessions.metrics import MeetingMetrics
from chime_media.sessions.realtime import MeetingRealtime
from chime_media.sessions.threaded_signaling import ThreadedSignaling
from chime_media.sessions.video import MeetingVideo
from chime_messaging.events import Event
from chime_messaging.meeting_events import RosterAttendee
from chime_messaging.observers.observer import Vocabulary
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.transport.base import Connector


class MeetingSession(DataMessageSession):
    """Joins a meeting with media. Use as ``async with``, once, with asyncio. Official name: DefaultMeetingSession.

    Args:
        configuration: Which meeting, who and how.
        audio_format: How sound is encoded, and asked for. Official name: setAudioProfile.
        connector: What opens websockets; made from the configuration by default.
        rng: Gives numbers in [0, 1) for the waits between tries and for ids.
        clock: Gives seconds since the epoch.
    """

    _vocabulary: ClassVar[Vocabulary] = MEDIA_SESSION
    _signaling: ThreadedSignaling
    _receives_video: ClassVar[bool] = True

    def __init__(
        self,
        configuration: MeetingSessionConfiguration,
        *,
        audio_format: AudioFormat | None = None,
        connector: Connector | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._audio_format = audio_format or AudioFormat()
        super().__init__(configuration, connector=connector, rng=rng, clock=clock)
        self.audio = MeetingAudio(self._signaling, self.hub.emit)
        """What is said and heard."""
        credentials = configuration.credentials
        self.video = MeetingVideo(
            self._signaling,
            credentials.attendee_id,
            credentials.external_user_id,
            self.hub.emit,
            receives=self._receives_video,
        )
        """What is shown and seen."""
        self.realtime = MeetingRealtime(credentials.attendee_id, lambda: self.roster, self._tell)
        """Who is heard how, and who is speaking."""
        self.metrics = MeetingMetrics(self._signaling.engine, credentials.attendee_id)
        """What the connection is like, told as `MetricsReceived` once a second."""
        self._media_life = MediaLife()

    @property
    def engine(self) -> MeetingEngine:
        """What runs on the media thread; for those who know what they do there."""
        return self._signaling.engine

    @property
    def roster(self) -> Mapping[str, RosterAttendee]:
        """Who is in the meeting, by attendee id; while the session is not connected, who was."""
        return self.engine.attendees

    def _make_signaling(
        self, connector: Connector | None, rng: Callable[[], float], clock: Callable[[], float]
    ) -> ThreadedSignaling:
        return ThreadedSignaling(
            self.configuration,
            self._received,
            self._work,
            self.hub,
            audio_format=self._audio_format,
            connector=connector,
            rng=rng,
            clock=clock,
        )

    def _received(self, events: list[Event]) -> list[Event]:
        told: list[Event] = []
        for event in super()._received(events):
            for followed in self._media_life.noticed(event):
                if self.video.is_sending or not isinstance(followed, VideoSendUnavailable):
                    told.append(followed)
                    told += self.video.noticed(followed)
            told.append(event)
            told += self.video.noticed(event)
            told += self.realtime.noticed(event)
        return told

    def _tell(self, event: Event) -> None:
        """Tell what no frame brought."""
        self.hub.emit_all([event, *self.video.noticed(event)])

    async def _work(self) -> None:
        try:
            await super()._work()
        finally:
            self.audio.close()
            self.video.close()
            self.realtime.close()
