from __future__ import annotations

import botocore.parsers
import msgspec
import pytest

from chime_messaging.server import faults
from chime_messaging.server.faults import Fault
from chime_messaging.server.rest.errors import answer, unknown_operation
from chime_messaging.server.rest.model import service_model


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (faults.bad_request("m"), 400, "BadRequest"),
        (faults.unauthorized("m"), 401, "Unauthorized"),
        (faults.forbidden("m"), 403, "Forbidden"),
        (faults.not_found("m"), 404, "NotFound"),
        (faults.conflict("m"), 409, "Conflict"),
        (faults.resource_limit("m"), 400, "ResourceLimitExceeded"),
        (faults.throttled("m"), 429, "Throttled"),
        (Fault("ServiceFailureException", "m"), 500, "ServiceFailure"),
        (Fault("ServiceUnavailableException", "m"), 503, "ServiceUnavailable"),
        (Fault("InvalidSignatureException", "m"), 403, "InvalidSignature"),
        (Fault("ExpiredTokenException", "m"), 403, "ExpiredToken"),
    ],
)
@pytest.mark.parametrize("service", ["messaging", "identity"])
def test_faults_have_the_status_of_the_model(service: str, fault: Fault, status: int, code: str) -> None:
    written = answer(service, fault, "id")
    assert (written.status, written.name) == (status, fault.name)
    assert msgspec.json.decode(written.body) == {"Code": code, "Message": "m"}


@pytest.mark.parametrize(
    ("fault", "name", "status"),
    [
        (faults.unauthorized("m"), "UnauthorizedException", 401),
        (faults.throttled("m"), "ThrottlingException", 429),
        (faults.resource_limit("m"), "LimitExceededException", 400),
        (faults.not_found("m"), "NotFoundException", 404),
        (Fault("UnprocessableEntityException", "m"), "UnprocessableEntityException", 422),
    ],
)
def test_the_meetings_service_has_names_of_its_own(fault: Fault, name: str, status: int) -> None:
    written = answer("meetings", fault, "id")
    assert (written.name, written.status) == (name, status)
    assert msgspec.json.decode(written.body)["RequestId"] == "id"


def test_an_unknown_route_is_404() -> None:
    assert answer(None, unknown_operation("GET"), "id").status == 404


def test_unavailable_says_when_to_come_back() -> None:
    assert answer("meetings", Fault("ServiceUnavailableException", "m"), "id").retry_after == "1"


@pytest.mark.parametrize("service", ["messaging", "identity", "meetings"])
def test_every_modelled_error_is_read_back_by_the_official_client(service: str) -> None:
    model = service_model(service)
    for shape in model.error_shapes:
        written = answer(service, Fault(shape.name, "text"), "id")
        raw = {"status_code": written.status, "headers": {"x-amzn-errortype": written.name}, "body": written.body}
        parsed = botocore.parsers.create_parser("rest-json").parse(raw, None)  # type: ignore[arg-type]
        assert parsed["Error"]["Code"] == written.name
        assert parsed["Error"]["Message"] == "text"
        assert parsed["ResponseMetadata"]["HTTPStatusCode"] == shape.metadata["error"]["httpStatusCode"]
