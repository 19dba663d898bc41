from dataclasses import replace
from typing import Any

import pytest

from chime_messaging.server.identity import users as identity_users
from chime_messaging.server.messaging import quotas
from chime_messaging.server.notices import Deliver, Leave
from chime_messaging.server.rest.shapes import body
from chime_messaging.server.store.lifecycle import USER_HOOKS
from chime_messaging.server.store.memberships import group_of, groups_of, memberships
from tests.messaging.server.messaging.chat import Chat
from tests.messaging.server.messaging.inboxes import Inboxes

assert identity_users


class Room:
    """A channel with its creator, and others who are not in it yet."""

    def __init__(self, chat: Chat, inboxes: Inboxes, **params: Any) -> None:
        self.chat = chat
        self.inboxes = inboxes
        self.ann, self.bob, self.eve = chat.user("Ann"), chat.user("Bob"), chat.user("Eve")
        answer = chat.call("CreateChannel", self.ann, AppInstanceArn=chat.instance, Name="general", **params)
        self.arn: str = answer["ChannelArn"]
        inboxes.clear()

    def add(self, member: str, by: str | None = None, kind: str = "DEFAULT") -> dict[str, Any]:
        answer = self.chat.call(
            "CreateChannelMembership", by or self.ann, ChannelArn=self.arn, MemberArn=member, Type=kind
        )
        body("messaging", "CreateChannelMembershipResponse", answer)
        return dict(answer)

    def refused(self, operation: str, bearer: str, **params: Any) -> str:
        error: str = self.chat.refused(operation, bearer, ChannelArn=self.arn, **params)
        return error

    def members(self, bearer: str | None = None, **params: Any) -> list[str]:
        found, token = [], None
        while True:
            more: dict[str, str] = {} if token is None else {"NextToken": token}
            answer = self.chat.call("ListChannelMemberships", bearer or self.ann, ChannelArn=self.arn, **params, **more)
            body("messaging", "ListChannelMembershipsResponse", answer)
            found += [row["Member"]["Arn"] for row in answer["ChannelMemberships"]]
            token = answer["NextToken"]
            if token is None:
                return found


@pytest.fixture
def channel(chat: Chat, inboxes: Inboxes) -> Room:
    return Room(chat, inboxes)


def test_a_new_member_hears_of_itself_like_everybody(channel: Room) -> None:
    answer = channel.add(channel.bob)
    assert answer == {
        "ChannelArn": channel.arn,
        "Member": {"Arn": channel.bob, "Name": "Bob"},
        "SubChannelId": None,
    }
    for user in (channel.ann, channel.bob):
        (event,) = channel.inboxes.take(user)
        assert event.type == "CREATE_CHANNEL_MEMBERSHIP"
        assert event.payload["Member"] == {"Arn": channel.bob, "Name": "Bob"}
        assert event.payload["InvitedBy"] == {"Arn": channel.ann, "Name": "Ann"}
        assert event.payload["Type"] == "DEFAULT"
        assert "SubChannelId" not in event.payload
    assert channel.inboxes.take(channel.eve) == []
    assert channel.chat.work(lambda tx: groups_of(tx, channel.bob)) == [channel.arn]


def test_a_member_is_added_once(channel: Room) -> None:
    channel.add(channel.bob)
    for kind in ("DEFAULT", "HIDDEN"):
        assert channel.refused("CreateChannelMembership", channel.ann, MemberArn=channel.bob, Type=kind) == (
            "ConflictException"
        )


def test_who_does_not_exist_cannot_be_added(channel: Room) -> None:
    for arn in (f"{channel.chat.instance}/user/none", channel.bob.replace("11111111", "22222222"), "arn:a:b:c:d:e"):
        error = channel.refused("CreateChannelMembership", channel.ann, MemberArn=arn, Type="DEFAULT")
        assert error == "NotFoundException"


def test_bots_can_be_members(channel: Room) -> None:
    bot = channel.chat.bot("Lex")
    channel.add(bot)
    assert channel.members() == [channel.ann, bot]


def test_members_add_others_only_where_unrestricted(channel: Room) -> None:
    channel.add(channel.bob)
    params = {"MemberArn": channel.eve, "Type": "DEFAULT"}
    assert channel.refused("CreateChannelMembership", channel.bob, **params) == "ForbiddenException"
    channel.chat.call("UpdateChannel", channel.ann, ChannelArn=channel.arn, Mode="UNRESTRICTED")
    channel.add(channel.eve, by=channel.bob)
    answer = channel.chat.call("DescribeChannelMembership", channel.bob, ChannelArn=channel.arn, MemberArn=channel.eve)
    assert answer["ChannelMembership"]["InvitedBy"] == {"Arn": channel.bob, "Name": "Bob"}


def test_users_join_public_channels_by_themselves(chat: Chat, inboxes: Inboxes) -> None:
    channel = Room(chat, inboxes, Privacy="PUBLIC")
    channel.add(channel.bob, by=channel.bob)
    params = {"MemberArn": chat.user("Max"), "Type": "DEFAULT"}
    assert channel.refused("CreateChannelMembership", channel.eve, **params) == "ForbiddenException"
    chat.call("BatchCreateChannelMembership", channel.eve, ChannelArn=channel.arn, MemberArns=[channel.eve])
    assert channel.members() == [channel.ann, channel.bob, channel.eve]
    chat.configuration = replace(chat.configuration, join_restricted=False)
    joiner = chat.user("Joe")
    params = {"MemberArn": joiner, "Type": "DEFAULT"}
    assert channel.refused("CreateChannelMembership", joiner, **params) == "ForbiddenException"


def test_a_batch_is_one_event_and_its_failures_are_listed(channel: Room) -> None:
    chat, max_, nobody = channel.chat, channel.chat.user("Max"), f"{channel.chat.instance}/user/nobody"
    chat.call("CreateChannelBan", channel.ann, ChannelArn=channel.arn, MemberArn=max_)
    channel.inboxes.clear()
    answer = chat.call(
        "BatchCreateChannelMembership",
        channel.ann,
        ChannelArn=channel.arn,
        Type="DEFAULT",
        MemberArns=[channel.bob, nobody, channel.ann, max_, channel.eve, channel.bob],
    )
    body("messaging", "BatchCreateChannelMembershipResponse", answer)
    assert [member["Name"] for member in answer["BatchChannelMemberships"]["Members"]] == ["Bob", "Eve"]
    assert {(row["MemberArn"], row["ErrorCode"]) for row in answer["Errors"]} == {
        (nobody, "NotFound"),
        (channel.ann, "Conflict"),
        (max_, "Forbidden"),
    }
    for user in (channel.ann, channel.bob, channel.eve):
        (event,) = channel.inboxes.take(user)
        assert event.type == "BATCH_CREATE_CHANNEL_MEMBERSHIP"
        assert [member["Arn"] for member in event.payload["Members"]] == [channel.bob, channel.eve]
    assert [event_type for event_type, _ in channel.inboxes.streamed] == ["CREATE_CHANNEL_MEMBERSHIP"] * 2


def test_a_batch_of_failures_tells_nobody(channel: Room) -> None:
    answer = channel.chat.call(
        "BatchCreateChannelMembership", channel.ann, ChannelArn=channel.arn, MemberArns=[channel.ann]
    )
    assert answer["BatchChannelMemberships"] is None
    assert [row["ErrorCode"] for row in answer["Errors"]] == ["Conflict"]
    assert channel.inboxes.take(channel.ann) == []


def test_whoever_leaves_hears_of_it_like_the_rest(channel: Room) -> None:
    channel.add(channel.bob)
    channel.inboxes.clear()
    channel.chat.notices.clear()
    channel.chat.call("DeleteChannelMembership", channel.bob, ChannelArn=channel.arn, MemberArn=channel.bob)
    for user in (channel.ann, channel.bob):
        (event,) = channel.inboxes.take(user)
        assert (event.type, event.payload["Member"]["Arn"]) == ("DELETE_CHANNEL_MEMBERSHIP", channel.bob)
    kinds = [type(notice) for notice in channel.chat.notices if isinstance(notice, Deliver | Leave)]
    assert kinds == [Deliver, Leave]
    assert channel.inboxes.groups[channel.arn] == {channel.ann}
    channel.add(channel.bob)


def test_members_are_put_out_by_those_who_run_the_channel_only(channel: Room) -> None:
    channel.add(channel.bob)
    channel.add(channel.eve)
    assert channel.refused("DeleteChannelMembership", channel.bob, MemberArn=channel.eve) == "ForbiddenException"
    channel.chat.call("DeleteChannelMembership", channel.ann, ChannelArn=channel.arn, MemberArn=channel.eve)
    assert channel.members() == [channel.ann, channel.bob]
    error = channel.refused("DeleteChannelMembership", channel.ann, MemberArn=channel.eve)
    assert error == "ForbiddenException"


def test_hidden_members_are_seen_by_those_who_run_the_channel_only(channel: Room) -> None:
    channel.add(channel.bob)
    channel.inboxes.clear()
    channel.add(channel.eve, kind="HIDDEN")
    assert channel.inboxes.types(channel.bob) == []
    for user in (channel.ann, channel.eve):
        (event,) = channel.inboxes.take(user)
        assert (event.type, event.payload["Type"]) == ("CREATE_CHANNEL_MEMBERSHIP", "HIDDEN")
    assert channel.members() == [channel.ann, channel.bob]
    assert channel.members(Type="HIDDEN") == [channel.eve]
    assert channel.refused("ListChannelMemberships", channel.bob, Type="HIDDEN") == "ForbiddenException"
    describe = "DescribeChannelMembership"
    assert channel.refused(describe, channel.bob, MemberArn=channel.eve) == "NotFoundException"
    for bearer in (channel.ann, channel.eve):
        answer = channel.chat.call(describe, bearer, ChannelArn=channel.arn, MemberArn=channel.eve)
        assert answer["ChannelMembership"]["Type"] == "HIDDEN"


def test_hidden_members_receive_and_leave_unseen(channel: Room) -> None:
    channel.add(channel.bob)
    channel.add(channel.eve, kind="HIDDEN")
    channel.inboxes.clear()
    channel.chat.call("UpdateChannel", channel.ann, ChannelArn=channel.arn, Name="new")
    assert channel.inboxes.types(channel.eve) == ["UPDATE_CHANNEL"]
    channel.inboxes.clear()
    channel.chat.call("DeleteChannelMembership", channel.eve, ChannelArn=channel.arn, MemberArn=channel.eve)
    assert channel.inboxes.types(channel.bob) == []
    assert channel.inboxes.types(channel.eve) == ["DELETE_CHANNEL_MEMBERSHIP"]
    assert channel.inboxes.types(channel.ann) == ["DELETE_CHANNEL_MEMBERSHIP"]
    assert channel.inboxes.groups[channel.arn] == {channel.ann, channel.bob}


def test_a_hidden_batch_is_told_to_the_hidden_and_the_moderators_in_the_channel(channel: Room) -> None:
    max_ = channel.chat.user("Max")
    channel.add(max_)
    channel.inboxes.clear()
    channel.chat.call(
        "BatchCreateChannelMembership",
        channel.ann,
        ChannelArn=channel.arn,
        Type="HIDDEN",
        MemberArns=[channel.bob, channel.eve],
    )
    for user in (channel.ann, channel.bob, channel.eve):
        assert channel.inboxes.types(user) == ["BATCH_CREATE_CHANNEL_MEMBERSHIP"]
    assert channel.inboxes.types(max_) == []


def test_a_membership_is_described_in_full(channel: Room) -> None:
    channel.add(channel.bob)
    answer = channel.chat.call("DescribeChannelMembership", channel.bob, ChannelArn=channel.arn, MemberArn=channel.bob)
    body("messaging", "DescribeChannelMembershipResponse", answer)
    record = answer["ChannelMembership"]
    assert record["Member"] == {"Arn": channel.bob, "Name": "Bob"}
    assert record["CreatedTimestamp"] == record["LastUpdatedTimestamp"]
    error = channel.refused("DescribeChannelMembership", channel.ann, MemberArn=channel.eve)
    assert error == "NotFoundException"


def test_members_are_listed_by_when_they_came_on_pages_of_any_size(channel: Room) -> None:
    others = [channel.chat.user(f"User{n}") for n in (3, 1, 2, 5, 4)]
    for other in others[:2]:
        channel.add(other)
    channel.chat.call("BatchCreateChannelMembership", channel.ann, ChannelArn=channel.arn, MemberArns=others[2:])
    wanted = [channel.ann, *others[:2], *sorted(others[2:])]
    for size in (1, 2, 3, 50):
        assert channel.members(MaxResults=size) == wanted


def test_a_page_stays_right_while_members_come_and_go(channel: Room) -> None:
    channel.add(channel.bob)
    channel.add(channel.eve)
    ask = {"ChannelArn": channel.arn, "MaxResults": 2}
    first = channel.chat.call("ListChannelMemberships", channel.ann, **ask)
    channel.chat.call("DeleteChannelMembership", channel.ann, ChannelArn=channel.arn, MemberArn=channel.bob)
    late = channel.chat.user("Late")
    channel.add(late)
    second = channel.chat.call("ListChannelMemberships", channel.ann, **ask, NextToken=first["NextToken"])
    assert [row["Member"]["Arn"] for row in second["ChannelMemberships"]] == [channel.eve, late]
    assert second["NextToken"] is None


def test_a_user_lists_its_channels_with_what_it_has_in_them(chat: Chat, inboxes: Inboxes) -> None:
    channel = Room(chat, inboxes)
    second = chat.call("CreateChannel", channel.bob, AppInstanceArn=chat.instance, Name="second")["ChannelArn"]
    channel.add(channel.bob, kind="HIDDEN")
    operation = "ListChannelMembershipsForAppInstanceUser"
    answer = chat.call(operation, channel.bob)
    body("messaging", f"{operation}Response", answer)
    rows = answer["ChannelMemberships"]
    assert [row["ChannelSummary"]["ChannelArn"] for row in rows] == [second, channel.arn]
    assert rows[1]["AppInstanceUserMembershipSummary"]["Type"] == "HIDDEN"
    first = chat.call(operation, channel.bob, MaxResults=1)
    rest = chat.call(operation, channel.bob, MaxResults=1, NextToken=first["NextToken"])
    assert rest["ChannelMemberships"] == rows[1:]
    assert rest["NextToken"] is None


def test_only_administrators_look_at_others(channel: Room) -> None:
    admin = channel.chat.user("Admin", admin=True)
    channel.add(channel.bob)
    operation = "ListChannelMembershipsForAppInstanceUser"
    assert channel.chat.refused(operation, channel.ann, AppInstanceUserArn=channel.bob) == "ForbiddenException"
    (row,) = channel.chat.call(operation, admin, AppInstanceUserArn=channel.bob)["ChannelMemberships"]
    assert row["ChannelSummary"]["ChannelArn"] == channel.arn
    nobody = f"{channel.chat.instance}/user/nobody"
    assert channel.chat.refused(operation, admin, AppInstanceUserArn=nobody) == "ForbiddenException"
    single = "DescribeChannelMembershipForAppInstanceUser"
    assert channel.refused(single, channel.ann, AppInstanceUserArn=channel.bob) == "ForbiddenException"
    for bearer in (admin, channel.bob):
        answer = channel.chat.call(single, bearer, ChannelArn=channel.arn, AppInstanceUserArn=channel.bob)
        body("messaging", f"{single}Response", answer)
        assert answer["ChannelMembership"]["ChannelSummary"]["Name"] == "general"
    assert channel.refused(single, channel.eve, AppInstanceUserArn=channel.eve) == "ForbiddenException"


def test_count_quotas_hold_per_channel_and_per_user(channel: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "MEMBERSHIPS_PER_CHANNEL", 2)
    answer = channel.chat.call(
        "BatchCreateChannelMembership", channel.ann, ChannelArn=channel.arn, MemberArns=[channel.bob, channel.eve]
    )
    assert [row["ErrorCode"] for row in answer["Errors"]] == ["ResourceLimitExceeded"]
    params = {"MemberArn": channel.eve, "Type": "DEFAULT"}
    assert channel.refused("CreateChannelMembership", channel.ann, **params) == "ResourceLimitExceededException"
    monkeypatch.setattr(quotas, "MEMBERSHIPS_PER_CHANNEL", 100)
    monkeypatch.setattr(quotas, "CHANNELS_PER_MEMBER", 0)
    assert channel.refused("CreateChannelMembership", channel.ann, **params) == "ResourceLimitExceededException"
    channel.chat.configuration = replace(channel.chat.configuration, quotas=False)
    channel.add(channel.eve)


def test_sub_channels_are_for_elastic_channels(channel: Room) -> None:
    params = {"MemberArn": channel.bob, "Type": "DEFAULT", "SubChannelId": "x"}
    assert channel.refused("CreateChannelMembership", channel.ann, **params) == "BadRequestException"
    for operation in ("DeleteChannelMembership", "DescribeChannelMembership"):
        error = channel.refused(operation, channel.ann, MemberArn=channel.ann, SubChannelId="x")
        assert error == "BadRequestException"
    assert channel.refused("ListChannelMemberships", channel.ann, SubChannelId="x") == "BadRequestException"


def test_a_deleted_user_leaves_everything_behind(channel: Room) -> None:
    channel.add(channel.bob)
    other = channel.chat.call(
        "CreateChannel", channel.bob, AppInstanceArn=channel.chat.instance, Name="bobs", MemberArns=[channel.ann]
    )["ChannelArn"]
    channel.inboxes.clear()
    channel.chat.work(lambda tx: [hook(tx, channel.bob) for hook in USER_HOOKS])
    gone = channel.inboxes.take(channel.ann)
    assert {event.type for event in gone} == {"DELETE_CHANNEL_MEMBERSHIP"}
    assert {event.payload["ChannelArn"] for event in gone} == {channel.arn, other}
    rows = channel.chat.work(lambda tx: tx.connection.execute(memberships.select()).all())
    assert {row.member_arn for row in rows} == {channel.ann}
    admin = channel.chat.user("Admin", admin=True)
    assert channel.chat.call("ListChannelModerators", admin, ChannelArn=other)["ChannelModerators"] == []


def test_a_group_is_a_channel_or_a_part_of_it() -> None:
    assert group_of("arn:c") == "arn:c"
    assert group_of("arn:c", "s1") == "arn:c#s1"
