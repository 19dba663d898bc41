"""`ChimeSession` with media: one object for a meeting, with one observer of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chime_media.observers import ACTIVE_SPEAKER, AUDIO_VIDEO, REALTIME, TILE
from chime_media.sessions.audio import MeetingAudio
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.sessions.video import MeetingVideo
from chime_messaging.observers.meeting_observer import DATA_MESSAGE
from chime_messaging.observers.observer import Vocabulary
from chime_messaging.sessions import chime_session


class ChimeSession(chime_session.ChimeSession):
    """A meeting with sound and pictures as one object; see `chime_messaging.ChimeSession` for what it does without.

    Speakers are detected while there is an observer of them. Asyncio only.
    """

    _heard: ClassVar[Mapping[str, Vocabulary]] = {
        "active_speaker": ACTIVE_SPEAKER,
        "audio_video": AUDIO_VIDEO,
        "data_message": DATA_MESSAGE,
        "realtime": REALTIME,
        "tile": TILE,
    }

    @property
    def session(self) -> MeetingSession:
        """What is underneath, with all it can do.

        Raises:
            SessionNotEstablishedError: unless started.
        """
        session = super().session
        assert isinstance(session, MeetingSession)
        return session

    @property
    def audio(self) -> MeetingAudio | None:
        """What is said and heard; None unless started."""
        return self._session.audio if isinstance(self._session, MeetingSession) else None

    @property
    def video(self) -> MeetingVideo | None:
        """What is shown and seen; None unless started."""
        return self._session.video if isinstance(self._session, MeetingSession) else None

    def add_active_speaker_observer(self, observer: object) -> None:
        """Set the observer of active speakers; from within the event loop if the session is started."""
        super().add_active_speaker_observer(observer)
        if isinstance(self._session, MeetingSession):
            self._session.realtime.detect_speakers()

    def _make_session(self) -> MeetingSession:
        session = MeetingSession(self.configuration, connector=self._connector)
        if self.observers.active_speaker is not None:
            session.realtime.detect_speakers()
        return session
