"""What the service model demands of a value: type, presence, length, range, pattern, enumeration.

Each shape is compiled once into a function that checks a decoded value and returns it as handlers want it. Violations
are collected, so that one answer names all of them, in the words of AWS.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from chime_messaging.server import faults
from chime_messaging.server.faults import Fault

MAX_VIOLATIONS = 10
EXCERPT = 64

Check = Callable[[Any, str, list[str]], Any]
"""Value, its path for messages, violations so far -> the value for handlers."""

_TRIVIAL_PATTERNS = {".*", r"[\s\S]*", ""}
_WIDE_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{5,6})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def invalid(violations: list[str]) -> Fault:
    """Turn violations into the answer."""
    shown = violations[:MAX_VIOLATIONS]
    noun = "error" if len(shown) == 1 else "errors"
    return faults.bad_request(f"{len(shown)} validation {noun} detected: {'; '.join(shown)}")


def wire_path(parent: str, name: str) -> str:
    """Name a member as AWS does in validation messages: first letter in lower case, dots between levels."""
    name = name[:1].lower() + name[1:]
    return f"{parent}.{name}" if parent else name


def compile_check(shape: Shape) -> Check:
    """Build the check of a shape."""
    if isinstance(shape, StructureShape):
        return _structure(shape)
    if isinstance(shape, ListShape):
        return _list(shape)
    if isinstance(shape, MapShape):
        return _map(shape)
    if isinstance(shape, StringShape):
        return _string(shape)
    if shape.type_name in ("integer", "long"):
        return _integer(shape)
    if shape.type_name == "boolean":
        return _boolean(shape)
    if shape.type_name == "timestamp":
        return _timestamp(shape)
    raise TypeError(f"the models had no {shape.type_name} when this was written")


def _structure(shape: StructureShape) -> Check:
    members = {
        member.serialization.get("name", name): (name, compile_check(member)) for name, member in shape.members.items()
    }
    required = list(shape.required_members)

    def check(value: Any, path: str, violations: list[str]) -> Any:
        if type(value) is not dict:
            violations.append(_wrong_type(shape, value, path, "an object"))
            return None
        result = {}
        for key, given in value.items():
            member = members.get(key)
            if member is not None and given is not None:
                result[member[0]] = member[1](given, wire_path(path, key), violations)
        violations.extend(missing(wire_path(path, name)) for name in required if name not in result)
        return result

    return check


def missing(path: str) -> str:
    """Violation: a required member is absent."""
    return f"Value at '{path}' failed to satisfy constraint: Member must not be null"


def _list(shape: ListShape) -> Check:
    item = compile_check(shape.member)
    low, high = _bounds(shape)

    def check(value: Any, path: str, violations: list[str]) -> Any:
        if type(value) is not list:
            violations.append(_wrong_type(shape, value, path, "a list"))
            return None
        if not low <= len(value) <= high:
            violations.append(_wrong_length(shape, value, path, low, high))
            return None
        result = []
        for place, given in enumerate(value, 1):
            if len(violations) >= MAX_VIOLATIONS:
                break
            if given is None:
                violations.append(missing(f"{path}.{place}.member"))
            else:
                result.append(item(given, f"{path}.{place}.member", violations))
        return result

    return check


def _map(shape: MapShape) -> Check:
    key_check, item = compile_check(shape.key), compile_check(shape.value)
    low, high = _bounds(shape)

    def check(value: Any, path: str, violations: list[str]) -> Any:
        if type(value) is not dict:
            violations.append(_wrong_type(shape, value, path, "an object"))
            return None
        if not low <= len(value) <= high:
            violations.append(_wrong_length(shape, value, path, low, high))
            return None
        result = {}
        for key, given in value.items():
            if len(violations) >= MAX_VIOLATIONS:
                break
            key_check(key, f"{path}.key", violations)
            if given is not None:
                result[key] = item(given, f"{path}.{key[:EXCERPT]}.member", violations)
        return result

    return check


def _string(shape: StringShape) -> Check:
    low, high = _bounds(shape)
    choices = frozenset(shape.enum)
    listed = f"[{', '.join(shape.enum)}]"
    pattern: str = shape.metadata.get("pattern", "")
    match = None if pattern in _TRIVIAL_PATTERNS else compile_pattern(pattern).fullmatch

    def check(value: Any, path: str, violations: list[str]) -> Any:
        if type(value) is not str:
            violations.append(_wrong_type(shape, value, path, "a string"))
        elif not low <= len(value) <= high:
            violations.append(_wrong_length(shape, value, path, low, high))
        elif choices and value not in choices:
            violations.append(f"{_said(shape, value, path)}Member must satisfy enum value set: {listed}")
        elif match is not None and match(value) is None:
            violations.append(f"{_said(shape, value, path)}Member must satisfy regular expression pattern: {pattern}")
        return value

    return check


def compile_pattern(pattern: str) -> re.Pattern[str]:
    r"""Compile a pattern of the model with the meaning it has at AWS.

    The models write supplementary-plane characters as ``\u`` with five or six digits, which Python would cut after
    four; character classes are ASCII; a dot also stands for a newline (metadata and tokens may hold some).
    """
    wide = _WIDE_ESCAPE.sub(lambda found: f"\\U{int(found[1], 16):08x}", pattern)
    return re.compile(wide, re.DOTALL | re.ASCII)


def _integer(shape: Shape) -> Check:
    low, high = shape.metadata.get("min", -(1 << 31)), shape.metadata.get("max", (1 << 31) - 1)

    def check(value: Any, path: str, violations: list[str]) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            violations.append(_wrong_type(shape, value, path, "an integer"))
        elif value < low:
            violations.append(f"{_said(shape, value, path)}Member must have value greater than or equal to {low}")
        elif value > high:
            violations.append(f"{_said(shape, value, path)}Member must have value less than or equal to {high}")
        return value

    return check


def _boolean(shape: Shape) -> Check:
    def check(value: Any, path: str, violations: list[str]) -> Any:
        if type(value) is not bool:
            violations.append(_wrong_type(shape, value, path, "a boolean"))
        return value

    return check


def _timestamp(shape: Shape) -> Check:
    def check(value: Any, path: str, violations: list[str]) -> Any:
        """Take epoch seconds or ISO-8601 text, give integer milliseconds."""
        try:
            if type(value) is str:
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is None:
                    moment = moment.replace(tzinfo=UTC)
            elif type(value) in (int, float):
                moment = datetime.fromtimestamp(value, UTC)
            else:
                raise TypeError
            return (moment - _EPOCH) // _MILLISECOND
        except (TypeError, ValueError, OverflowError, OSError):
            violations.append(_wrong_type(shape, value, path, "a timestamp"))
            return None

    return check


def _bounds(shape: Shape) -> tuple[int, int]:
    return shape.metadata.get("min", 0), shape.metadata.get("max", sys.maxsize)


def _said(shape: Shape, value: Any, path: str) -> str:
    # What the model calls sensitive (content, metadata, names) is not repeated, as AWS does not.
    excerpt = "" if shape.metadata.get("sensitive") else f"'{_excerpt(value)}' "
    return f"Value {excerpt}at '{path}' failed to satisfy constraint: "


def _excerpt(value: Any) -> str:
    text = str(value) if isinstance(value, (str, int, float)) else type(value).__name__
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "..."


def _wrong_length(shape: Shape, value: Any, path: str, low: int, high: int) -> str:
    limit = f"less than or equal to {high}" if len(value) > high else f"greater than or equal to {low}"
    return f"{_said(shape, value, path)}Member must have length {limit}"


def _wrong_type(shape: Shape, value: Any, path: str, expected: str) -> str:
    return f"{_said(shape, value, path)}Member must be {expected}"
