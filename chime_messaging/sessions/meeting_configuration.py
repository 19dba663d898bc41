"""What a session in a meeting is told before it starts: meeting and attendee as the API gave them, and settings."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, get_args

import msgspec

from chime_messaging.errors import ConfigurationError
from chime_messaging.protocol.data_messages import PACE, Rate
from chime_messaging.sessions.seconds import require_seconds

WhileReconnecting = Literal["wait", "queue", "raise"]
"""What sending does while the session is not joined: wait until it is again, up to a deadline; put the message into a
bounded queue and return; or raise `SessionNotEstablishedError`."""

_TOKEN = re.compile(r"[!-+\--~]+")


@dataclass(frozen=True)
class MeetingSessionCredentials:
    """Who joins. Mirrors MeetingSessionCredentials of the official client."""

    attendee_id: str
    external_user_id: str
    join_token: str = field(repr=False)


@dataclass(frozen=True)
class MeetingSessionURLs:
    """Where the meeting is. Mirrors MeetingSessionURLs of the official client."""

    signaling_url: str
    audio_host_url: str = ""
    turn_control_url: str = ""
    event_ingestion_url: str = ""


@dataclass(frozen=True)
class MeetingSessionConfiguration:
    """Settings of a session in a meeting. Mirrors MeetingSessionConfiguration of the official client.

    `meeting` and `attendee` are the answers of CreateMeeting and CreateAttendee, as boto3 gives them, or what stands in
    them under ``Meeting`` and ``Attendee``, or either as JSON; the case of keys does not matter. Durations are seconds.

    Raises:
        ConfigurationError: naming the field that cannot work.
    """

    meeting: Mapping[str, Any] | str | bytes = field(repr=False)
    attendee: Mapping[str, Any] | str | bytes = field(repr=False)

    _: KW_ONLY
    reconnect_timeout: float | None = None
    """How long to try before the session ends, counted from the first try since it was last joined; None for ever, 0
    for not at all. (Official client: 120 s.)"""
    reconnect_fixed_wait: float = 0.0
    """Added to every wait between tries."""
    reconnect_short_backoff: float = 1.0
    """Bound of the first random wait; doubles from try to try."""
    reconnect_long_backoff: float = 5.0
    """Bound that no random wait exceeds."""
    connect_timeout: float = 15.0
    """For the websocket with its TLS."""
    join_timeout: float = 15.0
    """From the open websocket to the first INDEX."""
    while_reconnecting: WhileReconnecting = "wait"
    send_timeout: float = 60.0
    """How long sending may wait for a connection and for its turn."""
    pace: Rate | None = PACE
    """How fast messages are sent at most, so that the service throttles none; None for a server without limits."""
    queue_size: int = 256
    """Messages that wait for the connection with ``while_reconnecting="queue"``."""
    resend_throttled: bool = False
    """Whether messages that come back throttled are sent again, some times and with growing pauses."""
    url_rewriter: Callable[[str], str] | None = field(default=None, repr=False)
    """Applied to every URL of the meeting, for example to go through a proxy."""
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    """How to verify the websocket's server; None for the system's certificates."""

    meeting_id: str = field(init=False)
    external_meeting_id: str = field(init=False)
    credentials: MeetingSessionCredentials = field(init=False)
    urls: MeetingSessionURLs = field(init=False)

    def __post_init__(self) -> None:
        meeting = _unwrapped("meeting", self.meeting)
        attendee = _unwrapped("attendee", self.attendee)
        placement = meeting.get("mediaplacement")
        if not isinstance(placement, Mapping):
            raise ConfigurationError("meeting", "has no MediaPlacement")
        self._set("meeting_id", _text("meeting", meeting, "MeetingId"))
        self._set("external_meeting_id", _text("meeting", meeting, "ExternalMeetingId", required=False))
        self._set("urls", self._urls(placement))
        credentials = MeetingSessionCredentials(
            _text("attendee", attendee, "AttendeeId"),
            _text("attendee", attendee, "ExternalUserId", required=False),
            _text("attendee", attendee, "JoinToken"),
        )
        if _TOKEN.fullmatch(credentials.join_token) is None:
            raise ConfigurationError("attendee", "has a JoinToken with characters that no header can carry")
        self._set("credentials", credentials)
        self._check_settings()

    def _urls(self, placement: Mapping[str, Any]) -> MeetingSessionURLs:
        def url(name: str, *, required: bool = False) -> str:
            text = _text("meeting", placement, name, required=required)
            return self.url_rewriter(text) if self.url_rewriter is not None and text else text

        urls = MeetingSessionURLs(
            url("SignalingUrl", required=True), url("AudioHostUrl"), url("TurnControlUrl"), url("EventIngestionUrl")
        )
        if not urls.signaling_url.startswith(("ws://", "wss://")):
            raise ConfigurationError("meeting", f"has a SignalingUrl that is no websocket: {urls.signaling_url[:80]!r}")
        return urls

    def _check_settings(self) -> None:
        for name in ("reconnect_fixed_wait", "reconnect_short_backoff", "reconnect_long_backoff"):
            require_seconds(name, getattr(self, name), zero=True)
        for name in ("connect_timeout", "join_timeout", "send_timeout"):
            require_seconds(name, getattr(self, name), zero=False)
        if self.reconnect_timeout is not None:
            require_seconds("reconnect_timeout", self.reconnect_timeout, zero=True)
        if self.reconnect_long_backoff < self.reconnect_short_backoff:
            raise ConfigurationError("reconnect_long_backoff", "is shorter than reconnect_short_backoff")
        if self.while_reconnecting not in get_args(WhileReconnecting):
            choices = ", ".join(get_args(WhileReconnecting))
            raise ConfigurationError("while_reconnecting", f"must be one of {choices}, is {self.while_reconnecting!r}")
        if self.queue_size < 1:
            raise ConfigurationError("queue_size", f"must be at least 1, is {self.queue_size}")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def _unwrapped(name: str, answer: Mapping[str, Any] | str | bytes) -> Mapping[str, Any]:
    """Return the inner object of an answer, with its keys in lower case."""
    if isinstance(answer, str | bytes):
        try:
            answer = msgspec.json.decode(answer)
        except (msgspec.DecodeError, UnicodeError) as exc:
            # Without the cause's text: it may quote what stands around a token.
            raise ConfigurationError(name, "is text but not JSON") from exc
    value = _lower(answer)
    if isinstance(value, Mapping) and isinstance(value.get(name), Mapping):
        value = value[name]
    if not isinstance(value, Mapping):
        raise ConfigurationError(name, f"must be an object, is {type(value).__name__}")
    return value


def _lower(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key).lower(): _lower(inner) for key, inner in value.items()}
    return value


def _text(name: str, record: Mapping[str, Any], key: str, *, required: bool = True) -> str:
    value = record.get(key.lower())
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        problem = "is missing" if value is None else "is empty" if value == "" else "is no text"
        raise ConfigurationError(name, f"{key} {problem}")
    return value
