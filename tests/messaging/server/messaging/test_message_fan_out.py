"""Messages from end to end: unmodified boto3, real sockets, the real broker. Who gets which event, and who does not."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.sync.client import ClientConnection, connect

from chime_messaging.server.local_server import LocalServer

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:moderate"
DEADLINE = 10.0


class Scene:
    """Three members, each with a socket."""

    def __init__(self, server: LocalServer, stack: ExitStack) -> None:
        self.server, self.stack = server, stack
        identity = server.client("chime-sdk-identity")
        self.messaging = server.client("chime-sdk-messaging")
        self.instance = identity.create_app_instance(Name="app")["AppInstanceArn"]
        self.ada, self.bob, self.eve = (
            identity.create_app_instance_user(AppInstanceArn=self.instance, AppInstanceUserId=name, Name=name.title())[
                "AppInstanceUserArn"
            ]
            for name in ("ada", "bob", "eve")
        )
        self.channel = self.messaging.create_channel(
            AppInstanceArn=self.instance, Name="x", ChimeBearer=self.ada, MemberArns=[self.bob, self.eve]
        )["ChannelArn"]
        self.sockets = {user: self.socket(user) for user in (self.ada, self.bob, self.eve)}

    def socket(self, user: str, **query: str) -> ClientConnection:
        query |= {"userArn": user, "sessionId": user[-8:]}
        url = f"{self.server.url.replace('http', 'ws', 1)}/connect?{urlencode(query)}"
        # Unread events must not keep the closing handshake from being read.
        socket = self.stack.enter_context(connect(url, open_timeout=DEADLINE, max_queue=None))
        assert event(socket)[0] == "SESSION_ESTABLISHED"
        return socket

    def send(self, content: str, **params: Any) -> str:
        params = {"Type": "STANDARD", "Persistence": "PERSISTENT", "ChimeBearer": self.ada} | params
        answer = self.messaging.send_channel_message(ChannelArn=self.channel, Content=content, **params)
        return str(answer["MessageId"])

    def next(self, user: str) -> tuple[str, str | None]:
        """Type and content of a user's next event."""
        event_type, payload = event(self.sockets[user])
        return event_type, payload.get("Content")

    def everybody_hears(self, *expected: tuple[str, str | None]) -> None:
        """Check each socket's next events: nothing else came in between."""
        for user in self.sockets:
            assert [self.next(user) for _ in expected] == list(expected)


def event(socket: ClientConnection) -> tuple[str, dict[str, Any]]:
    frame = json.loads(socket.recv(timeout=DEADLINE))
    payload = json.loads(frame["Payload"]) if frame["Payload"] else {}
    return frame["Headers"]["x-amz-chime-event-type"], payload


@pytest.fixture
def scene(server: LocalServer) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(server, stack)


def test_the_life_of_a_message_is_told_to_every_member(scene: Scene) -> None:
    message = scene.send("hello")
    of_message = {"ChannelArn": scene.channel, "MessageId": message, "ChimeBearer": scene.ada}
    scene.messaging.update_channel_message(**of_message, Content="edited")
    scene.send("typing", Type="CONTROL", Persistence="NON_PERSISTENT")
    scene.messaging.redact_channel_message(**of_message)
    scene.everybody_hears(
        ("CREATE_CHANNEL_MESSAGE", "hello"),
        ("UPDATE_CHANNEL_MESSAGE", "edited"),
        ("CREATE_CHANNEL_MESSAGE", "typing"),
        ("REDACT_CHANNEL_MESSAGE", None),
    )


def test_a_targeted_message_reaches_two(scene: Scene) -> None:
    scene.send("psst", Target=[{"MemberArn": scene.bob}])
    scene.send("hello")
    for user in (scene.ada, scene.bob):
        assert scene.next(user) == ("CREATE_CHANNEL_MESSAGE", "psst")
    scene.everybody_hears(("CREATE_CHANNEL_MESSAGE", "hello"))


def test_what_a_flow_does_is_told_to_the_sender_and_its_outcome_to_all(server: LocalServer, scene: Scene) -> None:
    verdicts = {
        "edit": {"ChannelMessage": {"Content": "edited"}},
        "deny": {"DeleteResource": True},
        "fail": "no verdict",
    }
    server.processors.register(LAMBDA, lambda called: verdicts[called["ChannelMessage"]["Content"]])
    processor = {
        "Name": "p",
        "Configuration": {"Lambda": {"ResourceArn": LAMBDA, "InvocationType": "ASYNC"}},
        "ExecutionOrder": 1,
        "FallbackAction": "ABORT",
    }
    flow = scene.messaging.create_channel_flow(AppInstanceArn=scene.instance, Name="f", Processors=[processor])
    of_flow = {"ChannelArn": scene.channel, "ChannelFlowArn": flow["ChannelFlowArn"], "ChimeBearer": scene.ada}
    scene.messaging.associate_channel_flow(**of_flow)
    for content, outcome in (("deny", "DENIED"), ("fail", "FAILED")):
        scene.send(content)
        assert scene.next(scene.ada) == ("PENDING_CREATE_CHANNEL_MESSAGE", content)
        assert scene.next(scene.ada) == (f"{outcome}_CREATE_CHANNEL_MESSAGE", content)
    scene.send("edit")
    assert scene.next(scene.ada) == ("PENDING_CREATE_CHANNEL_MESSAGE", "edit")
    scene.everybody_hears(("CREATE_CHANNEL_MESSAGE", "edited"))


@pytest.mark.parametrize("sort_by", ["unread", "last-message-timestamp"])
def test_prefetch_tells_what_was_said_before(scene: Scene, sort_by: str) -> None:
    for number in range(21):
        scene.send(str(number))
    socket = scene.socket(scene.bob, **{"prefetch-on": "connect", "prefetch-sort-by": sort_by})
    event_type, details = event(socket)
    assert (event_type, details["Channel"]["ChannelArn"]) == ("CHANNEL_DETAILS", scene.channel)
    assert [message["Content"] for message in details["ChannelMessages"]] == [str(n) for n in range(20, 0, -1)]
    assert details["ChannelMessagesHasMore"]
    assert {member["Member"]["Name"] for member in details["ChannelMemberships"]} == {"Ada", "Bob", "Eve"}
