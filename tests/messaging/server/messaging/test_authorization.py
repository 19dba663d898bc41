import itertools
from dataclasses import replace
from typing import Any

import pytest

from chime_messaging.ids import parse_arn
from chime_messaging.server.configuration import Authorization
from chime_messaging.server.faults import Fault
from chime_messaging.server.messaging.authorization import RULES, SAYS_NOT_FOUND, Access, Role, authorize, role_of
from chime_messaging.server.operations import Call
from chime_messaging.server.rest.model import service_model
from chime_messaging.server.store.app_instances import add_admin, add_app_instance
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.users import add_user
from tests.messaging.server.messaging.chat import Chat

ELASTIC = '{"MaximumSubChannels":2,"TargetMembershipsPerSubChannel":2,"MinimumMembershipPercentage":40}'

# The documented roles. yes, no; own: its own message, membership or self; public: public channels; member: with a
# membership of its own; visible: with one that is not hidden; add: unrestricted channels, or itself to a public one;
# join: itself to a public one.
MATRIX = """
CreateChannel                                yes      yes      yes      yes
DescribeChannel                              yes      yes      yes      public
UpdateChannel                                yes      yes      no       no
DeleteChannel                                yes      yes      no       no
PutChannelExpirationSettings                 yes      yes      no       no
CreateChannelMembership                      yes      yes      add      join
BatchCreateChannelMembership                 yes      yes      add      join
DeleteChannelMembership                      yes      yes      own      no
DescribeChannelMembership                    yes      yes      yes      public
ListChannelMemberships                       yes      yes      yes      public
ListHiddenChannelMemberships                 yes      yes      no       no
DescribeChannelMembershipForAppInstanceUser  yes      own      own      own
DescribeChannelModeratedByAppInstanceUser    yes      own      own      own
CreateChannelModerator                       yes      yes      no       no
DeleteChannelModerator                       yes      yes      no       no
DescribeChannelModerator                     yes      yes      no       no
ListChannelModerators                        yes      yes      no       no
CreateChannelBan                             yes      yes      no       no
DeleteChannelBan                             yes      yes      no       no
DescribeChannelBan                           yes      yes      no       no
ListChannelBans                              yes      yes      no       no
ListSubChannels                              yes      yes      no       no
SendChannelMessage                           visible  visible  visible  no
UpdateChannelMessage                         own      own      own      no
RedactChannelMessage                         yes      yes      own      no
DeleteChannelMessage                         yes      no       no       no
GetChannelMessage                            yes      yes      yes      public
ListChannelMessages                          yes      yes      yes      public
GetChannelMessageStatus                      own      own      own      no
UpdateChannelReadMarker                      member   member   member   no
GetChannelMembershipPreferences              own      own      own      no
PutChannelMembershipPreferences              own      own      own      no
AssociateChannelFlow                         yes      yes      no       no
DisassociateChannelFlow                      yes      yes      no       no
"""
ROLES = (Role.ADMIN, Role.MODERATOR, Role.MEMBER, Role.NON_MEMBER)
CELLS = [
    (words[0], role, cell)
    for words in map(str.split, MATRIX.strip().splitlines())
    for role, cell in zip(ROLES, words[1:], strict=True)
]


def access_of(
    chat: Chat, action: str, bearer: str | None, channel: str, owner: str | None = None, **settings: Any
) -> Access:
    configuration = replace(chat.configuration, **settings)
    arn = None if bearer is None else parse_arn(bearer)

    def work(tx: Transaction) -> Access:
        return authorize(Call("messaging", action, {}, arn, tx, configuration), action, channel, owner)

    access: Access = chat.work(work)
    return access


class House:
    """Channels of every mode and privacy, and someone of every role.

    In the channels called "joined" administrator and moderator are members too; in those called "hidden" all three are
    hidden members.
    """

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.other = chat.user("Other")
        self.people = {
            Role.ADMIN: chat.user("Admin", admin=True),
            Role.MODERATOR: chat.user("Moderator"),
            Role.MEMBER: chat.user("Member"),
            Role.NON_MEMBER: chat.user("Stranger"),
        }
        admin, moderator, member, _ = self.people.values()
        self.channels = {}
        for mode, privacy in itertools.product(("RESTRICTED", "UNRESTRICTED"), ("PRIVATE", "PUBLIC")):
            for standing, members in {"": [member], "joined": [admin, moderator, member], "hidden": []}.items():
                name = f"{mode}-{privacy}-{standing or 'plain'}"
                hidden = (admin, moderator, member) if standing == "hidden" else ()
                arn = chat.channel(*members, hidden=hidden, name=name, mode=mode, privacy=privacy)
                chat.moderator(arn, moderator)
                self.channels[mode, privacy, standing] = arn

    def may(
        self,
        action: str,
        role: Role,
        *,
        own: bool = False,
        privacy: str = "PRIVATE",
        mode: str = "RESTRICTED",
        standing: str = "",
        **settings: Any,
    ) -> bool:
        bearer = self.people[role]
        try:
            channel = self.channels[mode, privacy, standing]
            access_of(self.chat, action, bearer, channel, bearer if own else self.other, **settings)
        except Fault as fault:
            assert fault.name == "ForbiddenException"
            return False
        return True


@pytest.fixture(scope="module")
def house(shared_chat: Chat) -> House:
    return House(shared_chat)


EVERYWHERE = list(itertools.product(("RESTRICTED", "UNRESTRICTED"), ("PRIVATE", "PUBLIC"), (True, False)))


def expected(cell: str, mode: str, privacy: str, own: bool, standing: str, role: Role) -> bool:
    joins = own and privacy == "PUBLIC"
    member = role is Role.MEMBER or standing != ""
    return {
        "yes": True,
        "no": False,
        "own": own,
        "public": privacy == "PUBLIC",
        "member": member,
        "visible": member and standing != "hidden",
        "add": mode == "UNRESTRICTED" or joins,
        "join": joins,
    }[cell]


@pytest.mark.parametrize(("action", "role", "cell"), CELLS)
def test_a_role_may_do_what_the_matrix_says_and_nothing_else(house: House, action: str, role: Role, cell: str) -> None:
    for (mode, privacy, own), standing in itertools.product(EVERYWHERE, ("", "joined", "hidden")):
        allowed = house.may(action, role, mode=mode, privacy=privacy, own=own, standing=standing)
        assert allowed is expected(cell, mode, privacy, own, standing, role), (mode, privacy, own, standing)


def test_every_action_has_a_row() -> None:
    assert {words.split()[0] for words in MATRIX.strip().splitlines()} == RULES.keys()


@pytest.mark.parametrize("action", sorted(RULES))
def test_with_trust_everybody_may_do_everything(house: House, action: str) -> None:
    for role in ROLES:
        assert house.may(action, role, authorization=Authorization.TRUST)


def test_with_trust_an_unknown_bearer_and_none_act_as_administrator(house: House) -> None:
    channel = house.channels["RESTRICTED", "PRIVATE", ""]
    for bearer in (f"{house.chat.instance}/user/nobody", None):
        access = access_of(house.chat, "DeleteChannel", bearer, channel, authorization=Authorization.TRUST)
        assert access.role is Role.ADMIN
        assert access.name is None
        assert not access.is_member


def test_the_owner_may_be_named_after_the_look_up(house: House) -> None:
    member = house.people[Role.MEMBER]
    access = access_of(house.chat, "UpdateChannelMessage", member, house.channels["RESTRICTED", "PRIVATE", ""])
    access.require_own(member)
    with pytest.raises(Fault, match="Forbidden"):
        access.require_own(house.other)
    moderator = house.people[Role.MODERATOR]
    access_of(house.chat, "RedactChannelMessage", moderator, house.channels["RESTRICTED", "PRIVATE", ""]).require_own(
        "any"
    )


def test_joining_restricted_public_channels_can_be_switched_off(house: House) -> None:
    join: dict[str, Any] = {
        "action": "CreateChannelMembership",
        "role": Role.NON_MEMBER,
        "own": True,
        "privacy": "PUBLIC",
    }
    assert house.may(**join, mode="RESTRICTED")
    assert not house.may(**join, mode="RESTRICTED", join_restricted=False)
    assert house.may(**join, mode="UNRESTRICTED", join_restricted=False)


def test_users_of_another_app_instance_are_refused_even_in_public_channels(house: House) -> None:
    foreign = house.chat.instance.replace("11111111", "99999999")
    stranger = f"{foreign}/user/x"

    def make(tx: Transaction) -> None:
        add_app_instance(tx, foreign, "foreign", None)
        add_user(tx, stranger, foreign, name="X")
        add_admin(tx, foreign, stranger)

    house.chat.work(make)
    channel = house.channels["UNRESTRICTED", "PUBLIC", ""]
    with pytest.raises(Fault, match="Forbidden"):
        access_of(house.chat, "DescribeChannel", stranger, channel)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("DescribeChannel", "ForbiddenException"),
        ("SendChannelMessage", "ForbiddenException"),
        ("CreateChannelBan", "ForbiddenException"),
        ("CreateChannelMembership", "NotFoundException"),
        ("BatchCreateChannelMembership", "NotFoundException"),
        ("DescribeChannelMembership", "NotFoundException"),
        ("DescribeChannelModerator", "NotFoundException"),
        ("DescribeChannelBan", "NotFoundException"),
        ("GetChannelMessage", "NotFoundException"),
        ("AssociateChannelFlow", "NotFoundException"),
        ("DisassociateChannelFlow", "NotFoundException"),
    ],
)
def test_a_missing_channel_is_404_where_the_operation_declares_it_else_403(
    house: House, action: str, error: str
) -> None:
    with pytest.raises(Fault) as caught:
        access_of(house.chat, action, house.people[Role.ADMIN], f"{house.chat.instance}/channel/none")
    assert caught.value.name == error


def test_a_missing_channel_looks_like_a_forbidden_one(house: House) -> None:
    faults = []
    for channel in (f"{house.chat.instance}/channel/none", house.channels["RESTRICTED", "PRIVATE", ""]):
        with pytest.raises(Fault) as caught:
            access_of(house.chat, "DescribeChannel", house.people[Role.NON_MEMBER], channel)
        faults.append((caught.value.name, caught.value.message))
    assert faults[0] == faults[1]


def test_not_found_is_answered_exactly_where_the_model_declares_it() -> None:
    model = service_model("messaging")
    for action in RULES:
        if action == "ListHiddenChannelMemberships":
            continue
        declared = {shape.name for shape in model.operation_model(action).error_shapes}
        assert ("NotFoundException" in declared) is (action in SAYS_NOT_FOUND), action


def test_the_access_tells_who_asks_and_in_which_parts_they_are(chat: Chat) -> None:
    ann = chat.user("Ann")
    channel = chat.channel(elastic=ELASTIC)
    chat.moderator(channel, ann)
    chat.join(channel, ann, part="a")
    chat.join(channel, ann, part="b")
    access = access_of(chat, "SendChannelMessage", ann, channel)
    assert access.name == "Ann"
    assert sorted(access.sub_channels) == [("a", "DEFAULT"), ("b", "DEFAULT")]
    assert access.role is Role.MODERATOR
    assert access.channel.is_elastic


def test_it_costs_one_query(house: House) -> None:
    queries: list[str] = []

    def work(tx: Transaction) -> None:
        call = Call("messaging", "x", {}, parse_arn(house.people[Role.MEMBER]), tx, house.chat.configuration)
        driver = tx.connection.connection.driver_connection
        assert driver is not None
        authorize(call, "SendChannelMessage", house.channels["RESTRICTED", "PRIVATE", ""])
        driver.set_trace_callback(queries.append)
        try:
            authorize(call, "SendChannelMessage", house.channels["RESTRICTED", "PRIVATE", ""])
        finally:
            driver.set_trace_callback(None)

    house.chat.work(work)
    assert len(queries) == 1


@pytest.mark.parametrize("role", ROLES)
def test_the_role_of_a_user_is_the_highest_that_applies(house: House, role: Role) -> None:
    channel = house.channels["RESTRICTED", "PRIVATE", "joined" if role is not Role.NON_MEMBER else ""]
    assert house.chat.work(lambda tx: role_of(tx, channel, house.people[role])) is role


def test_nobody_has_a_role_in_a_channel_that_does_not_exist(house: House) -> None:
    missing = f"{house.chat.instance}/channel/none"
    assert house.chat.work(lambda tx: role_of(tx, missing, house.people[Role.ADMIN])) is Role.NON_MEMBER


def test_parts_of_elastic_channels_must_be_named_and_members_see_only_their_own(chat: Chat) -> None:
    ann, mod = chat.user("Ann"), chat.user("Mod")
    elastic, plain = chat.channel(elastic=ELASTIC, name="elastic"), chat.channel(ann, name="plain")
    chat.join(elastic, ann, part="a")
    chat.moderator(elastic, mod)
    member = access_of(chat, "ListChannelMessages", ann, elastic)
    moderator = access_of(chat, "ListChannelMessages", mod, elastic)
    ordinary = access_of(chat, "ListChannelMessages", ann, plain)
    member.require_sub_channel("a")
    moderator.require_sub_channel("b")
    ordinary.require_sub_channel(None)
    for access, part, error in (
        (member, "b", "ForbiddenException"),
        (member, None, "BadRequestException"),
        (moderator, None, "BadRequestException"),
        (ordinary, "a", "BadRequestException"),
    ):
        with pytest.raises(Fault) as caught:
            access.require_sub_channel(part)
        assert caught.value.name == error
