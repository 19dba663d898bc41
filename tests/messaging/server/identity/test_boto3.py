"""The identity service over HTTP, through an unmodified boto3, with the rest of the server behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(ServerConfiguration(port=0, quotas=False)) as running:
        yield running


@pytest.fixture
def identity(server: LocalServer) -> Any:
    return server.client("chime-sdk-identity")


@pytest.fixture
def messaging(server: LocalServer) -> Any:
    return server.client("chime-sdk-messaging")


@pytest.fixture
def app(identity: Any) -> str:
    arn: str = identity.create_app_instance(Name="app")["AppInstanceArn"]
    return arn


def create_user(identity: Any, app: str, name: str) -> str:
    answer = identity.create_app_instance_user(AppInstanceArn=app, AppInstanceUserId=name, Name=name)
    arn: str = answer["AppInstanceUserArn"]
    return arn


@contextmanager
def open_socket(server: LocalServer, user_arn: str) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{server.port}/connect?sessionId=1&userArn={quote(user_arn, safe='')}") as socket:
        assert "SESSION_ESTABLISHED" in str(socket.recv(10))
        yield socket


def closing_code(socket: ClientConnection) -> int | None:
    try:
        while True:
            socket.recv(10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_times_arrive_as_the_moments_they_are(identity: Any, app: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    found = identity.describe_app_instance(AppInstanceArn=app)["AppInstance"]
    assert before < found["CreatedTimestamp"] < datetime.now(UTC) + timedelta(seconds=5)
    settings = {"ChannelRetentionSettings": {"RetentionDays": 5}}
    put = identity.put_app_instance_retention_settings(AppInstanceArn=app, AppInstanceRetentionSettings=settings)
    assert timedelta(days=29) < put["InitiateDeletionTimestamp"] - before < timedelta(days=31)
    off = identity.put_app_instance_retention_settings(AppInstanceArn=app, AppInstanceRetentionSettings={})
    assert off["AppInstanceRetentionSettings"] == {}
    assert "InitiateDeletionTimestamp" not in off


def test_errors_are_the_clients_own_classes(identity: Any, app: str) -> None:
    create_user(identity, app, "ann")
    with pytest.raises(identity.exceptions.ConflictException):
        create_user(identity, app, "ann")
    with pytest.raises(identity.exceptions.ForbiddenException):
        identity.describe_app_instance_user(AppInstanceUserArn=f"{app}/user/nobody")
    with pytest.raises(identity.exceptions.NotFoundException):
        identity.describe_app_instance_bot(AppInstanceBotArn=f"{app}/bot/nobody")
    with pytest.raises(identity.exceptions.BadRequestException):
        identity.list_app_instance_users(AppInstanceArn=app, NextToken="made-up")


def test_a_token_makes_one_user_and_other_parameters_a_conflict(identity: Any, app: str) -> None:
    params = {"AppInstanceArn": app, "AppInstanceUserId": "ann", "Name": "Ann", "ClientRequestToken": "token-1"}
    first = identity.create_app_instance_user(**params)
    assert identity.create_app_instance_user(**params)["AppInstanceUserArn"] == first["AppInstanceUserArn"]
    with pytest.raises(identity.exceptions.ConflictException):
        identity.create_app_instance_user(**{**params, "Name": "Anna"})
    assert len(identity.list_app_instance_users(AppInstanceArn=app)["AppInstanceUsers"]) == 1


def test_every_page_of_a_long_list_arrives(identity: Any, app: str) -> None:
    arns = [create_user(identity, app, f"u{i:03}") for i in range(60)]
    found: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = identity.list_app_instance_users(AppInstanceArn=app, **more)
        found += [row["AppInstanceUserArn"] for row in page["AppInstanceUsers"]]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert found == arns


def test_names_and_tags_of_any_script_come_back(identity: Any, app: str) -> None:
    arn = identity.create_app_instance_user(
        AppInstanceArn=app,
        AppInstanceUserId="ann@example.com:1",
        Name="Zoë 🚀 小明",
        Tags=[{"Key": "équipe", "Value": "🚀"}],
    )["AppInstanceUserArn"]
    assert identity.describe_app_instance_user(AppInstanceUserArn=arn)["AppInstanceUser"]["Name"] == "Zoë 🚀 小明"
    assert identity.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "équipe", "Value": "🚀"}]


def test_a_channel_is_tagged_through_the_messaging_service(identity: Any, messaging: Any, app: str) -> None:
    ann = create_user(identity, app, "ann")
    tags = [{"Key": "k", "Value": "v"}]
    channel = messaging.create_channel(AppInstanceArn=app, Name="c", ChimeBearer=ann, Tags=tags)["ChannelArn"]
    assert messaging.list_tags_for_resource(ResourceARN=channel)["Tags"] == tags
    messaging.untag_resource(ResourceARN=channel, TagKeys=["k"])
    assert messaging.list_tags_for_resource(ResourceARN=channel)["Tags"] == []
    messaging.delete_channel(ChannelArn=channel, ChimeBearer=ann)
    with pytest.raises(messaging.exceptions.ForbiddenException):
        messaging.tag_resource(ResourceARN=channel, Tags=tags)


def test_a_deleted_user_is_out_of_channels_sockets_and_calls(
    server: LocalServer, identity: Any, messaging: Any, app: str
) -> None:
    ann, ben = create_user(identity, app, "ann"), create_user(identity, app, "ben")
    channel = messaging.create_channel(AppInstanceArn=app, Name="c", ChimeBearer=ann)["ChannelArn"]
    messaging.create_channel_membership(ChannelArn=channel, MemberArn=ben, Type="DEFAULT", ChimeBearer=ann)
    said = messaging.send_channel_message(
        ChannelArn=channel, Content="bye", Type="STANDARD", Persistence="PERSISTENT", ChimeBearer=ben
    )["MessageId"]
    with open_socket(server, ben) as bens, open_socket(server, ann) as anns:
        identity.delete_app_instance_user(AppInstanceUserArn=ben)
        assert closing_code(bens) == 4003
        assert "DELETE_CHANNEL_MEMBERSHIP" in str(anns.recv(10))
    members = messaging.list_channel_memberships(ChannelArn=channel, ChimeBearer=ann)["ChannelMemberships"]
    assert [row["Member"]["Arn"] for row in members] == [ann]
    kept = messaging.get_channel_message(ChannelArn=channel, MessageId=said, ChimeBearer=ann)["ChannelMessage"]
    assert kept["Sender"]["Arn"] == ben
    with pytest.raises(messaging.exceptions.UnauthorizedClientException):
        messaging.describe_channel(ChannelArn=channel, ChimeBearer=ben)
    assert create_user(identity, app, "ben") == ben
    with pytest.raises(messaging.exceptions.ForbiddenException):
        messaging.describe_channel(ChannelArn=channel, ChimeBearer=ben)


def test_a_deleted_app_instance_leaves_nothing_behind(
    server: LocalServer, identity: Any, messaging: Any, app: str
) -> None:
    ann = create_user(identity, app, "ann")
    messaging.create_channel(AppInstanceArn=app, Name="c", ChimeBearer=ann)
    with open_socket(server, ann) as socket:
        identity.delete_app_instance(AppInstanceArn=app)
        assert closing_code(socket) == 4003
    with pytest.raises(ClientError) as caught:
        messaging.list_channels(AppInstanceArn=app, ChimeBearer=ann)
    assert caught.value.response["Error"]["Code"] in ("UnauthorizedClientException", "ForbiddenException")
    listed = identity.list_app_instances()["AppInstances"]
    assert app not in [row["AppInstanceArn"] for row in listed]
