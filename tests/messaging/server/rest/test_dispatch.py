"""The whole way of a request, with the real store and handlers, and with real boto3 at the other end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import msgspec
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from chime_messaging.ids import new_uuid
from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.operations import HANDLERS, Call
from chime_messaging.server.rest.dispatch import Dispatcher, Request
from chime_messaging.server.store.database import Database

NOT_THE_BEARER = "An invalid app instance user ARN was supplied for the x-amz-chime-bearer HTTP header."


class Tenant:
    """An app instance with one user on a server."""

    def __init__(self, server: LocalServer) -> None:
        self.identity = server.client("chime-sdk-identity")
        self.messaging = server.client("chime-sdk-messaging")
        self.app_instance: str = self.identity.create_app_instance(Name="acme")["AppInstanceArn"]
        self.user = self.add_user("Alice")

    def add_user(self, name: str) -> str:
        arn: str = self.identity.create_app_instance_user(
            AppInstanceArn=self.app_instance, AppInstanceUserId=new_uuid(), Name=name
        )["AppInstanceUserArn"]
        return arn

    def create_channel(self, **params: Any) -> str:
        given = {"AppInstanceArn": self.app_instance, "Name": "c", "ChimeBearer": self.user, **params}
        arn: str = self.messaging.create_channel(**given)["ChannelArn"]
        return arn


@pytest.fixture(scope="module")
def tenant(shared_server: LocalServer) -> Tenant:
    return Tenant(shared_server)


@pytest.fixture(scope="module")
def strict_server() -> Iterator[LocalServer]:
    with LocalServer(ServerConfiguration(port=0, quotas=False, authorization=Authorization.STRICT)) as running:
        yield running


def test_an_unknown_bearer_is_unauthorized(tenant: Tenant) -> None:
    with pytest.raises(tenant.messaging.exceptions.UnauthorizedClientException, match=NOT_THE_BEARER) as caught:
        tenant.create_channel(ChimeBearer=f"{tenant.app_instance}/user/nobody")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401
    assert caught.value.response["Error"] == {"Code": "UnauthorizedClientException", "Message": NOT_THE_BEARER}


def test_a_bearer_of_another_app_instance_is_unauthorized(tenant: Tenant, shared_server: LocalServer) -> None:
    stranger = Tenant(shared_server).user
    with pytest.raises(tenant.messaging.exceptions.UnauthorizedClientException):
        tenant.create_channel(ChimeBearer=stranger)
    channel = tenant.create_channel()
    with pytest.raises(tenant.messaging.exceptions.UnauthorizedClientException):
        tenant.messaging.describe_channel(ChannelArn=channel, ChimeBearer=stranger)


@pytest.mark.parametrize("bearer", ["nonsense", "arn:aws:chime:us-east-1:1:meeting/x"])
def test_a_bearer_that_is_no_user_is_unauthorized(tenant: Tenant, bearer: str) -> None:
    with pytest.raises(tenant.messaging.exceptions.UnauthorizedClientException):
        tenant.create_channel(ChimeBearer=bearer)


def test_the_bearer_may_be_left_out_where_the_model_says_so(tenant: Tenant) -> None:
    channel = tenant.create_channel(Name="found")
    fields = [{"Key": "MEMBERS", "Operator": "INCLUDES", "Values": [tenant.user]}]
    found = tenant.messaging.search_channels(Fields=fields)
    assert channel in [each["ChannelArn"] for each in found["Channels"]]


def test_violations_are_bad_requests(tenant: Tenant) -> None:
    with pytest.raises(tenant.messaging.exceptions.BadRequestException, match="at 'mode'"):
        tenant.create_channel(Mode="BOGUS")
    with pytest.raises(tenant.messaging.exceptions.BadRequestException, match="at 'metadata'"):
        tenant.create_channel(Metadata="x" * 2000)


def test_names_with_emoji_come_back(tenant: Tenant) -> None:
    channel = tenant.create_channel(Name="Team \U0001f680")
    described = tenant.messaging.describe_channel(ChannelArn=channel, ChimeBearer=tenant.user)["Channel"]
    assert described["Name"] == "Team \U0001f680"
    assert described["CreatedTimestamp"].tzinfo is not None


def test_the_same_token_gives_the_same_answer_and_acts_once(tenant: Tenant) -> None:
    first = tenant.create_channel(Name="once", ClientRequestToken="token-1")
    assert tenant.create_channel(Name="once", ClientRequestToken="token-1") == first
    assert tenant.create_channel(Name="once", ClientRequestToken="token-2") != first


def test_the_same_token_with_other_parameters_is_a_conflict(tenant: Tenant) -> None:
    tenant.create_channel(Name="one", ClientRequestToken="token-3")
    with pytest.raises(tenant.messaging.exceptions.ConflictException) as caught:
        tenant.create_channel(Name="two", ClientRequestToken="token-3")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_a_token_belongs_to_its_bearer(tenant: Tenant) -> None:
    first = tenant.create_channel(ClientRequestToken="token-4")
    assert tenant.create_channel(ClientRequestToken="token-4", ChimeBearer=tenant.add_user("Bob")) != first


def test_a_refused_call_does_not_use_its_token_up(tenant: Tenant) -> None:
    nobody = f"{tenant.app_instance}/user/nobody"
    with pytest.raises(ClientError):
        tenant.create_channel(ClientRequestToken="token-5", MemberArns=[nobody], ChimeBearer=nobody)
    assert tenant.create_channel(ClientRequestToken="token-5")


def test_the_endpoint_is_the_host_as_called(tenant: Tenant, shared_server: LocalServer) -> None:
    assert tenant.messaging.get_messaging_session_endpoint()["Endpoint"]["Url"] == f"127.0.0.1:{shared_server.port}"
    by_name = shared_server.client("chime-sdk-messaging", endpoint_url=f"http://localhost:{shared_server.port}")
    assert by_name.get_messaging_session_endpoint()["Endpoint"]["Url"] == f"localhost:{shared_server.port}"


def test_the_endpoint_is_the_public_host_when_there_is_one() -> None:
    with LocalServer(ServerConfiguration(port=0, public_host="chime.example:443")) as server:
        messaging = server.client("chime-sdk-messaging")
        assert messaging.get_messaging_session_endpoint()["Endpoint"]["Url"] == "chime.example:443"


def test_an_operation_without_a_handler_says_so_without_a_retry(
    shared_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(HANDLERS, ("meetings", "ListAttendees"))
    meetings = shared_server.client("chime-sdk-meetings")
    with pytest.raises(meetings.exceptions.BadRequestException, match="not implemented locally") as caught:
        meetings.list_attendees(MeetingId=new_uuid())
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_tags_of_a_meeting_are_the_meeting_services_business(shared_server: LocalServer) -> None:
    arn = f"arn:aws:chime:us-east-1:123456789012:meeting/{new_uuid()}"
    meetings = shared_server.client("chime-sdk-meetings")
    with pytest.raises(meetings.exceptions.ResourceNotFoundException) as caught:
        meetings.list_tags_for_resource(ResourceARN=arn)
    assert caught.value.response["ResourceName"] == arn
    assert caught.value.response["RequestId"] == caught.value.response["ResponseMetadata"]["RequestId"]


def test_a_registered_meetings_operation_is_served(shared_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def list_attendees(call: Call) -> dict[str, Any]:
        seen.append(call.params)
        return {"Attendees": [], "NextToken": None}

    monkeypatch.setitem(HANDLERS, ("meetings", "ListAttendees"), list_attendees)
    meeting = new_uuid()
    answer = shared_server.client("chime-sdk-meetings").list_attendees(MeetingId=meeting, MaxResults=7)
    assert answer["Attendees"] == []
    assert "NextToken" not in answer
    assert seen == [{"MeetingId": meeting, "MaxResults": 7}]


def test_a_defect_is_a_500_that_tells_the_log_and_not_the_client(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(call: Call) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setitem(HANDLERS, ("messaging", "DeleteChannel"), broken)
    messaging = server.client("chime-sdk-messaging", config=Config(retries={"max_attempts": 1, "mode": "standard"}))
    tenant = Tenant(server)
    channel = tenant.create_channel()
    with pytest.raises(messaging.exceptions.ServiceFailureException) as caught:
        messaging.delete_channel(ChannelArn=channel, ChimeBearer=tenant.user)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "inside" not in str(caught.value)
    assert "ZeroDivisionError: inside" in caplog.text
    assert messaging.describe_channel(ChannelArn=channel, ChimeBearer=tenant.user)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_closed_store_is_unavailable() -> None:
    async with Database(None) as database:
        dispatcher = Dispatcher(ServerConfiguration(port=0), database)
    body = msgspec.json.encode({"Name": "acme", "ClientRequestToken": "token"})
    answer = await dispatcher.answer(Request("POST", "/app-instances", "", [], body))
    assert (answer.status, answer.error) == (503, "ServiceUnavailableException")


def test_tags_go_to_the_service_of_the_arn(tenant: Tenant) -> None:
    channel = tenant.create_channel()
    for client, arn in ((tenant.identity, tenant.app_instance), (tenant.messaging, channel)):
        client.tag_resource(ResourceARN=arn, Tags=[{"Key": "k", "Value": "v"}])
        assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
        client.untag_resource(ResourceARN=arn, TagKeys=["k"])
        assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == []


def test_trust_asks_nothing_of_the_bearer() -> None:
    with LocalServer(ServerConfiguration(port=0, authorization=Authorization.TRUST)) as server:
        identity, messaging = server.client("chime-sdk-identity"), server.client("chime-sdk-messaging")
        app_instance = identity.create_app_instance(Name="acme")["AppInstanceArn"]
        found = messaging.list_channels(AppInstanceArn=app_instance, ChimeBearer=f"{app_instance}/user/nobody")
        assert found["Channels"] == []


def test_quotas_answer_with_a_throttle_that_boto3_knows() -> None:
    with LocalServer(ServerConfiguration(port=0, quotas=True)) as server:
        identity = server.client("chime-sdk-identity", config=Config(retries={"max_attempts": 1, "mode": "standard"}))

        def create_many() -> None:
            for _ in range(50):
                identity.create_app_instance(Name="acme")

        with pytest.raises(identity.exceptions.ThrottledClientException) as caught:
            create_many()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_strict_takes_what_boto3_signs_with_the_known_keys(strict_server: LocalServer) -> None:
    tenant = Tenant(strict_server)
    channel = tenant.create_channel(Name="Team \U0001f680")
    listed = tenant.messaging.list_channel_memberships(ChannelArn=channel, ChimeBearer=tenant.user, MaxResults=5)
    assert [each["Member"]["Arn"] for each in listed["ChannelMemberships"]] == [tenant.user]


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [("AKIDUNKNOWN", "x", "UnrecognizedClientException"), (None, "wrong", "InvalidSignatureException")],
)
def test_strict_refuses_other_keys(strict_server: LocalServer, key: str | None, secret: str, code: str) -> None:
    key = key or strict_server.configuration.keys[0][0]
    client = boto3.session.Session(key, secret, region_name="us-east-1").client(
        "chime-sdk-messaging", endpoint_url=strict_server.url
    )
    with pytest.raises(ClientError) as caught:
        client.get_messaging_session_endpoint()
    client.close()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
