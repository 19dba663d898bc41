"""Which operation does a request line mean?

The raw path is split on ``/`` before anything is decoded: ARNs contain slashes, and clients send them as ``%2F``. Where
one path serves several operations the fixed query pairs of the model decide, the most specific first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.model import OperationModel

from chime_messaging.server import faults
from chime_messaging.server.rest.model import SERVICES, service_model

MAX_SEGMENTS = 12

_MAX_CACHED = 2048
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of one service and where it is found."""

    service: str
    operation: OperationModel
    segments: tuple[str, ...]
    """Literals, and ``{label}`` for a path parameter."""
    fixed: tuple[tuple[str, str], ...]
    """Query pairs that the request must carry."""
    labels: tuple[tuple[int, str], ...]
    """Position and wire name of each path parameter."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    routes: list[Route] = field(default_factory=list)


class Router:
    """All 97 operations, found by method, path and query."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self._methods: dict[str, _Node] = {}
        for service in SERVICES:
            model = service_model(service)
            for name in model.operation_names:
                self._add(_route(service, model.operation_model(name)))

    def _add(self, route: Route) -> None:
        self.routes.append(route)
        node = self._methods.setdefault(route.operation.http["method"], _Node())
        for segment in route.segments:
            if segment.startswith("{"):
                node.label = node.label or _Node()
                node = node.label
            else:
                node = node.literals.setdefault(segment, _Node())
        node.routes.append(route)
        node.routes.sort(key=lambda each: -len(each.fixed))

    def find(self, method: str, segments: list[str], query: dict[str, list[str]]) -> list[Route]:
        """Find the operations that a request may mean: none, one, or the same tag operation of each service.

        Args:
            method: upper case.
            segments: the raw path split on ``/``, still percent-encoded, without the leading empty one.
            query: decoded.
        """
        root = self._methods.get(method)
        if root is None or len(segments) > MAX_SEGMENTS:
            return []
        best: list[Route] = []
        for route in _walk(root, segments, 0):
            if best and len(route.fixed) < len(best[0].fixed):
                break
            if all(value in query.get(key, ()) for key, value in route.fixed):
                best.append(route)
        return best


def _walk(node: _Node, segments: list[str], depth: int) -> list[Route]:
    if depth == len(segments):
        return node.routes
    literal = node.literals.get(segments[depth])
    if literal is not None:
        found = _walk(literal, segments, depth + 1)
        if found:
            return found
    if node.label is not None and segments[depth]:
        return _walk(node.label, segments, depth + 1)
    return []


def _route(service: str, operation: OperationModel) -> Route:
    path, _, query = operation.http["requestUri"].partition("?")
    segments = tuple(path.lstrip("/").split("/"))
    fixed = tuple((key, value) for key, _, value in (pair.partition("=") for pair in query.split("&") if pair))
    labels = tuple((place, segment[1:-1]) for place, segment in enumerate(segments) if segment.startswith("{"))
    return Route(service, operation, segments, fixed, labels)


def split_path(raw_path: str) -> list[str]:
    """Split a raw path into segments that are still percent-encoded.

    An absolute-form target (a proxy's) is reduced to its path first.
    """
    if not raw_path.startswith("/"):
        raw_path = urlsplit(raw_path).path
    return raw_path.lstrip("/").split("/")


def unquote(text: str) -> str:
    """Decode percent-encoding strictly.

    Raises:
        Fault: BadRequestException, if an escape is broken or the result is not UTF-8.
    """
    if "%" not in text:
        return text
    return _unquote_often(text) if len(text) <= _MAX_CACHED else _unquote(text)


def _unquote(text: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise faults.bad_request("The request target has a broken percent-encoding.")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise faults.bad_request("The request target is not UTF-8.") from None


# The same few ARNs come in every path.
_unquote_often = lru_cache(maxsize=4096)(_unquote)


def parse_query(query: str) -> dict[str, list[str]]:
    """Decode a raw query string; ``+`` is a space, a name without ``=`` has an empty value.

    Raises:
        Fault: BadRequestException, if a percent-encoding is broken.
    """
    parsed: dict[str, list[str]] = {}
    if query:
        for pair in query.split("&"):
            if pair:
                key, _, value = pair.replace("+", " ").partition("=")
                parsed.setdefault(unquote(key), []).append(unquote(value))
    return parsed
