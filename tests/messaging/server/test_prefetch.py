import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest

from chime_messaging.server.prefetch import channel_details
from chime_messaging.wire.envelope import decode
from tests.messaging.server.messaging.chat import ELASTIC, Chat


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as opened:
        yield opened


def details(chat: Chat, user: str, sort_by: str | None = None) -> list[dict[str, Any]]:
    frames = chat.work(lambda tx: channel_details(tx, user, sort_by))
    envelopes = [decode(frame.decode()) for frame in frames]
    assert {envelope.type for envelope in envelopes} <= {"CHANNEL_DETAILS"}
    assert all(envelope.headers["x-amz-chime-message-type"] == "SYSTEM" for envelope in envelopes)
    return [msgspec.json.decode(envelope.payload or "") for envelope in envelopes]


def test_a_channel_comes_with_its_messages_members_and_the_read_marker(chat: Chat) -> None:
    ada, bob, hidden = chat.user("Ada"), chat.user("Bob"), chat.user("Hidden")
    channel = chat.channel(ada, bob, hidden=(hidden,), metadata="m")
    first, second = chat.send(ada, channel, "1"), chat.send(bob, channel, "2")
    chat.call("UpdateChannelReadMarker", ada, ChannelArn=channel)
    (seen,) = details(chat, ada)
    assert [message["MessageId"] for message in seen["ChannelMessages"]] == [second, first]
    newest = seen["ChannelMessages"][0]
    assert not {"ChannelArn", "Persistence", "SubChannelId"} & newest.keys()
    assert newest["Sender"] == {"Arn": bob, "Name": "Bob"}
    assert seen["Channel"] == {
        "Name": "general",
        "ChannelArn": channel,
        "Mode": "RESTRICTED",
        "Privacy": "PRIVATE",
        "Metadata": "m",
        "LastMessageTimestamp": newest["CreatedTimestamp"],
    }
    assert seen["ChannelMemberships"] == [
        {"Member": {"Arn": ada, "Name": "Ada"}},
        {"Member": {"Arn": bob, "Name": "Bob"}},
    ]
    assert seen["ReadMarkerTimestamp"] > newest["CreatedTimestamp"]
    assert seen["ChannelMessagesHasMore"] is False
    (other,) = details(chat, bob)
    assert "ReadMarkerTimestamp" not in other
    assert len(details(chat, hidden)) == 1


def test_a_user_without_channels_gets_nothing(chat: Chat) -> None:
    assert details(chat, chat.user("Ada")) == []


def test_twenty_messages_are_cut_before_those_for_others_are_taken_out(chat: Chat) -> None:
    ada, bob, eve = chat.user("Ada"), chat.user("Bob"), chat.user("Eve")
    channel = chat.channel(ada, bob, eve)
    for number in range(18):
        chat.send(ada, channel, str(number))
    for _ in range(2):
        chat.send(ada, channel, "psst", Target=[{"MemberArn": bob}])
    counts = {user: len(details(chat, user)[0]["ChannelMessages"]) for user in (ada, bob, eve)}
    assert counts == {ada: 20, bob: 20, eve: 18}
    assert not details(chat, eve)[0]["ChannelMessagesHasMore"]

    chat.send(ada, channel, "one more")
    (seen,) = details(chat, eve)
    assert [message["Content"] for message in seen["ChannelMessages"]] == [
        "one more",
        *(str(number) for number in reversed(range(1, 18))),
    ]
    assert seen["ChannelMessagesHasMore"]


def test_thirty_members_are_named(chat: Chat) -> None:
    ada = chat.user("Ada")
    channel = chat.channel(ada, *(chat.user(f"User-{number}") for number in range(35)))
    assert channel
    (seen,) = details(chat, ada)
    assert len(seen["ChannelMemberships"]) == 30


def test_fifty_channels_are_chosen_unread_first_or_by_the_last_message(chat: Chat) -> None:
    ada, bob = chat.user("Ada"), chat.user("Bob")
    empty = {chat.channel(ada, bob, name=f"empty-{number}") for number in range(5)}
    unread = [chat.channel(ada, bob, name=f"unread-{number}") for number in range(30)]
    read = [chat.channel(ada, bob, name=f"read-{number}") for number in range(30)]
    for channel in (*unread, *read):
        chat.send(bob, channel)
    for channel in read:
        chat.call("UpdateChannelReadMarker", ada, ChannelArn=channel)

    def names(sort_by: str | None) -> set[str]:
        return {seen["Channel"]["ChannelArn"] for seen in details(chat, ada, sort_by)}

    assert names("unread") == names(None) == names("unheard-of") == {*unread, *read[10:]}
    assert names("last-message-timestamp") == {*read, *unread[10:]}
    assert not empty & names(None)


def test_frames_come_in_random_order(chat: Chat) -> None:
    ada = chat.user("Ada")
    for number in range(20):
        chat.channel(ada, name=f"channel-{number}")
    orders = [chat.work(partial(channel_details, user_arn=ada, order=random.Random(seed))) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[1]) == sorted(orders[2])


def test_an_elastic_channel_shows_the_users_part_and_no_read_marker(chat: Chat) -> None:
    ada, bob = chat.user("Ada"), chat.user("Bob")
    channel = chat.channel(elastic=ELASTIC)
    chat.join(channel, ada, part="one")
    chat.join(channel, bob, part="two")
    chat.send(ada, channel, "one", SubChannelId="one")
    chat.send(bob, channel, "two", SubChannelId="two")
    (seen,) = details(chat, ada)
    assert [message["Content"] for message in seen["ChannelMessages"]] == ["one"]
    assert seen["ChannelMemberships"] == [{"Member": {"Arn": ada, "Name": "Ada"}}]
    assert "ReadMarkerTimestamp" not in seen
