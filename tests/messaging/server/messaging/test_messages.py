from dataclasses import replace
from typing import Any

import pytest

from chime_messaging.server.configuration import Authorization
from chime_messaging.server.notices import Deliver, Stream
from chime_messaging.server.store.channels import delete_channel, find_channel
from chime_messaging.server.store.messages import find_message
from chime_messaging.server.store.users import delete_user, update_user
from tests.messaging.server.messaging.chat import ELASTIC, Chat, draft


class Cast:
    """A channel with everybody a rule may tell apart."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.admin = chat.user("Admin", admin=True)
        self.moderator = chat.user("Moderator")
        self.ada, self.bob = chat.user("Ada"), chat.user("Bob")
        self.hidden, self.stranger = chat.user("Hidden"), chat.user("Stranger")
        self.channel = chat.channel(self.ada, self.bob, hidden=(self.hidden,))
        chat.moderator(self.channel, self.moderator)
        chat.events()

    def role(self, name: str) -> str:
        return str(getattr(self, name))


@pytest.fixture
def cast(chat: Chat) -> Cast:
    return Cast(chat)


def last_message(chat: Chat, channel: str) -> int | None:
    found = chat.work(lambda tx: find_channel(tx, channel))
    assert found is not None
    return found.last_message


def test_a_sent_message_is_stored_announced_to_the_channel_and_streamed(chat: Chat, cast: Cast) -> None:
    attributes = {"CHIME.mentions": {"StringValues": [cast.bob]}}
    params = draft(cast.channel, "hi 🚀\n", Metadata="{}", MessageAttributes=attributes, ContentType="text/plain")
    answer = chat.call("SendChannelMessage", cast.ada, **params)
    stream = next(notice for notice in chat.notices if isinstance(notice, Stream))
    (event,) = chat.events()

    assert answer["Status"] == {"Value": "SENT"}
    assert (event.type, event.message_type, event.group) == ("CREATE_CHANNEL_MESSAGE", "STANDARD", cast.channel)
    assert event.payload == {
        "ChannelArn": cast.channel,
        "MessageId": answer["MessageId"],
        "Content": "hi 🚀\n",
        "Metadata": "{}",
        "Type": "STANDARD",
        "Persistence": "PERSISTENT",
        "CreatedTimestamp": event.payload["LastUpdatedTimestamp"],
        "LastUpdatedTimestamp": event.payload["LastUpdatedTimestamp"],
        "Sender": {"Arn": cast.ada, "Name": "Ada"},
        "Redacted": False,
        "Status": {"Value": "SENT"},
        "MessageAttributes": attributes,
        "ContentType": "text/plain",
    }
    assert event.payload["CreatedTimestamp"].startswith("2023-11-14T22:13:2")
    assert (stream.app_instance_arn, stream.data_type) == (chat.instance, "ChannelMessage")
    stored = chat.call("GetChannelMessage", cast.bob, ChannelArn=cast.channel, MessageId=answer["MessageId"])
    assert stored["ChannelMessage"]["Content"] == "hi 🚀\n"
    assert stored["ChannelMessage"]["MessageAttributes"] == attributes


def test_socket_and_stream_get_the_same_payload(chat: Chat, cast: Cast) -> None:
    chat.send(cast.ada, cast.channel)
    (stream,) = (notice for notice in chat.notices if isinstance(notice, Stream))
    (deliver,) = (notice for notice in chat.notices if isinstance(notice, Deliver))
    assert stream.event_type == deliver.event_type
    assert stream.payload.replace('"', '\\"').encode() in deliver.frame


@pytest.mark.parametrize(
    ("message_type", "content", "metadata", "accepted"),
    [
        ("STANDARD", "x" * 4096, None, True),
        ("STANDARD", "x" * 4097, None, False),
        ("STANDARD", "é" * 2048, None, True),
        ("STANDARD", "é" * 2048 + "x", None, False),
        ("STANDARD", "🚀" * 1024, None, True),
        ("STANDARD", "🚀" * 1024 + "x", None, False),
        ("STANDARD", "x", "m" * 1024, True),
        ("STANDARD", "x", "é" * 512 + "m", False),
        ("CONTROL", "x" * 30, None, True),
        ("CONTROL", "x" * 31, None, False),
        ("CONTROL", "é" * 15, None, True),
        ("CONTROL", "é" * 15 + "x", None, False),
        ("CONTROL", "x", "m", False),
        ("STANDARD", "\ud83d", None, False),
    ],
)
def test_content_is_limited_in_bytes(
    chat: Chat, cast: Cast, message_type: str, content: str, metadata: str | None, accepted: bool
) -> None:
    params = draft(cast.channel, content, Metadata=metadata) | {"Type": message_type}
    if accepted:
        assert chat.call("SendChannelMessage", cast.ada, **params)["Status"] == {"Value": "SENT"}
    else:
        assert chat.refused("SendChannelMessage", cast.ada, **params) == "BadRequestException"


@pytest.mark.parametrize("size", [1024, 1025])
def test_attributes_are_limited_in_total(chat: Chat, cast: Cast, size: int) -> None:
    attributes = {"name": {"StringValues": ["x" * 510, "é" * 5, "x" * (size - 4 - 510 - 10)]}}
    params = draft(cast.channel, MessageAttributes=attributes)
    if size == 1024:
        assert chat.call("SendChannelMessage", cast.ada, **params)["MessageId"]
    else:
        assert chat.refused("SendChannelMessage", cast.ada, **params) == "BadRequestException"


@pytest.mark.parametrize(
    "extra",
    [
        {"Type": "CONTROL", "PushNotification": {"Title": "t", "Body": "b", "Type": "DEFAULT"}},
        {"Type": "CONTROL", "Target": [{"MemberArn": "bob"}]},
        {"ContentType": "x" * 46},
        {"SubChannelId": "part"},
        {"Target": [{}]},
    ],
    ids="-".join,
)
def test_members_that_do_not_go_together_are_refused(chat: Chat, cast: Cast, extra: dict[str, Any]) -> None:
    assert chat.refused("SendChannelMessage", cast.ada, **{**draft(cast.channel), **extra}) == "BadRequestException"


@pytest.mark.parametrize("who", ["admin", "moderator", "hidden", "stranger"])
def test_only_visible_members_send(chat: Chat, cast: Cast, who: str) -> None:
    assert chat.refused("SendChannelMessage", cast.role(who), **draft(cast.channel)) == "ForbiddenException"


@pytest.mark.parametrize("who", ["admin", "moderator"])
def test_whoever_runs_the_channel_sends_with_a_membership(chat: Chat, cast: Cast, who: str) -> None:
    chat.join(cast.channel, cast.role(who))
    assert chat.send(cast.role(who), cast.channel)


def test_without_authorization_everybody_sends(chat: Chat, cast: Cast) -> None:
    chat.configuration = replace(chat.configuration, authorization=Authorization.TRUST)
    assert chat.send(cast.stranger, cast.channel)


def test_a_non_persistent_message_is_delivered_and_forgotten(chat: Chat, cast: Cast) -> None:
    message = chat.send(cast.ada, cast.channel, Persistence="NON_PERSISTENT")
    assert [event.type for event in chat.events()] == ["CREATE_CHANNEL_MESSAGE"]
    of_message = {"ChannelArn": cast.channel, "MessageId": message}
    assert chat.contents(cast.bob, cast.channel) == []
    assert chat.refused("GetChannelMessage", cast.ada, **of_message) == "NotFoundException"
    assert chat.refused("RedactChannelMessage", cast.ada, **of_message) == "ForbiddenException"
    assert chat.refused("UpdateChannelMessage", cast.ada, **of_message, Content="new") == "ForbiddenException"
    assert last_message(chat, cast.channel) is None


def test_a_persistent_message_moves_the_channels_last_message_timestamp(chat: Chat, cast: Cast) -> None:
    message = chat.send(cast.ada, cast.channel)
    created = chat.call("GetChannelMessage", cast.ada, ChannelArn=cast.channel, MessageId=message)
    assert last_message(chat, cast.channel) == created["ChannelMessage"]["CreatedTimestamp"]


def test_a_targeted_message_is_between_two_members(chat: Chat, cast: Cast) -> None:
    chat.join(cast.channel, cast.admin)
    chat.join(cast.channel, cast.moderator)
    message = chat.send(cast.ada, cast.channel, "psst", Target=[{"MemberArn": cast.bob}])
    (event,) = chat.events()
    assert (event.group, event.users) == (None, (cast.ada, cast.bob))
    assert event.payload["Target"] == [{"MemberArn": cast.bob}]

    of_message = {"ChannelArn": cast.channel, "MessageId": message}
    for who in ("ada", "bob"):
        assert chat.contents(cast.role(who), cast.channel) == ["psst"]
    for who in ("admin", "moderator", "hidden"):
        assert chat.contents(cast.role(who), cast.channel) == []
        assert chat.refused("GetChannelMessage", cast.role(who), **of_message) == "NotFoundException"

    chat.call("DeleteChannelMessage", cast.admin, **of_message)
    (event,) = chat.events()
    assert (event.type, event.group, event.users) == ("DELETE_CHANNEL_MESSAGE", None, (cast.ada, cast.bob))


def test_the_target_must_be_a_member(chat: Chat, cast: Cast) -> None:
    params = draft(cast.channel, Target=[{"MemberArn": cast.stranger}])
    assert chat.refused("SendChannelMessage", cast.ada, **params) == "ForbiddenException"


def test_an_update_replaces_the_content_and_keeps_what_it_does_not_name(chat: Chat, cast: Cast) -> None:
    message = chat.send(cast.ada, cast.channel, "old", Metadata="m", ContentType="text/plain")
    chat.events()
    of_message = {"ChannelArn": cast.channel, "MessageId": message}
    answer = chat.call("UpdateChannelMessage", cast.ada, **of_message, Content="new")
    assert answer["Status"]["Value"] == "SENT"
    (event,) = chat.events()
    assert (event.type, event.group) == ("UPDATE_CHANNEL_MESSAGE", cast.channel)
    assert event.payload["Content"] == "new"
    assert event.payload["LastEditedTimestamp"] == event.payload["LastUpdatedTimestamp"]
    assert event.payload["LastEditedTimestamp"] > event.payload["CreatedTimestamp"]
    stored = chat.call("GetChannelMessage", cast.bob, **of_message)["ChannelMessage"]
    assert (stored["Content"], stored["Metadata"], stored["ContentType"]) == ("new", "m", "text/plain")

    chat.call("UpdateChannelMessage", cast.ada, **of_message, Content="newer", Metadata="")
    stored = chat.call("GetChannelMessage", cast.bob, **of_message)["ChannelMessage"]
    assert (stored["Content"], stored["Metadata"]) == ("newer", None)


@pytest.mark.parametrize("who", ["admin", "moderator", "bob", "hidden", "stranger"])
def test_only_the_sender_updates(chat: Chat, cast: Cast, who: str) -> None:
    message = chat.send(cast.ada, cast.channel)
    chat.events()
    params = {"ChannelArn": cast.channel, "MessageId": message, "Content": "new"}
    assert chat.refused("UpdateChannelMessage", cast.role(who), **params) == "ForbiddenException"


def test_updates_obey_the_limits(chat: Chat, cast: Cast) -> None:
    message = chat.send(cast.ada, cast.channel)
    params = {"ChannelArn": cast.channel, "MessageId": message}
    assert chat.refused("UpdateChannelMessage", cast.ada, **params, Content="x" * 4097) == "BadRequestException"
    too_long = {"Content": "x", "Metadata": "m" * 1025}
    assert chat.refused("UpdateChannelMessage", cast.ada, **params, **too_long) == "BadRequestException"


def test_control_and_redacted_messages_are_not_editable(chat: Chat, cast: Cast) -> None:
    control = chat.send(cast.ada, cast.channel, "typing", Type="CONTROL")
    params = {"ChannelArn": cast.channel, "Content": "new"}
    assert chat.refused("UpdateChannelMessage", cast.ada, MessageId=control, **params) == "BadRequestException"
    redacted = chat.send(cast.ada, cast.channel)
    chat.call("RedactChannelMessage", cast.ada, ChannelArn=cast.channel, MessageId=redacted)
    assert chat.refused("UpdateChannelMessage", cast.ada, MessageId=redacted, **params) == "ConflictException"


@pytest.mark.parametrize(
    ("who", "allowed"),
    [("admin", True), ("moderator", True), ("ada", True), ("bob", False), ("hidden", False), ("stranger", False)],
)
def test_redaction_leaves_a_tombstone(chat: Chat, cast: Cast, who: str, allowed: bool) -> None:
    message = chat.send(cast.ada, cast.channel, "secret", Metadata="m")
    chat.events()
    params = {"ChannelArn": cast.channel, "MessageId": message}
    if not allowed:
        assert chat.refused("RedactChannelMessage", cast.role(who), **params) == "ForbiddenException"
        return
    chat.call("RedactChannelMessage", cast.role(who), **params)
    (event,) = chat.events()
    assert (event.type, event.group, event.payload["Redacted"]) == ("REDACT_CHANNEL_MESSAGE", cast.channel, True)
    assert not {"Content", "Metadata"} & event.payload.keys()
    (listed,) = chat.call("ListChannelMessages", cast.bob, ChannelArn=cast.channel)["ChannelMessages"]
    assert (listed["Redacted"], listed["Content"], listed["Metadata"]) == (True, None, None)

    chat.call("RedactChannelMessage", cast.role(who), **params)
    assert chat.events() == []


@pytest.mark.parametrize("who", ["moderator", "ada", "bob", "stranger"])
def test_only_administrators_delete(chat: Chat, cast: Cast, who: str) -> None:
    message = chat.send(cast.ada, cast.channel)
    chat.events()
    params = {"ChannelArn": cast.channel, "MessageId": message}
    assert chat.refused("DeleteChannelMessage", cast.role(who), **params) == "ForbiddenException"
    chat.call("DeleteChannelMessage", cast.admin, **params)
    (event,) = chat.events()
    assert (event.type, event.payload["MessageId"]) == ("DELETE_CHANNEL_MESSAGE", message)
    assert "Content" not in event.payload
    assert chat.contents(cast.bob, cast.channel) == []
    assert chat.refused("DeleteChannelMessage", cast.admin, **params) == "ForbiddenException"


@pytest.mark.parametrize(
    ("who", "privacy", "allowed"),
    [
        ("admin", "PRIVATE", True),
        ("moderator", "PRIVATE", True),
        ("hidden", "PRIVATE", True),
        ("stranger", "PRIVATE", False),
        ("stranger", "PUBLIC", True),
    ],
)
def test_who_may_read(chat: Chat, cast: Cast, who: str, privacy: str, allowed: bool) -> None:
    channel = chat.channel(cast.ada, hidden=(cast.hidden,), name="reading", privacy=privacy)
    chat.moderator(channel, cast.moderator)
    message = chat.send(cast.ada, channel)
    chat.events()
    if allowed:
        assert chat.contents(cast.role(who), channel) == ["hello"]
        assert chat.call("GetChannelMessage", cast.role(who), ChannelArn=channel, MessageId=message)
    else:
        assert chat.refused("ListChannelMessages", cast.role(who), ChannelArn=channel) == "ForbiddenException"
        params = {"ChannelArn": channel, "MessageId": message}
        assert chat.refused("GetChannelMessage", cast.role(who), **params) == "ForbiddenException"


def test_the_status_of_a_message_is_its_senders(chat: Chat, cast: Cast) -> None:
    message = chat.send(cast.ada, cast.channel)
    chat.events()
    params = {"ChannelArn": cast.channel, "MessageId": message}
    assert chat.call("GetChannelMessageStatus", cast.ada, **params)["Status"]["Value"] == "SENT"
    for who in ("bob", "admin", "moderator"):
        assert chat.refused("GetChannelMessageStatus", cast.role(who), **params) == "ForbiddenException"


def test_lists_are_newest_first_unless_asked_otherwise(chat: Chat, cast: Cast) -> None:
    for number in range(5):
        chat.send(cast.ada, cast.channel, str(number))
    assert chat.contents(cast.bob, cast.channel) == ["4", "3", "2", "1", "0"]
    assert chat.contents(cast.bob, cast.channel, SortOrder="ASCENDING") == ["0", "1", "2", "3", "4"]


def test_the_time_window_includes_both_ends(chat: Chat, cast: Cast) -> None:
    moments = []
    for number in range(4):
        chat.now += 1000
        chat.send(cast.ada, cast.channel, str(number))
        moments.append(chat.now)
    inside = {"NotBefore": moments[1], "NotAfter": moments[2]}
    assert chat.contents(cast.bob, cast.channel, **inside) == ["2", "1"]
    assert chat.contents(cast.bob, cast.channel, NotBefore=moments[3]) == ["3"]
    assert chat.contents(cast.bob, cast.channel, NotBefore=moments[3] + 1) == []
    assert chat.contents(cast.bob, cast.channel, NotAfter=moments[0]) == ["0"]


@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING"])
def test_pages_neither_repeat_nor_skip_while_others_send_and_delete(chat: Chat, cast: Cast, order: str) -> None:
    ids = [chat.send(cast.ada, cast.channel, str(number)) for number in range(7)]
    params: dict[str, Any] = {"ChannelArn": cast.channel, "SortOrder": order, "MaxResults": 2}
    seen: list[str] = []
    while True:
        page = chat.call("ListChannelMessages", cast.bob, **params)
        seen += [message["Content"] for message in page["ChannelMessages"]]
        if page["NextToken"] is None:
            break
        params["NextToken"] = page["NextToken"]
        if len(seen) <= 4:
            chat.send(cast.ada, cast.channel, "late")
            last = page["ChannelMessages"][-1]["MessageId"]
            chat.call("DeleteChannelMessage", cast.admin, ChannelArn=cast.channel, MessageId=last)
    expected = [str(number) for number in range(len(ids))]
    if order == "DESCENDING":
        assert seen == expected[::-1]
    else:
        assert [content for content in seen if content != "late"] == expected


def test_a_token_is_good_for_its_list_only(chat: Chat, cast: Cast) -> None:
    for number in range(3):
        chat.send(cast.ada, cast.channel, str(number))
    chat.events()
    params = {"ChannelArn": cast.channel, "MaxResults": 1}
    token = chat.call("ListChannelMessages", cast.ada, **params)["NextToken"]
    other = params | {"SortOrder": "ASCENDING", "NextToken": token}
    assert chat.refused("ListChannelMessages", cast.ada, **other) == "BadRequestException"
    assert chat.refused("ListChannelMessages", cast.ada, **params, NextToken="rubbish") == "BadRequestException"


def test_fifty_messages_make_a_page(chat: Chat, cast: Cast) -> None:
    for number in range(51):
        chat.send(cast.ada, cast.channel, str(number))
    page = chat.call("ListChannelMessages", cast.bob, ChannelArn=cast.channel)
    assert len(page["ChannelMessages"]) == 50
    assert page["NextToken"]


def test_the_senders_name_is_the_present_one(chat: Chat, cast: Cast) -> None:
    chat.send(cast.ada, cast.channel)
    chat.work(lambda tx: update_user(tx, cast.ada, "Countess", None))
    (listed,) = chat.call("ListChannelMessages", cast.bob, ChannelArn=cast.channel)["ChannelMessages"]
    assert listed["Sender"] == {"Arn": cast.ada, "Name": "Countess"}
    chat.work(lambda tx: delete_user(tx, cast.ada))
    (listed,) = chat.call("ListChannelMessages", cast.bob, ChannelArn=cast.channel)["ChannelMessages"]
    assert listed["Sender"] == {"Arn": cast.ada, "Name": None}


def test_messages_of_an_elastic_channel_stay_in_their_part(chat: Chat, cast: Cast) -> None:
    channel = chat.channel(name="elastic", elastic=ELASTIC)
    chat.join(channel, cast.ada, part="one")
    chat.join(channel, cast.bob, part="two")
    chat.events()
    assert chat.refused("SendChannelMessage", cast.ada, **draft(channel)) == "BadRequestException"
    foreign = draft(channel, SubChannelId="two")
    assert chat.refused("SendChannelMessage", cast.ada, **foreign) == "ForbiddenException"
    message = chat.send(cast.ada, channel, SubChannelId="one")
    (event,) = chat.events()
    assert (event.group, event.payload["SubChannelId"]) == (f"{channel}#one", "one")
    assert chat.contents(cast.ada, channel, SubChannelId="one") == ["hello"]
    assert chat.contents(cast.bob, channel, SubChannelId="two") == []
    of_message = {"ChannelArn": channel, "MessageId": message}
    assert chat.refused("ListChannelMessages", cast.bob, ChannelArn=channel) == "BadRequestException"
    assert chat.refused("GetChannelMessage", cast.bob, **of_message) == "ForbiddenException"
    assert chat.refused("GetChannelMessage", cast.ada, **of_message, SubChannelId="two") == "NotFoundException"
    assert chat.contents(cast.admin, channel, SubChannelId="one") == ["hello"]
    across = draft(channel, SubChannelId="one", Target=[{"MemberArn": cast.bob}])
    assert chat.refused("SendChannelMessage", cast.ada, **across) == "ForbiddenException"


def test_messages_go_with_their_channel(chat: Chat, cast: Cast) -> None:
    message = chat.send(cast.ada, cast.channel)
    chat.work(lambda tx: delete_channel(tx, cast.channel))
    again = chat.channel(cast.ada, name="general")
    assert again == cast.channel
    assert chat.contents(cast.ada, again) == []
    params = {"ChannelArn": again, "MessageId": message}
    assert chat.refused("GetChannelMessage", cast.ada, **params) == "NotFoundException"


@pytest.mark.parametrize("name", ["SendChannelMessage", "ListChannelMessages", "GetChannelMessage"])
def test_a_missing_channel_looks_forbidden_unless_the_operation_declares_not_found(
    chat: Chat, cast: Cast, name: str
) -> None:
    params = draft(f"{chat.instance}/channel/none", MessageId="0")
    expected = "NotFoundException" if name == "GetChannelMessage" else "ForbiddenException"
    assert chat.refused(name, cast.ada, **params) == expected


def test_a_push_notification_is_kept_with_its_message(chat: Chat, cast: Cast) -> None:
    push = {"Title": "t", "Body": "b", "Type": "DEFAULT"}
    message = chat.send(cast.ada, cast.channel, PushNotification=push)
    stored = chat.work(lambda tx: find_message(tx, cast.channel, message))
    assert stored is not None
    assert stored.push == '{"Title":"t","Body":"b","Type":"DEFAULT"}'
