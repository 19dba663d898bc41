"""All 97 operations, against botocore's own client code in both directions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import botocore.parsers
import botocore.serialize
import msgspec
import pytest
from botocore.awsrequest import prepare_request_dict
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from chime_messaging.server.rest.constraints import compile_pattern
from chime_messaging.server.rest.model import SERVICES, service_model
from chime_messaging.server.rest.requests import BEARER_MEMBER, Decoder, decode_body
from chime_messaging.server.rest.routes import Router, parse_query, split_path
from chime_messaging.server.rest.shapes import compile_shape, to_seconds

APP_INSTANCE = "arn:aws:chime:us-east-1:123456789012:app-instance/8f5b8e8e-0000-4000-8000-000000000000"
MILLISECONDS = 1622737591013

# Texts for the patterns of the models; every one is checked against its pattern by the decoder under test.
_TEXTS = (
    "plain-Text_1",
    APP_INSTANCE + "/user/a:b@c.d",
    "arn:aws:lambda:us-east-1:123456789012:function:filter:$LATEST",
    "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIJ/ABCDEFGHIJ",
    "en_US",
    "en-US",
    "de-DE,en-US",
    "PII",
    "0a1b2c3d-0000-4000-8000-00000000000f",
    "arn:aws:chime:us-east-1:123456789012:meeting/0a1b2c3d-0000-4000-8000-00000000000f",
    "ab",
)


def sample(shape: Shape, *, optional: bool = True) -> Any:
    """Make one valid value; with all members, or with the required ones only."""
    if isinstance(shape, StructureShape):
        names = shape.members if optional else shape.required_members
        return {name: sample(shape.members[name], optional=optional) for name in names}
    if isinstance(shape, ListShape):
        return [sample(shape.member, optional=optional)] * max(1, shape.metadata.get("min", 1))
    if isinstance(shape, MapShape):
        return {sample(shape.key): sample(shape.value, optional=optional)}
    return _scalar(shape)


def _scalar(shape: Shape) -> Any:
    if shape.type_name == "string":
        return _text(shape)
    if shape.type_name in ("integer", "long"):
        return shape.metadata.get("min", 1)
    return True if shape.type_name == "boolean" else MILLISECONDS


def _text(shape: Shape) -> str:
    choices = shape.metadata.get("enum", ())
    if choices:
        return str(choices[0])

    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 1 << 20)
    pattern = compile_pattern(shape.metadata.get("pattern", ".*"))
    candidates: list[str] = [*_TEXTS, "x" * low]
    return next(text for text in candidates if low <= len(text) <= high and pattern.fullmatch(text))


ROUTER = Router()
DECODERS = {(route.service, route.operation.name): Decoder(route) for route in ROUTER.routes}
MODELS = [
    (service, service_model(service).operation_model(name))
    for service in SERVICES
    for name in service_model(service).operation_names
]
OPERATIONS = [pytest.param(*each, id=f"{each[0]}-{each[1].name}") for each in MODELS]
ANSWERING = [pytest.param(*each, id=f"{each[0]}-{each[1].name}") for each in MODELS if each[1].output_shape is not None]


def serialized(operation: OperationModel, params: dict[str, Any]) -> tuple[str, str, str, bytes]:
    """Method, raw path, raw query and body of a request, as botocore's client writes them."""
    given = _with_moments(params, operation.input_shape)
    made = botocore.serialize.create_serializer("rest-json").serialize_to_request(given, operation)
    prepare_request_dict(made, endpoint_url="http://127.0.0.1:8765")
    path, _, query = made["url"].removeprefix("http://127.0.0.1:8765").partition("?")
    if made["query_string"] and not query:
        query = urlencode(made["query_string"])
    body = made["body"]
    return made["method"], path, query, body if isinstance(body, bytes) else body.encode()


def _with_moments(value: Any, shape: Shape | None) -> Any:
    """Milliseconds become datetimes, which is what a user of botocore passes."""
    if isinstance(shape, StructureShape):
        return {name: _with_moments(given, shape.members[name]) for name, given in value.items()}
    if isinstance(shape, ListShape):
        return [_with_moments(given, shape.member) for given in value]
    if isinstance(shape, MapShape):
        return {key: _with_moments(given, shape.value) for key, given in value.items()}
    if shape is not None and shape.type_name == "timestamp":
        return datetime.fromtimestamp(value / 1000, UTC)
    return value


def test_there_are_97_operations() -> None:
    assert len(OPERATIONS) == len(ROUTER.routes) == 97


@pytest.mark.parametrize("optional", [True, False], ids=["all", "required"])
@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_request_of_the_official_client_is_routed_and_decoded(
    service: str, operation: OperationModel, optional: bool
) -> None:
    params = sample(operation.input_shape, optional=optional) if operation.input_shape else {}
    method, path, query, body = serialized(operation, params)
    segments, pairs = split_path(path), parse_query(query)

    found = ROUTER.find(method, segments, pairs)

    assert (service, operation.name) in {(route.service, route.operation.name) for route in found}
    assert {route.operation.name for route in found} == {operation.name}
    decoded = DECODERS[service, operation.name].decode(segments, pairs, decode_body(body))
    params.pop(BEARER_MEMBER, None)
    assert decoded == params


@pytest.mark.parametrize(("service", "operation"), ANSWERING)
def test_an_answer_is_read_back_by_the_official_client(service: str, operation: OperationModel) -> None:
    shape = operation.output_shape
    assert shape is not None
    record = sample(shape)
    convert = compile_shape(shape, to_seconds)
    assert convert is not None

    status = operation.http.get("responseCode", 200)
    answer = {"status_code": status, "headers": {}, "body": msgspec.json.encode(convert(record))}
    parsed = botocore.parsers.create_parser("rest-json").parse(answer, shape)

    del parsed["ResponseMetadata"]
    assert parsed == _with_moments(record, shape)


def test_timestamps_of_answers_keep_their_milliseconds() -> None:
    convert = compile_shape(service_model("messaging").shape_for("GetChannelMessageResponse"), to_seconds)
    assert convert is not None
    assert convert({"ChannelMessage": {"CreatedTimestamp": MILLISECONDS}}) == {
        "ChannelMessage": {"CreatedTimestamp": 1622737591.013}
    }
