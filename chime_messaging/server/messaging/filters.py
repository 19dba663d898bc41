"""Filter rules: which messages a member wants push notifications for.

A rule is JSON text over a message's attributes. Each key names an attribute and lists acceptable values (one of them
must occur) or one ``{"anything-but": [...]}`` (none of them may occur); several keys must all hold; ``$or`` lists
alternatives. Documented limits: 2 KB, 5 alternatives in a ``$or``, complexity (keys plus values) 20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chime_messaging.server import faults

MAX_BYTES = 2048
MAX_ALTERNATIVES = 5
MAX_COMPLEXITY = 20

_OR = "$or"
_ANYTHING_BUT = "anything-but"

Rule = Mapping[str, Any]


def parse_rule(text: str) -> Rule:
    """Read and check a filter rule.

    Raises:
        Fault: BadRequestException that says what is wrong with the rule.
    """
    if len(text.encode()) > MAX_BYTES:
        raise faults.bad_request(f"FilterRule is larger than {MAX_BYTES} bytes.")
    try:
        rule = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise faults.bad_request("FilterRule is not valid JSON.") from exc
    complexity = _check_conjunction(rule, may_branch=True)
    if complexity > MAX_COMPLEXITY:
        raise faults.bad_request(f"FilterRule has complexity {complexity}, the limit is {MAX_COMPLEXITY}.")
    return rule  # type: ignore[no-any-return]  # _check_conjunction has seen that it is an object


def matches(rule: Rule, attributes: Mapping[str, Sequence[str]]) -> bool:
    """Whether a message with these attributes (name to string values) passes a parsed rule."""
    for key, constraint in rule.items():
        if key == _OR:
            if not any(matches(alternative, attributes) for alternative in constraint):
                return False
        elif not _holds(constraint, attributes.get(key, ())):
            return False
    return True


def _holds(constraint: Sequence[Any], values: Sequence[str]) -> bool:
    for accepted in constraint:
        if isinstance(accepted, str):
            if accepted in values:
                return True
        elif not any(value in accepted[_ANYTHING_BUT] for value in values):
            return True
    return False


def _check_conjunction(rule: object, *, may_branch: bool) -> int:
    """Check one object of a rule and count its keys and values."""
    if not isinstance(rule, dict) or not rule:
        raise faults.bad_request("FilterRule must be a JSON object with at least one key.")
    complexity = 0
    for key, constraint in rule.items():
        if key != _OR:
            complexity += 1 + _check_values(key, constraint)
            continue
        if not may_branch:
            raise faults.bad_request("FilterRule must not nest $or.")
        if not isinstance(constraint, list) or not 1 <= len(constraint) <= MAX_ALTERNATIVES:
            raise faults.bad_request(f"FilterRule needs 1 to {MAX_ALTERNATIVES} constraints in $or.")
        complexity += sum(_check_conjunction(alternative, may_branch=False) for alternative in constraint)
    return complexity


def _check_values(key: str, constraint: object) -> int:
    """Check the list behind one attribute name and count its values."""
    if not isinstance(constraint, list) or not constraint:
        raise faults.bad_request(f"FilterRule needs a list of values for {key[:64]!r}.")
    count = 0
    for value in constraint:
        if isinstance(value, str):
            count += 1
            continue
        excluded = value.get(_ANYTHING_BUT) if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(excluded, list) or not excluded or not all(isinstance(item, str) for item in excluded):
            raise faults.bad_request(f"FilterRule takes strings or one anything-but list for {key[:64]!r}.")
        count += len(excluded)
    return count
