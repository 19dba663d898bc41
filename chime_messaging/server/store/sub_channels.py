"""Sub-channels: the parts of elastic channels."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Index, String, Table, bindparam, delete, func, insert, select, tuple_

from chime_messaging.server.store.channels import Place, on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata
from chime_messaging.server.store.memberships import memberships
from chime_messaging.server.store.moderators import moderators
from chime_messaging.server.store.statements import Row, Statement

sub_channels = Table(
    "sub_channels",
    metadata,
    Column("channel_arn", String, primary_key=True),
    Column("sub_channel_id", String, primary_key=True),
    Column("created", BigInteger, nullable=False),
    Index("sub_channels_by_creation", "channel_arn", "created", "sub_channel_id"),
)


@dataclass(frozen=True, slots=True)
class SubChannel:
    """One row, with its members counted."""

    id: str
    created: int
    memberships: int
    """All memberships."""
    members: int
    """Memberships of those who do not moderate the channel: what balancing looks at."""

    @property
    def place(self) -> Place:
        """Where a list of a channel's sub-channels goes on after this one."""
        return (self.created, self.id)


_C = sub_channels.c
_IN_IT = (memberships.c.channel_arn == _C.channel_arn) & (memberships.c.sub_channel_id == _C.sub_channel_id)
_MODERATES = (moderators.c.channel_arn == memberships.c.channel_arn) & (
    moderators.c.moderator_arn == memberships.c.member_arn
)
_COUNTED = (
    select(
        _C.sub_channel_id,
        _C.created,
        func.count(memberships.c.member_arn).label("held"),
        (func.count(memberships.c.member_arn) - func.count(moderators.c.moderator_arn)).label("members"),
    )
    .select_from(sub_channels)
    .outerjoin(memberships, _IN_IT)
    .outerjoin(moderators, _MODERATES)
    .where(_C.channel_arn == bindparam("channel"))
    .group_by(_C.sub_channel_id, _C.created)
    .order_by(_C.created, _C.sub_channel_id)
)
_ALL = Statement(_COUNTED)
_PAGE = Statement(
    _COUNTED.where(tuple_(_C.created, _C.sub_channel_id) > tuple_(bindparam("created"), bindparam("arn"))).limit(
        bindparam("count")
    )
)
_IDS = Statement(
    select(_C.sub_channel_id).where(_C.channel_arn == bindparam("channel")).order_by(_C.created, _C.sub_channel_id)
)
_ADD = Statement(
    insert(sub_channels).values(
        channel_arn=bindparam("channel"), sub_channel_id=bindparam("sub_channel"), created=bindparam("now")
    )
)
_DELETE = Statement(
    delete(sub_channels).where(_C.channel_arn == bindparam("channel"), _C.sub_channel_id == bindparam("sub_channel"))
)
_DELETE_ALL = Statement(delete(sub_channels).where(_C.channel_arn == bindparam("channel")))


def _sub_channel(row: Row) -> SubChannel:
    return SubChannel(*row)


def sub_channels_of(tx: Transaction, channel_arn: str) -> list[SubChannel]:
    """Load and count the parts of a channel, by creation."""
    return [_sub_channel(row) for row in tx.all(_ALL, channel=channel_arn)]


def sub_channels_after(tx: Transaction, channel_arn: str, after: Place, count: int) -> list[SubChannel]:
    """One page of the parts of a channel, by creation."""
    rows = tx.all(_PAGE, channel=channel_arn, created=after[0], arn=after[1], count=count)
    return [_sub_channel(row) for row in rows]


def sub_channel_ids(tx: Transaction, channel_arn: str) -> list[str]:
    """Name the parts of a channel, by creation."""
    return [row[0] for row in tx.all(_IDS, channel=channel_arn)]


def add_sub_channel(tx: Transaction, channel_arn: str, sub_channel_id: str) -> None:
    """Store a new part of a channel."""
    tx.execute(_ADD, channel=channel_arn, sub_channel=sub_channel_id, now=tx.now)


def delete_sub_channel(tx: Transaction, channel_arn: str, sub_channel_id: str) -> None:
    """Erase an emptied part of a channel."""
    tx.execute(_DELETE, channel=channel_arn, sub_channel=sub_channel_id)


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.execute(_DELETE_ALL, channel=channel_arn)
