from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeoutError,
    CredentialsError,
    ForbiddenError,
    ServiceUnavailableError,
    SessionKickedError,
    SessionRejectedError,
    SessionStoppedError,
    SessionTimeoutError,
    ThrottledError,
)
from chime_messaging.protocol.reconnect import Backoff, Deadline, close_code, is_retryable, terminal_error

RETRIED = {1001, 1006, 1011, 1012, 1013, 1014, 4001, 4004, 4005, 4402, 4499, 4500, 4998, 4999}


@pytest.mark.parametrize(
    "code", [*range(1000, 1016), *range(4000, 4006), 4400, 4401, 4402, 4499, 4500, 4998, 4999, 3000, 0]
)
def test_close_codes_are_retried_as_the_official_client_does(code: int) -> None:
    expected = code in {1001, 1006, 1011, 1012, 1013, 1014} or (code > 4000 and code not in {4002, 4003, 4401})
    assert is_retryable(code) is expected
    assert is_retryable(ConnectionClosed(code)) is expected
    if code in RETRIED:
        assert is_retryable(code)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectError("host", "refused"), True),
        (ConnectError("host", "HTTP 502", status=502), True),
        (ConnectError("host", "HTTP 403", status=403), False),
        (ConnectTimeoutError("host", 1.0), True),
        (CredentialsError("refresh failed", retryable=True), True),
        (CredentialsError("none"), False),
        (ForbiddenError("GetMessagingSessionEndpoint", 403, "ForbiddenException", "no"), False),
        (ThrottledError("GetMessagingSessionEndpoint", 429, "ThrottledClientException", "slow"), True),
        (ServiceUnavailableError("GetMessagingSessionEndpoint", 503, "ServiceUnavailableException", ""), True),
        (ConfigurationError("region", "missing"), False),
        (SessionTimeoutError(1.0), False),
        (ValueError("a bug"), False),
    ],
)
def test_errors_are_worth_another_try_or_not(error: Exception, expected: bool) -> None:
    assert is_retryable(error) is expected


def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    error = ConnectError("host", "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    assert not is_retryable(error)
    assert terminal_error(error) is error


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ConnectionClosed(4401, "who?"), SessionRejectedError, 4401),
        (ConnectionClosed(4003, "out"), SessionKickedError, 4003),
        (ConnectionClosed(1000), SessionStoppedError, 1000),
        (ConnectionClosed(4002), SessionStoppedError, 4002),
        (ConnectError("host", "HTTP 403", status=403), SessionRejectedError, 403),
    ],
)
def test_the_error_that_ends_a_session_says_what_happened(error: Exception, kind: type[Exception], code: int) -> None:
    ended = terminal_error(error)
    assert type(ended) is kind
    assert ended.code == code  # type: ignore[attr-defined]
    assert ended.__cause__ is error


def test_errors_have_the_close_code_that_the_official_client_gives_them() -> None:
    assert close_code(ConnectionClosed(1012)) == 1012
    assert close_code(ConnectError("host", "refused")) == 1006
    assert close_code(SessionTimeoutError(1.0)) == 1006
    assert close_code(CredentialsError("none")) == 4999


@given(st.integers(0, 5000), st.floats(0, 1, exclude_max=True))
def test_waits_stay_within_their_bounds_however_many_there_are(retries: int, jitter: float) -> None:
    delay = Backoff().delay(retries, jitter)
    assert 0 <= delay <= min(5.0, 2.0 ** min(retries, 10))


def test_the_bounds_double_up_to_the_longest() -> None:
    assert [Backoff(1.0, 5.0).delay(n, 1.0) for n in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert [Backoff(0.001, 0.004, 0.01).delay(n, 1.0) for n in range(3)] == pytest.approx([0.011, 0.012, 0.014])
    assert Backoff(0.001, 0.004, 0.01).delay(0, 0.0) == 0.01


def test_the_deadline_runs_from_the_first_try_until_it_is_reset() -> None:
    deadline = Deadline(10.0)
    assert deadline.remaining(100.0) is None
    deadline.begin(100.0)
    deadline.begin(104.0)
    assert deadline.attempts == 2
    assert deadline.remaining(107.0) == 3.0
    assert deadline.remaining(111.0) == 0.0
    deadline.reset()
    assert deadline.remaining(200.0) is None
    assert deadline.attempts == 0


def test_without_a_timeout_there_is_no_deadline() -> None:
    deadline = Deadline(None)
    deadline.begin(0.0)
    assert deadline.remaining(1e9) is None
