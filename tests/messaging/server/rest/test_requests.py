from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chime_messaging.server.faults import Fault
from chime_messaging.server.rest.model import service_model
from chime_messaging.server.rest.requests import MAX_BODY_BYTES, Decoder, decode_body, token_member
from chime_messaging.server.rest.routes import Router

DECODERS = {route.operation.name: Decoder(route) for route in Router().routes}
CHANNEL = "arn%3Aaws%3Achime%3Aus-east-1%3A123456789012%3Aapp-instance%2F8f5b%2Fchannel%2Fa"
VALID: dict[str, Any] = {
    "Content": "hello",
    "Type": "STANDARD",
    "Persistence": "PERSISTENT",
    "ClientRequestToken": "token",
}
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def send(**members: Any) -> dict[str, Any]:
    return DECODERS["SendChannelMessage"].decode(["channels", CHANNEL, "messages"], {}, {**VALID, **members})


def list_messages(**query: str) -> dict[str, Any]:
    pairs = {name.replace("_", "-"): [value] for name, value in query.items()}
    return DECODERS["ListChannelMessages"].decode(["channels", CHANNEL, "messages"], pairs, {})


def test_members_come_from_path_and_body() -> None:
    assert send() == {"ChannelArn": "arn:aws:chime:us-east-1:123456789012:app-instance/8f5b/channel/a", **VALID}


def test_members_come_from_the_query_with_their_types() -> None:
    decoded = list_messages(max_results="7", not_before="2021-06-03T16:26:31.013000Z", sort_order="ASCENDING")
    assert (decoded["MaxResults"], decoded["NotBefore"], decoded["SortOrder"]) == (7, 1622737591013, "ASCENDING")


@pytest.mark.parametrize("text", ["", "seven", "7.0", "1e1", "0x7", "\u0667", "9" * 30])
def test_a_number_in_the_query_must_be_one(text: str) -> None:
    with pytest.raises(Fault, match="'maxResults'"):
        list_messages(max_results=text)


def test_unknown_body_members_are_ignored() -> None:
    assert "Unheard" not in send(Unheard={"of": []})


def test_a_path_parameter_in_the_body_does_not_count() -> None:
    assert send(ChannelArn="other")["ChannelArn"].startswith("arn:")


def test_one_answer_names_every_violation() -> None:
    with pytest.raises(Fault) as caught:
        send(Type="BOGUS", Metadata="x" * 1025, Persistence=None)
    assert caught.value.name == "BadRequestException"
    assert caught.value.message == (
        "3 validation errors detected: "
        "Value 'BOGUS' at 'type' failed to satisfy constraint: "
        "Member must satisfy enum value set: [STANDARD, CONTROL]; "
        "Value at 'metadata' failed to satisfy constraint: Member must have length less than or equal to 1024; "
        "Value at 'persistence' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{} {}",
        b"\xff",
        b'{"Content": "\xff"}',
        b'{"Content": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": NaN}',
        b" " * (MAX_BODY_BYTES + 1),
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_body_that_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        decode_body(body)
    assert caught.value.name == "BadRequestException"


def test_an_empty_body_has_no_members() -> None:
    assert decode_body(b"") == {}


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_bad_request(body: bytes) -> None:
    with contextlib.suppress(Fault):
        assert isinstance(decode_body(body), dict)


@settings(max_examples=400)
@given(name=st.sampled_from(sorted(DECODERS)), data=st.data())
def test_any_members_are_decoded_or_refused(name: str, data: st.DataObject) -> None:
    operation = next(
        service_model(service).operation_model(name)
        for service in ("messaging", "identity", "meetings")
        if name in service_model(service).operation_names
    )
    members = list(operation.input_shape.members) if operation.input_shape else []
    segments = [data.draw(st.text(max_size=8)) for _ in range(8)]
    body = data.draw(st.dictionaries(st.sampled_from([*members, "Unknown"]), json_values, max_size=6))
    query = data.draw(st.dictionaries(st.text(max_size=12), st.lists(st.text(max_size=8), min_size=1), max_size=4))
    try:
        decoded = DECODERS[name].decode(segments, query, body)
    except Fault as fault:
        assert fault.name == "BadRequestException"
    else:
        assert set(decoded) <= set(members)


def test_the_token_of_a_callback_is_no_request_token() -> None:
    messaging = service_model("messaging")
    assert token_member(messaging.operation_model("CreateChannel")) == "ClientRequestToken"
    assert token_member(messaging.operation_model("ChannelFlowCallback")) is None
    assert token_member(messaging.operation_model("DeleteChannel")) is None
