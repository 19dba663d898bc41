from dataclasses import replace
from typing import Any

import pytest

from chime_messaging.server.messaging import quotas
from chime_messaging.server.rest.shapes import body
from tests.messaging.server.messaging.chat import Chat
from tests.messaging.server.messaging.inboxes import Inboxes


def create(chat: Chat, bearer: str, name: str = "general", **params: Any) -> str:
    answer = chat.call("CreateChannel", bearer, AppInstanceArn=chat.instance, Name=name, **params)
    return str(answer["ChannelArn"])


def listed(chat: Chat, bearer: str, channel: str, **params: Any) -> list[str]:
    answer = chat.call("ListChannelModerators", bearer, ChannelArn=channel, **params)
    body("messaging", "ListChannelModeratorsResponse", answer)
    return [row["Moderator"]["Arn"] for row in answer["ChannelModerators"]]


def test_a_member_is_promoted_and_the_stream_alone_is_told(chat: Chat, inboxes: Inboxes) -> None:
    ann, bob = chat.user("Ann"), chat.user("Bob")
    channel = create(chat, ann, MemberArns=[bob])
    inboxes.clear()
    answer = chat.call("CreateChannelModerator", ann, ChannelArn=channel, ChannelModeratorArn=bob)
    assert answer == {"ChannelArn": channel, "ChannelModerator": {"Arn": bob, "Name": "Bob"}}
    assert listed(chat, bob, channel) == [ann, bob]
    assert inboxes.take(ann) == inboxes.take(bob) == []
    ((event_type, payload),) = inboxes.streamed
    assert event_type == "CREATE_CHANNEL_MODERATOR"
    assert payload["Moderator"] == {"Arn": bob, "Name": "Bob"}
    assert payload["CreatedBy"] == {"Arn": ann, "Name": "Ann"}


def test_a_moderator_promotes_members_only_an_administrator_anybody(chat: Chat) -> None:
    ann, bob, admin = chat.user("Ann"), chat.user("Bob"), chat.user("Admin", admin=True)
    channel = create(chat, ann)
    params = {"ChannelArn": channel, "ChannelModeratorArn": bob}
    assert chat.refused("CreateChannelModerator", ann, **params) == "ForbiddenException"
    chat.call("CreateChannelModerator", admin, **params)
    assert listed(chat, bob, channel) == [ann, bob]


def test_nobody_is_promoted_twice_or_while_banned_or_unknown(chat: Chat) -> None:
    ann, bob, admin = chat.user("Ann"), chat.user("Bob"), chat.user("Admin", admin=True)
    channel = create(chat, ann)
    promote = "CreateChannelModerator"
    params = {"ChannelArn": channel}
    assert chat.refused(promote, admin, **params, ChannelModeratorArn=ann) == "ConflictException"
    chat.call("CreateChannelBan", ann, ChannelArn=channel, MemberArn=bob)
    assert chat.refused(promote, admin, **params, ChannelModeratorArn=bob) == "ForbiddenException"
    nobody = f"{chat.instance}/user/nobody"
    assert chat.refused(promote, admin, **params, ChannelModeratorArn=nobody) == "ForbiddenException"


def test_a_demoted_moderator_stays_a_member(chat: Chat, inboxes: Inboxes) -> None:
    ann, bob = chat.user("Ann"), chat.user("Bob")
    channel = create(chat, ann, MemberArns=[bob], ModeratorArns=[bob])
    inboxes.clear()
    chat.call("DeleteChannelModerator", ann, ChannelArn=channel, ChannelModeratorArn=bob)
    assert [event_type for event_type, _ in inboxes.streamed] == ["DELETE_CHANNEL_MODERATOR"]
    assert listed(chat, ann, channel) == [ann]
    assert inboxes.groups[channel] == {ann, bob}
    again = {"ChannelArn": channel, "ChannelModeratorArn": bob}
    assert chat.refused("DeleteChannelModerator", ann, **again) == "ForbiddenException"
    assert chat.refused("DeleteChannelModerator", bob, ChannelArn=channel, ChannelModeratorArn=ann) == (
        "ForbiddenException"
    )


def test_a_moderator_is_described_in_full(chat: Chat) -> None:
    ann, bob = chat.user("Ann"), chat.user("Bob")
    channel = create(chat, ann, ModeratorArns=[bob])
    describe = "DescribeChannelModerator"
    answer = chat.call(describe, bob, ChannelArn=channel, ChannelModeratorArn=bob)
    body("messaging", f"{describe}Response", answer)
    assert answer["ChannelModerator"]["CreatedBy"] == {"Arn": ann, "Name": "Ann"}
    missing = {"ChannelArn": channel, "ChannelModeratorArn": chat.user("Eve")}
    assert chat.refused(describe, ann, **missing) == "NotFoundException"


def test_moderators_come_on_pages(chat: Chat) -> None:
    ann = chat.user("Ann")
    others = [chat.user(name) for name in ("Eve", "Bob", "Max")]
    channel = create(chat, ann, ModeratorArns=others)
    wanted = sorted([ann, *others])
    for size in (1, 2, 4):
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            answer = chat.call("ListChannelModerators", ann, ChannelArn=channel, MaxResults=size, **token)
            found += [row["Moderator"]["Arn"] for row in answer["ChannelModerators"]]
            if answer["NextToken"] is None:
                break
            token = {"NextToken": answer["NextToken"]}
        assert found == wanted


def test_a_user_finds_the_channels_it_moderates(chat: Chat) -> None:
    ann, bob, admin = chat.user("Ann"), chat.user("Bob"), chat.user("Admin", admin=True)
    first, second = create(chat, ann, "first"), create(chat, ann, "second")
    create(chat, bob, "third", MemberArns=[ann])
    operation = "ListChannelsModeratedByAppInstanceUser"
    answer = chat.call(operation, ann)
    body("messaging", f"{operation}Response", answer)
    assert [row["ChannelSummary"]["ChannelArn"] for row in answer["Channels"]] == [first, second]
    page = chat.call(operation, ann, MaxResults=1)
    rest = chat.call(operation, ann, MaxResults=1, NextToken=page["NextToken"])
    assert [row["ChannelSummary"]["ChannelArn"] for row in rest["Channels"]] == [second]
    assert chat.refused(operation, bob, AppInstanceUserArn=ann) == "ForbiddenException"
    assert chat.call(operation, admin, AppInstanceUserArn=ann) == answer
    token = {"NextToken": page["NextToken"], "AppInstanceUserArn": ann}
    assert chat.call(operation, admin, **token) == rest


def test_one_moderated_channel_is_described_to_its_moderator(chat: Chat) -> None:
    ann, bob, admin = chat.user("Ann"), chat.user("Bob"), chat.user("Admin", admin=True)
    channel = create(chat, ann, MemberArns=[bob])
    operation = "DescribeChannelModeratedByAppInstanceUser"
    for bearer in (ann, admin):
        answer = chat.call(operation, bearer, ChannelArn=channel, AppInstanceUserArn=ann)
        body("messaging", f"{operation}Response", answer)
        assert answer["Channel"]["ChannelSummary"]["ChannelArn"] == channel
    for bearer, user in ((bob, ann), (bob, bob), (admin, bob)):
        params = {"ChannelArn": channel, "AppInstanceUserArn": user}
        assert chat.refused(operation, bearer, **params) == "ForbiddenException"


def test_the_number_of_moderators_is_limited_where_quotas_hold(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "MODERATORS_PER_CHANNEL", 1)
    ann, bob = chat.user("Ann"), chat.user("Bob")
    params = {"ChannelArn": create(chat, ann, MemberArns=[bob]), "ChannelModeratorArn": bob}
    assert chat.refused("CreateChannelModerator", ann, **params) == "ResourceLimitExceededException"
    chat.configuration = replace(chat.configuration, quotas=False)
    chat.call("CreateChannelModerator", ann, **params)
