import pytest

from tests.messaging.server.messaging.chat import ELASTIC, Chat

FILTERED = {"PushNotifications": {"AllowNotifications": "FILTERED", "FilterRule": '{"mention":["Bob"]}'}}


def test_a_member_sets_and_reads_its_own_preferences(chat: Chat) -> None:
    ada = chat.user("Ada")
    params = {"ChannelArn": chat.channel(ada), "MemberArn": ada}
    member = {"Arn": ada, "Name": "Ada"}
    empty = chat.call("GetChannelMembershipPreferences", ada, **params)
    assert empty == {"ChannelArn": params["ChannelArn"], "Member": member, "Preferences": {}}
    answer = chat.call("PutChannelMembershipPreferences", ada, **params, Preferences=FILTERED)
    assert answer == {"ChannelArn": params["ChannelArn"], "Member": member, "Preferences": FILTERED}
    assert chat.call("GetChannelMembershipPreferences", ada, **params) == answer


def test_nobody_else_does(chat: Chat) -> None:
    ada, bob, admin = chat.user("Ada"), chat.user("Bob"), chat.user("Admin", admin=True)
    channel = chat.channel(ada, bob)
    chat.moderator(channel, bob)
    params = {"ChannelArn": channel, "MemberArn": ada}
    for other in (bob, admin):
        assert chat.refused("GetChannelMembershipPreferences", other, **params) == "ForbiddenException"
        put = {**params, "Preferences": FILTERED}
        assert chat.refused("PutChannelMembershipPreferences", other, **put) == "ForbiddenException"
    own = {"ChannelArn": channel, "MemberArn": admin}
    assert chat.refused("GetChannelMembershipPreferences", admin, **own) == "ForbiddenException"


@pytest.mark.parametrize(
    "push",
    [
        {"AllowNotifications": "FILTERED"},
        {"AllowNotifications": "FILTERED", "FilterRule": "{}"},
        {"AllowNotifications": "ALL", "FilterRule": "not json"},
    ],
)
def test_a_rule_must_be_there_and_make_sense(chat: Chat, push: dict[str, str]) -> None:
    ada = chat.user("Ada")
    params = {"ChannelArn": chat.channel(ada), "MemberArn": ada, "Preferences": {"PushNotifications": push}}
    assert chat.refused("PutChannelMembershipPreferences", ada, **params) == "BadRequestException"


def test_elastic_channels_have_none(chat: Chat) -> None:
    ada = chat.user("Ada")
    channel = chat.channel(elastic=ELASTIC)
    chat.join(channel, ada, part="one")
    params = {"ChannelArn": channel, "MemberArn": ada}
    assert chat.refused("GetChannelMembershipPreferences", ada, **params) == "BadRequestException"
