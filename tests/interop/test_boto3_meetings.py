"""Unmodified boto3 against the meetings service: every operation succeeds, every error it declares arrives."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import botocore.loaders
import httpx
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel, ServiceModel

from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from tests.interop.conftest import LocalChime

Request = dict[str, Any]

MODEL = ServiceModel(
    botocore.loaders.Loader().load_service_model("chime-sdk-meetings", "service-2"), "chime-sdk-meetings"
)
OPERATIONS = [MODEL.operation_model(name) for name in MODEL.operation_names]
DECLARED = [
    pytest.param(operation, shape.name, id=f"{operation.name}-{shape.name}")
    for operation in OPERATIONS
    for shape in operation.error_shapes
]
NOWHERE = "00000000-0000-0000-0000-000000000001"
LISTENER = {"Audio": "Receive", "Video": "Receive", "Content": "Receive"}
BROKEN_CAPABILITIES = {"Audio": "Receive", "Video": "None", "Content": "Receive"}
ENGLISH = {"EngineTranscribeSettings": {"LanguageCode": "en-US"}}
TAG = {"Key": "colour", "Value": "blue"}


class World:
    """One meeting with alice and bob in it."""

    def __init__(self, server: LocalServer, client: Any = None) -> None:
        self.server = server
        self.meetings: Any = client or server.client("chime-sdk-meetings")
        wanted = [{"ExternalUserId": "alice"}, {"ExternalUserId": "bob"}]
        answer = self.meetings.create_meeting_with_attendees(**self.new, Attendees=wanted)
        self.meeting = answer["Meeting"]
        self.alice, self.bob = answer["Attendees"]

    @property
    def new(self) -> Request:
        return {"ClientRequestToken": str(uuid4()), "MediaRegion": "us-east-1", "ExternalMeetingId": "world"}

    @property
    def inside(self) -> Request:
        return {"MeetingId": self.meeting["MeetingId"]}

    @property
    def of_alice(self) -> Request:
        return self.inside | {"AttendeeId": self.alice["AttendeeId"]}

    @property
    def tagged(self) -> Request:
        return {"ResourceARN": self.meeting["MeetingArn"]}

    def call(self, operation: str, request: Request) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.meetings, xform_name(operation))(**request)
        return answer

    def caught(self, operation: str, request: Request) -> ClientError:
        with pytest.raises(ClientError) as error:
            self.call(operation, request)
        return error.value


@pytest.fixture(scope="module")
def plain(start_chime: Callable[..., LocalChime]) -> LocalChime:
    """A server over plain HTTP, without quotas: the tests create more meetings per second than an account may."""
    return start_chime(quotas=False)


def impatient(server: LocalServer) -> Any:
    """boto3 that does not try again by itself: each error is one answer, and no test waits for its back-off."""
    return server.client("chime-sdk-meetings", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture(scope="module")
def client(plain: LocalChime) -> Any:
    return impatient(plain.server)


@pytest.fixture
def world(plain: LocalChime, client: Any) -> World:
    return World(plain.server, client)


@pytest.fixture
def limited() -> Iterator[World]:
    """A world with the service's quotas."""
    with LocalServer(ServerConfiguration(port=0)) as server:
        yield World(server, impatient(server))


VALID: dict[str, Callable[[World], Request]] = {
    "BatchCreateAttendee": lambda w: w.inside | {"Attendees": [{"ExternalUserId": "carol"}]},
    "BatchUpdateAttendeeCapabilitiesExcept": lambda w: (
        w.inside | {"ExcludedAttendeeIds": [{"AttendeeId": w.bob["AttendeeId"]}], "Capabilities": LISTENER}
    ),
    "CreateAttendee": lambda w: w.inside | {"ExternalUserId": "carol", "Capabilities": LISTENER},
    "CreateMeeting": lambda w: w.new | {"Tags": [TAG], "TenantIds": ["acme"]},
    "CreateMeetingWithAttendees": lambda w: w.new | {"Attendees": [{"ExternalUserId": "carol"}]},
    "DeleteAttendee": lambda w: w.of_alice,
    "DeleteMeeting": lambda w: w.inside,
    "GetAttendee": lambda w: w.of_alice,
    "GetMeeting": lambda w: w.inside,
    "ListAttendees": lambda w: w.inside,
    "ListTagsForResource": lambda w: w.tagged,
    "StartMeetingTranscription": lambda w: w.inside | {"TranscriptionConfiguration": ENGLISH},
    "StopMeetingTranscription": lambda w: w.inside,
    "TagResource": lambda w: w.tagged | {"Tags": [TAG]},
    "UntagResource": lambda w: w.tagged | {"TagKeys": ["colour"]},
    "UpdateAttendeeCapabilities": lambda w: w.of_alice | {"Capabilities": LISTENER},
}


@pytest.mark.parametrize("operation", [pytest.param(o, id=o.name) for o in OPERATIONS])
def test_a_valid_request_succeeds(world: World, operation: OperationModel) -> None:
    answer = world.call(operation.name, VALID[operation.name](world))
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == operation.http.get("responseCode", 200)
    assert metadata["RequestId"]
    assert set(answer) <= set(operation.output_shape.members if operation.output_shape else [])


# Requests that boto3 lets pass and the service does not. Where only the meeting is named, its id is no id.
BROKEN: dict[str, Request] = {
    "BatchUpdateAttendeeCapabilitiesExcept": {"Capabilities": BROKEN_CAPABILITIES},
    "CreateAttendee": {"Capabilities": BROKEN_CAPABILITIES},
    "CreateMeeting": {"MediaRegion": "the moon"},
    "CreateMeetingWithAttendees": {"ExternalMeetingId": "aws:reserved"},
    "ListAttendees": {"NextToken": "made up"},
    "StartMeetingTranscription": {"TranscriptionConfiguration": {}},
    "TagResource": {"Tags": [{"Key": "aws:colour", "Value": "blue"}]},
    "UntagResource": {"TagKeys": ["not allowed ☺"]},
    "ListTagsForResource": {"ResourceARN": "no arn"},
    "UpdateAttendeeCapabilities": {"Capabilities": BROKEN_CAPABILITIES},
}


def deleted_before(operation: str) -> Callable[[World], Request]:
    def request(world: World) -> Request:
        world.call(operation, VALID[operation](world))
        return VALID[operation](world)

    return request


def reused_token(operation: str) -> Callable[[World], Request]:
    """The token of an earlier request with other parameters."""

    def request(world: World) -> Request:
        first = VALID[operation](world)
        world.call(operation, first)
        return first | {"ExternalMeetingId": "another"}

    return request


def one_replica_too_many(operation: str) -> Callable[[World], Request]:
    def request(world: World) -> Request:
        replica = {"PrimaryMeetingId": world.meeting["MeetingId"]}
        for _ in range(4):
            world.call("CreateMeeting", world.new | replica)
        return VALID[operation](world) | replica

    return request


def full(world: World) -> Request:
    for start in range(0, 300, 100):
        users = [{"ExternalUserId": f"user-{n}"} for n in range(start, start + 100)]
        world.call("BatchCreateAttendee", world.inside | {"Attendees": users})
    return VALID["CreateAttendee"](world)


def too_many_tags(world: World) -> Request:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    world.call("TagResource", world.tagged | {"Tags": [{"Key": f"key-{n}", "Value": ""} for n in letters[:50]]})
    return VALID["TagResource"](world)


PROVOKED: dict[tuple[str, str], Callable[[World], Request]] = {
    ("DeleteMeeting", "ForbiddenException"): deleted_before("DeleteMeeting"),
    ("DeleteAttendee", "ForbiddenException"): deleted_before("DeleteAttendee"),
    ("CreateMeeting", "ConflictException"): reused_token("CreateMeeting"),
    ("CreateMeetingWithAttendees", "ConflictException"): reused_token("CreateMeetingWithAttendees"),
    ("CreateMeeting", "LimitExceededException"): one_replica_too_many("CreateMeeting"),
    ("CreateMeetingWithAttendees", "LimitExceededException"): one_replica_too_many("CreateMeetingWithAttendees"),
    ("CreateAttendee", "LimitExceededException"): full,
    ("TagResource", "TooManyTagsException"): too_many_tags,
}


@pytest.mark.parametrize(("operation", "error"), DECLARED)
def test_a_declared_error_reaches_the_caller_as_its_class(
    request: pytest.FixtureRequest, operation: OperationModel, error: str
) -> None:
    quotas = (operation.name, error) in PROVOKED and error == "LimitExceededException"
    world: World = request.getfixturevalue("limited" if quotas else "world")
    check_declared_error(world, operation, error)


def check_declared_error(world: World, operation: OperationModel, error: str) -> None:
    request = VALID[operation.name](world)
    if (operation.name, error) in PROVOKED:
        request = PROVOKED[operation.name, error](world)
    elif error == "BadRequestException":
        request |= BROKEN.get(operation.name, {"MeetingId": "no id"})
    elif error == "NotFoundException":
        request["MeetingId"] = NOWHERE
    elif error == "ResourceNotFoundException":
        request["ResourceARN"] = world.meeting["MeetingArn"][:-4] + "9999"
    else:
        # What only the real service can come to: an outage, IAM, a race between two writers, a busy transcriber.
        world.server.control.fail(operation.name, error)
    try:
        raised = world.caught(operation.name, request)
    finally:
        world.server.control.clear()
    assert type(raised).__name__ == error
    assert isinstance(raised, getattr(world.meetings.exceptions, error))
    shape = MODEL.shape_for(error)
    response: Any = raised.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == shape.metadata["error"]["httpStatusCode"]
    assert response["Error"]["Message"]
    if request.get("ResourceARN") != "no arn":  # which no service can claim for its own
        assert response["RequestId"] == response["ResponseMetadata"]["RequestId"]


def test_more_meetings_than_an_account_may_create_are_throttled(limited: World) -> None:
    for _ in range(200):
        try:
            limited.call("CreateMeeting", limited.new)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429
            return
    raise AssertionError("200 meetings were created")


def test_no_operation_is_left_out() -> None:
    assert {operation.name for operation in OPERATIONS} == set(VALID)
    assert len(OPERATIONS) == 16


def test_the_same_token_makes_one_meeting_with_the_same_attendees(world: World) -> None:
    request = VALID["CreateMeetingWithAttendees"](world)
    first, second = (world.call("CreateMeetingWithAttendees", request) for _ in range(2))
    for answer in (first, second):
        answer.pop("ResponseMetadata")
    assert first == second


def test_the_same_token_is_answered_with_urls_for_whoever_calls(world: World) -> None:
    request = VALID["CreateMeetingWithAttendees"](world)
    first = world.call("CreateMeetingWithAttendees", request)
    by_name = world.server.client("chime-sdk-meetings", endpoint_url=f"http://localhost:{world.server.port}")
    again = by_name.create_meeting_with_attendees(**request)
    assert again["Attendees"] == first["Attendees"]
    assert again["Meeting"]["MeetingId"] == first["Meeting"]["MeetingId"]
    assert again["Meeting"]["MediaPlacement"]["AudioHostUrl"] == f"localhost:{world.server.port}"
    assert first["Meeting"]["MediaPlacement"]["AudioHostUrl"] == f"127.0.0.1:{world.server.port}"


def test_a_meeting_is_found_under_the_name_it_is_called_by(world: World) -> None:
    by_name = world.server.client("chime-sdk-meetings", endpoint_url=f"http://localhost:{world.server.port}")
    placement = by_name.get_meeting(**world.inside)["Meeting"]["MediaPlacement"]
    hosts = {urlsplit(url).netloc for name, url in placement.items() if name != "AudioHostUrl"}
    assert hosts == {f"localhost:{world.server.port}"}
    assert placement["AudioHostUrl"] == f"localhost:{world.server.port}"


def test_a_public_host_is_what_clients_are_told() -> None:
    with LocalServer(ServerConfiguration(port=0, public_host="chime.example", tls=True)) as server:
        world = World(server)
        signaling = world.meeting["MediaPlacement"]["SignalingUrl"]
        assert signaling == f"wss://chime.example/control/{world.meeting['MeetingId']}"


def test_strict_signatures_cover_meetings_too() -> None:
    with LocalServer(ServerConfiguration(port=0, authorization=Authorization.STRICT)) as server:
        World(server)
        key = server.configuration.keys[0][0]
        forged = server.client("chime-sdk-meetings", aws_access_key_id=key, aws_secret_access_key="wrong")
        with pytest.raises(ClientError) as error:
            forged.get_meeting(MeetingId=NOWHERE)
        assert error.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_attendees_outlive_a_restart_with_the_tokens_they_have(tmp_path: Any) -> None:
    configuration = ServerConfiguration(port=0, database=str(tmp_path / "chime.db"))
    with LocalServer(configuration) as server:
        world = World(server)
    with LocalServer(configuration) as server:
        meetings = server.client("chime-sdk-meetings")
        assert meetings.get_attendee(**world.of_alice)["Attendee"] == world.alice
        found = meetings.get_meeting(**world.inside)["Meeting"]
        assert urlsplit(found["MediaPlacement"]["SignalingUrl"]).port == server.port
        assert found["MeetingArn"] == world.meeting["MeetingArn"]


def test_clients_report_events_where_they_are_told_to(world: World) -> None:
    url = world.meeting["MediaPlacement"]["EventIngestionUrl"]
    payloads = [{"name": "meetingStartSucceeded", "ts": 1_700_000_000_000}]
    metadata = {"meetingId": world.meeting["MeetingId"], "sdkName": "amazon-chime-sdk-js"}
    body: dict[str, Any] = {"metadata": metadata, "events": [{"type": "Meet", "v": 1, "payloads": payloads}]}
    token = world.alice["JoinToken"]
    fetched = httpx.post(url, content=json.dumps(body), headers={"Authorization": f"Bearer {token}"})
    beacon = httpx.post(f"{url}?beacon=1", content=json.dumps(body | {"authorization": token}))
    for answer in (fetched, beacon):
        assert (answer.status_code, answer.json()) == (200, {})
        assert answer.headers["access-control-allow-origin"] == "*"
    mine = [event for event in world.server.client_events() if event["meetingId"] == world.meeting["MeetingId"]]
    assert [event["name"] for event in mine] == ["meetingStartSucceeded"] * 2
    assert token not in repr(mine)
    metrics = httpx.get(f"{world.server.url}/metrics").text
    assert "chime_client_events_total" in metrics
    assert token not in metrics


def test_a_browser_may_ask_before_it_posts_events(world: World) -> None:
    url = world.meeting["MediaPlacement"]["EventIngestionUrl"]
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    answer = httpx.options(url, headers=asked | {"Access-Control-Request-Headers": "authorization"})
    assert answer.status_code == 204
    assert "authorization" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("body", [b"{", b"x" * (300 << 10), b"x" * (2 << 20)], ids=["broken", "large", "huge"])
def test_what_is_no_report_is_answered_with_400(world: World, body: bytes) -> None:
    assert httpx.post(world.meeting["MediaPlacement"]["EventIngestionUrl"], content=body).status_code == 400


def test_a_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "chime_messaging")
    with LocalServer() as server:
        world = World(server)
        world.call("ListAttendees", world.inside)
        world.caught("CreateAttendee", world.inside | {"ExternalUserId": "x y", "Capabilities": BROKEN_CAPABILITIES})
        world.call("DeleteMeeting", world.inside)
    said = caplog.text + repr([record.__dict__ for record in caplog.records])
    assert "CreateMeetingWithAttendees" in said
    for attendee in (world.alice, world.bob):
        assert attendee["JoinToken"] not in said
        assert attendee["ExternalUserId"] not in said
