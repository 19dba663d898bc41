"""Bans: who may not be a member of a channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, Column, Index, String, Table, bindparam, delete, insert, select, tuple_

from chime_messaging.server.store.channels import Place, on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata
from chime_messaging.server.store.statements import Statement

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

    @property
    def place(self) -> Place:
        """Where a list of a channel's bans goes on after this one."""
        return (self.created, self.member_arn)


_C = bans.c
_IS_IT = (_C.channel_arn == bindparam("channel"), _C.member_arn == bindparam("member"))

_FIND = Statement(select(bans).where(*_IS_IT))
_AMONG = Statement(
    select(_C.member_arn).where(
        _C.channel_arn == bindparam("channel"), _C.member_arn.in_(bindparam("arns", expanding=True))
    )
)
_DELETE = Statement(delete(bans).where(*_IS_IT))
_DELETE_ALL = Statement(delete(bans).where(_C.channel_arn == bindparam("channel")))
_DELETE_OF_MEMBER = Statement(delete(bans).where(_C.member_arn == bindparam("member")))
_PAGE = Statement(
    select(bans)
    .where(
        _C.channel_arn == bindparam("channel"),
        tuple_(_C.created, _C.member_arn) > tuple_(bindparam("created"), bindparam("arn")),
    )
    .order_by(_C.created, _C.member_arn)
    .limit(bindparam("count"))
)


def find_ban(tx: Transaction, channel_arn: str, member_arn: str) -> Ban | None:
    """Load one ban."""
    row = tx.first(_FIND, channel=channel_arn, member=member_arn)
    return None if row is None else Ban(*row)


def banned_among(tx: Transaction, channel_arn: str, arns: Iterable[str]) -> set[str]:
    """Tell which of some users are banned from a channel."""
    return {row[0] for row in tx.all(_AMONG, channel=channel_arn, arns=list(arns))}


def bans_after(tx: Transaction, channel_arn: str, after: Place, count: int) -> list[Ban]:
    """One page of a channel's bans, by creation."""
    return [Ban(*row) for row in tx.all(_PAGE, channel=channel_arn, created=after[0], arn=after[1], count=count)]


def insert_ban(tx: Transaction, ban: Ban) -> None:
    """Store a new ban."""
    tx.connection.execute(insert(bans), asdict(ban))


def delete_ban(tx: Transaction, channel_arn: str, member_arn: str) -> None:
    """Lift one ban."""
    tx.execute(_DELETE, channel=channel_arn, member=member_arn)


def delete_bans_of(tx: Transaction, member_arn: str) -> None:
    """Forget every ban of a user, because the user goes."""
    tx.execute(_DELETE_OF_MEMBER, member=member_arn)


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.execute(_DELETE_ALL, channel=channel_arn)
