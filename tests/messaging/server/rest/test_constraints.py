from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.rest.constraints import compile_check, compile_pattern
from chime_messaging.server.rest.model import service_model


def check(shape: str, value: Any, service: str = "messaging") -> tuple[Any, list[str]]:
    violations: list[str] = []
    result = compile_check(service_model(service).shape_for(shape))(value, "it", violations)
    return result, violations


@pytest.mark.parametrize("name", ["Team \U0001f680", "Zoë", "日本", "tab\tand\nnewline", "\U0010ffff"])
def test_names_may_hold_every_character_of_the_models_range(name: str) -> None:
    assert check("NonEmptyResourceName", name) == (name, [])


@pytest.mark.parametrize("name", ["\x00", "a\x07b", "\ufffe"])
def test_names_may_not_hold_control_characters(name: str) -> None:
    assert "regular expression pattern" in check("NonEmptyResourceName", name)[1][0]


def test_metadata_and_tokens_may_hold_newlines() -> None:
    assert check("Metadata", "a\nb") == ("a\nb", [])
    assert check("NextToken", "a\nb") == ("a\nb", [])
    assert check("UserName", "\n a", "identity")[1] == []


def test_a_pattern_must_match_the_whole_value() -> None:
    assert check("ClientRequestToken", "good")[1] == []
    assert check("ClientRequestToken", "good\n")[1] != []
    assert check("ClientRequestToken", "schön")[1] != []


def test_lengths_ranges_and_enumerations_are_named_with_their_limits() -> None:
    assert check("Metadata", "x" * 1025)[1] == [
        "Value at 'it' failed to satisfy constraint: Member must have length less than or equal to 1024"
    ]
    assert check("ChannelMembershipType", "BOGUS")[1] == [
        "Value 'BOGUS' at 'it' failed to satisfy constraint: Member must satisfy enum value set: [DEFAULT, HIDDEN]"
    ]
    assert check("MaxResults", 51)[1] == [
        "Value '51' at 'it' failed to satisfy constraint: Member must have value less than or equal to 50"
    ]
    assert check("MaxResults", 0)[1] == [
        "Value '0' at 'it' failed to satisfy constraint: Member must have value greater than or equal to 1"
    ]
    assert "length greater than or equal to 5" in check("ChimeArn", "arn")[1][0]
    assert "length less than or equal to 10" in check("ChannelMemberArns", ["arn:a:b:c:d:e"] * 11)[1][0]


def test_what_the_model_calls_sensitive_is_not_repeated() -> None:
    assert "secret" not in check("NonEmptyResourceName", "secret\x00")[1][0]


def test_an_excerpt_is_short() -> None:
    assert len(check("ChimeArn", "z" * 1500)[1][0]) < 400


def test_nested_members_are_named_by_their_place() -> None:
    assert check("TagList", [{"Key": "a", "Value": "b"}, {"Key": "", "Value": 5}, {}])[1] == [
        "Value at 'it.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
        "Value at 'it.2.member.value' failed to satisfy constraint: Member must be a string",
        "Value at 'it.3.member.key' failed to satisfy constraint: Member must not be null",
        "Value at 'it.3.member.value' failed to satisfy constraint: Member must not be null",
    ]


def test_unknown_members_and_nulls_are_left_out() -> None:
    given = {"Title": "t", "Body": None, "Later": {"new": 1}}
    assert check("PushNotificationConfiguration", given) == ({"Title": "t"}, [])


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("MaxResults", True),
        ("MaxResults", 1.5),
        ("MaxResults", "7"),
        ("NonNullableBoolean", 1),
        ("Metadata", 5),
        ("Metadata", {}),
        ("TagList", {}),
        ("TagList", [None]),
        ("TagList", ["a"]),
        ("MessageAttributeMap", []),
        ("PushNotificationConfiguration", "x"),
        ("Timestamp", "yesterday"),
        ("Timestamp", True),
        ("Timestamp", 1e300),
        ("Timestamp", float("nan")),
        ("Timestamp", -(10**30)),
    ],
)
def test_a_wrong_type_is_a_violation(shape: str, value: Any) -> None:
    assert len(check(shape, value)[1]) == 1


@pytest.mark.parametrize(
    "value",
    [
        1622737591.013,
        "2021-06-03T16:26:31.013Z",
        "2021-06-03T16:26:31.013000Z",
        "2021-06-03T16:26:31.013999Z",
        "2021-06-03T18:26:31.013+02:00",
        "2021-06-03T16:26:31.013",
    ],
)
def test_timestamps_become_milliseconds(value: Any) -> None:
    assert check("Timestamp", value) == (1622737591013, [])


@given(st.integers(0, 4_102_444_800_000))
def test_epoch_seconds_lose_no_millisecond(milliseconds: int) -> None:
    assert check("Timestamp", milliseconds / 1000) == (milliseconds, [])


@pytest.mark.parametrize("service", ["messaging", "identity", "meetings"])
def test_every_pattern_of_the_models_compiles(service: str) -> None:
    model = service_model(service)
    for name in model.shape_names:
        pattern = model.shape_for(name).metadata.get("pattern")
        if pattern is not None:
            compile_pattern(pattern)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_no_value_is_too_strange(value: Any) -> None:
    for shape in ("SendChannelMessageRequest", "CreateChannelRequest", "MessageAttributeMap", "ProcessorList"):
        _, violations = check(shape, value)
        assert all(isinstance(text, str) for text in violations)
