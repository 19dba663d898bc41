"""Read markers: up to when a member has read a channel."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, update

from chime_messaging.server import faults
from chime_messaging.server.messaging.authorization import authorize
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.memberships import memberships
from chime_messaging.server.store.statements import Statement

_MARK = Statement(
    update(memberships)
    .values(read_marker=bindparam("moment"))
    .where(memberships.c.channel_arn == bindparam("channel"), memberships.c.member_arn == bindparam("member"))
)


@operation("messaging", "UpdateChannelReadMarker")
def update_channel_read_marker(call: Call) -> dict[str, Any]:
    """Set the bearer's marker to now. Nobody is told."""
    access = authorize(call, "UpdateChannelReadMarker", call.params["ChannelArn"])
    if access.channel.is_elastic:
        raise faults.bad_request("Elastic channels have no read markers.")
    marked = call.tx.execute(_MARK, moment=call.now, channel=access.channel.arn, member=access.bearer)
    if not marked:
        raise faults.forbidden("The bearer is not a member of the channel.")
    return {"ChannelArn": access.channel.arn}
