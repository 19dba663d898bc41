from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.faults import Fault
from chime_messaging.server.rest.routes import Router, parse_query, split_path, unquote

ROUTER = Router()
CHANNEL = "arn%3Aaws%3Achime%3Aus-east-1%3A123456789012%3Aapp-instance%2F8f5b%2Fchannel%2Fa"


def names(method: str, target: str) -> list[str]:
    path, _, query = target.partition("?")
    return [route.operation.name for route in ROUTER.find(method, split_path(path), parse_query(query))]


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/channels?app-instance-arn=a", "ListChannels"),
        ("GET", "/channels?scope=app-instance-user-memberships", "ListChannelMembershipsForAppInstanceUser"),
        ("GET", "/channels?scope=app-instance-user-moderated-channels", "ListChannelsModeratedByAppInstanceUser"),
        ("GET", "/channels?scope=channel-flow-associations", "ListChannelsAssociatedWithChannelFlow"),
        ("POST", "/channels", "CreateChannel"),
        ("POST", "/channels?operation=search", "SearchChannels"),
        ("GET", f"/channels/{CHANNEL}", "DescribeChannel"),
        ("POST", f"/channels/{CHANNEL}?operation=channel-flow-callback", "ChannelFlowCallback"),
        ("POST", f"/channels/{CHANNEL}/messages/m1?operation=redact", "RedactChannelMessage"),
        ("GET", f"/channels/{CHANNEL}/messages/m1?scope=message-status", "GetChannelMessageStatus"),
        ("POST", "/meetings?operation=create-attendees", "CreateMeetingWithAttendees"),
        ("GET", "http://127.0.0.1:8765/endpoints/messaging-session", "GetMessagingSessionEndpoint"),
    ],
)
def test_path_and_fixed_query_decide(method: str, target: str, operation: str) -> None:
    assert names(method, target) == [operation]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("PATCH", "/channels"),
        ("POST", f"/channels/{CHANNEL}"),
        ("POST", f"/channels/{CHANNEL}?operation=bogus"),
        ("GET", "/channels//messages"),
        ("GET", "/channels/arn:aws:chime:us-east-1:1:app-instance/8f5b/channel/a"),
        ("GET", "/" + "a/" * 1000),
    ],
)
def test_what_no_operation_has_is_not_found(method: str, target: str) -> None:
    assert names(method, target) == []


def test_every_service_has_the_tag_operations_at_the_same_place() -> None:
    assert names("POST", "/tags?operation=tag-resource") == ["TagResource"] * 3


def test_escapes_are_decoded_after_the_split() -> None:
    assert [unquote(segment) for segment in split_path("/channels/a%2Fb%3Ac%40d")] == ["channels", "a/b:c@d"]


@pytest.mark.parametrize("text", ["%", "%2", "%zz", "a%2", "%ff", "%c3%28", "%-1", "%ed%a0%80"])
def test_a_broken_escape_is_a_bad_request(text: str) -> None:
    with pytest.raises(Fault, match="request target") as caught:
        unquote(text)
    assert caught.value.name == "BadRequestException"


def test_a_query_may_repeat_names_and_leave_values_out() -> None:
    assert parse_query("a=1&b&a=2%203&&c=x+y=z") == {"a": ["1", "2 3"], "b": [""], "c": ["x y=z"]}


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), st.text(st.characters(max_codepoint=255)))
def test_any_target_is_routed_or_refused(method: str, target: str) -> None:
    try:
        found = names(method, "/" + target)
    except Fault as fault:
        assert fault.name == "BadRequestException"
    else:
        assert len(found) in (0, 1, 3)
