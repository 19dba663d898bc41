"""Memberships: who belongs to which channel, and so to which delivery group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Row, String, Table, Text, bindparam, delete, func, insert, select

from chime_messaging.server.store.channels import on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata

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
    Index("memberships_by_creation", "channel_arn", "created", "member_arn", "sub_channel_id"),
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


COLUMNS = len(memberships.columns)

_find = (
    select(memberships)
    .where(memberships.c.channel_arn == bindparam("channel"), memberships.c.member_arn == bindparam("member"))
    .order_by(memberships.c.created, memberships.c.sub_channel_id)
)
_groups = select(memberships.c.channel_arn, memberships.c.sub_channel_id).where(
    memberships.c.member_arn == bindparam("member")
)


def group_of(channel_arn: str, sub_channel_id: str = "") -> str:
    """Name the delivery group of a channel, or of a part of an elastic channel."""
    return f"{channel_arn}#{sub_channel_id}" if sub_channel_id else channel_arn


def groups_of(tx: Transaction, user_arn: str) -> list[str]:
    """Name every delivery group that a user's new socket belongs to."""
    return [group_of(channel, sub) for channel, sub in tx.connection.execute(_groups, {"member": user_arn})]


def membership_of(row: Row[Any] | tuple[Any, ...]) -> Membership:
    """Read a row that begins with the columns of `memberships`."""
    return Membership(*row[:COLUMNS])


def find_memberships(tx: Transaction, channel_arn: str, member_arn: str) -> list[Membership]:
    """Load what memberships a user has in a channel: at most one, or several for a moderator of an elastic channel."""
    rows = tx.connection.execute(_find, {"channel": channel_arn, "member": member_arn})
    return [membership_of(row) for row in rows]


def members_among(tx: Transaction, channel_arn: str, arns: Iterable[str]) -> set[str]:
    """Tell which of some users are members of a channel."""
    query = select(memberships.c.member_arn).where(
        memberships.c.channel_arn == channel_arn, memberships.c.member_arn.in_(list(arns))
    )
    return set(tx.connection.scalars(query))


def insert_memberships(tx: Transaction, rows: list[Membership]) -> None:
    """Store new memberships."""
    if rows:
        tx.connection.execute(insert(memberships), [asdict(row) for row in rows])


def delete_membership(tx: Transaction, membership: Membership) -> None:
    """Erase one membership."""
    columns = memberships.c
    tx.connection.execute(
        delete(memberships).where(
            columns.channel_arn == membership.channel_arn,
            columns.member_arn == membership.member_arn,
            columns.sub_channel_id == membership.sub_channel_id,
        )
    )


def memberships_of_member(tx: Transaction, member_arn: str) -> list[Membership]:
    """Load every membership of a user."""
    rows = tx.connection.execute(select(memberships).where(memberships.c.member_arn == member_arn))
    return [membership_of(row) for row in rows]


def count_members(tx: Transaction, channel_arn: str) -> int:
    """Count the memberships of a channel."""
    query = select(func.count()).select_from(memberships).where(memberships.c.channel_arn == channel_arn)
    return tx.connection.scalar(query) or 0


def count_channels(tx: Transaction, member_arn: str) -> int:
    """Count the memberships of a user."""
    query = select(func.count()).select_from(memberships).where(memberships.c.member_arn == member_arn)
    return tx.connection.scalar(query) or 0


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.connection.execute(delete(memberships).where(memberships.c.channel_arn == channel_arn))
