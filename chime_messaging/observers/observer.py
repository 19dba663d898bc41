"""Observer objects: which methods there are, and which of them an object has.

`MessagingSessionObserver` has one empty method per event, so an editor completes them and every one is optional. The
hub skips methods that were not overridden: an observer costs what it observes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from chime_messaging import events
from chime_messaging.errors import ConfigurationError
from chime_messaging.events import ChannelEvent, Event, SessionConnecting, SessionEstablished, SessionStopped
from chime_messaging.wire.envelope import Envelope

Call = Callable[[Any], object]


class MessagingSessionObserver:
    """Receives what happens in a session; override what you need, as ``def`` or ``async def``.

    Mirrors `MessagingSessionObserver` of the official client: its four methods in snake_case come first, and for
    each event also ``on_`` with the event's name. Both are called, the official one first.
    """

    def messaging_session_did_start_connecting(self, reconnecting: bool) -> object:
        """A socket is being opened; `reconnecting` is true when it replaces one that was lost."""

    def messaging_session_did_start(self) -> object:
        """The session is established, for the first time or again."""

    def messaging_session_did_receive_message(self, message: Envelope) -> object:
        """A frame has come: `message.type`, `message.headers`, and `message.payload` as JSON text."""

    def messaging_session_did_stop(self, event: SessionStopped) -> object:
        """The session is over: `event.code`, `event.reason`, and `event.error` if it failed."""

    def on_session_connecting(self, event: events.SessionConnecting) -> object:
        """A socket is being opened."""

    def on_session_established(self, event: events.SessionEstablished) -> object:
        """Every event is delivered from now on."""

    def on_reconnect_scheduled(self, event: events.ReconnectScheduled) -> object:
        """The connection was lost and will be tried again."""

    def on_session_stopped(self, event: events.SessionStopped) -> object:
        """The one terminal event."""

    def on_recovered(self, event: events.Recovered) -> object:
        """What was missed during a reconnect has been delivered."""

    def on_gap_detected(self, event: events.GapDetected) -> object:
        """Part of what was missed during a reconnect could not be fetched."""

    def on_handler_failed(self, event: events.HandlerFailed) -> object:
        """Another handler or observer raised."""

    def on_message_created(self, event: events.MessageCreated) -> object:
        """A message was sent to a channel."""

    def on_message_updated(self, event: events.MessageUpdated) -> object:
        """A message was edited."""

    def on_message_redacted(self, event: events.MessageRedacted) -> object:
        """A message lost its content."""

    def on_message_deleted(self, event: events.MessageDeleted) -> object:
        """A message was deleted."""

    def on_message_create_pending(self, event: events.MessageCreatePending) -> object:
        """The channel flow looks at a message of this user."""

    def on_message_update_pending(self, event: events.MessageUpdatePending) -> object:
        """The channel flow looks at an edit of this user."""

    def on_message_create_failed(self, event: events.MessageCreateFailed) -> object:
        """The channel flow could not run, so the message was not sent."""

    def on_message_update_failed(self, event: events.MessageUpdateFailed) -> object:
        """The channel flow could not run, so the edit was not made."""

    def on_message_create_denied(self, event: events.MessageCreateDenied) -> object:
        """The channel flow refused a message of this user."""

    def on_message_update_denied(self, event: events.MessageUpdateDenied) -> object:
        """The channel flow refused an edit of this user."""

    def on_channel_created(self, event: events.ChannelCreated) -> object:
        """A channel was created."""

    def on_channel_updated(self, event: events.ChannelUpdated) -> object:
        """A channel's name, mode or metadata changed."""

    def on_channel_deleted(self, event: events.ChannelDeleted) -> object:
        """A channel was deleted."""

    def on_membership_created(self, event: events.MembershipCreated) -> object:
        """A member joined; the new member is told, too."""

    def on_memberships_created(self, event: events.MembershipsCreated) -> object:
        """Several members joined at once."""

    def on_membership_updated(self, event: events.MembershipUpdated) -> object:
        """This user was moved to another sub-channel."""

    def on_membership_deleted(self, event: events.MembershipDeleted) -> object:
        """A member left or was removed; that member is told, too."""

    def on_channel_details_received(self, event: events.ChannelDetailsReceived) -> object:
        """Prefetch of one channel."""

    def on_channel_expiration_updated(self, event: events.ChannelExpirationUpdated) -> object:
        """A channel's expiration settings changed."""

    def on_ban_created(self, event: events.BanCreated) -> object:
        """A user was banned from a channel."""

    def on_ban_deleted(self, event: events.BanDeleted) -> object:
        """A ban was lifted."""

    def on_moderator_created(self, event: events.ModeratorCreated) -> object:
        """A channel has a new moderator."""

    def on_moderator_deleted(self, event: events.ModeratorDeleted) -> object:
        """A channel lost a moderator."""

    def on_sub_channel_created(self, event: events.SubChannelCreated) -> object:
        """An elastic channel got a sub-channel."""

    def on_sub_channel_deleted(self, event: events.SubChannelDeleted) -> object:
        """An elastic channel lost a sub-channel."""

    def on_session_established_received(self, event: events.SessionEstablishedReceived) -> object:
        """The frame that established the session."""

    def on_unknown_event(self, event: events.UnknownEvent) -> object:
        """An event of a type that this version does not know."""

    def on_undecodable_frame(self, event: events.UndecodableFrame) -> object:
        """A frame that could not be read."""


class Official(NamedTuple):
    """How an official method is called: on which events, and with what made of them."""

    kind: type[Event] | tuple[type[Event], ...]
    adapt: Callable[[Callable[..., object]], Call]


class Vocabulary:
    """The method names that observers of one kind of session may have."""

    def __init__(
        self,
        base: type,
        kinds: Iterable[type[Event]],
        official: Mapping[str, Official],
        prefixes: tuple[str, ...],
    ) -> None:
        self.base = base
        """Observer base class; its own methods are empty and never called."""
        self._prefixes = prefixes
        self._official = official
        self._by_name: dict[str, type[Event]] = {f"on_{snake_case(kind.__name__)}": kind for kind in kinds}

    def extended(
        self,
        base: type,
        kinds: Iterable[type[Event]],
        official: Mapping[str, Official],
        prefixes: tuple[str, ...],
    ) -> Vocabulary:
        """Return one that has more names; an official one that is there already is called as said here."""
        wider = Vocabulary(base, kinds, {**self._official, **official}, (*self._prefixes, *prefixes))
        wider._by_name = {**self._by_name, **wider._by_name}
        return wider

    @property
    def names(self) -> frozenset[str]:
        """Every method name."""
        return frozenset(self._official) | frozenset(self._by_name)

    def bind(self, observer: object) -> Callable[[type[Event]], tuple[Call, ...]]:
        """Return a function that tells which calls an event class causes on an observer.

        Raises:
            ConfigurationError: if a method has the form of an observer method and matches no event, or if an object
                that does not derive from the base class has no observer method at all.
        """
        methods = dict(self._methods(observer))
        if not methods and not isinstance(observer, self.base):
            raise ConfigurationError("observer", f"{_name(observer)} has no method of {self.base.__name__}")

        def routes(kind: type[Event]) -> tuple[Call, ...]:
            official = (
                entry.adapt(methods[name])
                for name, entry in self._official.items()
                if name in methods and issubclass(kind, entry.kind)
            )
            own = (
                methods[name] for name, known in self._by_name.items() if name in methods and issubclass(kind, known)
            )
            return (*official, *own)

        return routes

    def _methods(self, observer: object) -> Iterator[tuple[str, Callable[..., object]]]:
        names = self.names
        for name in dir(observer):
            if not name.startswith(self._prefixes):
                continue
            method = getattr(observer, name)
            if not callable(method):
                continue
            if name not in names:
                close = difflib.get_close_matches(snake_case(name), sorted(names), n=3, cutoff=0.6)
                hint = f"; did you mean {', '.join(close)}?" if close else f"; known: {', '.join(sorted(names))}"
                raise ConfigurationError("observer", f"{_name(observer)}.{name} matches no event{hint}")
            if getattr(method, "__func__", method) is not getattr(self.base, name, None):
                yield name, method


def leaves(module: ModuleType) -> Iterator[type[Event]]:
    """Event classes of a module that no other of its classes derives from."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Event)]
    for kind in kinds:
        if sum(issubclass(other, kind) for other in kinds) == 1:
            yield kind


def snake_case(name: str) -> str:
    """``MessageCreated`` as ``message_created``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _name(observer: object) -> str:
    return type(observer).__qualname__


def _did_start_connecting(method: Callable[..., object]) -> Call:
    return lambda event: method(event.reconnecting)


def _did_start(method: Callable[..., object]) -> Call:
    return lambda event: method()


def _did_receive_message(method: Callable[..., object]) -> Call:
    return lambda event: method(event.envelope)


def _did_stop(method: Callable[..., object]) -> Call:
    return method


MESSAGING_SESSION = Vocabulary(
    MessagingSessionObserver,
    leaves(events),
    {
        "messaging_session_did_start_connecting": Official(SessionConnecting, _did_start_connecting),
        "messaging_session_did_start": Official(SessionEstablished, _did_start),
        "messaging_session_did_receive_message": Official(ChannelEvent, _did_receive_message),
        "messaging_session_did_stop": Official(SessionStopped, _did_stop),
    },
    # The last prefix catches the official names as they stand in JavaScript, which would never be called.
    ("on_", "messaging_session_did_", "messagingSession"),
)
"""Names that observers of a messaging session may have."""
