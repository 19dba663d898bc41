"""Unmodified boto3 against the local server: every operation succeeds, every error it declares reaches the caller."""

from collections.abc import Callable
from queue import Queue
from typing import Any

import botocore.loaders
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import OperationModel, ServiceModel

from tests.interop.conftest import PATIENCE, LocalChime
from tests.interop.world import ELASTIC, LAMBDA, PREFERENCES, VALID, Request, World

MODELS = {
    name: ServiceModel(botocore.loaders.Loader().load_service_model(f"chime-sdk-{name}", "service-2"), name)
    for name in ("messaging", "identity")
}
OPERATIONS: list[tuple[str, OperationModel]] = [
    (name, model.operation_model(operation)) for name, model in MODELS.items() for operation in model.operation_names
]
DECLARED = [
    pytest.param(service, operation, shape.name, id=f"{operation.name}-{shape.name}")
    for service, operation in OPERATIONS
    for shape in operation.error_shapes
]
INVOCATIONS: Queue[dict[str, Any]] = Queue()


@pytest.fixture(scope="module")
def plain(start_chime: Callable[..., LocalChime]) -> LocalChime:
    """A server over plain HTTP without rate limits, whose flow processor only notes what it is asked."""
    chime = start_chime(quotas=False)
    chime.server.processors.register(LAMBDA, INVOCATIONS.put)
    return chime


@pytest.fixture
def world(plain: LocalChime) -> World:
    return World(plain)


def pending_callback(world: World) -> Request:
    """Send through a flow; the callback that the processor owes."""
    world.associated_flow()
    message = world.send("to be looked at")
    while (invocation := INVOCATIONS.get(timeout=PATIENCE))["ChannelMessage"]["MessageId"] != message:
        pass
    return {
        "ChannelArn": world.channel,
        "CallbackId": invocation["CallbackId"],
        "ChannelMessage": {"MessageId": message, "Content": "looked at"},
    }


def request_for(world: World, operation: OperationModel) -> Request:
    return pending_callback(world) if operation.name == "ChannelFlowCallback" else VALID[operation.name](world)


def call(world: World, service: str, operation: str, request: Request) -> dict[str, Any]:
    client = getattr(world, service)
    answer: dict[str, Any] = getattr(client, xform_name(operation))(**request)
    return answer


def caught(world: World, service: str, operation: str, request: Request) -> ClientError:
    with pytest.raises(ClientError) as error:
        call(world, service, operation, request)
    return error.value


@pytest.mark.parametrize(("service", "operation"), [pytest.param(s, o, id=f"{s}-{o.name}") for s, o in OPERATIONS])
def test_a_valid_request_succeeds(world: World, service: str, operation: OperationModel) -> None:
    answer = call(world, service, operation.name, request_for(world, operation))
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == operation.http.get("responseCode", 200)
    assert metadata["RequestId"]
    assert set(answer) <= set(operation.output_shape.members if operation.output_shape else [])


def unknown_bearer(world: World, operation: str) -> Request:
    return VALID[operation](world) | {"ChimeBearer": f"{world.app_instance}/user/nobody"}


def without_resource(world: World, operation: OperationModel) -> Request:
    """The same request about things that do not exist."""
    request = VALID[operation.name](world) if operation.name in VALID else {"CallbackId": "x" * 32}
    request |= {"ChannelMessage": {"MessageId": "none"}} if operation.name == "ChannelFlowCallback" else {}
    missing = {
        "ChannelArn": f"{world.app_instance}/channel/none",
        "ChannelFlowArn": f"{world.app_instance}/channel-flow/none",
        "AppInstanceUserArn": f"{world.app_instance}/user/none",
        "AppInstanceBotArn": f"{world.app_instance}/bot/none",
        "AppInstanceArn": world.app_instance[:-12] + "000000000000",
        "ResourceARN": f"{world.app_instance}/channel/none",
    }
    members = operation.input_shape.members if operation.input_shape else {}
    taken = {name: arn for name, arn in missing.items() if name in members and name in request | {"ChannelArn": ""}}
    return request | taken


BROKEN: dict[str, Request] = {
    "GetMessagingSessionEndpoint": {"NetworkType": "CARRIER_PIGEON"},
    "ListAppInstances": {"MaxResults": 51},
    "CreateAppInstance": {"Name": "x" * 257},
    "ListChannelMembershipsForAppInstanceUser": {"MaxResults": 51},
    "ListChannelsModeratedByAppInstanceUser": {"MaxResults": 51},
    "SearchChannels": {"Fields": [{"Key": "SHOE_SIZE", "Operator": "EQUALS", "Values": ["45"]}]},
    "ListTagsForResource": {"ResourceARN": "no arn"},
    "TagResource": {"ResourceARN": "no arn"},
    "UntagResource": {"ResourceARN": "no arn"},
}


def broken(world: World, operation: OperationModel) -> Request:
    """A request that boto3 lets pass and the service does not."""
    request = VALID[operation.name](world) if operation.name in VALID else pending_callback(world)
    arns = ("ChannelArn", "AppInstanceArn", "AppInstanceUserArn", "AppInstanceBotArn", "ChannelFlowArn")
    first = next((name for name in arns if name in request), None)
    return request | (BROKEN.get(operation.name) or {str(first): "no arn"})


def repeated(operation: str) -> Callable[[World], Request]:
    """A request that was carried out already."""

    def request(world: World) -> Request:
        done = VALID[operation](world)
        call(world, "identity" if "AppInstance" in operation else "messaging", operation, done)
        return done

    return request


def reused_token(operation: str, service: str = "messaging") -> Callable[[World], Request]:
    """The token of an earlier request with other parameters."""

    def request(world: World) -> Request:
        first = VALID[operation](world) | {"ClientRequestToken": "token"}
        call(world, service, operation, first)
        changed = {"Content": "other"} if operation == "SendChannelMessage" else {"Name": "other"}
        return first | changed

    return request


def answered_callback(world: World) -> Request:
    callback = pending_callback(world)
    call(world, "messaging", "ChannelFlowCallback", callback)
    return callback


def redacted(operation: str) -> Callable[[World], Request]:
    def request(world: World) -> Request:
        call(world, "messaging", "RedactChannelMessage", world.to_message)
        return VALID[operation](world)

    return request


def second_flow(world: World) -> Request:
    world.associated_flow()
    return VALID["AssociateChannelFlow"](world)


def used_flow(world: World) -> Request:
    return {"ChannelFlowArn": world.associated_flow()}


def in_elastic(operation: str) -> Callable[[World], Request]:
    """What elastic channels do not have."""

    def request(world: World) -> Request:
        channel = world.new_channel(ElasticChannelConfiguration=ELASTIC)
        settings = {"Preferences": PREFERENCES} if "Preferences" in operation else {}
        return world.member | {"ChannelArn": channel, "ChimeBearer": world.alice} | settings

    return request


def too_many_tags(world: World) -> Request:
    tags = [{"Key": f"key-{n}", "Value": "v"} for n in range(50)]
    call(world, "messaging", "TagResource", {"ResourceARN": world.channel, "Tags": tags})
    return {"ResourceARN": world.channel, "Tags": [{"Key": "one-more", "Value": "v"}]}


PROVOKED: dict[tuple[str, str], Callable[[World], Request]] = {
    ("CreateChannel", "ConflictException"): reused_token("CreateChannel"),
    ("CreateChannel", "ForbiddenException"): lambda w: (
        VALID["CreateChannel"](w) | {"MemberArns": [f"{w.app_instance}/user/nobody"]}
    ),
    ("ListChannels", "ForbiddenException"): lambda w: VALID["ListChannels"](w) | {"Privacy": "PRIVATE"},
    ("CreateChannelFlow", "ConflictException"): reused_token("CreateChannelFlow"),
    ("SendChannelMessage", "ConflictException"): reused_token("SendChannelMessage"),
    ("CreateAppInstance", "ConflictException"): reused_token("CreateAppInstance", "identity"),
    ("CreateAppInstanceBot", "ConflictException"): reused_token("CreateAppInstanceBot", "identity"),
    ("CreateAppInstanceUser", "ConflictException"): repeated("CreateAppInstanceUser"),
    ("CreateAppInstanceAdmin", "ConflictException"): repeated("CreateAppInstanceAdmin"),
    ("CreateChannelMembership", "ConflictException"): repeated("CreateChannelMembership"),
    ("CreateChannelModerator", "ConflictException"): repeated("CreateChannelModerator"),
    ("CreateChannelBan", "ConflictException"): repeated("CreateChannelBan"),
    ("AssociateChannelFlow", "ConflictException"): second_flow,
    ("DeleteChannelFlow", "ConflictException"): used_flow,
    ("ChannelFlowCallback", "ConflictException"): answered_callback,
    ("UpdateChannelMessage", "ConflictException"): redacted("UpdateChannelMessage"),
    ("DescribeChannelMembership", "NotFoundException"): lambda w: w.by_moderator | {"MemberArn": w.carol},
    ("DescribeChannelModerator", "NotFoundException"): lambda w: w.by_moderator | {"ChannelModeratorArn": w.bob},
    ("DescribeChannelBan", "NotFoundException"): lambda w: w.by_moderator | {"MemberArn": w.bob},
    ("GetChannelMessage", "NotFoundException"): lambda w: w.by_moderator | {"MessageId": "none"},
    ("DisassociateChannelFlow", "NotFoundException"): lambda w: w.by_moderator | {"ChannelFlowArn": w.flow()},
    ("GetMessagingStreamingConfigurations", "NotFoundException"): lambda w: w.instance,
    ("DescribeAppInstanceBot", "NotFoundException"): lambda w: {"AppInstanceBotArn": f"{w.app_instance}/bot/none"},
    ("TagResource", "ResourceLimitExceededException"): too_many_tags,
}
INJECTED = {"ServiceFailureException", "ServiceUnavailableException", "ThrottledClientException"}


@pytest.mark.parametrize(("service", "operation", "error"), DECLARED)
def test_a_declared_error_reaches_the_caller_as_its_class(
    plain: LocalChime, world: World, service: str, operation: OperationModel, error: str
) -> None:
    provoke = PROVOKED.get((operation.name, error))
    takes_bearer = operation.input_shape is not None and "ChimeBearer" in operation.input_shape.required_members
    if provoke is not None:
        request = provoke(world)
    elif error == "BadRequestException":
        request = broken(world, operation)
    elif error == "UnauthorizedClientException" and takes_bearer:
        request = unknown_bearer(world, operation.name)
    elif error == "ForbiddenException" and can_be_forbidden(operation):
        request = without_resource(world, operation)
    else:
        # What only the real service can come to (an outage, IAM, a race between two writers, a quota of thousands).
        request = request_for(world, operation)
        times = 10 if error in INJECTED else 1  # boto3 itself tries again after these
        plain.server.control.fail(operation.name, error, times=times)
    try:
        raised = caught(world, service, operation.name, request)
    finally:
        plain.server.control.clear()
    assert type(raised).__name__ == error
    assert isinstance(raised, getattr(getattr(world, service).exceptions, error))
    shape = MODELS[service].shape_for(error)
    assert raised.response["ResponseMetadata"]["HTTPStatusCode"] == shape.metadata["error"]["httpStatusCode"]
    assert raised.response["Error"]["Message"]


def can_be_forbidden(operation: OperationModel) -> bool:
    """Whether a resource that does not exist is answered by Forbidden: it is named, and NotFound is not declared."""
    names = {shape.name for shape in operation.error_shapes}
    members = operation.input_shape.required_members if operation.input_shape else []
    named = {"ChannelArn", "ChannelFlowArn", "AppInstanceUserArn", "AppInstanceBotArn", "AppInstanceArn", "ResourceARN"}
    return "NotFoundException" not in names and bool(named.intersection(members))


def test_no_operation_is_left_out() -> None:
    assert {operation.name for _, operation in OPERATIONS} == set(VALID) | {"ChannelFlowCallback"}
    assert len(OPERATIONS) == 81
