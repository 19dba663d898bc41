"""Channels: the table, its queries, and who else must act when a channel goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from chime_messaging.server.store.database import Transaction, metadata

channels = Table(
    "channels",
    metadata,
    Column("arn", String, primary_key=True),
    Column("app_instance_arn", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("mode", String, nullable=False),
    Column("privacy", String, nullable=False),
    Column("metadata", Text),
    Column("created_by", String),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("last_message", BigInteger),
    Column("flow_arn", String),
    Column("elastic", Text),
    Column("expiration_days", Integer),
    Column("expiration_criterion", String),
    Index("channels_by_creation", "app_instance_arn", "created", "arn"),
    Index("channels_by_flow", "flow_arn"),
)


@dataclass(frozen=True, slots=True)
class Channel:
    """One row. Members stand in the order of the table's columns."""

    arn: str
    app_instance_arn: str
    name: str
    mode: str
    """RESTRICTED or UNRESTRICTED."""
    privacy: str
    """PRIVATE or PUBLIC."""
    metadata: str | None
    created_by: str | None
    created: int
    updated: int
    last_message: int | None = None
    """Creation time of the newest persistent message."""
    flow_arn: str | None = None
    elastic: str | None = None
    """ElasticChannelConfiguration as JSON text; None for an ordinary channel."""
    expiration_days: int | None = None
    expiration_criterion: str | None = None

    @property
    def is_elastic(self) -> bool:
        """Whether the channel is split into sub-channels."""
        return self.elastic is not None

    @property
    def elastic_configuration(self) -> dict[str, int] | None:
        """ElasticChannelConfiguration, in PascalCase as the API has it."""
        return None if self.elastic is None else msgspec.json.decode(self.elastic, type=dict[str, int])


COLUMNS = len(channels.columns)

_find = select(channels).where(channels.c.arn == bindparam("arn"))


def channel_of(row: Row[Any] | tuple[Any, ...]) -> Channel:
    """Read a row that begins with the columns of `channels`."""
    return Channel(*row[:COLUMNS])


def find_channel(tx: Transaction, arn: str) -> Channel | None:
    """Load one channel."""
    row = tx.connection.execute(_find, {"arn": arn}).first()
    return None if row is None else channel_of(row)


def insert_channel(tx: Transaction, channel: Channel) -> None:
    """Store a new channel."""
    tx.connection.execute(insert(channels), asdict(channel))


def update_channel(tx: Transaction, arn: str, **values: Any) -> None:
    """Change columns of one channel."""
    tx.connection.execute(update(channels).where(channels.c.arn == arn).values(**values))


ChannelHook = Callable[[Transaction, str], None]

_deleted_hooks: list[ChannelHook] = []


def on_channel_deleted(hook: ChannelHook) -> ChannelHook:
    """Register what else goes with a channel; called with its ARN, in the same transaction, before the row goes."""
    _deleted_hooks.append(hook)
    return hook


def delete_channel(tx: Transaction, arn: str) -> None:
    """Erase one channel and all that hangs on it."""
    for hook in _deleted_hooks:
        hook(tx, arn)
    tx.connection.execute(delete(channels).where(channels.c.arn == arn))
