"""Memberships: who belongs to which channel, and so to which delivery group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from chime_messaging.server.store.channels import Channel, Place, channel_of, channels, on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata
from chime_messaging.server.store.statements import Row, Statement
from chime_messaging.server.store.users import users

memberships = Table(
    "memberships",
    metadata,
    Column("channel_arn", String, primary_key=True),
    Column("member_arn", String, primary_key=True),
    Column("sub_channel_id", String, primary_key=True, server_default=""),
    Column("type", String, nullable=False),
    Column("invited_by", String),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("read_marker", BigInteger),
    Column("preferences", Text),
    Index("memberships_by_creation", "channel_arn", "sub_channel_id", "created", "member_arn"),
    Index("memberships_by_member", "member_arn", "created", "channel_arn", "sub_channel_id"),
)


@dataclass(frozen=True, slots=True)
class Membership:
    """One row. Members stand in the order of the table's columns."""

    channel_arn: str
    member_arn: str
    sub_channel_id: str
    """Empty in an ordinary channel."""
    type: str
    """DEFAULT or HIDDEN."""
    invited_by: str | None
    created: int
    updated: int
    read_marker: int | None = None
    preferences: str | None = None

    @property
    def group(self) -> str:
        """Delivery group that this membership puts the member's sockets into."""
        return group_of(self.channel_arn, self.sub_channel_id)

    @property
    def place(self) -> Place:
        """Where a list of a channel's members goes on after this one."""
        return (self.created, self.member_arn)


ChannelPlace = tuple[int, str, str]
"""Where a page of a user's channels begins: after this time, channel ARN and sub-channel id."""

CHANNELS_START: ChannelPlace = (-1, "", "")
COLUMNS = len(memberships.columns)

_C = memberships.c
_IS_IT = (
    _C.channel_arn == bindparam("channel"),
    _C.member_arn == bindparam("member"),
    _C.sub_channel_id == bindparam("sub_channel"),
)

# Sorted by us: with ORDER BY the database may go through all channels of the member in that order.
_FIND = Statement(
    select(memberships).where(_C.channel_arn == bindparam("channel"), _C.member_arn == bindparam("member"))
)
_GROUPS = Statement(select(_C.channel_arn, _C.sub_channel_id).where(_C.member_arn == bindparam("member")))
_OF_MEMBER = Statement(select(memberships).where(_C.member_arn == bindparam("member")).order_by(_C.created))
_AMONG = Statement(
    select(_C.member_arn)
    .where(_C.channel_arn == bindparam("channel"), _C.member_arn.in_(bindparam("arns", expanding=True)))
    .distinct()
)
_COUNT = Statement(select(func.count()).select_from(memberships).where(_C.channel_arn == bindparam("channel")))
_COUNT_CHANNELS = Statement(select(func.count()).select_from(memberships).where(_C.member_arn == bindparam("member")))
_DELETE = Statement(delete(memberships).where(*_IS_IT))
_DELETE_ALL = Statement(delete(memberships).where(_C.channel_arn == bindparam("channel")))
_MOVE = Statement(
    update(memberships).where(*_IS_IT).values(sub_channel_id=bindparam("to_sub_channel"), updated=bindparam("now"))
)
_OF_SUB_CHANNEL = Statement(
    select(memberships)
    .where(_C.channel_arn == bindparam("channel"), _C.sub_channel_id == bindparam("sub_channel"))
    .order_by(_C.created, _C.member_arn)
)
_HOMES = Statement(
    select(users.c.arn, users.c.app_instance_arn).where(users.c.arn.in_(bindparam("arns", expanding=True)))
)
_PAGE = Statement(
    select(memberships)
    .where(
        _C.channel_arn == bindparam("channel"),
        _C.sub_channel_id == bindparam("sub_channel"),
        _C.type == bindparam("type"),
        tuple_(_C.created, _C.member_arn) > tuple_(bindparam("created"), bindparam("arn")),
    )
    .order_by(_C.created, _C.member_arn)
    .limit(bindparam("count"))
)
_PAGE_OF_MEMBER = Statement(
    select(
        channels,
        _C.type.label("member_type"),
        _C.read_marker,
        _C.sub_channel_id,
        _C.created.label("joined"),
    )
    .join(memberships, _C.channel_arn == channels.c.arn)
    .where(
        _C.member_arn == bindparam("member"),
        tuple_(_C.created, _C.channel_arn, _C.sub_channel_id)
        > tuple_(bindparam("created"), bindparam("arn"), bindparam("sub_channel")),
    )
    .order_by(_C.created, _C.channel_arn, _C.sub_channel_id)
    .limit(bindparam("count"))
)


@dataclass(frozen=True, slots=True)
class ChannelOfMember:
    """A channel with what one member has in it."""

    channel: Channel
    type: str
    read_marker: int | None
    sub_channel_id: str
    joined: int

    @property
    def place(self) -> ChannelPlace:
        """Where a list of a member's channels goes on after this one."""
        return (self.joined, self.channel.arn, self.sub_channel_id)


def group_of(channel_arn: str, sub_channel_id: str = "") -> str:
    """Name the delivery group of a channel, or of a part of an elastic channel."""
    return f"{channel_arn}#{sub_channel_id}" if sub_channel_id else channel_arn


def groups_of(tx: Transaction, user_arn: str) -> list[str]:
    """Name every delivery group that a user's new socket belongs to."""
    return [group_of(row[0], row[1]) for row in tx.all(_GROUPS, member=user_arn)]


def membership_of(row: Row) -> Membership:
    """Read a row that begins with the columns of `memberships`."""
    return Membership(*row[:COLUMNS])


def find_memberships(tx: Transaction, channel_arn: str, member_arn: str) -> list[Membership]:
    """Load what memberships a user has in a channel: at most one, or several for a moderator of an elastic channel."""
    held = [membership_of(row) for row in tx.all(_FIND, channel=channel_arn, member=member_arn)]
    return sorted(held, key=lambda membership: (membership.created, membership.sub_channel_id))


def members_among(tx: Transaction, channel_arn: str, arns: Iterable[str]) -> set[str]:
    """Tell which of some users are members of a channel."""
    return {row[0] for row in tx.all(_AMONG, channel=channel_arn, arns=list(arns))}


def candidates_among(tx: Transaction, app_instance_arn: str, arns: Iterable[str]) -> set[str]:
    """Tell which of some ARNs are users or bots of an app instance, and so may become members of its channels."""
    return {row.arn for row in tx.all(_HOMES, arns=list(arns)) if row.app_instance_arn == app_instance_arn}


def insert_memberships(tx: Transaction, rows: list[Membership]) -> None:
    """Store new memberships."""
    if rows:
        tx.connection.execute(insert(memberships), [asdict(row) for row in rows])


def delete_membership(tx: Transaction, membership: Membership) -> None:
    """Erase one membership."""
    tx.execute(
        _DELETE,
        channel=membership.channel_arn,
        member=membership.member_arn,
        sub_channel=membership.sub_channel_id,
    )


def move_membership(tx: Transaction, membership: Membership, sub_channel_id: str) -> None:
    """Put a member of an elastic channel into another sub-channel."""
    tx.execute(
        _MOVE,
        channel=membership.channel_arn,
        member=membership.member_arn,
        sub_channel=membership.sub_channel_id,
        to_sub_channel=sub_channel_id,
        now=tx.now,
    )


def memberships_of_member(tx: Transaction, member_arn: str) -> list[Membership]:
    """Load every membership of a user."""
    return [membership_of(row) for row in tx.all(_OF_MEMBER, member=member_arn)]


def memberships_of_sub_channel(tx: Transaction, channel_arn: str, sub_channel_id: str) -> list[Membership]:
    """Load every membership in a part of an elastic channel, by creation."""
    return [membership_of(row) for row in tx.all(_OF_SUB_CHANNEL, channel=channel_arn, sub_channel=sub_channel_id)]


def memberships_after(
    tx: Transaction, channel_arn: str, sub_channel_id: str, kind: str, after: Place, count: int
) -> list[Membership]:
    """One page of the memberships of a type (DEFAULT or HIDDEN) in a channel or a part of it, by creation."""
    rows = tx.all(
        _PAGE,
        channel=channel_arn,
        sub_channel=sub_channel_id,
        type=kind,
        created=after[0],
        arn=after[1],
        count=count,
    )
    return [membership_of(row) for row in rows]


def channels_of_member_after(
    tx: Transaction, member_arn: str, after: ChannelPlace, count: int
) -> list[ChannelOfMember]:
    """One page of the channels that a user is a member of, by when it joined."""
    rows = tx.all(_PAGE_OF_MEMBER, member=member_arn, created=after[0], arn=after[1], sub_channel=after[2], count=count)
    return [
        ChannelOfMember(channel_of(row), row.member_type, row.read_marker, row.sub_channel_id, row.joined)
        for row in rows
    ]


def count_members(tx: Transaction, channel_arn: str) -> int:
    """Count the memberships of a channel."""
    return int(tx.first(_COUNT, channel=channel_arn)[0])


def count_channels(tx: Transaction, member_arn: str) -> int:
    """Count the memberships of a user."""
    return int(tx.first(_COUNT_CHANNELS, member=member_arn)[0])


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.execute(_DELETE_ALL, channel=channel_arn)
