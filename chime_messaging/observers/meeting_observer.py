"""Observer objects of a session in a meeting: which methods there are."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from chime_messaging import meeting_events as events
from chime_messaging.events import Event, HandlerFailed
from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.observer import Call, Official, Vocabulary, leaves
from chime_messaging.observers.subscription import Subscription


class MeetingSessionObserver:
    """Receives what happens in the signalling of a meeting; override what you need, as ``def`` or ``async def``.

    The methods of the official clients' AudioVideoObserver, RealtimeObserver and DataMessageObserver that concern
    signalling come first, in snake_case; and for each event there is also ``on_`` with the event's name. Both are
    called, the official one first.
    """

    def audio_video_did_start_connecting(self, reconnecting: bool) -> object:
        """A socket is being opened; `reconnecting` is true when it replaces one that was lost."""

    def audio_video_did_start(self) -> object:
        """The attendee has joined, for the first time or again."""

    def audio_video_did_stop(self, event: events.MeetingSessionStopped) -> object:
        """The session is over: `event.status`, `event.reason`, and `event.error` if it failed."""

    def audio_video_was_demoted_from_primary_meeting(self, status: events.MeetingSessionStatusCode) -> object:
        """This attendee is no longer in the primary meeting."""

    def data_message_did_received(self, message: events.DataMessage) -> object:
        """A data message came; or, if `message.throttled`, one of this attendee came back."""

    def attendees_did_join(self, attendees: list[events.RosterAttendee]) -> object:
        """Attendees are in the meeting."""

    def attendees_did_leave(self, attendees: list[events.RosterAttendee]) -> object:
        """Attendees left the meeting."""

    def attendees_did_drop(self, attendees: list[events.RosterAttendee]) -> object:
        """Attendees lost their connection."""

    def attendees_did_mute(self, attendees: list[events.RosterAttendee]) -> object:
        """Attendees muted themselves, or are known to be muted."""

    def attendees_did_unmute(self, attendees: list[events.RosterAttendee]) -> object:
        """Attendees unmuted themselves, or are known not to be muted."""

    def on_meeting_session_connecting(self, event: events.MeetingSessionConnecting) -> object:
        """A socket is being opened."""

    def on_meeting_session_started(self, event: events.MeetingSessionStarted) -> object:
        """The attendee has joined."""

    def on_meeting_reconnect_scheduled(self, event: events.MeetingReconnectScheduled) -> object:
        """The connection was lost and will be tried again."""

    def on_meeting_session_stopped(self, event: events.MeetingSessionStopped) -> object:
        """The one terminal event."""

    def on_meeting_status_received(self, event: events.MeetingStatusReceived) -> object:
        """The service told a status that changes nothing for the session."""

    def on_audio_status_received(self, event: events.AudioStatusReceived) -> object:
        """AUDIO_STATUS came."""

    def on_notification_received(self, event: events.NotificationReceived) -> object:
        """The service has something for the log."""

    def on_pong_received(self, event: events.PongReceived) -> object:
        """The service answered a ping."""

    def on_pong_missed(self, event: events.PongMissed) -> object:
        """The service owes answers to pings."""

    def on_join_ack_received(self, event: events.JoinAckReceived) -> object:
        """JOIN_ACK came."""

    def on_index_received(self, event: events.IndexReceived) -> object:
        """INDEX came."""

    def on_attendee_joined(self, event: events.AttendeeJoined) -> object:
        """An attendee is in the meeting."""

    def on_attendee_left(self, event: events.AttendeeLeft) -> object:
        """An attendee is no longer in the meeting."""

    def on_attendee_muted(self, event: events.AttendeeMuted) -> object:
        """An attendee muted or unmuted itself."""

    def on_data_message_received(self, event: events.DataMessageReceived) -> object:
        """A data message came."""

    def on_data_message_throttled(self, event: events.DataMessageThrottled) -> object:
        """A data message of this attendee came back."""

    def on_data_messages_lost(self, event: events.DataMessagesLost) -> object:
        """Messages of a reliable topic can no longer be had."""

    def on_transcript_received(self, event: events.TranscriptReceived) -> object:
        """Live transcription understood something."""

    def on_transcription_status_received(self, event: events.TranscriptionStatusReceived) -> object:
        """Live transcription began, ended or failed."""

    def on_primary_meeting_joined(self, event: events.PrimaryMeetingJoined) -> object:
        """The service answered a promotion."""

    def on_primary_meeting_left(self, event: events.PrimaryMeetingLeft) -> object:
        """This attendee is no longer in the primary meeting."""

    def on_signal_frame_received(self, event: events.SignalFrameReceived) -> object:
        """A frame that concerns media came."""

    def on_unknown_signal_frame(self, event: events.UnknownSignalFrame) -> object:
        """A frame of a type that this version does not know."""

    def on_undecodable_signal_frame(self, event: events.UndecodableSignalFrame) -> object:
        """A frame that could not be read."""

    def on_handler_failed(self, event: HandlerFailed) -> object:
        """Another handler or observer raised."""


def _with(value: Callable[[Event], object]) -> Callable[[Callable[..., object]], Call]:
    return lambda method: lambda event: method(value(event))


def _if(condition: Callable[[Any], object]) -> Callable[..., Call]:
    return lambda method: lambda event: method([event.attendee]) if condition(event) else None


def _attribute(name: str) -> Callable[[Callable[..., object]], Call]:
    return _with(lambda event: getattr(event, name))


_AUDIO_VIDEO = {
    "audio_video_did_start_connecting": Official(events.MeetingSessionConnecting, _attribute("reconnecting")),
    "audio_video_did_start": Official(events.MeetingSessionStarted, lambda method: lambda event: method()),
    "audio_video_did_stop": Official(events.MeetingSessionStopped, lambda method: method),
    "audio_video_was_demoted_from_primary_meeting": Official(events.PrimaryMeetingLeft, _attribute("status")),
}
_DATA_MESSAGE = {
    "data_message_did_received": Official(
        (events.DataMessageReceived, events.DataMessageThrottled), _attribute("message")
    ),
}
_REALTIME = {
    "attendees_did_join": Official(events.AttendeeJoined, _if(lambda event: True)),
    "attendees_did_leave": Official(events.AttendeeLeft, _if(lambda event: not event.dropped)),
    "attendees_did_drop": Official(events.AttendeeLeft, _if(lambda event: event.dropped)),
    "attendees_did_mute": Official(events.AttendeeMuted, _if(lambda event: event.attendee.muted)),
    "attendees_did_unmute": Official(events.AttendeeMuted, _if(lambda event: not event.attendee.muted)),
}
# The second of each pair catches the official names as they stand in other languages, which would never be called.
_AUDIO_VIDEO_PREFIXES = ("audio_video_", "audioVideo")
_DATA_MESSAGE_PREFIXES = ("data_message_did_", "dataMessageDid")
_REALTIME_PREFIXES = ("attendees_did_", "attendeesDid")

MEETING_SESSION = Vocabulary(
    MeetingSessionObserver,
    (*leaves(events), HandlerFailed),
    {**_AUDIO_VIDEO, **_DATA_MESSAGE, **_REALTIME},
    ("on_", *_AUDIO_VIDEO_PREFIXES, *_DATA_MESSAGE_PREFIXES, *_REALTIME_PREFIXES),
)
"""Names that observers of a session in a meeting may have."""

AUDIO_VIDEO = Vocabulary(MeetingSessionObserver, (), _AUDIO_VIDEO, _AUDIO_VIDEO_PREFIXES)
"""Names of an AudioVideoObserver."""
DATA_MESSAGE = Vocabulary(MeetingSessionObserver, (), _DATA_MESSAGE, _DATA_MESSAGE_PREFIXES)
"""Names of a DataMessageObserver."""
REALTIME = Vocabulary(MeetingSessionObserver, (), _REALTIME, _REALTIME_PREFIXES)
"""Names of a RealtimeObserver."""


def observe(hub: EventHub, observer: object, vocabulary: Vocabulary) -> Subscription:
    """Subscribe an object with the names of one vocabulary only; ``close()`` of what is returned ends it.

    Raises:
        ConfigurationError: if it has none of them.
    """
    routes = vocabulary.bind(observer)

    async def handle(event: Event) -> None:
        for call in routes(type(event)):
            result = call(event)
            if inspect.isawaitable(result):
                await result

    handle.__qualname__ = type(observer).__qualname__
    return hub.subscribe(handle)
