from __future__ import annotations

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chime_messaging.ids import new_uuid
from chime_messaging.server import app
from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.rest.requests import MAX_BODY_BYTES

ALLOWED_HEADERS = {
    "authorization",
    "content-type",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "x-amz-user-agent",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "x-amz-chime-bearer",
}


class Wire:
    """One kept-alive HTTP connection, without any SDK."""

    def __init__(self, server: LocalServer) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)

    def ask(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request(method, target, body, headers or {})
        answer = self._connection.getresponse()
        return answer, answer.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def wire(shared_server: LocalServer) -> Iterator[Wire]:
    made = Wire(shared_server)
    yield made
    made.close()


def create_app_instance(wire: Wire) -> str:
    body = json.dumps({"Name": "acme", "ClientRequestToken": new_uuid()})
    answer, text = wire.ask("POST", "/app-instances", body)
    assert answer.status == 201
    arn: str = json.loads(text)["AppInstanceArn"]
    return arn


def test_an_answer_has_request_id_date_type_and_cors_headers(wire: Wire) -> None:
    answer, _ = wire.ask("GET", "/endpoints/messaging-session")
    assert answer.status == 200
    assert len(answer.headers["x-amzn-RequestId"]) == 36
    assert answer.headers["Date"].endswith("GMT")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_errors_have_type_and_cors_headers(wire: Wire) -> None:
    answer, text = wire.ask("GET", "/channels?app-instance-arn=x")
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == "BadRequestException"
    assert json.loads(text)["Code"] == "BadRequest"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"x-amzn-errortype", "x-amzn-requestid"} <= set(exposed)


def test_a_missing_bearer_is_unauthorized(wire: Wire) -> None:
    answer, text = wire.ask("GET", "/channels?app-instance-arn=" + quote(create_app_instance(wire), safe=""))
    assert answer.status == 401
    assert answer.headers["x-amzn-ErrorType"] == "UnauthorizedClientException"
    assert "x-amz-chime-bearer" in json.loads(text)["Message"]


def test_a_preflight_needs_no_authorization_and_is_cacheable(wire: Wire) -> None:
    answer, text = wire.ask("OPTIONS", "/channels/x", headers={"Access-Control-Request-Method": "PUT"})
    assert (answer.status, text) == (204, b"")
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == {
        "GET",
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
    }
    assert set(answer.headers["Access-Control-Allow-Headers"].split(", ")) == ALLOWED_HEADERS
    assert int(answer.headers["Access-Control-Max-Age"]) > 0


def test_no_content_has_neither_body_nor_type(wire: Wire) -> None:
    arn = create_app_instance(wire)
    answer, text = wire.ask("DELETE", "/app-instances/" + quote(arn, safe=""))
    assert (answer.status, text) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert "Content-Length" not in answer.headers
    assert wire.ask("GET", "/healthz")[0].status == 200


def test_an_unknown_path_is_404_in_aws_form(wire: Wire) -> None:
    answer, text = wire.ask("GET", "/nothing/here")
    assert answer.status == 404
    assert answer.headers["x-amzn-ErrorType"] == "UnknownOperationException"
    assert set(json.loads(text)) == {"Code", "Message"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b'{"Name": "\\ud800"}', b"[" * 200_000])
def test_a_bad_body_is_400_and_the_connection_lives_on(wire: Wire, body: bytes) -> None:
    answer, _ = wire.ask("POST", "/app-instances", body)
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, "BadRequestException")
    assert wire.ask("GET", "/healthz")[0].status == 200


def test_a_body_over_the_limit_is_400_and_ends_the_connection(wire: Wire) -> None:
    answer, text = wire.ask("POST", "/app-instances", b" " * (MAX_BODY_BYTES + 1))
    assert answer.status == 400
    assert str(MAX_BODY_BYTES) in json.loads(text)["Message"]
    assert answer.headers["Connection"] == "close"
    assert wire.ask("GET", "/healthz")[0].status == 200


def test_a_chunked_body_is_read_to_its_end(wire: Wire) -> None:
    parts = [b'{"Name": "acme", ', b'"ClientRequestToken": "', new_uuid().encode(), b'"}']
    assert wire.ask("POST", "/app-instances", iter(parts))[0].status == 201
    endless = (b" " * 65536 for _ in range(17))
    assert wire.ask("POST", "/app-instances", endless)[0].status == 400


def test_a_body_that_never_comes_is_400(shared_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BODY_TIMEOUT", 0.05)
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=10) as raw:
        raw.sendall(b"POST /app-instances HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"did not arrive" in answer


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    method=st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE"]),
    target=st.lists(st.sampled_from(["channels", "%2F", "%ff", "tags", "..", "", "?operation=search", "&", "%", "é"])),
    header=st.binary(max_size=20).filter(lambda value: not set(value) & {0, 10, 13}),
    body=st.binary(max_size=60),
)
def test_no_request_is_the_servers_fault(
    shared_server: LocalServer, method: bytes, target: list[str], header: bytes, body: bytes
) -> None:
    path = "/" + "/".join(target)
    head = b"%s %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-amz-chime-bearer: %s\r\ncontent-length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=10) as raw:
        raw.sendall(head % (method, path.encode(), header, len(body)) + body)
        status = raw.makefile("rb").readline().split()[1]
    assert status.startswith(b"4")


def test_metrics_count_requests_and_events(shared_server: LocalServer, wire: Wire) -> None:
    create_app_instance(wire)
    wire.ask("GET", "/nothing")
    answer, text = wire.ask("GET", "/metrics")
    lines = dict(line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#"))
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert float(lines['chime_requests_total{operation="CreateAppInstance",service="identity",status="201"}']) >= 1
    assert float(lines['chime_requests_total{operation="unknown",service="none",status="404"}']) >= 1
    assert float(lines['chime_request_seconds_count{operation="CreateAppInstance",service="identity"}']) >= 1
    assert float(lines["chime_commits_total"]) >= 1
    assert float(lines["chime_sockets"]) >= 0


def test_request_logs_name_operation_and_status_but_no_secret(
    server: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chime_messaging.server.requests")
    wire = Wire(server)
    wire.ask(
        "GET", "/channels?app-instance-arn=SECRET1", headers={"authorization": "SECRET2", "x-amz-chime-bearer": "S3"}
    )
    wire.close()
    client = server.client("chime-sdk-messaging")
    client.get_messaging_session_endpoint()

    records = [record for record in caplog.records if record.name == "chime_messaging.server.requests"]
    first = records[0].__dict__
    assert (first["operation"], first["status"], first["error"]) == ("ListChannels", 400, "BadRequestException")
    assert not [
        record for record in records if "SECRET" in str(record.__dict__) or "Signature=" in str(record.__dict__)
    ]
