from dataclasses import replace
from typing import Any

import pytest

from chime_messaging.server.configuration import Authorization
from chime_messaging.server.identity import app_instances
from chime_messaging.server.messaging import quotas
from chime_messaging.server.notices import Deliver, Dissolve, Join, Stream
from chime_messaging.server.rest.shapes import body
from chime_messaging.server.store.channels import channels, on_channel_deleted, update_channel
from chime_messaging.server.store.lifecycle import APP_INSTANCE_HOOKS, EXISTS
from chime_messaging.server.store.memberships import groups_of, memberships
from chime_messaging.server.store.tags import tags_of
from tests.messaging.server.messaging.chat import Chat
from tests.messaging.server.messaging.inboxes import Inboxes

assert app_instances


def create(chat: Chat, bearer: str, name: str = "general", **params: Any) -> str:
    answer = chat.call("CreateChannel", bearer, AppInstanceArn=chat.instance, Name=name, **params)
    arn: str = answer["ChannelArn"]
    return arn


def describe(chat: Chat, bearer: str, channel: str) -> dict[str, Any]:
    answer = chat.call("DescribeChannel", bearer, ChannelArn=channel)
    body("messaging", "DescribeChannelResponse", answer)
    record: dict[str, Any] = answer["Channel"]
    return record


def names(chat: Chat, bearer: str, **params: Any) -> list[str]:
    found, token = [], None
    while True:
        more: dict[str, str] = {} if token is None else {"NextToken": token}
        answer = chat.call("ListChannels", bearer, AppInstanceArn=chat.instance, **params, **more)
        body("messaging", "ListChannelsResponse", answer)
        found += [channel["Name"] for channel in answer["Channels"]]
        token = answer["NextToken"]
        if token is None:
            return found


def test_a_channel_is_restricted_and_private_unless_told_otherwise(chat: Chat) -> None:
    ann = chat.user("Ann")
    record = describe(chat, ann, create(chat, ann))
    assert (record["Mode"], record["Privacy"]) == ("RESTRICTED", "PRIVATE")
    assert record["CreatedBy"] == {"Arn": ann, "Name": "Ann"}
    assert record["CreatedTimestamp"] == record["LastUpdatedTimestamp"] >= chat.now
    for absent in ("Metadata", "LastMessageTimestamp", "ChannelFlowArn", "ExpirationSettings"):
        assert record[absent] is None


def test_everything_given_at_creation_is_kept(chat: Chat) -> None:
    ann = chat.user("Ann")
    channel = create(
        chat,
        ann,
        "Team 🚀",
        Mode="UNRESTRICTED",
        Privacy="PUBLIC",
        Metadata="a\nb",
        ChannelId="team:1@x",
        Tags=[{"Key": "k", "Value": "v"}],
        ExpirationSettings={"ExpirationDays": 3, "ExpirationCriterion": "LAST_MESSAGE_TIMESTAMP"},
    )
    assert channel == f"{chat.instance}/channel/team:1@x"
    record = describe(chat, ann, channel)
    assert (record["Name"], record["Mode"], record["Privacy"]) == ("Team 🚀", "UNRESTRICTED", "PUBLIC")
    assert record["Metadata"] == "a\nb"
    assert record["ExpirationSettings"] == {"ExpirationDays": 3, "ExpirationCriterion": "LAST_MESSAGE_TIMESTAMP"}
    assert chat.work(lambda tx: tags_of(tx, channel)) == [{"Key": "k", "Value": "v"}]


def test_flow_and_last_message_are_shown_where_they_are(chat: Chat) -> None:
    ann = chat.user("Ann")
    channel = create(chat, ann)
    flow = f"{chat.instance}/channel-flow/f"
    chat.work(lambda tx: update_channel(tx, channel, flow_arn=flow, last_message=chat.now + 5))
    record = describe(chat, ann, channel)
    assert (record["ChannelFlowArn"], record["LastMessageTimestamp"]) == (flow, chat.now + 5)


def test_a_channel_id_can_be_taken_once(chat: Chat) -> None:
    ann = chat.user("Ann")
    create(chat, ann, ChannelId="x")
    taken = {"AppInstanceArn": chat.instance, "Name": "again", "ChannelId": "x"}
    assert chat.refused("CreateChannel", ann, **taken) == "ConflictException"


def test_the_creator_is_member_and_moderator(chat: Chat) -> None:
    ann = chat.user("Ann")
    channel = create(chat, ann)
    moderators = chat.call("ListChannelModerators", ann, ChannelArn=channel)["ChannelModerators"]
    members = chat.call("ListChannelMemberships", ann, ChannelArn=channel)["ChannelMemberships"]
    assert [row["Moderator"]["Arn"] for row in moderators] == [ann]
    assert [row["Member"]["Arn"] for row in members] == [ann]


def test_first_members_each_hear_of_every_first_member(chat: Chat, inboxes: Inboxes) -> None:
    ann, bob, eve = chat.user("Ann"), chat.user("Bob"), chat.user("Eve")
    channel = create(chat, ann, MemberArns=[bob, ann, bob], ModeratorArns=[eve])
    for user in (ann, bob):
        seen = inboxes.take(user)
        assert [event.type for event in seen] == ["CREATE_CHANNEL_MEMBERSHIP"] * 2
        assert [event.payload["Member"]["Arn"] for event in seen] == [ann, bob]
        assert {event.message_type for event in seen} == {"SYSTEM"}
        assert {event.payload["InvitedBy"]["Arn"] for event in seen} == {ann}
    assert inboxes.take(eve) == []  # a moderator without membership
    assert inboxes.groups == {channel: {ann, bob}}
    moderators = chat.call("ListChannelModerators", ann, ChannelArn=channel)["ChannelModerators"]
    assert {row["Moderator"]["Arn"] for row in moderators} == {ann, eve}


def test_everybody_is_joined_before_anybody_is_told(chat: Chat) -> None:
    ann, bob = chat.user("Ann"), chat.user("Bob")
    chat.notices.clear()
    create(chat, ann, MemberArns=[bob])
    kinds = [type(notice) for notice in chat.notices if isinstance(notice, Join | Deliver)]
    assert kinds == [Join, Join, Deliver, Deliver]


def test_creation_is_streamed_and_not_delivered(chat: Chat, inboxes: Inboxes) -> None:
    ann = chat.user("Ann")
    channel = create(chat, ann)
    streamed = [event_type for event_type, _ in inboxes.streamed]
    assert streamed == ["CREATE_CHANNEL", "CREATE_CHANNEL_MODERATOR", "CREATE_CHANNEL_MEMBERSHIP"]
    assert inboxes.streamed[0][1]["ChannelArn"] == channel
    assert inboxes.streamed[0][1]["CreatedTimestamp"].endswith("Z")
    assert "CREATE_CHANNEL" not in inboxes.types(ann)
    assert {notice.data_type for notice in chat.notices if isinstance(notice, Stream)} == {"Channel"}


def test_strangers_cannot_be_named_at_creation(chat: Chat) -> None:
    ann = chat.user("Ann")
    for member in ("MemberArns", "ModeratorArns"):
        for arn in (f"{chat.instance}/user/nobody", "arn:aws:chime:us-east-1:1:other/x"):
            params = {"AppInstanceArn": chat.instance, "Name": "x", member: [arn]}
            assert chat.refused("CreateChannel", ann, **params) == "ForbiddenException"


def test_a_channel_is_created_in_ones_own_app_instance(chat: Chat) -> None:
    ann = chat.user("Ann")
    other = chat.instance.replace("11111111", "22222222")
    assert chat.refused("CreateChannel", ann, AppInstanceArn=other, Name="x") == "ForbiddenException"


def test_only_what_is_given_is_changed(chat: Chat, inboxes: Inboxes) -> None:
    ann = chat.user("Ann")
    channel = create(chat, ann, Metadata="old")
    inboxes.clear()
    chat.now += 1000
    assert chat.call("UpdateChannel", ann, ChannelArn=channel, Name="new") == {"ChannelArn": channel}
    (event,) = inboxes.take(ann)
    assert event.type == "UPDATE_CHANNEL"
    assert (event.payload["Name"], event.payload["Metadata"], event.payload["Mode"]) == ("new", "old", "RESTRICTED")
    assert event.payload["LastUpdatedTimestamp"] > event.payload["CreatedTimestamp"]
    chat.call("UpdateChannel", ann, ChannelArn=channel, Mode="UNRESTRICTED", Metadata="")
    (event,) = inboxes.take(ann)
    assert event.payload["Mode"] == "UNRESTRICTED"
    assert "Metadata" not in event.payload
    assert [event_type for event_type, _ in inboxes.streamed] == ["UPDATE_CHANNEL", "UPDATE_CHANNEL"]


def test_a_deleted_channel_is_gone_with_all_that_hung_on_it(chat: Chat, inboxes: Inboxes) -> None:
    ann, bob, eve = chat.user("Ann"), chat.user("Bob"), chat.user("Eve")
    channel = create(chat, ann, MemberArns=[bob], Tags=[{"Key": "k", "Value": "v"}])
    chat.call("CreateChannelBan", ann, ChannelArn=channel, MemberArn=eve)
    deleted: list[str] = []
    on_channel_deleted(lambda tx, arn: deleted.append(arn))
    inboxes.clear()
    chat.notices.clear()
    chat.call("DeleteChannel", ann, ChannelArn=channel)
    for user in (ann, bob):
        (event,) = inboxes.take(user)
        assert (event.type, event.payload["ChannelArn"]) == ("DELETE_CHANNEL", channel)
    assert inboxes.groups == {}
    kinds = [type(notice) for notice in chat.notices]
    assert kinds.index(Deliver) < kinds.index(Dissolve)
    assert deleted == [channel]
    assert chat.refused("DescribeChannel", ann, ChannelArn=channel) == "ForbiddenException"
    assert chat.work(lambda tx: groups_of(tx, bob)) == []
    assert chat.work(lambda tx: tags_of(tx, channel)) == []
    fresh = create(chat, ann, ChannelId=channel.rpartition("/")[2])
    assert fresh == channel
    assert chat.call("ListChannelBans", ann, ChannelArn=channel)["ChannelBans"] == []


def test_only_administrators_list_private_channels(chat: Chat) -> None:
    ann, admin = chat.user("Ann"), chat.user("Admin", admin=True)
    create(chat, ann, "open", Privacy="PUBLIC")
    create(chat, ann, "secret")
    assert names(chat, ann) == ["open"]
    assert names(chat, ann, Privacy="PUBLIC") == ["open"]
    assert chat.refused("ListChannels", ann, AppInstanceArn=chat.instance, Privacy="PRIVATE") == "ForbiddenException"
    assert names(chat, admin, Privacy="PRIVATE") == ["secret"]
    assert names(chat, admin, Privacy="PUBLIC") == ["open"]
    assert names(chat, admin) == ["open", "secret"]


def test_lists_are_in_order_of_creation_on_pages_of_any_size(chat: Chat) -> None:
    ann = chat.user("Ann")
    wanted = [create(chat, ann, f"c{n}", Privacy="PUBLIC").rpartition("/")[0] and f"c{n}" for n in range(7)]
    for size in (1, 2, 3, 7, 50):
        assert names(chat, ann, MaxResults=size) == wanted


def test_a_token_of_another_list_is_refused(chat: Chat) -> None:
    ann, admin = chat.user("Ann"), chat.user("Admin", admin=True)
    for n in range(2):
        create(chat, ann, f"c{n}")
    ask = {"AppInstanceArn": chat.instance, "MaxResults": 1}
    token = chat.call("ListChannels", admin, **ask, Privacy="PRIVATE")["NextToken"]
    assert chat.refused("ListChannels", admin, **ask, NextToken=token) == "BadRequestException"


def test_with_trust_anybody_creates_runs_and_joins(chat: Chat, inboxes: Inboxes) -> None:
    chat.configuration = replace(chat.configuration, authorization=Authorization.TRUST)
    nobody, other = f"{chat.instance}/user/nobody", f"{chat.instance}/user/other"
    channel = create(chat, nobody, MemberArns=[other])
    assert inboxes.take(other)[-1].payload["Member"] == {"Arn": other}
    unowned = create(chat, None, "unowned")  # type: ignore[arg-type]
    assert describe(chat, other, unowned)["CreatedBy"] is None
    assert chat.call("ListChannelMemberships", None, ChannelArn=unowned)["ChannelMemberships"] == []
    chat.call("CreateChannelMembership", None, ChannelArn=unowned, MemberArn=other, Type="DEFAULT")
    assert names(chat, other, Privacy="PRIVATE") == ["general", "unowned"]
    chat.call("DeleteChannel", other, ChannelArn=channel)
    foreign = nobody.replace("11111111", "22222222")
    params = {"AppInstanceArn": chat.instance, "Name": "x"}
    assert chat.refused("CreateChannel", foreign, **params) == "ForbiddenException"


def test_channels_go_with_their_app_instance(chat: Chat, inboxes: Inboxes) -> None:
    ann = chat.user("Ann")
    channel = create(chat, ann)
    assert chat.work(lambda tx: EXISTS["channel"](tx, channel))
    chat.work(lambda tx: [hook(tx, chat.instance) for hook in APP_INSTANCE_HOOKS])
    assert not chat.work(lambda tx: EXISTS["channel"](tx, channel))
    assert inboxes.groups == {}
    assert chat.work(lambda tx: tx.connection.execute(channels.select()).all()) == []
    assert chat.work(lambda tx: tx.connection.execute(memberships.select()).all()) == []


def test_with_trust_things_must_still_exist_and_fit(chat: Chat) -> None:
    chat.configuration = replace(chat.configuration, authorization=Authorization.TRUST)
    nobody = f"{chat.instance}/user/nobody"
    missing = chat.instance.replace("11111111", "22222222")
    assert chat.refused("CreateChannel", None, AppInstanceArn=missing, Name="x") == "ForbiddenException"
    assert chat.refused("ListChannelMembershipsForAppInstanceUser", None) == "BadRequestException"
    channel = create(chat, nobody)
    for member in ("nonsense", f"{missing}/user/x", f"{chat.instance}/channel/x"):
        params = {"ChannelArn": channel, "MemberArn": member, "Type": "DEFAULT"}
        assert chat.refused("CreateChannelMembership", nobody, **params) == "NotFoundException"
    other = f"{chat.instance}/user/other"
    chat.call("CreateChannelMembership", None, ChannelArn=channel, MemberArn=other, Type="DEFAULT")
    answer = chat.call("DescribeChannelMembership", None, ChannelArn=channel, MemberArn=other)
    assert answer["ChannelMembership"]["InvitedBy"] is None


def test_a_channel_is_created_whole_or_not_at_all(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "CHANNELS_PER_MEMBER", 1)
    ann, bob = chat.user("Ann"), chat.user("Bob")
    create(chat, bob)
    params = {"AppInstanceArn": chat.instance, "Name": "x", "MemberArns": [bob], "ChannelId": "x"}
    assert chat.refused("CreateChannel", ann, **params) == "ResourceLimitExceededException"
    chat.configuration = replace(chat.configuration, quotas=False)
    chat.call("CreateChannel", ann, **params)
