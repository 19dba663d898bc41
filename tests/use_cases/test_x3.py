"""X3: observers are told did start, did start connecting (reconnecting or not), did stop (code, reason), did receive
message (type, headers, payload); they are added and removed at any time.
"""

from __future__ import annotations

import json

import pytest

from chime_messaging import (
    Envelope,
    MessageCreated,
    MessagingSessionObserver,
    SessionEstablished,
    SessionKickedError,
    SessionStopped,
)
from chime_messaging.testing import EventRecorder
from tests.use_cases.conftest import Chime

pytestmark = pytest.mark.anyio


class Diary(MessagingSessionObserver):
    """Writes down what the official observer is told."""

    def __init__(self) -> None:
        self.pages: list[tuple[object, ...]] = []
        self.messages: list[Envelope] = []

    def messaging_session_did_start_connecting(self, reconnecting: bool) -> None:
        self.pages.append(("connecting", reconnecting))

    def messaging_session_did_start(self) -> None:
        self.pages.append(("started",))

    def messaging_session_did_receive_message(self, message: Envelope) -> None:
        self.pages.append(("received", message.type))
        self.messages.append(message)

    def messaging_session_did_stop(self, event: SessionStopped) -> None:
        self.pages.append(("stopped", event.code, event.reason))


async def test_an_observer_is_told_the_life_of_a_session(chime: Chime) -> None:
    alice = await chime.user("Alice")
    session, diary = chime.session(alice), Diary()
    session.add_observer(diary)
    recorder = EventRecorder(session.hub)
    async with session:
        await chime.server.control.close(alice, 1011, "maintenance")  # worth another try
        await recorder.wait_for(SessionEstablished, count=2)
        await chime.server.control.close(alice, 4003, "put out")  # the end
        stopped = await session.wait_stopped()
    assert isinstance(stopped.error, SessionKickedError)
    assert diary.pages == [
        ("connecting", False),
        ("started",),
        ("received", "SESSION_ESTABLISHED"),
        ("connecting", True),
        ("started",),
        ("received", "SESSION_ESTABLISHED"),
        ("stopped", 4003, "put out"),
    ]


async def test_a_message_has_type_headers_and_payload(chime: Chime) -> None:
    alice = await chime.user("Alice")
    channel = await chime.new_channel(alice)
    session, diary = chime.session(alice), Diary()
    session.add_observer(diary)
    recorder = EventRecorder(session.hub)
    async with session:
        sent = await channel.send("hello", type="CONTROL", persistence="NON_PERSISTENT")
        await recorder.wait_for(MessageCreated)
    message = diary.messages[-1]
    assert message.type == "CREATE_CHANNEL_MESSAGE"
    assert message.headers == {
        "x-amz-chime-event-type": "CREATE_CHANNEL_MESSAGE",
        "x-amz-chime-message-type": "CONTROL",
    }
    payload = json.loads(message.payload or "")
    assert (payload["ChannelArn"], payload["MessageId"]) == (channel.arn, sent.message_id)
    assert (payload["Content"], payload["Sender"]) == ("hello", {"Arn": alice, "Name": "Alice"})


async def test_observers_come_and_go_while_the_session_runs(chime: Chime) -> None:
    alice = await chime.user("Alice")
    channel = await chime.new_channel(alice)
    session, early, late = chime.session(alice), Diary(), Diary()
    session.add_observer(early)
    recorder = EventRecorder(session.hub)
    async with session:
        await channel.send("only the early one")
        await recorder.wait_for(MessageCreated, count=1)
        session.add_observer(late)
        session.remove_observer(early)
        await channel.send("only the late one")
        await recorder.wait_for(MessageCreated, count=2)
    assert early.pages[-1] == ("received", "CREATE_CHANNEL_MESSAGE")
    assert ("stopped", 1005, "") not in early.pages
    assert late.pages == [("received", "CREATE_CHANNEL_MESSAGE"), ("stopped", 1005, "")]
