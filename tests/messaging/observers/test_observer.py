import anyio
import pytest

from chime_messaging import events
from chime_messaging.errors import ConfigurationError
from chime_messaging.events import (
    Event,
    MessageCreated,
    SessionConnecting,
    SessionEstablished,
    SessionEstablishedReceived,
    SessionStopped,
)
from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.observer import MESSAGING_SESSION, MessagingSessionObserver, leaves, snake_case
from chime_messaging.wire.envelope import EVENT_TYPE, Envelope
from chime_messaging.wire.payloads import ChannelMessage

OFFICIAL = {
    "messaging_session_did_start_connecting",
    "messaging_session_did_start",
    "messaging_session_did_receive_message",
    "messaging_session_did_stop",
}


def test_there_is_one_documented_method_per_event_and_the_four_official_ones() -> None:
    methods = {name for name in vars(MessagingSessionObserver) if not name.startswith("__")}
    expected = {f"on_{snake_case(kind.__name__)}" for kind in leaves(events)}
    assert methods == expected | OFFICIAL == MESSAGING_SESSION.names
    assert len(expected) > 30
    for name in methods:
        assert getattr(MessagingSessionObserver, name).__doc__


def test_every_event_of_the_wire_has_its_method() -> None:
    for kind in events.EVENT_TYPES.values():
        assert f"on_{snake_case(kind.__name__)}" in MESSAGING_SESSION.names


def test_an_observer_that_overrides_nothing_is_sent_nothing() -> None:
    hub = EventHub()
    hub.add_observer(MessagingSessionObserver())
    hub.emit(SessionStopped(1000))
    assert [counters.pending for counters in hub.statistics()] == [0]


def test_an_observer_is_sent_only_what_it_overrides() -> None:
    class Observer(MessagingSessionObserver):
        def on_session_stopped(self, event: SessionStopped) -> None:
            pass

    hub = EventHub()
    hub.add_observer(Observer())
    hub.emit(SessionConnecting(False))
    hub.emit(SessionStopped(1000))
    assert [counters.pending for counters in hub.statistics()] == [1]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("on_mesage_created", "on_message_created"),
        ("on_message_create", "on_message_created"),
        ("messaging_session_did_recieve_message", "messaging_session_did_receive_message"),
        ("messagingSessionDidStart", "messaging_session_did_start"),
        ("on_zzz", "known: "),
    ],
)
def test_a_method_that_matches_no_event_is_refused_with_what_was_meant(name: str, suggestion: str) -> None:
    observer = type("Watcher", (), {name: lambda self: None})()
    with pytest.raises(ConfigurationError, match=f"Watcher.{name} matches no event.*{suggestion}"):
        EventHub().add_observer(observer)


def test_a_misspelt_method_is_refused_on_a_derived_observer_too() -> None:
    class Watcher(MessagingSessionObserver):
        def on_sesion_stopped(self, event: SessionStopped) -> None:
            pass

    with pytest.raises(ConfigurationError, match="on_session_stopped"):
        EventHub().add_observer(Watcher())


def test_an_object_without_any_observer_method_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="object has no method of MessagingSessionObserver"):
        EventHub().add_observer(object())


@pytest.mark.anyio
async def test_the_official_methods_get_what_the_official_client_gives_them() -> None:
    calls: list[object] = []

    class Observer(MessagingSessionObserver):
        def messaging_session_did_start_connecting(self, reconnecting: bool) -> None:
            calls.append(("connecting", reconnecting))

        async def messaging_session_did_start(self) -> None:
            await anyio.lowlevel.checkpoint()
            calls.append("start")

        def messaging_session_did_receive_message(self, message: Envelope) -> None:
            calls.append(("message", message.type, message.payload))

        async def messaging_session_did_stop(self, event: SessionStopped) -> None:
            calls.append(("stop", event.code))

        def on_session_established(self, event: SessionEstablished) -> None:
            calls.append(("established", event.session_id))

        async def on_message_created(self, event: MessageCreated) -> None:
            calls.append(("created", event.message.message_id))

    async with EventHub() as hub:
        hub.add_observer(Observer())
        told: list[Event] = [
            SessionConnecting(False),
            SessionEstablished("7", False),
            SessionEstablishedReceived(Envelope({EVENT_TYPE: "SESSION_ESTABLISHED"})),
            MessageCreated(
                Envelope({EVENT_TYPE: "CREATE_CHANNEL_MESSAGE"}, "{}"),
                ChannelMessage(channel_arn="arn", message_id="1"),
            ),
            SessionConnecting(True, 2),
            SessionStopped(1005),
        ]
        for event in told:
            hub.emit(event)
    assert calls == [
        ("connecting", False),
        "start",
        ("established", "7"),
        ("message", "SESSION_ESTABLISHED", None),
        ("message", "CREATE_CHANNEL_MESSAGE", "{}"),
        ("created", "1"),
        ("connecting", True),
        ("stop", 1005),
    ]
