"""A request line, headers and body into the parameters of an operation.

Each operation is compiled once into a plan: which member comes from the path, the query, a header or the body, and the
check of its shape. Hostile input of any kind ends in BadRequestException.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from botocore.model import ListShape, OperationModel, Shape

from chime_messaging.server import faults
from chime_messaging.server.rest.constraints import Check, compile_check, invalid, missing, wire_path
from chime_messaging.server.rest.routes import Route, unquote

MAX_BODY_BYTES = 1 << 20
BEARER_MEMBER = "ChimeBearer"

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_decode_json = msgspec.json.Decoder().decode


def decode_body(body: bytes) -> dict[str, Any]:
    """Read a JSON body; an empty one has no members.

    Raises:
        Fault: BadRequestException, if it is too large, not JSON or not an object.
    """
    if not body:
        return {}
    if len(body) > MAX_BODY_BYTES:
        raise too_large()
    try:
        decoded = _decode_json(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        raise faults.bad_request("The request body is not valid JSON.") from None
    if type(decoded) is not dict:
        raise faults.bad_request("The request body is not a JSON object.")
    return decoded


def too_large() -> faults.Fault:
    """The body is over the limit."""
    return faults.bad_request(f"The request body is larger than {MAX_BODY_BYTES} bytes.")


class Decoder:
    """The plan of one operation."""

    def __init__(self, route: Route) -> None:
        places = {wire_name: place for place, wire_name in route.labels}
        self._labels: list[tuple[int, str, str, Check]] = []
        self._query: list[tuple[str, str, str, Shape, Check]] = []
        self._body: dict[str, tuple[str, str, Check]] = {}
        self._required: list[str] = []
        shape = route.operation.input_shape
        if shape is None:
            return
        self._required = [name for name in shape.required_members if name != BEARER_MEMBER]
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            wire_name = member.serialization.get("name", name)
            path, check = wire_path("", name), compile_check(member)
            if location == "uri":
                self._labels.append((places[wire_name], name, path, check))
            elif location == "querystring":
                self._query.append((wire_name, name, path, member, check))
            elif location != "header":  # the only header is the bearer, which the dispatcher authorises
                self._body[wire_name] = (name, path, check)

    def decode(
        self,
        segments: list[str],
        query: Mapping[str, list[str]],
        body: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Read and check all parameters.

        Args:
            segments: the raw path, split, still percent-encoded.
            query: decoded query pairs.
            body: the decoded JSON object; members that the model does not know are ignored.

        Returns:
            Members in PascalCase, without the bearer; timestamps in integer milliseconds.

        Raises:
            Fault: BadRequestException that names every violation.
        """
        params: dict[str, Any] = {}
        violations: list[str] = []
        for place, name, path, check in self._labels:
            params[name] = check(unquote(segments[place]), path, violations)
        for wire_name, name, path, shape, check in self._query:
            given = query.get(wire_name)
            if given is not None:
                params[name] = check(_from_text(given, shape), path, violations)
        for key, value in body.items():
            member = self._body.get(key)
            if member is not None and value is not None:
                name, path, check = member
                params[name] = check(value, path, violations)
        violations.extend(missing(wire_path("", name)) for name in self._required if name not in params)
        if violations:
            raise invalid(violations)
        return params


def _from_text(given: list[str], shape: Shape) -> Any:
    if isinstance(shape, ListShape):
        return [_scalar(text, shape.member) for text in given]
    return _scalar(given[-1], shape)


def _scalar(text: str, shape: Shape) -> Any:
    """Read query text; what does not fit stays text and fails the check with the right words."""
    if shape.type_name in ("integer", "long") and _INTEGER.fullmatch(text):
        return int(text)
    if shape.type_name == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def token_member(operation: OperationModel) -> str | None:
    """Name of the member that makes a repeated call harmless, if the operation has one.

    ChannelFlowCallback.CallbackId carries the trait too, but it names an invocation the server made, not a request.
    """
    if operation.name == "ChannelFlowCallback":
        return None
    return next(iter(operation.idempotent_members), None)
