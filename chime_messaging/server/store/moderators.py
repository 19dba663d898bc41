"""Moderators of channels. Being one is no membership."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
)

from chime_messaging.server.store.channels import Channel, Place, channel_of, channels, on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata
from chime_messaging.server.store.statements import Statement

moderators = Table(
    "moderators",
    metadata,
    Column("channel_arn", String, primary_key=True),
    Column("moderator_arn", String, primary_key=True),
    Column("created_by", String),
    Column("created", BigInteger, nullable=False),
    Index("moderators_by_creation", "channel_arn", "created", "moderator_arn"),
    Index("moderators_by_moderator", "moderator_arn", "created", "channel_arn"),
)


@dataclass(frozen=True, slots=True)
class Moderator:
    """One row. Members stand in the order of the table's columns."""

    channel_arn: str
    moderator_arn: str
    created_by: str | None
    created: int

    @property
    def place(self) -> Place:
        """Where a list of a channel's moderators goes on after this one."""
        return (self.created, self.moderator_arn)


_C = moderators.c
_IS_IT = (_C.channel_arn == bindparam("channel"), _C.moderator_arn == bindparam("moderator"))

_FIND = Statement(select(moderators).where(*_IS_IT))
_ARNS = Statement(select(_C.moderator_arn).where(_C.channel_arn == bindparam("channel")))
_COUNT = Statement(select(func.count()).select_from(moderators).where(_C.channel_arn == bindparam("channel")))
_DELETE = Statement(delete(moderators).where(*_IS_IT))
_DELETE_ALL = Statement(delete(moderators).where(_C.channel_arn == bindparam("channel")))
_OF_MODERATOR = Statement(select(moderators).where(_C.moderator_arn == bindparam("moderator")))
_PAGE = Statement(
    select(moderators)
    .where(
        _C.channel_arn == bindparam("channel"),
        tuple_(_C.created, _C.moderator_arn) > tuple_(bindparam("created"), bindparam("arn")),
    )
    .order_by(_C.created, _C.moderator_arn)
    .limit(bindparam("count"))
)
_PAGE_OF_MODERATOR = Statement(
    select(channels, _C.created.label("since"))
    .join(moderators, _C.channel_arn == channels.c.arn)
    .where(
        _C.moderator_arn == bindparam("moderator"),
        tuple_(_C.created, _C.channel_arn) > tuple_(bindparam("created"), bindparam("arn")),
    )
    .order_by(_C.created, _C.channel_arn)
    .limit(bindparam("count"))
)


def find_moderator(tx: Transaction, channel_arn: str, arn: str) -> Moderator | None:
    """Load one moderator."""
    row = tx.first(_FIND, channel=channel_arn, moderator=arn)
    return None if row is None else Moderator(*row)


def moderator_arns(tx: Transaction, channel_arn: str) -> set[str]:
    """Name the moderators of a channel."""
    return {row[0] for row in tx.all(_ARNS, channel=channel_arn)}


def moderators_after(tx: Transaction, channel_arn: str, after: Place, count: int) -> list[Moderator]:
    """One page of a channel's moderators, by creation."""
    rows = tx.all(_PAGE, channel=channel_arn, created=after[0], arn=after[1], count=count)
    return [Moderator(*row) for row in rows]


def channels_of_moderator_after(
    tx: Transaction, moderator_arn: str, after: Place, count: int
) -> list[tuple[Channel, int]]:
    """One page of the channels that a user moderates and since when, by that time."""
    rows = tx.all(_PAGE_OF_MODERATOR, moderator=moderator_arn, created=after[0], arn=after[1], count=count)
    return [(channel_of(row), row.since) for row in rows]


def count_moderators(tx: Transaction, channel_arn: str) -> int:
    """Count the moderators of a channel."""
    return int(tx.first(_COUNT, channel=channel_arn)[0])


def insert_moderators(tx: Transaction, rows: list[Moderator]) -> None:
    """Store new moderators."""
    if rows:
        tx.connection.execute(insert(moderators), [asdict(row) for row in rows])


def delete_moderator(tx: Transaction, channel_arn: str, arn: str) -> None:
    """Revoke one moderator."""
    tx.execute(_DELETE, channel=channel_arn, moderator=arn)


def moderated_by(tx: Transaction, arn: str) -> list[Moderator]:
    """Load every moderator role of a user."""
    return [Moderator(*row) for row in tx.all(_OF_MODERATOR, moderator=arn)]


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.execute(_DELETE_ALL, channel=channel_arn)
