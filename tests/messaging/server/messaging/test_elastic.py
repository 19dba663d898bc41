from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.messaging import quotas
from chime_messaging.server.messaging.elastic import Elasticity, emptiest, merge
from chime_messaging.server.notices import Deliver
from chime_messaging.server.rest.shapes import body
from chime_messaging.server.store.memberships import groups_of
from tests.messaging.server.messaging.chat import Chat
from tests.messaging.server.messaging.inboxes import Inboxes

FIGURES = {"MaximumSubChannels": 3, "TargetMembershipsPerSubChannel": 4, "MinimumMembershipPercentage": 40}

figures = st.builds(Elasticity, st.integers(2, 6), st.integers(2, 10), st.integers(1, 40))


def test_the_minimum_is_rounded_up() -> None:
    assert Elasticity(2, 4, 40).minimum == 2
    assert Elasticity(2, 10, 40).minimum == 4
    assert Elasticity(2, 2, 1).minimum == 1


@given(figures, st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 12), max_size=6))
def test_a_new_member_goes_to_the_emptiest_that_is_not_full(elasticity: Elasticity, members: dict[str, int]) -> None:
    chosen = emptiest(elasticity, members)
    if chosen is None:
        assert all(count >= elasticity.target for count in members.values())
    else:
        assert members[chosen] < elasticity.target
        assert members[chosen] == min(members.values())


@given(figures, st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 10), min_size=1, max_size=6), st.data())
def test_a_merge_overfills_nothing_and_forgets_nobody(
    elasticity: Elasticity, members: dict[str, int], data: st.DataObject
) -> None:
    shrunk = data.draw(st.sampled_from(sorted(members)))
    moves = merge(elasticity, members, shrunk)
    others = {part: count for part, count in members.items() if part != shrunk}
    room = sum(max(0, elasticity.target - count) for count in others.values())
    if moves is None:
        assert members[shrunk] >= elasticity.minimum or not others or room < members[shrunk]
        return
    assert members[shrunk] < elasticity.minimum
    assert len(moves) == members[shrunk]
    for part in set(moves):
        assert others[part] + moves.count(part) <= elasticity.target


class Elastic:
    """An elastic channel and its moderator."""

    def __init__(self, chat: Chat, inboxes: Inboxes, **params: Any) -> None:
        self.chat = chat
        self.inboxes = inboxes
        self.ann = chat.user("Ann")
        self.arn = str(
            chat.call(
                "CreateChannel",
                self.ann,
                AppInstanceArn=chat.instance,
                Name="stadium",
                ElasticChannelConfiguration=FIGURES,
                **params,
            )["ChannelArn"]
        )

    def call(self, operation: str, bearer: str | None = None, **params: Any) -> dict[str, Any]:
        return self.chat.call(operation, bearer or self.ann, ChannelArn=self.arn, **params)

    def refused(self, operation: str, bearer: str | None = None, **params: Any) -> str:
        return self.chat.refused(operation, bearer or self.ann, ChannelArn=self.arn, **params)

    def add(self, member: str, **params: Any) -> str:
        answer = self.call("CreateChannelMembership", MemberArn=member, Type="DEFAULT", **params)
        return str(answer["SubChannelId"])

    def fill(self, count: int) -> list[tuple[str, str]]:
        """Add users; each with the sub-channel it came into."""
        users = [self.chat.user(f"User{n:02}") for n in range(count)]
        return [(user, self.add(user)) for user in users]

    def remove(self, member: str, **params: Any) -> None:
        self.call("DeleteChannelMembership", MemberArn=member, **params)

    def parts(self) -> dict[str, int]:
        answer = self.call("ListSubChannels")
        body("messaging", "ListSubChannelsResponse", answer)
        return {row["SubChannelId"]: row["MembershipCount"] for row in answer["SubChannels"]}

    def group(self, part: str) -> set[str]:
        return self.inboxes.groups.get(f"{self.arn}#{part}", set())


@pytest.fixture
def elastic(chat: Chat, inboxes: Inboxes) -> Elastic:
    return Elastic(chat, inboxes)


def test_an_elastic_channel_begins_with_one_empty_part_and_a_moderator(elastic: Elastic) -> None:
    assert list(elastic.parts().values()) == [0]
    shown = elastic.call("DescribeChannel")["Channel"]
    body("messaging", "DescribeChannelResponse", {"Channel": shown})
    assert shown["ElasticChannelConfiguration"] == FIGURES
    assert [row["Moderator"]["Arn"] for row in elastic.call("ListChannelModerators")["ChannelModerators"]] == [
        elastic.ann
    ]
    streamed = [event_type for event_type, _ in elastic.inboxes.streamed]
    assert streamed == ["CREATE_CHANNEL", "CREATE_SUB_CHANNEL", "CREATE_CHANNEL_MODERATOR"]
    (part,) = elastic.parts()
    assert elastic.inboxes.streamed[1][1] == {"ChannelArn": elastic.arn, "SubChannelId": part}


def test_what_elastic_channels_do_not_have_is_refused(chat: Chat, elastic: Elastic) -> None:
    bob = chat.user("Bob")
    create = {"AppInstanceArn": chat.instance, "Name": "x", "ElasticChannelConfiguration": FIGURES}
    chat.configuration = replace(chat.configuration, quotas=False)
    for extra in ({"Mode": "UNRESTRICTED"}, {"MemberArns": [bob]}):
        assert chat.refused("CreateChannel", elastic.ann, **create, **extra) == "BadRequestException"
    assert elastic.refused("UpdateChannel", Mode="UNRESTRICTED") == "BadRequestException"
    assert elastic.refused("CreateChannelMembership", MemberArn=bob, Type="HIDDEN") == "BadRequestException"
    elastic.call("UpdateChannel", Name="renamed")
    ordinary = chat.channel(name="ordinary")
    chat.moderator(ordinary, elastic.ann)
    assert chat.refused("ListSubChannels", elastic.ann, ChannelArn=ordinary) == "BadRequestException"


def test_parts_open_one_after_the_other_until_all_are_full(elastic: Elastic) -> None:
    placed = elastic.fill(12)
    first, second, third = elastic.parts()
    assert [part for _, part in placed] == [first] * 4 + [second] * 4 + [third] * 4
    assert list(elastic.parts().values()) == [4, 4, 4]
    late = elastic.chat.user("Late")
    error = elastic.refused("CreateChannelMembership", MemberArn=late, Type="DEFAULT")
    assert error == "ResourceLimitExceededException"
    params = {"MemberArn": late, "Type": "DEFAULT", "SubChannelId": first}
    assert elastic.refused("CreateChannelMembership", **params) == "ResourceLimitExceededException"
    elastic.remove(placed[5][0])
    assert elastic.add(late) == second
    for part in (first, second, third):
        assert len(elastic.group(part)) == 4
    opened = [payload["SubChannelId"] for event_type, payload in elastic.inboxes.streamed if "SUB_" in event_type]
    assert opened == [first, second, third]


def test_a_part_hears_of_its_own_members_only(elastic: Elastic) -> None:
    placed = elastic.fill(5)
    elastic.inboxes.clear()
    late = elastic.chat.user("Late")
    part = elastic.add(late)
    assert part == placed[4][1]
    for user in (placed[4][0], late):
        (event,) = elastic.inboxes.take(user)
        assert (event.type, event.payload["SubChannelId"]) == ("CREATE_CHANNEL_MEMBERSHIP", part)
    assert elastic.inboxes.take(placed[0][0]) == []
    assert elastic.chat.work(lambda tx: groups_of(tx, late)) == [f"{elastic.arn}#{part}"]


def test_an_event_of_the_channel_reaches_every_part_once(elastic: Elastic) -> None:
    placed = elastic.fill(5)
    elastic.inboxes.clear()
    elastic.call("UpdateChannel", Name="new")
    assert {user: elastic.inboxes.types(user) for user, _ in placed} == {user: ["UPDATE_CHANNEL"] for user, _ in placed}
    elastic.call("DeleteChannel")
    assert {tuple(elastic.inboxes.types(user)) for user, _ in placed} == {("DELETE_CHANNEL",)}
    assert elastic.inboxes.groups == {}


def test_a_batch_is_told_member_by_member(elastic: Elastic) -> None:
    elastic.fill(3)
    users = [elastic.chat.user(name) for name in ("X", "Y", "Z")]
    answer = elastic.call("BatchCreateChannelMembership", MemberArns=users)
    body("messaging", "BatchCreateChannelMembershipResponse", answer)
    assert answer["Errors"] == []
    assert list(elastic.parts().values()) == [4, 2]
    assert answer["BatchChannelMemberships"]["SubChannelId"] is None
    assert elastic.inboxes.types(users[0]) == ["CREATE_CHANNEL_MEMBERSHIP"]
    assert elastic.inboxes.types(users[1]) == ["CREATE_CHANNEL_MEMBERSHIP"] * 2
    again = elastic.call("BatchCreateChannelMembership", MemberArns=users[:1])
    assert [row["ErrorCode"] for row in again["Errors"]] == ["Conflict"]


def test_a_part_that_became_too_small_is_merged_into_the_others(elastic: Elastic) -> None:
    placed = elastic.fill(6)
    first, second = elastic.parts()
    elastic.remove(placed[0][0])
    assert list(elastic.parts().values()) == [3, 2]
    elastic.inboxes.clear()
    elastic.remove(placed[4][0])
    moved = placed[5][0]
    assert elastic.parts() == {first: 4}
    (event, moving) = elastic.inboxes.take(moved)
    assert (event.type, event.payload["SubChannelId"]) == ("DELETE_CHANNEL_MEMBERSHIP", second)
    assert (moving.type, moving.payload["SubChannelId"]) == ("UPDATE_CHANNEL_MEMBERSHIP", first)
    assert moving.payload["LastUpdatedTimestamp"] > moving.payload["CreatedTimestamp"]
    assert elastic.inboxes.take(placed[1][0]) == []
    assert elastic.group(first) == {placed[1][0], placed[2][0], placed[3][0], moved}
    assert elastic.group(second) == set()
    assert [event_type for event_type, _ in elastic.inboxes.streamed] == [
        "DELETE_CHANNEL_MEMBERSHIP",
        "UPDATE_CHANNEL_MEMBERSHIP",
        "DELETE_SUB_CHANNEL",
    ]
    assert elastic.chat.work(lambda tx: groups_of(tx, moved)) == [f"{elastic.arn}#{first}"]


def test_a_small_part_stays_while_the_others_are_full(elastic: Elastic) -> None:
    placed = elastic.fill(6)
    elastic.remove(placed[5][0])
    assert list(elastic.parts().values()) == [4, 1]
    elastic.remove(placed[4][0])
    assert list(elastic.parts().values()) == [4]


def test_moderators_choose_their_parts_and_do_not_count(elastic: Elastic) -> None:
    elastic.fill(5)
    first, second = elastic.parts()
    params = {"MemberArn": elastic.ann, "Type": "DEFAULT"}
    assert elastic.refused("CreateChannelMembership", **params) == "BadRequestException"
    assert elastic.refused("CreateChannelMembership", **params, SubChannelId="none") == "NotFoundException"
    for part in (first, second):
        assert elastic.add(elastic.ann, SubChannelId=part) == part
    assert elastic.refused("CreateChannelMembership", **params, SubChannelId=first) == "ConflictException"
    assert elastic.parts() == {first: 5, second: 2}
    for operation in ("DescribeChannelMembership", "DeleteChannelMembership"):
        assert elastic.refused(operation, MemberArn=elastic.ann) == "BadRequestException"
    shown = elastic.call("DescribeChannelMembership", MemberArn=elastic.ann, SubChannelId=second)
    assert shown["ChannelMembership"]["SubChannelId"] == second
    elastic.remove(elastic.ann, SubChannelId=first)
    assert elastic.parts() == {first: 4, second: 2}


def test_a_moderator_is_told_when_its_part_is_closed(elastic: Elastic) -> None:
    placed = elastic.fill(6)
    first, second = elastic.parts()
    elastic.add(elastic.ann, SubChannelId=second)
    elastic.remove(placed[0][0])
    elastic.inboxes.clear()
    elastic.chat.notices.clear()
    elastic.remove(placed[4][0])
    reasons = [event.payload["Member"]["Arn"] for event in elastic.inboxes.take(elastic.ann)]
    assert reasons == [placed[4][0], elastic.ann]
    frames = [
        notice.frame
        for notice in elastic.chat.notices
        if isinstance(notice, Deliver) and notice.users == (elastic.ann,)
    ]
    assert len(frames) == 1
    assert b'"x-amz-chime-event-reason":"subchannel_DELETED"' in frames[0]
    assert elastic.parts() == {first: 4}


@pytest.mark.parametrize("way", ["promote", "ban"])
def test_promotion_and_ban_end_the_membership(elastic: Elastic, way: str) -> None:
    placed = elastic.fill(3)
    bob = placed[0][0]
    elastic.inboxes.clear()
    if way == "promote":
        elastic.call("CreateChannelModerator", ChannelModeratorArn=bob)
    else:
        elastic.call("CreateChannelBan", MemberArn=bob)
    for user in (bob, placed[1][0]):
        assert elastic.inboxes.types(user) == ["DELETE_CHANNEL_MEMBERSHIP"]
    assert list(elastic.parts().values()) == [2]
    assert bob not in elastic.group(placed[0][1])


def test_demotion_ends_the_memberships(elastic: Elastic) -> None:
    placed = elastic.fill(5)
    first, second = elastic.parts()
    bob = placed[4][0]
    elastic.add(elastic.chat.user("Extra"))
    elastic.call("CreateChannelModerator", ChannelModeratorArn=bob)
    for part in (first, second):
        elastic.add(bob, SubChannelId=part)
    elastic.call("DeleteChannelModerator", ChannelModeratorArn=bob)
    assert elastic.refused("DescribeChannelMembership", MemberArn=bob) == "NotFoundException"
    assert all(bob not in group for group in elastic.inboxes.groups.values())


def test_members_list_their_own_part_and_moderators_any(elastic: Elastic) -> None:
    placed = elastic.fill(5)
    first, second = elastic.parts()
    assert elastic.refused("ListChannelMemberships") == "BadRequestException"
    rows = elastic.call("ListChannelMemberships", SubChannelId=second)["ChannelMemberships"]
    assert [row["Member"]["Arn"] for row in rows] == [placed[4][0]]
    rows = elastic.call("ListChannelMemberships", placed[0][0], SubChannelId=first)["ChannelMemberships"]
    assert len(rows) == 4
    assert elastic.refused("ListChannelMemberships", placed[0][0], SubChannelId=second) == "ForbiddenException"


def test_parts_come_on_pages(elastic: Elastic) -> None:
    elastic.fill(9)
    first = elastic.call("ListSubChannels", MaxResults=2)
    rest = elastic.call("ListSubChannels", MaxResults=2, NextToken=first["NextToken"])
    found = [row["SubChannelId"] for row in first["SubChannels"] + rest["SubChannels"]]
    assert found == list(elastic.parts())
    assert rest["NextToken"] is None
    assert elastic.refused("ListSubChannels", elastic.chat.user("Eve")) == "ForbiddenException"


def test_elastic_quotas_hold_unless_switched_off(chat: Chat, elastic: Elastic) -> None:
    create = {"AppInstanceArn": chat.instance, "Name": "x"}
    error = chat.refused("CreateChannel", elastic.ann, **create, ElasticChannelConfiguration=FIGURES)
    assert error == "ResourceLimitExceededException"
    for name in ("MaximumSubChannels", "TargetMembershipsPerSubChannel"):
        large = {**FIGURES, name: quotas.MEMBERS_PER_SUB_CHANNEL + 1}
        error = chat.refused("CreateChannel", elastic.ann, **create, ElasticChannelConfiguration=large)
        assert error == "ResourceLimitExceededException"
    chat.configuration = replace(chat.configuration, quotas=False)
    chat.call("CreateChannel", elastic.ann, **create, ElasticChannelConfiguration=FIGURES)
