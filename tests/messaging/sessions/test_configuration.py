from __future__ import annotations

from typing import Any

import pytest

from chime_messaging.errors import ConfigurationError, InvalidArnError
from chime_messaging.sessions.configuration import MessagingSessionConfiguration, PrefetchOn, PrefetchSortBy

INSTANCE = "arn:aws:chime:us-east-1:123456789012:app-instance/11111111-1111-1111-1111-111111111111"
ALICE = f"{INSTANCE}/user/alice"


def test_the_official_arguments_come_in_the_official_order() -> None:
    client = object()
    configuration = MessagingSessionConfiguration(ALICE, "my session", "node001.ue1.ws-messaging.chime.aws", client)
    assert configuration.user_arn == ALICE
    assert configuration.session_id == "my session"
    assert configuration.endpoint_url == "node001.ue1.ws-messaging.chime.aws"
    assert configuration.chime_client is client


@pytest.mark.parametrize("missing", [None, ""])
def test_a_session_id_is_made_once_when_there_is_none(missing: str | None) -> None:
    configuration = MessagingSessionConfiguration(ALICE, missing)
    assert configuration.session_id.isdecimal()
    assert int(configuration.session_id) < 2**32
    assert configuration.session_id == configuration.session_id


def test_the_defaults_try_for_ever_and_leave_no_gap() -> None:
    configuration = MessagingSessionConfiguration(ALICE)
    assert configuration.reconnect_timeout is None
    assert configuration.resume
    assert configuration.prefetch is None


def test_prefetch_may_be_given_as_on_the_wire() -> None:
    configuration = MessagingSessionConfiguration(ALICE, prefetch="connect", prefetch_sort_by="last-message-timestamp")  # type: ignore[arg-type]
    assert configuration.prefetch is PrefetchOn.CONNECT
    assert configuration.prefetch_sort_by is PrefetchSortBy.LAST_MESSAGE_TIMESTAMP


@pytest.mark.parametrize("arn", ["", "alice", INSTANCE, f"{INSTANCE}/channel/c", f"{INSTANCE}/bot/b", None])
def test_only_a_user_has_sessions(arn: Any) -> None:
    with pytest.raises(InvalidArnError, match="user_arn"):
        MessagingSessionConfiguration(arn)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reconnect_timeout", -1),
        ("reconnect_timeout", "10"),
        ("reconnect_fixed_wait", -0.1),
        ("reconnect_short_backoff", float("nan")),
        ("reconnect_long_backoff", float("inf")),
        ("reconnect_long_backoff", 0.5),
        ("connect_timeout", 0),
        ("establish_timeout", 0),
        ("ping_interval", 0),
        ("ping_timeout", None),
        ("idle_timeout", 0),
        ("idle_timeout", True),
        ("prefetch", "always"),
        ("prefetch_sort_by", "name"),
        ("scheme", "https"),
        ("endpoint_url", "wss://user:password@host"),
        ("endpoint_url", ""),
        ("messaging_session_id", "x" * 129),
    ],
)
def test_what_cannot_work_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        MessagingSessionConfiguration(ALICE, **{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field


def test_printing_shows_no_client() -> None:
    assert "secret" not in repr(MessagingSessionConfiguration(ALICE, chime_client="secret"))
