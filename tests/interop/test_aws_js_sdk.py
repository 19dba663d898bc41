"""The unmodified AWS SDK for JavaScript v3: what it sends is taken, what it gets it can read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.interop.conftest import LocalChime, NodeProcess

pytestmark = pytest.mark.interop

Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def invoke(run_node: Callable[..., NodeProcess]) -> Invoke:
    calls = run_node("calls.mjs")

    def invoke(service: str, operation: str, **request: Any) -> dict[str, Any]:
        return calls.ask(service=service, operation=operation, input=request)

    return invoke


def test_a_conversation_from_nothing(invoke: Invoke) -> None:
    instance = invoke("identity", "CreateAppInstance", Name="js 🚀")["output"]["AppInstanceArn"]

    def user(name: str) -> str:
        request = {"AppInstanceArn": instance, "AppInstanceUserId": f"{name}@example.com", "Name": name}
        return str(invoke("identity", "CreateAppInstanceUser", **request)["output"]["AppInstanceUserArn"])

    alice, bob = user("Alice"), user("Bob")
    created = invoke(
        "messaging", "CreateChannel", AppInstanceArn=instance, Name="général 🚀", ChannelId="a:b@c.d",
        ChimeBearer=alice, MemberArns=[bob], Metadata="two\nlines", Tags=[{"Key": "k", "Value": "v"}],
    )  # fmt: skip
    assert created["status"] == 201
    channel = created["output"]["ChannelArn"]
    where = {"ChannelArn": channel, "ChimeBearer": alice}
    described = invoke("messaging", "DescribeChannel", **where)["output"]["Channel"]
    assert described["Name"] == "général 🚀"
    assert described["Metadata"] == "two\nlines"
    assert abs(datetime.fromisoformat(described["CreatedTimestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    sent = invoke(
        "messaging", "SendChannelMessage", Content="hi", Type="STANDARD", Persistence="PERSISTENT",
        MessageAttributes={"CHIME.mentions": {"StringValues": [bob]}}, **where,
    )  # fmt: skip
    assert (sent["status"], sent["output"]["Status"]) == (201, {"Value": "SENT"})
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    page = invoke("messaging", "ListChannelMessages", NotBefore=since, MaxResults=1, **where)["output"]
    assert [message["MessageId"] for message in page["ChannelMessages"]] == [sent["output"]["MessageId"]]
    mine = invoke("messaging", "ListChannelMembershipsForAppInstanceUser", ChimeBearer=bob)["output"]
    assert [m["ChannelSummary"]["ChannelArn"] for m in mine["ChannelMemberships"]] == [channel]
    found = invoke(
        "messaging", "SearchChannels", ChimeBearer=alice, MaxResults=5,
        Fields=[{"Key": "MEMBERS", "Operator": "EQUALS", "Values": [alice, bob]}],
    )  # fmt: skip
    assert [c["ChannelArn"] for c in found["output"]["Channels"]] == [channel]
    assert invoke("messaging", "DeleteChannel", **where)["status"] == 204


@pytest.mark.parametrize(
    ("operation", "request_", "status", "error"),
    [
        ("DescribeChannel", {"bearer": "nobody"}, 401, "UnauthorizedClientException"),
        ("DescribeChannel", {"bearer": "stranger"}, 403, "ForbiddenException"),
        ("DescribeChannelMembership", {"MemberArn": "stranger"}, 404, "NotFoundException"),
        ("CreateChannelMembership", {"MemberArn": "alice", "Type": "DEFAULT"}, 409, "ConflictException"),
        ("CreateChannelMembership", {"MemberArn": "stranger", "Type": "BOGUS"}, 400, "BadRequestException"),
    ],
)
def test_errors_arrive_as_the_modelled_classes(
    invoke: Invoke, chime: LocalChime, operation: str, request_: dict[str, str], status: int, error: str
) -> None:
    people = {name: chime.user(f"{name}-{uuid4()}") for name in ("alice", "stranger")}
    people["nobody"] = f"{chime.app_instance}/user/nobody"
    request = {name: people.get(value, value) for name, value in request_.items()}
    channel = chime.channel(people["alice"])
    request["ChimeBearer"] = request.pop("bearer", people["alice"])
    answer = invoke("messaging", operation, ChannelArn=channel, **request)
    assert (answer["status"], answer["error"], answer["modelled"]) == (status, error, True)


def test_the_same_token_sends_once(invoke: Invoke, chime: LocalChime) -> None:
    alice = chime.user(f"alice-{uuid4()}")
    channel = chime.channel(alice)
    request = {
        "ChannelArn": channel, "ChimeBearer": alice, "Content": "once", "Type": "STANDARD",
        "Persistence": "PERSISTENT", "ClientRequestToken": "token-1",
    }  # fmt: skip
    ids = {invoke("messaging", "SendChannelMessage", **request)["output"]["MessageId"] for _ in range(3)}
    listed = invoke("messaging", "ListChannelMessages", ChannelArn=channel, ChimeBearer=alice)["output"]
    assert [message["MessageId"] for message in listed["ChannelMessages"]] == list(ids)
    changed = invoke("messaging", "SendChannelMessage", **(request | {"Content": "twice"}))
    assert (changed["status"], changed["error"]) == (409, "ConflictException")
