"""X2: prefetch on connect, by unread messages or by the time of the last one: CHANNEL_DETAILS is delivered.

The sort order decides which channels are told to a user who has more than fifty; the events come in any order.
"""

from __future__ import annotations

import pytest

from chime_messaging import ChannelDetailsReceived, MessageCreated, PrefetchOn, PrefetchSortBy, SessionEstablished
from chime_messaging.server import LocalServer
from chime_messaging.testing import EventRecorder
from tests.use_cases.conftest import Chime

pytestmark = pytest.mark.anyio


async def alice_with_two_channels(chime: Chime) -> str:
    """She has read the chat and not the news."""
    alice, bob = await chime.user("Alice"), await chime.user("Bob")
    for name in ("news", "chat"):
        channel = await chime.new_channel(bob, alice, name=name)
        await channel.send(f"{name} one")
        await channel.send(f"{name} two")
    await chime.channel(channel.arn, alice).mark_read()
    return alice


async def test_details_of_the_channels_follow_the_connect(chime: Chime) -> None:
    alice = await alice_with_two_channels(chime)
    session = chime.session(alice, prefetch=PrefetchOn.CONNECT)
    recorder = EventRecorder(session.hub)
    async with session:
        await recorder.wait_for(ChannelDetailsReceived, count=2)
    recorder.assert_order(SessionEstablished, *[ChannelDetailsReceived] * 2)
    details = {str(event.details.channel.name): event.details for event in recorder.of(ChannelDetailsReceived)}
    news, chat = details["news"], details["chat"]
    assert [message.content for message in news.channel_messages] == ["news two", "news one"]
    assert sorted(str(row.member.name) for row in news.channel_memberships) == ["Alice", "Bob"]
    assert news.read_marker_timestamp is None
    assert chat.read_marker_timestamp is not None
    assert not news.channel_messages_has_more


@pytest.fixture(scope="module")
def busy_user(shared_server: LocalServer) -> str:
    """Has 51 channels, one more than are prefetched. Only the one that was silent for longest has something unread."""
    identity, messaging = shared_server.client("chime-sdk-identity"), shared_server.client("chime-sdk-messaging")
    instance = identity.create_app_instance(Name="busy")["AppInstanceArn"]
    people = {"AppInstanceArn": instance, "AppInstanceUserId": "carol", "Name": "Carol"}
    carol = str(identity.create_app_instance_user(**people)["AppInstanceUserArn"])
    for number in range(51):
        channel = messaging.create_channel(AppInstanceArn=instance, Name=str(number), ChimeBearer=carol)["ChannelArn"]
        messaging.send_channel_message(
            ChannelArn=channel, ChimeBearer=carol, Content="hi", Type="STANDARD", Persistence="PERSISTENT"
        )
        if number > 0:
            messaging.update_channel_read_marker(ChannelArn=channel, ChimeBearer=carol)
    return carol


@pytest.mark.parametrize(
    ("sort_by", "left_out"),
    [(None, "1"), (PrefetchSortBy.UNREAD, "1"), (PrefetchSortBy.LAST_MESSAGE_TIMESTAMP, "0")],
)
async def test_of_many_channels_the_unread_or_the_latest_are_told(
    chime: Chime, busy_user: str, sort_by: PrefetchSortBy | None, left_out: str
) -> None:
    session = chime.session(busy_user, prefetch=PrefetchOn.CONNECT, prefetch_sort_by=sort_by)
    recorder = EventRecorder(session.hub)
    async with session:
        await recorder.wait_for(ChannelDetailsReceived, count=50)
    told = {event.details.channel.name for event in recorder.of(ChannelDetailsReceived)}
    assert told == {str(number) for number in range(51)} - {left_out}


async def test_a_reconnect_prefetches_again(chime: Chime) -> None:
    alice = await alice_with_two_channels(chime)
    session = chime.session(alice, prefetch=PrefetchOn.CONNECT)
    recorder = EventRecorder(session.hub)
    async with session:
        await recorder.wait_for(ChannelDetailsReceived, count=2)
        await chime.server.control.close(alice, 1011)
        await recorder.wait_for(ChannelDetailsReceived, count=4)


async def test_nothing_is_prefetched_unasked(chime: Chime) -> None:
    alice = await chime.user("Alice")
    channel = await chime.new_channel(alice)
    session = chime.session(alice)
    recorder = EventRecorder(session.hub)
    async with session:
        await channel.send("what comes first")
        await recorder.wait_for(MessageCreated)
    assert recorder.of(ChannelDetailsReceived) == []
