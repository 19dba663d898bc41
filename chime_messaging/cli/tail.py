"""``chime tail``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import msgspec
from rich.console import Console
from rich.text import Text

from chime_messaging.cli.directory import directory
from chime_messaging.cli.interrupts import until_interrupted
from chime_messaging.events import (
    ChannelDetailsReceived,
    ChannelEvent,
    Event,
    GapDetected,
    MembershipCreated,
    MembershipDeleted,
    MembershipsCreated,
    MessageCreated,
    MessageDeleted,
    MessageEvent,
    MessageRedacted,
    MessageUpdated,
    ReconnectScheduled,
    Recovered,
    SessionEstablished,
    SessionEstablishedReceived,
    SessionStopped,
    UndecodableFrame,
)
from chime_messaging.sessions.configuration import MessagingSessionConfiguration, PrefetchOn
from chime_messaging.sessions.messaging_session import MessagingSession
from chime_messaging.wire.payloads import Channel, ChannelMessage, Identity, MessageSummary

BUFFER = 10_000
"""Events that wait for a slow terminal before the tail ends with an error."""

Printer = Callable[[Event], None]


def run(
    user: str,
    *,
    channels: list[str],
    json: bool,
    count: int | None,
    history: bool,
    url: str | None,
    app_instance: str | None,
) -> None:
    """Print what a user receives until Ctrl-C, SIGTERM, or `count` messages.

    Raises:
        SessionError: if the session is refused, or ended by the service.
        ConfigurationError: if a name means nothing.
    """
    anyio.run(_tail, user, channels, json, count, history, url, app_instance)


async def _tail(
    user: str,
    channels: list[str],
    json: bool,
    count: int | None,
    history: bool,
    url: str | None,
    app_instance: str | None,
) -> None:
    async with until_interrupted(), directory(url, app_instance) as names:
        user_arn = await names.user(user)
        wanted = {(await names.channel(name, user_arn)).arn for name in channels}
        known = {item.channel.channel_arn: item.channel.name or "" async for item in names.channels(user_arn).mine()}
        show = print_json if json else Pretty(user_arn, known)
        configuration = MessagingSessionConfiguration(
            user_arn, chime_client=names.messaging.client, prefetch=PrefetchOn.CONNECT if history else None
        )
        session = MessagingSession(configuration)
        # Subscribed before it connects, so that the tries before the first success are seen, too.
        async with session.events(policy="close", size=BUFFER) as events, session:
            async for event in events:
                if _concerns(event, wanted):
                    show(event)
                if isinstance(event, SessionStopped) and event.error is not None:
                    raise event.error
                if count is not None and isinstance(event, MessageCreated) and _concerns(event, wanted):
                    count -= 1
                    if count == 0:
                        return


def _concerns(event: Event, wanted: set[str]) -> bool:
    if not wanted or not isinstance(event, ChannelEvent):
        return True
    return not (arn := channel_of(event)) or arn in wanted


def channel_of(event: ChannelEvent) -> str:
    """ARN of the channel that an event is about; empty if it is about none."""
    for name in ("message", "membership", "memberships", "channel", "details"):
        about: Any = getattr(event, name, None)
        if about is not None:
            about = about.channel if name == "details" else about
            return str(about.channel_arn)
    return ""


def print_json(event: Event) -> None:
    """One line per event: ``type`` is the name on the wire, or of the class for what the session itself tells."""
    if isinstance(event, ChannelEvent):
        payload = msgspec.Raw(event.envelope.payload.encode()) if event.envelope.payload else None
        record: dict[str, Any] = {"type": event.type, "payload": payload}
        if isinstance(event, MessageEvent) and event.recovered:
            record["recovered"] = True
    else:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        record = {"type": type(event).__name__} | {
            name: str(value) if isinstance(value, Exception) else value for name, value in fields.items()
        }
    print(msgspec.json.encode(record, enc_hook=str).decode(), flush=True)


class Pretty:
    """Events for people: messages on stdout, the life of the connection on stderr."""

    def __init__(self, user_arn: str, channel_names: dict[str, str]) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._me = user_arn
        self._names = channel_names
        self._prefetched = False

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if isinstance(event, ChannelEvent):
            for line in self._channel_event(event):
                self._out.print(line)
                self._out.file.flush()
        elif (note := self._session_event(event)) is not None:
            self._err.print(Text(f"-- {note}", style="dim" if isinstance(event, SessionEstablished) else "yellow"))

    def _session_event(self, event: Event) -> str | None:
        if isinstance(event, SessionEstablished):
            self._prefetched = event.reconnected
            return "connected again" if event.reconnected else f"connected as {_id(self._me)}; Ctrl-C ends"
        if isinstance(event, ReconnectScheduled):
            return f"not connected ({event.code}: {event.reason}); next try in {event.delay:.1f} s"
        if isinstance(event, Recovered):
            return f"nothing was lost: {event.messages} messages fetched from {event.channels} channels"
        if isinstance(event, GapDetected):
            name = self._names.get(event.channel_arn, event.channel_arn)
            return f"messages of {name} between {event.since} and {event.until} are missing: {event.reason}"
        if isinstance(event, UndecodableFrame):
            return f"a frame that cannot be read: {event.error}"
        return None

    def _channel_event(self, event: ChannelEvent) -> list[Text]:
        if isinstance(event, MessageEvent):
            return [self._message(event)]
        if isinstance(event, ChannelDetailsReceived):
            self._learn(event.details.channel)
            if self._prefetched:  # again after a reconnect; what was missed comes one by one
                return []
            arn = event.details.channel.channel_arn
            return [self._line(arn, item) for item in reversed(event.details.channel_messages)]
        if isinstance(event, SessionEstablishedReceived):
            return []
        return [self._note(channel_of(event), _happening(event))]

    def _message(self, event: MessageEvent) -> Text:
        message = event.message
        if isinstance(event, MessageCreated):
            return self._line(message.channel_arn, message, note="recovered" if event.recovered else "")
        if isinstance(event, MessageUpdated):
            return self._line(message.channel_arn, message, note="edited")
        who = _name(message.sender)
        if isinstance(event, MessageRedacted | MessageDeleted):
            done = "redacted" if isinstance(event, MessageRedacted) else "deleted"
            return self._note(message.channel_arn, f"a message of {who} was {done}")
        return self._note(message.channel_arn, f"{event.type.lower().replace('_', ' ')}: {message.content or ''}")

    def _line(self, channel_arn: str, message: ChannelMessage | MessageSummary, note: str = "") -> Text:
        line = self._head(channel_arn, message)
        own = message.sender is not None and message.sender.arn == self._me
        line.append(_name(message.sender), style="bold green" if own else "bold cyan")
        if message.type == "CONTROL":
            line.append(" (control)", style="dim")
        line.append("  ")
        line.append("(redacted)" if message.redacted else _printable(message.content or ""))
        if note:
            line.append(f"  ({note})", style="dim")
        return line

    def _note(self, channel_arn: str, text: str) -> Text:
        return self._head(channel_arn, None).append(_printable(text), style="dim")

    def _head(self, channel_arn: str, message: ChannelMessage | MessageSummary | None) -> Text:
        moment = None if message is None else message.created_timestamp
        clock = "        " if moment is None else moment.astimezone().strftime("%H:%M:%S")
        name = self._names.get(channel_arn) or _id(channel_arn)
        return Text.assemble((f"{clock} ", "dim"), (f"#{name} ", "magenta"))

    def _learn(self, channel: Channel) -> None:
        if channel.name:
            self._names[channel.channel_arn] = channel.name


def _happening(event: ChannelEvent) -> str:
    if isinstance(event, MembershipCreated):
        return f"{_name(event.membership.member)} is a member now"
    if isinstance(event, MembershipsCreated):
        return f"{', '.join(map(_name, event.memberships.members))} are members now"
    if isinstance(event, MembershipDeleted):
        return f"{_name(event.membership.member)} is no member any more"
    return event.type.lower().replace("_", " ")


def _name(identity: Identity | None) -> str:
    return "somebody" if identity is None else _printable(identity.name or _id(identity.arn))


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _printable(text: str) -> str:
    """Take out what would steer the terminal: content comes from anybody."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
