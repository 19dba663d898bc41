from typing import Any

import pytest

from chime_messaging.server.rest.shapes import body
from chime_messaging.server.store.bans import bans
from chime_messaging.server.store.lifecycle import USER_HOOKS
from tests.messaging.server.messaging.chat import Chat
from tests.messaging.server.messaging.inboxes import Inboxes


class Scene:
    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.ann, self.bob, self.eve = chat.user("Ann"), chat.user("Bob"), chat.user("Eve")
        answer = chat.call(
            "CreateChannel", self.ann, AppInstanceArn=chat.instance, Name="x", Privacy="PUBLIC", MemberArns=[self.bob]
        )
        self.channel = str(answer["ChannelArn"])

    def call(self, operation: str, bearer: str, **params: Any) -> dict[str, Any]:
        return self.chat.call(operation, bearer, ChannelArn=self.channel, **params)

    def refused(self, operation: str, bearer: str, **params: Any) -> str:
        return self.chat.refused(operation, bearer, ChannelArn=self.channel, **params)


@pytest.fixture
def scene(chat: Chat) -> Scene:
    return Scene(chat)


def test_a_banned_member_is_put_out(inboxes: Inboxes, scene: Scene) -> None:
    inboxes.clear()
    answer = scene.call("CreateChannelBan", scene.ann, MemberArn=scene.bob)
    assert answer == {"ChannelArn": scene.channel, "Member": {"Arn": scene.bob, "Name": "Bob"}}
    for user in (scene.ann, scene.bob):
        (event,) = inboxes.take(user)
        assert (event.type, event.payload["Member"]["Arn"]) == ("DELETE_CHANNEL_MEMBERSHIP", scene.bob)
    assert inboxes.groups[scene.channel] == {scene.ann}
    assert [event_type for event_type, _ in inboxes.streamed] == ["CREATE_CHANNEL_BAN", "DELETE_CHANNEL_MEMBERSHIP"]
    assert inboxes.streamed[0][1]["CreatedBy"] == {"Arn": scene.ann, "Name": "Ann"}


def test_the_banned_come_back_only_when_the_ban_is_lifted_and_they_are_added(inboxes: Inboxes, scene: Scene) -> None:
    scene.call("CreateChannelBan", scene.ann, MemberArn=scene.bob)
    params = {"MemberArn": scene.bob, "Type": "DEFAULT"}
    for bearer in (scene.ann, scene.bob):
        assert scene.refused("CreateChannelMembership", bearer, **params) == "ForbiddenException"
    scene.call("DeleteChannelBan", scene.ann, MemberArn=scene.bob)
    assert inboxes.streamed[-1][0] == "DELETE_CHANNEL_BAN"
    assert inboxes.groups[scene.channel] == {scene.ann}
    scene.call("CreateChannelMembership", scene.ann, **params)
    assert inboxes.groups[scene.channel] == {scene.ann, scene.bob}


def test_who_is_no_member_can_be_banned_too(inboxes: Inboxes, scene: Scene) -> None:
    inboxes.clear()
    scene.call("CreateChannelBan", scene.ann, MemberArn=scene.eve)
    assert inboxes.take(scene.ann) == []
    assert scene.refused("CreateChannelBan", scene.ann, MemberArn=scene.eve) == "ConflictException"


def test_those_who_run_the_channel_cannot_be_banned(scene: Scene) -> None:
    admin = scene.chat.user("Admin", admin=True)
    for target in (scene.ann, admin, f"{scene.chat.instance}/user/nobody"):
        assert scene.refused("CreateChannelBan", admin, MemberArn=target) == "ForbiddenException"


def test_members_neither_ban_nor_look(scene: Scene) -> None:
    for operation in ("CreateChannelBan", "DeleteChannelBan", "DescribeChannelBan"):
        assert scene.refused(operation, scene.bob, MemberArn=scene.eve) == "ForbiddenException"
    assert scene.refused("ListChannelBans", scene.bob) == "ForbiddenException"


def test_a_ban_is_described_in_full(scene: Scene) -> None:
    scene.call("CreateChannelBan", scene.ann, MemberArn=scene.bob)
    answer = scene.call("DescribeChannelBan", scene.ann, MemberArn=scene.bob)
    body("messaging", "DescribeChannelBanResponse", answer)
    assert answer["ChannelBan"]["Member"] == {"Arn": scene.bob, "Name": "Bob"}
    assert answer["ChannelBan"]["CreatedBy"] == {"Arn": scene.ann, "Name": "Ann"}
    assert scene.refused("DescribeChannelBan", scene.ann, MemberArn=scene.eve) == "NotFoundException"
    assert scene.refused("DeleteChannelBan", scene.ann, MemberArn=scene.eve) == "ForbiddenException"


def test_bans_come_on_pages(scene: Scene) -> None:
    for member in (scene.eve, scene.bob):
        scene.call("CreateChannelBan", scene.ann, MemberArn=member)
    first = scene.call("ListChannelBans", scene.ann, MaxResults=1)
    body("messaging", "ListChannelBansResponse", first)
    second = scene.call("ListChannelBans", scene.ann, MaxResults=1, NextToken=first["NextToken"])
    found = [row["Member"]["Arn"] for row in first["ChannelBans"] + second["ChannelBans"]]
    assert found == [scene.eve, scene.bob]
    assert second["NextToken"] is None


def test_bans_go_with_the_user(scene: Scene) -> None:
    scene.call("CreateChannelBan", scene.ann, MemberArn=scene.bob)
    scene.chat.work(lambda tx: [hook(tx, scene.bob) for hook in USER_HOOKS])
    assert scene.chat.work(lambda tx: tx.connection.execute(bans.select()).all()) == []
