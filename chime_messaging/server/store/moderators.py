"""Moderators of channels. Being one is no membership."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Row, String, Table, delete, func, insert, select

from chime_messaging.server.store.channels import on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata

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


COLUMNS = len(moderators.columns)


def moderator_of(row: Row[Any] | tuple[Any, ...]) -> Moderator:
    """Read a row that begins with the columns of `moderators`."""
    return Moderator(*row[:COLUMNS])


def find_moderator(tx: Transaction, channel_arn: str, arn: str) -> Moderator | None:
    """Load one moderator."""
    columns = moderators.c
    row = tx.connection.execute(
        select(moderators).where(columns.channel_arn == channel_arn, columns.moderator_arn == arn)
    ).first()
    return None if row is None else moderator_of(row)


def moderator_arns(tx: Transaction, channel_arn: str) -> list[str]:
    """Name the moderators of a channel."""
    return list(
        tx.connection.scalars(select(moderators.c.moderator_arn).where(moderators.c.channel_arn == channel_arn))
    )


def count_moderators(tx: Transaction, channel_arn: str) -> int:
    """Count the moderators of a channel."""
    query = select(func.count()).select_from(moderators).where(moderators.c.channel_arn == channel_arn)
    return tx.connection.scalar(query) or 0


def insert_moderators(tx: Transaction, rows: list[Moderator]) -> None:
    """Store new moderators."""
    if rows:
        tx.connection.execute(insert(moderators), [asdict(row) for row in rows])


def delete_moderator(tx: Transaction, channel_arn: str, arn: str) -> None:
    """Revoke one moderator."""
    columns = moderators.c
    tx.connection.execute(delete(moderators).where(columns.channel_arn == channel_arn, columns.moderator_arn == arn))


def moderated_by(tx: Transaction, arn: str) -> list[Moderator]:
    """Load every moderator role of a user."""
    return [
        moderator_of(row) for row in tx.connection.execute(select(moderators).where(moderators.c.moderator_arn == arn))
    ]


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.connection.execute(delete(moderators).where(moderators.c.channel_arn == channel_arn))
