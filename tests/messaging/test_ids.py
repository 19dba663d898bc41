"""ARNs and identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.errors import InvalidArnError
from chime_messaging.ids import is_resource_id, new_session_id, parse_arn, require_arn

INSTANCE = "arn:aws:chime:us-east-1:123456789012:app-instance/694d2099-cb1e-463e-9d64-697ff5b8950e"


@pytest.mark.parametrize(
    ("suffix", "kind", "resource_id"),
    [
        ("", "app-instance", "694d2099-cb1e-463e-9d64-697ff5b8950e"),
        ("/user/alice", "user", "alice"),
        ("/user/a:b@c.d-e_f", "user", "a:b@c.d-e_f"),
        ("/bot/helper", "bot", "helper"),
        ("/channel/general", "channel", "general"),
        ("/channel-flow/filter", "channel-flow", "filter"),
        ("/something/else", "other", "else"),
    ],
)
def test_every_kind_of_arn_is_recognised(suffix: str, kind: str, resource_id: str) -> None:
    arn = parse_arn(INSTANCE + suffix)
    assert (arn.kind, arn.resource_id, arn.app_instance_arn) == (kind, resource_id, INSTANCE)
    assert str(arn) == INSTANCE + suffix


@pytest.mark.parametrize("text", ["", "alice", "arn:aws:chime", "arn:aws:chime:us-east-1:1:/x", "arn:" + "a" * 2000])
def test_a_text_that_is_no_arn_is_refused_with_the_field_named(text: str) -> None:
    with pytest.raises(InvalidArnError, match=r"^user_arn: ") as caught:
        parse_arn(text, "user_arn")
    assert caught.value.field == "user_arn"


def test_an_arn_of_the_wrong_kind_says_what_was_expected() -> None:
    with pytest.raises(InvalidArnError, match=r"channel_arn: .* is not the ARN of an app instance channel"):
        require_arn(INSTANCE + "/user/alice", "channel_arn", "channel")


@given(st.text(max_size=200))
def test_no_text_makes_the_parser_raise_anything_else(text: str) -> None:
    try:
        assert parse_arn(text).text == text
    except InvalidArnError as error:
        assert error.value == text


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("a", True),
        ("a-b:c_d.e@f", True),
        ("-a", False),
        ("a-", False),
        ("", False),
        ("a" * 64, True),
        ("a" * 65, False),
    ],
)
def test_resource_ids_follow_the_documented_form(text: str, allowed: bool) -> None:
    assert is_resource_id(text) is allowed


def test_made_identifiers_have_the_official_form() -> None:
    assert 0 <= int(new_session_id()) < 2**32
