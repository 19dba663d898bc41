from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging import events
from chime_messaging.errors import DecodeError, FrameTooLargeError
from chime_messaging.events import Event, MessageCreated, UndecodableFrame, UnknownEvent
from chime_messaging.protocol.decode import EXCERPT_BYTES, decode
from chime_messaging.wire import envelope

MESSAGE = {"ChannelArn": "arn:c", "MessageId": "1", "Content": "hi", "CreatedTimestamp": "2021-06-03T16:26:31.013Z"}
MEMBERSHIP = {"ChannelArn": "arn:c", "Member": {"Arn": "arn:u", "Name": "U"}}
PAYLOADS: dict[str, Any] = {
    "SESSION_ESTABLISHED": None,
    "CHANNEL_DETAILS": {"Channel": {"ChannelArn": "arn:c"}, "ChannelMessages": [{"MessageId": "1"}]},
    "CREATE_CHANNEL": {"ChannelArn": "arn:c"},
    "UPDATE_CHANNEL": {"ChannelArn": "arn:c"},
    "DELETE_CHANNEL": {"ChannelArn": "arn:c"},
    "UPDATE_CHANNEL_EXPIRATION_SETTINGS": {"ChannelArn": "arn:c"},
    "CREATE_CHANNEL_MEMBERSHIP": MEMBERSHIP,
    "UPDATE_CHANNEL_MEMBERSHIP": MEMBERSHIP,
    "DELETE_CHANNEL_MEMBERSHIP": MEMBERSHIP,
    "BATCH_CREATE_CHANNEL_MEMBERSHIP": {"ChannelArn": "arn:c", "Members": [{"Arn": "arn:u"}]},
    "CREATE_CHANNEL_BAN": {"ChannelArn": "arn:c", "Member": {"Arn": "arn:u"}},
    "DELETE_CHANNEL_BAN": {"ChannelArn": "arn:c", "Member": {"Arn": "arn:u"}},
    "CREATE_CHANNEL_MODERATOR": {"ChannelArn": "arn:c", "Moderator": {"Arn": "arn:u"}},
    "DELETE_CHANNEL_MODERATOR": {"ChannelArn": "arn:c", "Moderator": {"Arn": "arn:u"}},
    "CREATE_SUB_CHANNEL": {"ChannelArn": "arn:c", "SubChannelId": "s"},
    "DELETE_SUB_CHANNEL": {"ChannelArn": "arn:c", "SubChannelId": "s"},
}


def frame(event_type: str, payload: object) -> str:
    return envelope.encode(event_type, payload).decode()


@pytest.mark.parametrize(("name", "kind"), events.EVENT_TYPES.items())
def test_every_event_type_becomes_its_class(name: str, kind: type[Event]) -> None:
    event = decode(frame(name, PAYLOADS.get(name, MESSAGE)))
    assert type(event) is kind
    assert event.type == name  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in events.EVENT_TYPES if name != "SESSION_ESTABLISHED"])
@pytest.mark.parametrize("payload", [None, [], {}, 3, "text", {"ChannelArn": 3, "MessageId": None, "Channel": []}])
def test_a_payload_of_the_wrong_shape_is_an_undecodable_frame(name: str, payload: object) -> None:
    text = frame(name, payload)
    event = decode(text)
    assert isinstance(event, UndecodableFrame)
    assert event.frame == text
    assert isinstance(event.error, DecodeError)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"Headers":[]}',
        '{"Headers":{"x-amz-chime-event-type":"CREATE_CHANNEL"},"Payload":{"ChannelArn":"arn:c"}}',
        '{"Headers":{"x-amz-chime-event-type":["CREATE_CHANNEL"]}}',
        '{"Headers":{"x-amz-chime-event-type":"CREATE_CHANNEL"},"Payload":""}',
        "[" * 100_000,
        "\ud800",
    ],
)
def test_what_is_no_envelope_is_an_undecodable_frame(text: str) -> None:
    assert isinstance(decode(text), UndecodableFrame)


def test_binary_frames_are_refused() -> None:
    event = decode(frame("SESSION_ESTABLISHED", None).encode())
    assert isinstance(event, UndecodableFrame)
    assert "binary" in str(event.error)


def test_frames_over_the_limit_are_refused_and_only_their_beginning_is_kept() -> None:
    event = decode("x" * (envelope.MAX_FRAME_BYTES + 1))
    assert isinstance(event, UndecodableFrame)
    assert isinstance(event.error, FrameTooLargeError)
    assert len(event.frame) == EXCERPT_BYTES


def test_unknown_types_arrive_with_their_payload() -> None:
    event = decode(frame("SOMETHING_NEW", {"a": 1}))
    assert isinstance(event, UnknownEvent)
    assert json.loads(event.envelope.payload or "") == {"a": 1}


def test_frames_without_a_type_are_unknown_events() -> None:
    assert decode('{"Headers":{}}') == UnknownEvent(envelope.Envelope({}, None))


def test_members_that_this_version_does_not_know_are_ignored() -> None:
    event = decode(frame("CREATE_CHANNEL_MESSAGE", {**MESSAGE, "Brand": {"New": 1}}))
    assert isinstance(event, MessageCreated)
    assert event.message.content == "hi"


def test_a_moment_without_a_time_zone_is_refused() -> None:
    event = decode(frame("CREATE_CHANNEL_MESSAGE", {**MESSAGE, "CreatedTimestamp": "2021-06-03T16:26:31.013"}))
    assert isinstance(event, UndecodableFrame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
near_misses = st.fixed_dictionaries(
    {"Headers": st.fixed_dictionaries({envelope.EVENT_TYPE: st.sampled_from([*events.EVENT_TYPES]) | json_values})},
    optional={"Payload": st.text() | json_values | st.builds(json.dumps, json_values)},
)


@given(st.text() | st.binary() | st.builds(json.dumps, json_values) | st.builds(json.dumps, near_misses))
def test_whatever_arrives_is_an_event(data: str | bytes) -> None:
    assert isinstance(decode(data), Event)


@given(st.sampled_from(sorted(PAYLOADS)), st.data())
def test_a_real_frame_with_damage_is_an_event(name: str, data: st.DataObject) -> None:
    text = frame(name, PAYLOADS[name])
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert isinstance(decode(text[:start] + data.draw(st.text(max_size=5)) + text[end:]), Event)
