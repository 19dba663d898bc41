import threading
from typing import Any

import pytest

from chime_messaging.aws.endpoint import SessionEndpoint, parse_endpoint, resolve_endpoint
from chime_messaging.errors import ConnectError, ForbiddenError, TransportError, UnauthorizedError

pytestmark = pytest.mark.anyio


async def test_host_of_the_answer_is_used_and_plain_http_means_ws(service: Any, answer: Any) -> None:
    service.script = [answer(200, {"Endpoint": {"Url": "Node001.ue1.ws-messaging.chime.aws"}})]
    assert await resolve_endpoint(service.client()) == SessionEndpoint("node001.ue1.ws-messaging.chime.aws", "ws")
    assert service.asked[0].path == "/endpoints/messaging-session"


async def test_network_type_is_passed_on(service: Any, answer: Any) -> None:
    service.script = [answer(200, {"Endpoint": {"Url": "h"}})]
    await resolve_endpoint(service.client(), network_type="DUAL_STACK")
    assert service.asked[0].path == "/endpoints/messaging-session?network-type=DUAL_STACK"


@pytest.mark.parametrize(("status", "kind"), [(401, UnauthorizedError), (403, ForbiddenError)])
async def test_refusal_is_raised_as_it_is_and_not_retried(
    service: Any, answer: Any, status: int, kind: type[Exception]
) -> None:
    service.script = [answer(status, {"Message": "no"})]
    with pytest.raises(kind) as caught:
        await resolve_endpoint(service.client())
    assert not caught.value.retryable  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
async def test_any_other_error_answer_is_worth_another_try(service: Any, answer: Any, status: int) -> None:
    service.script = [answer(status, {"Message": "no"})]
    with pytest.raises(ConnectError) as caught:
        await resolve_endpoint(service.client())
    assert caught.value.retryable
    assert caught.value.status == status
    assert len(service.asked) == 1


@pytest.mark.parametrize("body", [{}, {"Endpoint": {}}, {"Endpoint": {"Url": ""}}])
async def test_answer_without_a_url_is_worth_another_try(service: Any, answer: Any, body: dict[str, Any]) -> None:
    service.script = [answer(200, body)]
    with pytest.raises(ConnectError, match="Endpoint.Url"):
        await resolve_endpoint(service.client())


async def test_silence_has_a_deadline(service: Any, answer: Any) -> None:
    hold = threading.Event()
    service.script = [answer(hold=hold)]
    try:
        with pytest.raises(TransportError):
            await resolve_endpoint(service.client(), timeout=0.05)
    finally:
        hold.set()


@pytest.mark.parametrize(
    ("text", "host", "scheme"),
    [
        ("node001.ue1.ws-messaging.chime.aws", "node001.ue1.ws-messaging.chime.aws", "wss"),
        ("LOCALHOST:9999", "localhost:9999", "wss"),
        ("ws://127.0.0.1:8765", "127.0.0.1:8765", "ws"),
        ("wss://127.0.0.1:8765/", "127.0.0.1:8765", "wss"),
        ("[::1]:8765", "[::1]:8765", "wss"),
    ],
)
def test_endpoints_as_people_write_them(text: str, host: str, scheme: str) -> None:
    assert parse_endpoint(text) == SessionEndpoint(host, scheme)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "://", "wss://", "user:pass@host", ":8765", "[::1", "host:notaport"])
def test_text_that_names_no_host_is_refused(text: str) -> None:
    with pytest.raises(ConnectError):
        parse_endpoint(text)
