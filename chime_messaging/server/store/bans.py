"""Bans: who may not be a member of a channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Row, String, Table, delete, insert, select

from chime_messaging.server.store.channels import on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata

bans = Table(
    "bans",
    metadata,
    Column("channel_arn", String, primary_key=True),
    Column("member_arn", String, primary_key=True),
    Column("created_by", String),
    Column("created", BigInteger, nullable=False),
    Index("bans_by_creation", "channel_arn", "created", "member_arn"),
    Index("bans_by_member", "member_arn"),
)


@dataclass(frozen=True, slots=True)
class Ban:
    """One row. Members stand in the order of the table's columns."""

    channel_arn: str
    member_arn: str
    created_by: str | None
    created: int


COLUMNS = len(bans.columns)


def ban_of(row: Row[Any] | tuple[Any, ...]) -> Ban:
    """Read a row that begins with the columns of `bans`."""
    return Ban(*row[:COLUMNS])


def find_ban(tx: Transaction, channel_arn: str, member_arn: str) -> Ban | None:
    """Load one ban."""
    row = tx.connection.execute(
        select(bans).where(bans.c.channel_arn == channel_arn, bans.c.member_arn == member_arn)
    ).first()
    return None if row is None else ban_of(row)


def banned_among(tx: Transaction, channel_arn: str, arns: Iterable[str]) -> set[str]:
    """Tell which of some users are banned from a channel."""
    query = select(bans.c.member_arn).where(bans.c.channel_arn == channel_arn, bans.c.member_arn.in_(list(arns)))
    return set(tx.connection.scalars(query))


def insert_ban(tx: Transaction, ban: Ban) -> None:
    """Store a new ban."""
    tx.connection.execute(insert(bans), asdict(ban))


def delete_ban(tx: Transaction, channel_arn: str, member_arn: str) -> None:
    """Lift one ban."""
    tx.connection.execute(delete(bans).where(bans.c.channel_arn == channel_arn, bans.c.member_arn == member_arn))


def delete_bans_of(tx: Transaction, member_arn: str) -> None:
    """Forget every ban of a user, because the user goes."""
    tx.connection.execute(delete(bans).where(bans.c.member_arn == member_arn))


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.connection.execute(delete(bans).where(bans.c.channel_arn == channel_arn))
