"""Signalling frames with every field set, filled in from a description of the message alone."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_VALUES: dict[int, Callable[[int], Any]] = {
    FieldDescriptor.TYPE_BOOL: lambda number: True,
    FieldDescriptor.TYPE_BYTES: lambda number: bytes([number % 256, 255, 0]),
    FieldDescriptor.TYPE_DOUBLE: lambda number: number + 0.25,
    FieldDescriptor.TYPE_INT64: lambda number: (1 << 52) + number,
    FieldDescriptor.TYPE_STRING: lambda number: f"text {number} ✋",
    FieldDescriptor.TYPE_UINT32: lambda number: (1 << 31) - number,
    FieldDescriptor.TYPE_UINT64: lambda number: (1 << 52) + number,
}
"""A value of a type that no other field has and that JavaScript's numbers can hold."""


def fill(message: Message, numbers: Iterator[int] | None = None) -> None:
    """Set every field that is not set, and those inside; repeated ones get two elements."""
    numbers = numbers or count(1)
    for field in message.DESCRIPTOR.fields:
        repeated = field.is_repeated
        if not repeated and message.HasField(field.name):
            continue
        for _ in range(1 + repeated):
            _set(message, field, repeated, numbers)


def _set(message: Message, field: Any, repeated: bool, numbers: Iterator[int]) -> None:
    value = getattr(message, field.name)
    if field.message_type is not None:
        inner = value.add() if repeated else value
        inner.SetInParent()
        fill(inner, numbers)
        return
    if field.enum_type is not None:
        choices = field.enum_type.values
        content = choices[next(numbers) % len(choices)].number
    else:
        content = _VALUES[field.type](next(numbers))
    if repeated:
        value.append(content)
    else:
        setattr(message, field.name, content)


def paths(record: Any, prefix: str = "") -> Iterator[str]:
    """Names of the fields of a record, with dots; elements of lists are taken together."""
    if isinstance(record, list):
        for item in record:
            yield from paths(item, prefix)
    elif isinstance(record, dict):
        for name, value in record.items():
            path = f"{prefix}.{name}" if prefix else name
            yield path
            yield from paths(value, path)
