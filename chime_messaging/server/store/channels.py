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
    String,
    Table,
    Text,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from chime_messaging.server.store.database import Transaction, metadata
from chime_messaging.server.store.statements import Row, Statement

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
_EXPIRES = channels.c.expiration_days.is_not(None)
Index("channels_that_expire", channels.c.arn, sqlite_where=_EXPIRES, postgresql_where=_EXPIRES)


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

Place = tuple[int, str]
"""Where a page of a list by creation begins: after this time and ARN."""

START: Place = (-1, "")
_DAY = 24 * 60 * 60 * 1000  # milliseconds

_FIND = Statement(select(channels).where(channels.c.arn == bindparam("arn")))
_PAGE = Statement(
    select(channels)
    .where(
        channels.c.app_instance_arn == bindparam("app_instance_arn"),
        channels.c.privacy.in_((bindparam("privacy"), bindparam("or_privacy"))),
        tuple_(channels.c.created, channels.c.arn) > tuple_(bindparam("created"), bindparam("arn")),
    )
    .order_by(channels.c.created, channels.c.arn)
    .limit(bindparam("count"))
)
_ELASTIC = Statement(
    select(func.count())
    .select_from(channels)
    .where(channels.c.app_instance_arn == bindparam("app_instance_arn"), channels.c.elastic.is_not(None))
)
_OF_APP_INSTANCE = Statement(select(channels.c.arn).where(channels.c.app_instance_arn == bindparam("app_instance_arn")))
_START = case(
    (
        channels.c.expiration_criterion == "LAST_MESSAGE_TIMESTAMP",
        func.coalesce(channels.c.last_message, channels.c.created),
    ),
    else_=channels.c.created,
)
_EXPIRED = Statement(
    select(channels)
    .where(_EXPIRES, _START + cast(channels.c.expiration_days, BigInteger) * _DAY <= bindparam("now"))
    .limit(bindparam("count"))
)


def channel_of(row: Row) -> Channel:
    """Read a row that begins with the columns of `channels`."""
    return Channel(*row[:COLUMNS])


def find_channel(tx: Transaction, arn: str) -> Channel | None:
    """Load one channel."""
    row = tx.first(_FIND, arn=arn)
    return None if row is None else channel_of(row)


def insert_channel(tx: Transaction, channel: Channel) -> None:
    """Store a new channel."""
    tx.connection.execute(insert(channels), asdict(channel))


def update_channel(tx: Transaction, arn: str, **values: Any) -> None:
    """Change columns of one channel."""
    tx.connection.execute(update(channels).where(channels.c.arn == arn).values(**values))


def channels_after(
    tx: Transaction, app_instance_arn: str, privacies: tuple[str, str], after: Place, count: int
) -> list[Channel]:
    """One page of an app instance's channels with one of two kinds of privacy, by creation."""
    rows = tx.all(
        _PAGE,
        app_instance_arn=app_instance_arn,
        privacy=privacies[0],
        or_privacy=privacies[1],
        created=after[0],
        arn=after[1],
        count=count,
    )
    return [channel_of(row) for row in rows]


def count_elastic_channels(tx: Transaction, app_instance_arn: str) -> int:
    """How many elastic channels an app instance has."""
    return int(tx.first(_ELASTIC, app_instance_arn=app_instance_arn)[0])


def arns_of_app_instance(tx: Transaction, app_instance_arn: str) -> list[str]:
    """Every channel of an app instance."""
    return [row[0] for row in tx.all(_OF_APP_INSTANCE, app_instance_arn=app_instance_arn)]


def expired_channels(tx: Transaction, count: int) -> list[Channel]:
    """Load some of the channels whose time is up.

    A channel that expires by its last message and has none counts from its creation.
    """
    return [channel_of(row) for row in tx.all(_EXPIRED, now=tx.now, count=count)]


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
