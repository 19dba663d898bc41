"""Channels from end to end: unmodified boto3, real sockets, the real broker."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.sync.client import ClientConnection, connect

from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.messaging.channel_events import SUB_CHANNEL_DELETED

DEADLINE = 10.0


class Socket:
    """A user's connection; asked for an event it waits for the next."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        assert self.next()[0] == "SESSION_ESTABLISHED"

    def next(self) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Type, payload and headers of the next event."""
        frame = json.loads(self._connection.recv(timeout=DEADLINE))
        headers = frame["Headers"]
        payload = json.loads(frame["Payload"]) if frame["Payload"] else {}
        return headers["x-amz-chime-event-type"], payload, headers

    def until(self, event_type: str) -> list[str]:
        """Types of the events up to the first of a type."""
        types = [self.next()[0]]
        while types[-1] != event_type:
            types.append(self.next()[0])
        return types


class Scene:
    def __init__(self, server: LocalServer, stack: ExitStack) -> None:
        self._server = server
        self._stack = stack
        self.identity = server.client("chime-sdk-identity")
        self.messaging = server.client("chime-sdk-messaging")
        self.instance = self.identity.create_app_instance(Name="app")["AppInstanceArn"]

    def user(self, name: str) -> str:
        answer = self.identity.create_app_instance_user(
            AppInstanceArn=self.instance, AppInstanceUserId=name, Name=name.title()
        )
        return str(answer["AppInstanceUserArn"])

    def socket(self, user: str) -> Socket:
        query = urlencode({"userArn": user, "sessionId": user[-8:]})
        url = f"{self._server.url.replace('http', 'ws', 1)}/connect?{query}"
        return Socket(self._stack.enter_context(connect(url, open_timeout=DEADLINE)))


@pytest.fixture
def scene(server: LocalServer) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(server, stack)


def test_a_member_receives_from_joining_to_being_put_out(scene: Scene) -> None:
    ann, bob, eve = scene.user("ann"), scene.user("bob"), scene.user("eve")
    sockets = {user: scene.socket(user) for user in (ann, bob, eve)}
    calls = scene.messaging
    channel = calls.create_channel(AppInstanceArn=scene.instance, Name="x", ChimeBearer=ann)["ChannelArn"]
    assert sockets[ann].next()[0] == "CREATE_CHANNEL_MEMBERSHIP"
    calls.create_channel_membership(ChannelArn=channel, MemberArn=bob, Type="DEFAULT", ChimeBearer=ann)
    for user in (ann, bob):
        event_type, payload, headers = sockets[user].next()
        assert (event_type, payload["Member"]["Arn"]) == ("CREATE_CHANNEL_MEMBERSHIP", bob)
        assert headers["x-amz-chime-message-type"] == "SYSTEM"
    calls.create_channel_membership(ChannelArn=channel, MemberArn=eve, Type="HIDDEN", ChimeBearer=ann)
    calls.update_channel(ChannelArn=channel, Name="y", ChimeBearer=ann)
    assert sockets[ann].until("UPDATE_CHANNEL") == ["CREATE_CHANNEL_MEMBERSHIP", "UPDATE_CHANNEL"]
    assert sockets[eve].until("UPDATE_CHANNEL") == ["CREATE_CHANNEL_MEMBERSHIP", "UPDATE_CHANNEL"]
    assert sockets[bob].until("UPDATE_CHANNEL") == ["UPDATE_CHANNEL"]
    calls.create_channel_ban(ChannelArn=channel, MemberArn=bob, ChimeBearer=ann)
    for user in (ann, bob, eve):
        event_type, payload, _ = sockets[user].next()
        assert (event_type, payload["Member"]["Name"]) == ("DELETE_CHANNEL_MEMBERSHIP", "Bob")
    calls.delete_channel(ChannelArn=channel, ChimeBearer=ann)
    for user in (ann, eve):
        assert sockets[user].next()[0] == "DELETE_CHANNEL"
    late = calls.create_channel(AppInstanceArn=scene.instance, Name="z", ChimeBearer=bob)["ChannelArn"]
    event_type, payload, _ = sockets[bob].next()  # nothing of the deleted channel in between
    assert (event_type, payload["ChannelArn"]) == ("CREATE_CHANNEL_MEMBERSHIP", late)


def test_a_batch_reaches_every_socket_once(scene: Scene) -> None:
    ann, bob, eve = scene.user("ann"), scene.user("bob"), scene.user("eve")
    sockets = [scene.socket(user) for user in (ann, bob, eve)]
    calls = scene.messaging
    channel = calls.create_channel(AppInstanceArn=scene.instance, Name="x", ChimeBearer=ann)["ChannelArn"]
    answer = calls.batch_create_channel_membership(
        ChannelArn=channel, MemberArns=[bob, eve, f"{scene.instance}/user/none"], ChimeBearer=ann
    )
    assert [row["ErrorCode"] for row in answer["Errors"]] == ["NotFound"]
    calls.update_channel(ChannelArn=channel, Name="y", ChimeBearer=ann)
    assert sockets[0].next()[0] == "CREATE_CHANNEL_MEMBERSHIP"
    for socket in sockets:
        assert socket.until("UPDATE_CHANNEL") == ["BATCH_CREATE_CHANNEL_MEMBERSHIP", "UPDATE_CHANNEL"]


def test_members_of_an_elastic_channel_move_when_it_shrinks(scene: Scene) -> None:
    ann = scene.user("ann")
    users = [scene.user(f"user{n}") for n in range(4)]
    calls = scene.messaging
    channel = calls.create_channel(
        AppInstanceArn=scene.instance,
        Name="stadium",
        ChimeBearer=ann,
        ElasticChannelConfiguration={
            "MaximumSubChannels": 2,
            "TargetMembershipsPerSubChannel": 3,
            "MinimumMembershipPercentage": 40,
        },
    )["ChannelArn"]
    parts = [
        calls.create_channel_membership(ChannelArn=channel, MemberArn=user, Type="DEFAULT", ChimeBearer=ann)[
            "SubChannelId"
        ]
        for user in users
    ]
    first, second = dict.fromkeys(parts)
    moderator, moved = scene.socket(ann), scene.socket(users[3])
    calls.create_channel_membership(
        ChannelArn=channel, MemberArn=ann, Type="DEFAULT", SubChannelId=second, ChimeBearer=ann
    )
    extra = scene.user("extra")
    calls.delete_channel_membership(ChannelArn=channel, MemberArn=users[0], ChimeBearer=ann)
    # The first part has room again; the second loses the one who joins and leaves, and is merged into it.
    calls.create_channel_membership(
        ChannelArn=channel, MemberArn=extra, Type="DEFAULT", SubChannelId=second, ChimeBearer=ann
    )
    calls.delete_channel_membership(ChannelArn=channel, MemberArn=extra, ChimeBearer=ann)
    moved.until("DELETE_CHANNEL_MEMBERSHIP")
    event_type, payload, _ = moved.next()
    assert (event_type, payload["SubChannelId"]) == ("UPDATE_CHANNEL_MEMBERSHIP", first)
    moderator.until("DELETE_CHANNEL_MEMBERSHIP")
    event_type, payload, headers = moderator.next()
    assert (event_type, payload["Member"]["Arn"]) == ("DELETE_CHANNEL_MEMBERSHIP", ann)
    assert headers["x-amz-chime-event-reason"] == SUB_CHANNEL_DELETED
    found = calls.list_sub_channels(ChannelArn=channel, ChimeBearer=ann)["SubChannels"]
    assert found == [{"SubChannelId": first, "MembershipCount": 3}]
    calls.send_channel_message(
        ChannelArn=channel,
        Content="here",
        Type="STANDARD",
        Persistence="PERSISTENT",
        SubChannelId=first,
        ChimeBearer=users[1],
    )
    event_type, payload, _ = moved.next()
    assert (event_type, payload["Content"]) == ("CREATE_CHANNEL_MESSAGE", "here")
