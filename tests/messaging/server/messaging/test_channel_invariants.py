"""Whatever is done to a channel: who receives is who is a member, and elastic channels keep their figures."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chime_messaging.server.faults import Fault
from chime_messaging.server.store.memberships import Membership, membership_of, memberships
from chime_messaging.server.store.moderators import moderator_arns
from chime_messaging.server.store.sub_channels import sub_channels_of
from tests.messaging.server.messaging.chat import Chat
from tests.messaging.server.messaging.inboxes import Inboxes

TARGET, MAXIMUM = 3, 3
ELASTIC = {
    "MaximumSubChannels": MAXIMUM,
    "TargetMembershipsPerSubChannel": TARGET,
    "MinimumMembershipPercentage": 40,
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "hide", "remove", "ban", "pardon", "promote", "demote"]),
        st.integers(0, 9),
        st.integers(0, 2),
    ),
    max_size=40,
)


class World:
    """Ten users and an administrator, who does everything."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.inboxes = Inboxes(chat)
        self.admin = chat.user("Admin", admin=True)
        self.users = [chat.user(f"User{n}") for n in range(10)]
        self.made = 0

    def channel(self, **params: Any) -> str:
        self.made += 1
        answer = self.chat.call(
            "CreateChannel", self.admin, AppInstanceArn=self.chat.instance, Name=f"c{self.made}", **params
        )
        return str(answer["ChannelArn"])

    def parts(self, channel: str) -> list[str]:
        return [part.id for part in self.chat.work(lambda tx: sub_channels_of(tx, channel))]

    def step(self, channel: str, action: str, user: str, choice: int) -> None:
        parts = self.parts(channel)
        moderates = user in self.chat.work(lambda tx: moderator_arns(tx, channel))
        part = {"SubChannelId": parts[choice % len(parts)]} if parts and moderates else {}
        operation, params = {
            "add": ("CreateChannelMembership", {"MemberArn": user, "Type": "DEFAULT", **part}),
            "hide": ("CreateChannelMembership", {"MemberArn": user, "Type": "HIDDEN"}),
            "remove": ("DeleteChannelMembership", {"MemberArn": user, **part}),
            "ban": ("CreateChannelBan", {"MemberArn": user}),
            "pardon": ("DeleteChannelBan", {"MemberArn": user}),
            "promote": ("CreateChannelModerator", {"ChannelModeratorArn": user}),
            "demote": ("DeleteChannelModerator", {"ChannelModeratorArn": user}),
        }[action]
        try:
            self.chat.call(operation, self.admin, ChannelArn=channel, **params)
        except Fault as fault:
            assert fault.name in {
                "BadRequestException",
                "ConflictException",
                "ForbiddenException",
                "NotFoundException",
                "ResourceLimitExceededException",
            }

    def held(self, channel: str) -> list[Membership]:
        query = memberships.select().where(memberships.c.channel_arn == channel)
        rows = self.chat.work(lambda tx: tx.connection.execute(query).all())
        return [membership_of(row) for row in rows]

    def check_groups(self, channel: str) -> None:
        wanted: dict[str, set[str]] = {}
        for row in self.held(channel):
            wanted.setdefault(row.group, set()).add(row.member_arn)
        groups = self.inboxes.groups.items()
        assert wanted == {group: users for group, users in groups if group.startswith(channel) and users}


@pytest.fixture(scope="module")
def world(shared_chat: Chat) -> World:
    shared_chat.configuration = replace(shared_chat.configuration, quotas=False)
    return World(shared_chat)


SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(steps=STEPS)
def test_receivers_are_members(world: World, steps: list[tuple[str, int, int]]) -> None:
    channel = world.channel()
    for action, user, choice in steps:
        world.step(channel, action, world.users[user], choice)
        world.check_groups(channel)
    assert len({row.member_arn for row in world.held(channel)}) == len(world.held(channel))
    world.chat.call("DeleteChannel", world.admin, ChannelArn=channel)
    assert not [group for group in world.inboxes.groups if group.startswith(channel)]


@SETTINGS
@given(steps=STEPS)
def test_elastic_channels_keep_their_figures(world: World, steps: list[tuple[str, int, int]]) -> None:
    channel = world.channel(ElasticChannelConfiguration=ELASTIC)
    for action, user, choice in steps:
        world.step(channel, action, world.users[user], choice)
        world.check_groups(channel)
        moderators = world.chat.work(lambda tx: moderator_arns(tx, channel))
        ordinary = [row for row in world.held(channel) if row.member_arn not in moderators]
        assert len({row.member_arn for row in ordinary}) == len(ordinary)
        parts = world.parts(channel)
        assert 1 <= len(parts) <= MAXIMUM
        assert {row.sub_channel_id for row in world.held(channel)} <= set(parts)
        for part in parts:
            assert sum(row.sub_channel_id == part for row in ordinary) <= TARGET
    world.chat.call("DeleteChannel", world.admin, ChannelArn=channel)
    assert not [group for group in world.inboxes.groups if group.startswith(channel)]
