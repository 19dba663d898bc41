from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.errors import (
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    InvalidArnError,
    LimitError,
    NotFoundError,
    ThrottledError,
    UsageError,
)
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.channels import Channel, Channels
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.messaging_session import MessagingSession
from chime_messaging.wire.payloads import PushNotification

pytestmark = pytest.mark.anyio

APP = "arn:aws:chime:us-east-1:123456789012:app-instance/59a98c52-c9c3-4bb8-b5b6-3b1ec1f3d8f4"


class Chat:
    """Three users of one app instance, and a channel that alice made for herself and bob."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.client: Any = server.client("chime-sdk-messaging")
        self.plane = ControlPlane(self.client, rng=lambda: 0.0)
        self.alice = self.bob = self.carol = ""

    async def begin(self) -> "Chat":
        app = await self.server.create_app_instance("chat")
        self.alice = await self.server.create_user("Alice", app)
        self.bob = await self.server.create_user("Bob", app)
        self.carol = await self.server.create_user("Carol", app)
        self.channel = await self.of(self.alice).create("general", members=[self.bob])
        return self

    def of(self, user: str) -> Channels:
        return Channels(self.plane, user)

    def seen_by(self, user: str) -> Channel:
        return self.of(user).channel(self.channel.arn)


@pytest.fixture
async def chat(shared_server: LocalServer) -> Chat:
    return await Chat(shared_server).begin()


@pytest.fixture
async def private_chat(server: LocalServer) -> Chat:
    return await Chat(server).begin()


async def texts(messages: AsyncIterator[Any]) -> list[str | None]:
    return [message.content async for message in messages]


async def names(identities: AsyncIterator[Any]) -> list[str | None]:
    return sorted([identity.name async for identity in identities])


# Messages


async def test_sent_message_can_be_fetched_with_all_it_carries(chat: Chat) -> None:
    sent = await chat.channel.send(
        "hello",
        metadata='{"a": 1}',
        attributes={"CHIME.mentions": [chat.bob], "kind": "greeting"},
        content_type="text/plain",
        push=PushNotification(title="New", body="hello"),
    )
    assert sent.status is not None
    assert sent.status.value == "SENT"
    message = await chat.seen_by(chat.bob).get(sent)
    assert (message.content, message.metadata, message.content_type) == ("hello", '{"a": 1}', "text/plain")
    assert message.sender is not None
    assert (message.sender.arn, message.sender.name) == (chat.alice, "Alice")
    assert message.message_attributes is not None
    assert message.message_attributes["kind"].string_values == ["greeting"]
    assert message.created_timestamp is not None
    assert message.created_timestamp.tzinfo is UTC


async def test_same_token_is_the_same_message(chat: Chat) -> None:
    first = await chat.channel.send("once", client_request_token="token-1")
    second = await chat.channel.send("once", client_request_token="token-1")
    assert first.message_id == second.message_id
    assert await texts(chat.channel.messages()) == ["once"]


async def test_throttled_send_waits_and_arrives_once(private_chat: Chat) -> None:
    private_chat.server.control.fail("SendChannelMessage", "ThrottledClientException", times=3)
    await private_chat.channel.send("patience")
    assert await texts(private_chat.channel.messages()) == ["patience"]


async def test_send_that_stays_throttled_says_so(private_chat: Chat) -> None:
    private_chat.server.control.fail("SendChannelMessage", "ThrottledClientException", times=99)
    with pytest.raises(ThrottledError):
        await private_chat.channel.send("no")


async def test_targeted_message_is_seen_by_sender_and_target_only(chat: Chat) -> None:
    await chat.channel.add_member(chat.carol)
    await chat.channel.send("psst", target=chat.bob)
    assert await texts(chat.seen_by(chat.bob).messages()) == ["psst"]
    assert await texts(chat.seen_by(chat.carol).messages()) == []


async def test_control_message_has_its_own_limits(chat: Chat) -> None:
    await chat.channel.send("x" * 30, type="CONTROL", persistence="NON_PERSISTENT")
    with pytest.raises(LimitError, match="content: is 31 bytes, the limit is 30 bytes"):
        await chat.channel.send("x" * 31, type="CONTROL")
    with pytest.raises(ConfigurationError, match="metadata"):
        await chat.channel.send("x", type="CONTROL", metadata="m")


async def test_edit_redact_status_and_delete(chat: Chat) -> None:
    sent = await chat.channel.send("teh")
    await chat.channel.edit(sent, "the")
    message = await chat.channel.get(sent)
    assert message.content == "the"
    assert message.last_edited_timestamp is not None
    assert (await chat.channel.status(sent)).value == "SENT"
    await chat.channel.redact(message)
    assert (await chat.channel.get(sent.message_id)).redacted
    with pytest.raises(ForbiddenError):
        await chat.channel.delete(sent)


async def test_only_the_sender_edits(chat: Chat) -> None:
    sent = await chat.channel.send("mine")
    with pytest.raises(ForbiddenError):
        await chat.seen_by(chat.bob).edit(sent, "yours")


@pytest.mark.parametrize(
    ("field", "value", "arguments"),
    [
        ("content", 4097, {"content": "x" * 4097}),
        ("content", 4098, {"content": "é" * 2049}),
        ("content", 0, {"content": ""}),
        ("metadata", 1025, {"metadata": "m" * 1025}),
        ("content_type", 46, {"content_type": "t" * 46}),
        ("attributes", 65, {"attributes": {"n" * 65: "v"}}),
        ("attributes['n']", 513, {"attributes": {"n": "v" * 513}}),
        ("attributes", 1027, {"attributes": {"abc": ["v" * 512, "v" * 512]}}),
        ("push.title", 51, {"push": PushNotification(title="t" * 51, body="b")}),
        ("push.body", 151, {"push": PushNotification(title="t", body="b" * 151)}),
    ],
)
async def test_limits_are_checked_before_anything_is_sent(field: str, value: int, arguments: dict[str, Any]) -> None:
    channel = Channel(f"{APP}/channel/c", ControlPlane(None), f"{APP}/user/u")
    with pytest.raises(LimitError) as caught:
        await channel.send(**({"content": "x"} | arguments))
    assert (caught.value.field, caught.value.value) == (field, value)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda c: c.send("x", target="bob"), "target"),
        (lambda c: c.send("x", client_request_token="!"), "client_request_token"),
        (lambda c: c.send("\ud800"), "content"),
        (lambda c: c.send(b"x"), "content"),
        (lambda c: c.get("no/slash"), "message_id"),
        (lambda c: c.add_member(f"{APP}/channel/c"), "member_arn"),
        (lambda c: c.update(name="n" * 257), "name"),
    ],
)
async def test_what_cannot_work_names_the_field(call: Any, field: str) -> None:
    channel = Channel(f"{APP}/channel/c", ControlPlane(None), f"{APP}/user/u")
    with pytest.raises(ConfigurationError) as caught:
        await call(channel)
    assert caught.value.field == field


@pytest.mark.parametrize(("arn", "bearer"), [("general", f"{APP}/user/u"), (f"{APP}/channel/c", "alice")])
def test_channel_of_something_else_is_refused(arn: str, bearer: str) -> None:
    with pytest.raises(InvalidArnError):
        Channel(arn, ControlPlane(None), bearer)


# History


async def test_history_pages_in_both_directions_and_between_moments(chat: Chat) -> None:
    for number in range(120):
        await chat.channel.send(str(number))
    everything = [message async for message in chat.channel.messages()]
    assert [message.content for message in everything] == [str(number) for number in range(120)]
    assert await texts(chat.channel.messages(newest_first=True)) == [str(number) for number in reversed(range(120))]
    since, until = everything[40].created_timestamp, everything[100].created_timestamp
    assert await texts(chat.channel.messages(since, until)) == [str(number) for number in range(40, 101)]


async def test_live_needs_a_session_and_goes_only_forward(chat: Chat) -> None:
    with pytest.raises(UsageError, match="session"):
        chat.channel.messages(live=True)
    with pytest.raises(ConfigurationError, match="live"):
        chat.channel.messages(live=True, newest_first=True)  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match="time zone"):
        chat.channel.messages(datetime(2024, 1, 1))


async def test_history_and_live_join_without_gap_or_repetition(chat: Chat) -> None:
    total = 150
    configuration = MessagingSessionConfiguration(chat.bob, chime_client=chat.client)

    async def talk() -> None:
        for number in range(total):
            await chat.channel.send(str(number))

    async with MessagingSession(configuration) as session, anyio.create_task_group() as tasks:
        tasks.start_soon(talk)
        for part in (10, 60, 110, total):
            # A new reading each time, at another moment of the talk: each starts with the first message.
            got: list[str | None] = []
            with anyio.fail_after(30):
                messages = session.channel(chat.channel.arn).messages(live=True)
                async for message in messages:
                    got.append(message.content)
                    if len(got) == part:
                        break
            assert got == [str(number) for number in range(part)]


async def test_live_messages_go_on_over_cuts_without_gap_or_repetition(private_chat: Chat) -> None:
    chat, total = private_chat, 120
    configuration = MessagingSessionConfiguration(chat.bob, chime_client=chat.client, reconnect_short_backoff=0.05)

    async def talk() -> None:
        for number in range(total):
            await chat.channel.send(str(number))
            if number in (30, 70):
                await anyio.to_thread.run_sync(chat.server.control.abort, chat.bob)

    got: list[str | None] = []
    async with MessagingSession(configuration) as session, anyio.create_task_group() as tasks:
        tasks.start_soon(talk)
        with anyio.fail_after(30):
            async for message in session.channel(chat.channel.arn).messages(live=True):
                got.append(message.content)
                if len(got) == total:
                    break
    assert got == [str(number) for number in range(total)]


async def test_live_messages_since_now_leave_the_past_out(chat: Chat) -> None:
    await chat.channel.send("past")
    configuration = MessagingSessionConfiguration(chat.bob, chime_client=chat.client)
    async with MessagingSession(configuration) as session:
        since = (await chat.channel.describe()).last_message_timestamp
        assert since is not None
        channel = session.channel(chat.channel.arn)
        await chat.channel.send("present")
        messages = channel.messages(since + timedelta(milliseconds=1), live=True)
        assert (await anext(messages)).content == "present"


# The channel


async def test_describe_and_update(chat: Chat) -> None:
    await chat.channel.update(name="renamed", metadata="m", mode="UNRESTRICTED")
    channel = await chat.channel.describe()
    assert (channel.name, channel.metadata) == ("renamed", "m")
    assert (channel.mode, channel.privacy) == ("UNRESTRICTED", "PRIVATE")
    assert channel.created_by is not None
    assert channel.created_by.arn == chat.alice


async def test_deleted_channel_is_gone(chat: Chat) -> None:
    await chat.channel.delete_channel()
    with pytest.raises((ForbiddenError, NotFoundError)):
        await chat.channel.describe()


async def test_unknown_channel_is_forbidden_or_not_found(chat: Chat) -> None:
    nowhere = chat.of(chat.alice).channel(f"{chat.alice.partition('/user/')[0]}/channel/nowhere")
    with pytest.raises((ForbiddenError, NotFoundError)):
        await nowhere.send("hello?")


async def test_read_marker_makes_a_channel_read(chat: Chat) -> None:
    bob = chat.seen_by(chat.bob)
    await chat.channel.send("news")
    assert (await bob.own_membership()).unread
    await bob.mark_read()
    assert not (await bob.own_membership()).unread


# People


async def test_members_are_added_described_and_removed(chat: Chat) -> None:
    added = await chat.channel.add_member(chat.carol)
    assert (added.arn, added.name) == (chat.carol, "Carol")
    with pytest.raises(ConflictError):
        await chat.channel.add_member(chat.carol)
    assert await names(chat.channel.members()) == ["Alice", "Bob", "Carol"]
    membership = await chat.channel.membership(chat.carol)
    assert membership.invited_by is not None
    assert membership.invited_by.arn == chat.alice
    await chat.channel.remove_member(chat.carol)
    with pytest.raises(NotFoundError):
        await chat.channel.membership(chat.carol)


async def test_hidden_members_are_listed_on_request(chat: Chat) -> None:
    await chat.channel.add_member(chat.carol, type="HIDDEN")
    assert await names(chat.channel.members()) == ["Alice", "Bob"]
    assert await names(chat.channel.members(type="HIDDEN")) == ["Carol"]


async def test_many_members_are_added_by_the_hundred_and_failures_are_told(chat: Chat) -> None:
    app = chat.alice.partition("/user/")[0]
    arns = [await chat.server.create_user(f"user {number}", app) for number in range(103)]
    result = await chat.channel.add_members([*arns, f"{app}/user/nobody"])
    assert len(result.members) == 103
    assert [error.member_arn for error in result.errors] == [f"{app}/user/nobody"]
    assert len([member async for member in chat.channel.members()]) == 105


async def test_join_twice_and_leave(chat: Chat) -> None:
    public = await chat.of(chat.alice).create("plaza", privacy="PUBLIC", mode="UNRESTRICTED")
    carol = chat.of(chat.carol).channel(public.arn)
    await carol.join()
    await carol.join()
    assert await names(public.members()) == ["Alice", "Carol"]
    await carol.leave()
    assert await names(public.members()) == ["Alice"]


async def test_private_channel_lets_nobody_join(chat: Chat) -> None:
    with pytest.raises(ForbiddenError):
        await chat.seen_by(chat.carol).join()


async def test_moderators_come_and_go(chat: Chat) -> None:
    await chat.channel.add_moderator(chat.bob)
    assert await names(chat.channel.moderators()) == ["Alice", "Bob"]
    assert (await chat.channel.moderator(chat.bob)).moderator.name == "Bob"
    await chat.channel.remove_moderator(chat.bob)
    assert await names(chat.channel.moderators()) == ["Alice"]


async def test_banned_member_is_out_and_stays_out(chat: Chat) -> None:
    await chat.channel.ban(chat.bob)
    assert await names(chat.channel.bans()) == ["Bob"]
    assert (await chat.channel.banned(chat.bob)).member.arn == chat.bob
    assert await names(chat.channel.members()) == ["Alice"]
    with pytest.raises(ForbiddenError):
        await chat.channel.add_member(chat.bob)
    await chat.channel.unban(chat.bob)
    await chat.channel.add_member(chat.bob)


# Channels of a user


async def test_channels_of_a_user_are_listed_with_read_markers(chat: Chat) -> None:
    second = await chat.of(chat.bob).create("second", channel_id="second-channel", tags={"team": "a"})
    mine = {item.channel.name: item async for item in chat.of(chat.bob).mine()}
    assert set(mine) == {"general", "second"}
    assert second.arn.endswith("/channel/second-channel")
    assert mine["second"].membership.type == "DEFAULT"
    assert [channel.name async for channel in chat.of(chat.bob).moderated()] == ["second"]


async def test_public_channels_are_found_by_everyone(chat: Chat) -> None:
    await chat.of(chat.alice).create("plaza", privacy="PUBLIC")
    assert [channel.name async for channel in chat.of(chat.carol).all(privacy="PUBLIC")] == ["plaza"]


async def test_conversation_of_two_is_found_by_search(chat: Chat) -> None:
    await chat.of(chat.alice).create("three", members=[chat.bob, chat.carol])
    alice = chat.of(chat.alice)
    exactly = [item.name async for item in alice.search([chat.alice, chat.bob], exactly=True)]
    at_least = sorted([item.name or "" async for item in alice.search([chat.alice, chat.bob])])
    assert (exactly, at_least) == (["general"], ["general", "three"])


async def test_search_without_members_is_refused(chat: Chat) -> None:
    with pytest.raises(LimitError, match="members"):
        await anext(chat.of(chat.alice).search([]))


async def test_eleven_first_members_are_too_many(chat: Chat) -> None:
    with pytest.raises(LimitError, match="members: is 11 users, the limit is 10 users"):
        await chat.of(chat.alice).create("big", members=[chat.bob] * 11)


async def test_taken_channel_id_is_a_conflict(chat: Chat) -> None:
    await chat.of(chat.alice).create("one", channel_id="taken")
    with pytest.raises(ConflictError):
        await chat.of(chat.alice).create("two", channel_id="taken")
