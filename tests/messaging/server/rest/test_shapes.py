from __future__ import annotations

import pytest

from chime_messaging.server.rest.shapes import body, payload

RECORD = {
    "MessageId": "m",
    "CreatedTimestamp": 1622737591013,
    "LastEditedTimestamp": None,
    "Sender": {"Arn": "a", "Name": None},
    "MessageAttributes": {"key": {"StringValues": ["v"]}},
    "Redacted": False,
    "Target": [{"MemberArn": "b"}],
}


def test_bodies_carry_epoch_seconds() -> None:
    assert body("messaging", "ChannelMessage", RECORD)["CreatedTimestamp"] == 1622737591.013


def test_payloads_carry_iso_text_with_three_digits() -> None:
    assert payload("messaging", "ChannelMessage", RECORD)["CreatedTimestamp"] == "2021-06-03T16:26:31.013Z"
    assert payload("messaging", "ChannelMessage", {"CreatedTimestamp": 0}) == {
        "CreatedTimestamp": "1970-01-01T00:00:00.000Z"
    }


def test_members_that_are_none_are_left_out_at_every_depth() -> None:
    written = body("messaging", "ChannelMessage", RECORD)
    assert "LastEditedTimestamp" not in written
    assert written["Sender"] == {"Arn": "a"}
    assert written["Redacted"] is False


def test_timestamps_inside_lists_are_written_too() -> None:
    answer = {"ChannelMessages": [{"CreatedTimestamp": 1000}, {"CreatedTimestamp": 2500}]}
    assert body("messaging", "ListChannelMessagesResponse", answer) == {
        "ChannelMessages": [{"CreatedTimestamp": 1.0}, {"CreatedTimestamp": 2.5}]
    }


def test_a_member_the_model_does_not_know_is_a_defect() -> None:
    with pytest.raises(ValueError, match="ChannelMessage has no member Bogus"):
        body("messaging", "ChannelMessage", {"Bogus": 1})


def test_the_record_is_not_changed() -> None:
    before = dict(RECORD)
    payload("messaging", "ChannelMessage", RECORD)
    assert before == RECORD
