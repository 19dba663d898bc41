"""Records into the shapes of the service model.

A record is a dict in PascalCase with timestamps in integer milliseconds, as handlers return it. HTTP bodies carry epoch
seconds, websocket payloads ISO-8601 text with three fraction digits; that is the only difference. Members that are None
are left out, as the service does: applications test for presence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from chime_messaging.server.rest.model import service_model
from chime_messaging.wire.timestamps import from_milliseconds, to_wire

Convert = Callable[[Any], Any]


def body(service: str, shape: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write a record as an HTTP body holds it: timestamps are epoch seconds.

    Args:
        service: ``messaging``, ``identity`` or ``meetings``.
        shape: name of a structure in that service's model, for example ``ChannelMessage``.
        record: members in PascalCase; timestamps in integer milliseconds.

    Raises:
        ValueError: if the record has a member that the shape does not know.
    """
    result: dict[str, Any] = _converter(service, shape, to_seconds)(record)
    return result


def payload(service: str, shape: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write a record as a websocket payload holds it: timestamps are ISO text. Arguments as of `body`."""
    result: dict[str, Any] = _converter(service, shape, to_iso)(record)
    return result


def to_seconds(milliseconds: int) -> float:
    """Integer milliseconds as epoch seconds, for HTTP bodies."""
    return milliseconds / 1000


def to_iso(milliseconds: int) -> str:
    """Integer milliseconds as ``2021-06-03T16:26:31.013Z``, for websocket payloads."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_iso_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1024)
def _iso_second(seconds: int) -> str:
    # Neighbours in a list, and the timestamps of one message, mostly share their second.
    return to_wire(from_milliseconds(seconds * 1000)).removesuffix(".000Z")


@cache
def _converter(service: str, shape: str, timestamp: Convert) -> Convert:
    found = compile_shape(service_model(service).shape_for(shape), timestamp)
    if found is None:
        raise ValueError(f"{service} {shape} is not a structure")
    return found


def compile_shape(shape: Shape, timestamp: Convert) -> Convert | None:
    """Build the converter of a shape; None where the value is written as it is."""
    if isinstance(shape, StructureShape):
        members = {name: compile_shape(member, timestamp) for name, member in shape.members.items()}
        return _structure(shape.name, members)
    if isinstance(shape, ListShape):
        return _list(compile_shape(shape.member, timestamp))
    if isinstance(shape, MapShape):
        return _map(compile_shape(shape.value, timestamp))
    return timestamp if shape.type_name == "timestamp" else None


def _structure(name: str, members: Mapping[str, Convert | None]) -> Convert:
    def convert(record: Mapping[str, Any]) -> dict[str, Any]:
        written = {}
        for key, value in record.items():
            if value is None:
                continue
            try:
                member = members[key]
            except KeyError:
                raise ValueError(f"{name} has no member {key}") from None
            written[key] = value if member is None else member(value)
        return written

    return convert


def _list(item: Convert | None) -> Convert | None:
    return None if item is None else lambda values: [item(value) for value in values]


def _map(item: Convert | None) -> Convert | None:
    return None if item is None else lambda values: {key: item(value) for key, value in values.items()}
