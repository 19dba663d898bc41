"""Prefetch: what a client is told of its channels right after it has connected.

One CHANNEL_DETAILS frame per channel: the channel, its latest messages, some of its members, the read marker.
"""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import Integer, and_, bindparam, case, func, or_, select

from chime_messaging.server.messaging.message_events import summary
from chime_messaging.server.messaging.records import channel_summary
from chime_messaging.server.rest.shapes import payload, to_iso
from chime_messaging.server.store.channels import channel_of, channels
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.memberships import memberships
from chime_messaging.server.store.messages import latest_messages
from chime_messaging.server.store.statements import Row, Statement
from chime_messaging.server.store.users import users
from chime_messaging.wire.envelope import encode

MAX_CHANNELS = 50
MAX_MESSAGES = 20
MAX_MEMBERSHIPS = 30

_newest_first = func.coalesce(channels.c.last_message, 0).desc()
_is_unread = and_(
    channels.c.last_message.is_not(None),
    or_(memberships.c.read_marker.is_(None), channels.c.last_message > memberships.c.read_marker),
)


def _channels(*order: Any) -> Statement:
    return Statement(
        select(channels, memberships.c.sub_channel_id, memberships.c.read_marker)
        .select_from(memberships)
        .join(channels, channels.c.arn == memberships.c.channel_arn)
        .where(memberships.c.member_arn == bindparam("member"))
        .order_by(*order, channels.c.arn, memberships.c.sub_channel_id)
        .limit(bindparam("limit", type_=Integer))
    )


_CHANNELS = {
    "unread": _channels(case((_is_unread, 0), else_=1), _newest_first),
    "last-message-timestamp": _channels(_newest_first),
}
_MEMBERS = Statement(
    select(memberships.c.member_arn, users.c.name)
    .select_from(memberships)
    .outerjoin(users, users.c.arn == memberships.c.member_arn)
    .where(
        memberships.c.channel_arn == bindparam("channel"),
        memberships.c.sub_channel_id == bindparam("part"),
        memberships.c.type == "DEFAULT",
    )
    .order_by(memberships.c.created, memberships.c.member_arn)
    .limit(bindparam("limit", type_=Integer))
)


def channel_details(
    tx: Transaction, user_arn: str, sort_by: str | None = None, *, order: random.Random | None = None
) -> list[bytes]:
    """Build the CHANNEL_DETAILS frames of a user, in the random order in which they are sent.

    Args:
        tx: a transaction.
        user_arn: who connects.
        sort_by: which channels are chosen if there are more than 50: ``unread`` (also when None or unknown) takes the
            unread first and then those with the newest messages, ``last-message-timestamp`` only looks at the latter.
        order: source of the random order.
    """
    query = _CHANNELS.get(sort_by or "unread", _CHANNELS["unread"])
    rows = tx.all(query, member=user_arn, limit=MAX_CHANNELS)
    frames = [encode("CHANNEL_DETAILS", _details(tx, user_arn, row)) for row in rows]
    (order or random.Random()).shuffle(frames)
    return frames


def _details(tx: Transaction, user_arn: str, row: Row) -> dict[str, Any]:
    """Build the ChannelDetails payload, which no API shape describes: its parts do."""
    channel = channel_of(row)
    latest = latest_messages(tx, channel.arn, row.sub_channel_id, MAX_MESSAGES + 1)
    # Messages for others count for the cut and for what is left: the service filters after it has read.
    shown = [message for message in latest[:MAX_MESSAGES] if message.is_visible_to(user_arn)]
    members = tx.all(_MEMBERS, channel=channel.arn, part=row.sub_channel_id, limit=MAX_MEMBERSHIPS)
    details = {
        "Channel": payload("messaging", "ChannelSummary", channel_summary(channel)),
        "ChannelMessages": [
            payload("messaging", "ChannelMessageSummary", summary(message, user_arn)) for message in shown
        ],
        "ChannelMemberships": [
            payload("messaging", "ChannelMembershipSummary", {"Member": {"Arn": arn, "Name": name}})
            for arn, name in members
        ],
        "ChannelMessagesHasMore": len(latest) > MAX_MESSAGES,
    }
    if row.read_marker is not None and not channel.is_elastic:
        details["ReadMarkerTimestamp"] = to_iso(row.read_marker)
    return details
