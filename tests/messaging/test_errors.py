"""The error tree: its picture, its texts, its mapping from answers."""

import re

import pytest

from chime_messaging import errors


def subclasses(kind: type[errors.ChimeError]) -> set[type[errors.ChimeError]]:
    found = {kind}
    for child in kind.__subclasses__():
        if child.__module__.startswith(f"{errors.__name__}."):
            found |= subclasses(child)
    return found


def test_the_tree_drawn_in_the_docstring_is_the_tree_of_classes() -> None:
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^(\s+(?:[│ ]*[├└]─ )?)(\w+)", line)
        if found is None or not (found[2].endswith("Error") or found[2] == "ConnectionClosed"):
            continue
        depth = len(found[1])
        above = [entry for entry in above if entry[0] < depth]
        drawn[found[2]] = above[-1][1] if above else "Exception"
        above.append((depth, found[2]))
    real = {kind.__name__: kind.__mro__[1].__name__ for kind in subclasses(errors.ChimeError)}
    assert drawn == real


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "ForbiddenException", errors.ForbiddenError),
        (403, "AccessDeniedException", errors.ForbiddenError),
        (401, "UnauthorizedClientException", errors.UnauthorizedError),
        (429, "ThrottledClientException", errors.ThrottledError),
        (429, "ThrottlingException", errors.ThrottledError),
        (400, "ResourceLimitExceededException", errors.ResourceLimitExceededError),
        (503, "SomethingNew", errors.ServiceUnavailableError),
        (418, "Teapot", errors.ServiceError),
    ],
)
def test_an_answer_becomes_the_class_of_its_name_then_of_its_status(status: int, code: str, kind: type) -> None:
    error = errors.ServiceError.from_response("SendChannelMessage", status, code, "no", "id-1")
    assert type(error) is kind
    assert str(error) == f"SendChannelMessage: {status} {code}: no"


def test_a_limit_names_field_value_and_limit() -> None:
    assert str(errors.LimitError("content", 4097, 4096, "bytes")) == "content: is 4097 bytes, the limit is 4096 bytes"


def test_only_faults_that_pass_are_marked_retryable() -> None:
    retryable = {kind.__name__ for kind in subclasses(errors.ChimeError) if kind.retryable}
    assert retryable == {
        "TransportError",
        "ConnectError",
        "ConnectTimeoutError",
        "RequestTimeoutError",
        "QueueFullError",
        "CalleeBusyError",
        "ConnectionClosed",
        "ThrottledError",
        "ServiceFailureError",
        "ServiceUnavailableError",
    }
