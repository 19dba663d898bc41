"""Channel membership preferences: which push notifications a member wants."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import bindparam, update

from chime_messaging.server import faults
from chime_messaging.server.messaging.authorization import Access, authorize
from chime_messaging.server.messaging.filters import parse_rule
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.memberships import find_memberships, memberships
from chime_messaging.server.store.statements import Statement
from chime_messaging.server.store.users import identity_of

_KEEP = Statement(
    update(memberships)
    .values(preferences=bindparam("document"))
    .where(memberships.c.channel_arn == bindparam("channel"), memberships.c.member_arn == bindparam("member"))
)


@operation("messaging", "PutChannelMembershipPreferences")
def put_channel_membership_preferences(call: Call) -> dict[str, Any]:
    """Store the bearer's own preferences for a channel."""
    access = _own_membership(call, "PutChannelMembershipPreferences")
    preferences = call.params["Preferences"]
    _check(preferences.get("PushNotifications") or {})
    document = msgspec.json.encode(preferences).decode()
    call.tx.execute(_KEEP, document=document, channel=access.channel.arn, member=call.params["MemberArn"])
    return _answer(call, preferences)


@operation("messaging", "GetChannelMembershipPreferences")
def get_channel_membership_preferences(call: Call) -> dict[str, Any]:
    """Return the bearer's own preferences for a channel; empty if it never set any."""
    access = _own_membership(call, "GetChannelMembershipPreferences")
    membership = find_memberships(call.tx, access.channel.arn, call.params["MemberArn"])[0]
    return _answer(call, msgspec.json.decode(membership.preferences) if membership.preferences else {})


def _own_membership(call: Call, action: str) -> Access:
    member = call.params["MemberArn"]
    access = authorize(call, action, call.params["ChannelArn"], owner=member)
    if access.channel.is_elastic:
        raise faults.bad_request("Elastic channels have no membership preferences.")
    if not find_memberships(call.tx, access.channel.arn, member):
        raise faults.forbidden("There is no such membership.")
    return access


def _check(push: dict[str, Any]) -> None:
    rule = push.get("FilterRule")
    if rule is not None:
        parse_rule(rule)
    elif push.get("AllowNotifications") == "FILTERED":
        raise faults.bad_request("AllowNotifications FILTERED needs a FilterRule.")


def _answer(call: Call, preferences: dict[str, Any]) -> dict[str, Any]:
    member = identity_of(call.tx, call.params["MemberArn"])
    return {"ChannelArn": call.params["ChannelArn"], "Member": member, "Preferences": preferences}
