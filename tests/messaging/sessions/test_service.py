from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from chime_messaging.errors import UsageError
from chime_messaging.ids import new_uuid
from chime_messaging.protocol.resume import Listing
from chime_messaging.server.local_server import LocalServer
from chime_messaging.sessions.configuration import MessagingSessionConfiguration, PrefetchOn, PrefetchSortBy
from chime_messaging.sessions.messaging_session import MessagingSession
from chime_messaging.sessions.service import AwsSessionService

pytestmark = pytest.mark.anyio


async def test_the_url_names_the_session_and_what_is_prefetched(shared_server: LocalServer) -> None:
    alice = await shared_server.create_user("Alice")
    configuration = MessagingSessionConfiguration(
        alice,
        "7",
        chime_client=shared_server.client("chime-sdk-messaging"),
        prefetch=PrefetchOn.CONNECT,
        prefetch_sort_by=PrefetchSortBy.UNREAD,
    )
    url = urlsplit(await AwsSessionService(configuration).connect_url(first=True))
    query = parse_qs(url.query)
    assert (url.scheme, url.port, url.path) == ("ws", shared_server.port, "/connect")
    assert (query["userArn"], query["sessionId"]) == ([alice], ["7"])
    assert (query["prefetch-on"], query["prefetch-sort-by"]) == (["connect"], ["unread"])


async def test_a_given_endpoint_is_used_for_the_first_connection_only(shared_server: LocalServer) -> None:
    alice = await shared_server.create_user("Alice")
    client = shared_server.client("chime-sdk-messaging")
    service = AwsSessionService(
        MessagingSessionConfiguration(alice, endpoint_url="elsewhere:9999", chime_client=client, scheme="wss")
    )
    assert (await service.connect_url(first=True)).startswith("wss://elsewhere:9999/connect?")
    assert (await service.connect_url(first=False)).startswith(f"wss://127.0.0.1:{shared_server.port}/connect?")


async def test_every_page_of_a_channel_is_listed_oldest_first(shared_server: LocalServer) -> None:
    alice = await shared_server.create_user("Alice")
    client = shared_server.client("chime-sdk-messaging")
    session = MessagingSession(MessagingSessionConfiguration(alice, chime_client=client))
    channel = await session.channels.create("general", channel_id=new_uuid())
    sent = [(await channel.send(str(number))).message_id for number in range(55)]
    service = AwsSessionService(MessagingSessionConfiguration(alice, chime_client=client))
    (activity,) = await service.activities()
    assert activity.channel_arn == channel.arn
    assert activity.last_message is not None
    listing = Listing(channel.arn, datetime(2020, 1, 1, tzinfo=UTC))
    first = await service.messages(listing, None)
    assert first.next_token is not None
    second = await service.messages(listing, first.next_token)
    assert second.next_token is None
    found = first.messages + second.messages
    assert [message.message_id for message in found] == sent
    assert found[-1].created_timestamp == activity.last_message


async def test_without_a_client_one_is_made_from_the_environment(
    shared_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shared_server.environment.items():
        monkeypatch.setenv(name, value)
    alice = await shared_server.create_user("Alice")
    session = MessagingSession(MessagingSessionConfiguration(alice))
    with pytest.raises(UsageError, match="chime_client"):
        session.channel("arn")
    with anyio.fail_after(20):
        async with session:
            assert session.is_established
            channel = await session.channels.create("general")
            assert session.channel(channel.arn).bearer == alice
