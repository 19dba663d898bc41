"""`ChimeSession`: one object for a meeting, with one observer of each kind. A thin face over `DataMessageSession`.

session = ChimeSession.create(meeting, attendee)
session.add_data_message_observer(Printer())
async with session:
    await session.send_message({"text": "hello"})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, ClassVar, Self

from chime_messaging.errors import SessionNotEstablishedError, UsageError
from chime_messaging.meeting_events import MeetingSessionStopped
from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.meeting_observer import AUDIO_VIDEO, DATA_MESSAGE, REALTIME, observe
from chime_messaging.observers.observer import Vocabulary
from chime_messaging.observers.subscription import Subscription
from chime_messaging.protocol.data_messages import require_topic
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration, MeetingSessionCredentials
from chime_messaging.transport.base import Connector

DATA_MESSAGE_TOPIC = "chime-session"
"""Topic of `ChimeSession.send_message` unless told otherwise."""


@dataclass
class ChimeSessionObservers:
    """The observers of a `ChimeSession`, at most one of each kind."""

    active_speaker: object | None = None
    audio_video: object | None = None
    data_message: object | None = None
    device: object | None = None
    realtime: object | None = None
    tile: object | None = None


class ChimeSession:
    """A meeting as one object. Use as ``async with``, or call `start` and `stop` from the same task.

    Media is not part of it: `audio` and `video` are None, and observers of active speakers, devices and tiles are kept
    but there is nothing to tell them. `chime_media.ChimeSession` has both.

    Args:
        meeting: Answer of CreateMeeting.
        attendee: Answer of CreateAttendee.
        data_message_topic: Topic that `send_message` sends on.
        connector: What opens websockets; made from the configuration by default.
        settings: Settings of `MeetingSessionConfiguration`.
    """

    _heard: ClassVar[Mapping[str, Vocabulary]] = {
        "audio_video": AUDIO_VIDEO,
        "data_message": DATA_MESSAGE,
        "realtime": REALTIME,
    }

    def __init__(
        self,
        meeting: Mapping[str, Any] | str | bytes,
        attendee: Mapping[str, Any] | str | bytes,
        *,
        data_message_topic: str = DATA_MESSAGE_TOPIC,
        connector: Connector | None = None,
        **settings: Any,
    ) -> None:
        require_topic(data_message_topic)
        self.configuration = MeetingSessionConfiguration(meeting, attendee, **settings)
        self.data_message_topic = data_message_topic
        self.observers = ChimeSessionObservers()
        """One of each kind; `add_..._observer` replaces it."""
        self._connector = connector
        self._session: DataMessageSession | None = None
        self._subscriptions: dict[str, Subscription] = {}

    @classmethod
    def create(
        cls, meeting: Mapping[str, Any] | str | bytes, attendee: Mapping[str, Any] | str | bytes, **settings: Any
    ) -> Self:
        """Make a session; the arguments are those of the class."""
        return cls(meeting, attendee, **settings)

    # What it is

    @property
    def credentials(self) -> MeetingSessionCredentials:
        """Who joins."""
        return self.configuration.credentials

    @property
    def meeting_id(self) -> str:
        """Which meeting."""
        return self.configuration.meeting_id

    @property
    def attendee_id(self) -> str:
        """Whose session it is."""
        return self.configuration.credentials.attendee_id

    @property
    def audio(self) -> object | None:
        """None: this session carries no media."""
        return None

    @property
    def video(self) -> object | None:
        """None: this session carries no media."""
        return None

    @property
    def session(self) -> DataMessageSession:
        """What is underneath, with all it can do: topics, roster, events.

        Raises:
            SessionNotEstablishedError: unless started.
        """
        if self._session is None:
            raise SessionNotEstablishedError("the session was not started")
        return self._session

    # Its life

    async def start(self) -> None:
        """Join the meeting. It may be started again after `stop`.

        Raises:
            MeetingSessionError: and what else `DataMessageSession` raises when it is entered.
            UsageError: if it is started already.
        """
        if self._session is not None:
            raise UsageError("the session is started")
        self._session = session = self._make_session()
        try:
            for kind in self._heard:
                self._attach(kind, session.hub)
            await session.__aenter__()
        except BaseException:
            self._forget()
            raise

    async def stop(self) -> MeetingSessionStopped | None:
        """Leave the meeting; return how the session ended. Harmless when it is not started."""
        session = self._session
        if session is None:
            return None
        await self.__aexit__(None, None, None)
        return session.stopped

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        session = self._session
        if session is None:
            return None
        try:
            return await session.__aexit__(kind, error, traceback)
        finally:
            self._forget()

    async def send_message(self, message: object) -> None:
        """Send an object, as JSON, on the session's topic; see `DataMessageSession.send`.

        Raises:
            SessionNotEstablishedError: unless started.
        """
        await self.session.send(self.data_message_topic, message)

    # Observers

    def add_active_speaker_observer(self, observer: object) -> None:
        """Set the observer of active speakers."""
        self._set("active_speaker", observer)

    def add_audio_video_observer(self, observer: object) -> None:
        """Set the observer of the session: ``audio_video_did_start`` and the like."""
        self._set("audio_video", observer)

    def add_data_message_observer(self, observer: object) -> None:
        """Set the observer of data messages, on whatever topic: ``data_message_did_received``."""
        self._set("data_message", observer)

    def add_device_observer(self, observer: object) -> None:
        """Set the observer of devices."""
        self._set("device", observer)

    def add_realtime_observer(self, observer: object) -> None:
        """Set the observer of attendees: ``attendees_did_join`` and the like."""
        self._set("realtime", observer)

    def add_tile_observer(self, observer: object) -> None:
        """Set the observer of video tiles."""
        self._set("tile", observer)

    def remove_active_speaker_observer(self) -> None:
        """Remove it; harmless when there is none. The same goes for the following."""
        self._set("active_speaker", None)

    def remove_audio_video_observer(self) -> None:
        """Remove the observer of the session."""
        self._set("audio_video", None)

    def remove_data_message_observer(self) -> None:
        """Remove the observer of data messages."""
        self._set("data_message", None)

    def remove_device_observer(self) -> None:
        """Remove the observer of devices."""
        self._set("device", None)

    def remove_realtime_observer(self) -> None:
        """Remove the observer of attendees."""
        self._set("realtime", None)

    def remove_tile_observer(self) -> None:
        """Remove the observer of video tiles."""
        self._set("tile", None)

    def remove_observers(self) -> None:
        """Remove every observer."""
        for field in fields(self.observers):
            self._set(field.name, None)

    def _make_session(self) -> DataMessageSession:
        return DataMessageSession(self.configuration, connector=self._connector)

    def _set(self, kind: str, observer: object | None) -> None:
        if observer is not None and kind in self._heard:
            # Now rather than at the start: it raises for names that are none.
            self._heard[kind].bind(observer)
        former = self._subscriptions.pop(kind, None)
        if former is not None:
            former.close()
        setattr(self.observers, kind, observer)
        if self._session is not None and kind in self._heard:
            self._attach(kind, self._session.hub)

    def _attach(self, kind: str, hub: EventHub) -> None:
        observer = getattr(self.observers, kind)
        if observer is not None:
            self._subscriptions[kind] = observe(hub, observer, self._heard[kind])

    def _forget(self) -> None:
        self._session = None
        self._subscriptions.clear()
