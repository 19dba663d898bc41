import threading
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from chime_messaging.aws import control_plane as module
from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.errors import (
    BadRequestError,
    ConfigurationError,
    ConflictError,
    ConnectError,
    CredentialsError,
    ForbiddenError,
    NotFoundError,
    RequestTimeoutError,
    ResourceLimitExceededError,
    ServiceFailureError,
    ServiceUnavailableError,
    ThrottledError,
    UnauthorizedError,
)

pytestmark = pytest.mark.anyio

APP = "arn:aws:chime:us-east-1:123456789012:app-instance/59a98c52-c9c3-4bb8-b5b6-3b1ec1f3d8f4"
USER = f"{APP}/user/ann"
CHANNEL = f"{APP}/channel/general"
SEND: dict[str, Any] = {"ChannelArn": CHANNEL, "Content": "hi", "Type": "STANDARD", "Persistence": "PERSISTENT"}


def plane(service: Any, *, boto: dict[str, Any] | None = None, **changes: Any) -> ControlPlane:
    return ControlPlane(service.client(**(boto or {})), USER, **({"rng": lambda: 0.0} | changes))


async def test_response_comes_without_metadata_and_with_utc_times(service: Any, answer: Any) -> None:
    service.script = [answer(200, {"ChannelMessage": {"MessageId": "1", "CreatedTimestamp": 1700000000.25}})]
    response = await plane(service).call("GetChannelMessage", ChannelArn=CHANNEL, MessageId="1")
    created = response["ChannelMessage"]["CreatedTimestamp"]
    assert response == {"ChannelMessage": {"MessageId": "1", "CreatedTimestamp": created}}
    assert created == datetime.fromtimestamp(1700000000.25, UTC)
    assert created.tzinfo is UTC


async def test_bearer_is_sent_by_operations_that_take_one(service: Any, answer: Any) -> None:
    service.script = [answer(201, {"MessageId": "1"}), answer(200, {"Endpoint": {"Url": "h"}})]
    control_plane = plane(service)
    await control_plane.call("SendChannelMessage", **SEND)
    await control_plane.call("GetMessagingSessionEndpoint")
    assert service.asked[0].headers["x-amz-chime-bearer"] == USER
    assert "x-amz-chime-bearer" not in service.asked[1].headers


async def test_members_that_are_none_are_left_out(service: Any, answer: Any) -> None:
    service.script = [answer(201, {"MessageId": "1"})]
    await plane(service).call("SendChannelMessage", Metadata=None, **SEND)
    assert "Metadata" not in service.asked[0].body


async def test_throttled_send_is_repeated_with_the_same_token(service: Any, answer: Any) -> None:
    service.script = [answer(429, error="ThrottledClientException")] * 3 + [answer(201, {"MessageId": "1"})]
    assert await plane(service).call("SendChannelMessage", **SEND) == {"MessageId": "1"}
    tokens = {asked.body["ClientRequestToken"] for asked in service.asked}
    assert len(service.asked) == 4
    assert len(tokens) == 1


async def test_two_calls_have_two_tokens_and_a_given_one_is_kept(service: Any, answer: Any) -> None:
    service.script = [answer(201, {"MessageId": "1"})] * 3
    control_plane = plane(service)
    await control_plane.call("SendChannelMessage", **SEND)
    await control_plane.call("SendChannelMessage", **SEND)
    await control_plane.call("SendChannelMessage", ClientRequestToken="my-token", **SEND)
    first, second, third = [asked.body["ClientRequestToken"] for asked in service.asked]
    assert first != second
    assert third == "my-token"


async def test_callback_id_is_never_invented(service: Any, answer: Any) -> None:
    request = plane(service)._complete("ChannelFlowCallback", {"ChannelArn": CHANNEL})
    assert "CallbackId" not in request


@pytest.mark.parametrize(
    ("status", "name", "kind", "requests"),
    [
        (400, "BadRequestException", BadRequestError, 1),
        (400, "ResourceLimitExceededException", ResourceLimitExceededError, 1),
        (401, "UnauthorizedClientException", UnauthorizedError, 1),
        (403, "ForbiddenException", ForbiddenError, 1),
        (404, "NotFoundException", NotFoundError, 1),
        (409, "ConflictException", ConflictError, 1),
        (429, "ThrottledClientException", ThrottledError, 4),
        (500, "ServiceFailureException", ServiceFailureError, 4),
        (503, "ServiceUnavailableException", ServiceUnavailableError, 4),
        (503, None, ServiceUnavailableError, 4),
    ],
)
async def test_error_answers_have_their_class_and_only_passing_ones_are_retried(
    service: Any, answer: Any, status: int, name: str | None, kind: type[Exception], requests: int
) -> None:
    service.script = [answer(status, {"Code": "x", "Message": "why"}, error=name)] * 9
    with pytest.raises(kind) as caught:
        await plane(service, attempts=4).call("SendChannelMessage", **SEND)
    error: Any = caught.value
    assert (error.operation, error.status, error.message, error.request_id) == (
        "SendChannelMessage", status, "why", "request-1",
    )  # fmt: skip
    assert len(service.asked) == requests


@pytest.mark.parametrize(("attempts", "requests"), [(1, 3), (4, 6), (6, 6)])
async def test_retries_of_boto3_count_as_ours(service: Any, answer: Any, attempts: int, requests: int) -> None:
    service.script = [answer(500, error="ServiceFailureException")] * 30
    control_plane = plane(service, attempts=attempts, boto={"retries": {"total_max_attempts": 3, "mode": "standard"}})
    with pytest.raises(ServiceFailureError):
        await control_plane.call("SendChannelMessage", **SEND)
    assert len(service.asked) == requests


async def test_connection_lost_before_the_answer_is_retried_with_the_same_token(service: Any, answer: Any) -> None:
    service.script = [answer(hang_up=True), answer(201, {"MessageId": "1"})]
    assert await plane(service).call("SendChannelMessage", **SEND) == {"MessageId": "1"}
    first, second = service.asked
    assert first.body == second.body


async def test_nobody_listening_is_a_connect_error_that_names_the_host(service: Any) -> None:
    control_plane = plane(service, attempts=2)
    service.server.server_close()
    with pytest.raises(ConnectError) as caught:
        await control_plane.call("SendChannelMessage", **SEND)
    assert caught.value.host == service.url.removeprefix("http://")
    assert caught.value.retryable


async def test_deadline_ends_a_call_that_is_not_answered(service: Any, answer: Any) -> None:
    hold = threading.Event()
    service.script = [answer(201, {"MessageId": "1"}, hold=hold)]
    try:
        with pytest.raises(RequestTimeoutError, match="SendChannelMessage: no answer within 0.05 s"):
            await plane(service).call("SendChannelMessage", timeout=0.05, **SEND)
    finally:
        hold.set()


async def test_deadline_holds_over_the_waits_between_retries(service: Any, answer: Any) -> None:
    service.script = [answer(429, error="ThrottledClientException")] * 9
    control_plane = plane(service, rng=lambda: 1000.0)
    with pytest.raises(RequestTimeoutError) as caught:
        await control_plane.call("SendChannelMessage", timeout=0.5, **SEND)
    assert isinstance(caught.value.__cause__, ThrottledError)
    assert len(service.asked) == 1


async def test_cancelled_call_frees_the_caller_at_once(service: Any, answer: Any) -> None:
    hold = threading.Event()
    service.script = [answer(201, {"MessageId": "1"}, hold=hold)]
    try:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: plane(service).call("SendChannelMessage", **SEND))
                await anyio.to_thread.run_sync(service.arrived.wait, 10)
                tasks.cancel_scope.cancel()
    finally:
        hold.set()


@pytest.mark.parametrize(
    ("name", "may_recover"),
    [("ExpiredTokenException", True), ("UnrecognizedClientException", False), ("MissingAuthenticationToken", False)],
)
async def test_keys_that_aws_does_not_take_are_a_credentials_error(
    service: Any, answer: Any, name: str, may_recover: bool
) -> None:
    service.script = [answer(403, {"Message": "The security token included in the request is ..."}, error=name)]
    with pytest.raises(CredentialsError) as caught:
        await plane(service).call("SendChannelMessage", **SEND)
    assert caught.value.may_recover is may_recover


async def test_wrong_parameter_is_a_configuration_error(service: Any) -> None:
    with pytest.raises(ConfigurationError, match="SendChannelMessage: .*ChannelArn"):
        await plane(service).call("SendChannelMessage", Content=7)


def test_zero_attempts_are_refused(service: Any) -> None:
    with pytest.raises(ConfigurationError, match="attempts"):
        plane(service, attempts=0)


def test_backoff_doubles_to_a_cap_and_is_full_jitter(service: Any) -> None:
    control_plane = plane(service, rng=lambda: 0.5)
    waits = [control_plane._backoff(made) for made in range(1, 9)]
    base, cap = module.BACKOFF_BASE, module.BACKOFF_CAP
    assert waits == [0.5 * min(cap, base * 2**n) for n in range(8)]
    assert plane(service, rng=lambda: 0.0)._backoff(5) == 0


async def test_many_calls_run_side_by_side_on_the_connections_that_the_client_keeps(
    service: Any, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    service.script = [answer(201, {"MessageId": "1"})] * 20
    control_plane = plane(service)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(lambda: control_plane.call("SendChannelMessage", **SEND))
    assert len({asked.body["ClientRequestToken"] for asked in service.asked}) == 20
    assert "Connection pool is full" not in caplog.text
