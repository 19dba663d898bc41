"""Messages: the table, and the few statements that every message costs.

A NON_PERSISTENT message has a row only while a channel flow decides about it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from chime_messaging.server.store.channels import channels, on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata
from chime_messaging.server.store.memberships import group_of
from chime_messaging.server.store.statements import Row, Statement
from chime_messaging.server.store.users import users

messages = Table(
    "messages",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("channel_arn", String, nullable=False),
    Column("message_id", String, nullable=False, unique=True),
    Column("sub_channel_id", String, nullable=False, server_default=""),
    Column("sender_arn", String, nullable=False),
    Column("content", Text, nullable=False),
    Column("metadata", Text),
    Column("type", String, nullable=False),
    Column("persistence", String, nullable=False),
    Column("content_type", Text),
    Column("attributes", Text),
    Column("target", String),
    Column("push", Text),
    Column("redacted", Integer, nullable=False, server_default="0"),
    Column("status", String, nullable=False),
    Column("status_detail", Text),
    Column("edit_status", String),
    Column("created", BigInteger, nullable=False),
    Column("edited", BigInteger),
    Column("updated", BigInteger, nullable=False),
    Index("messages_by_creation", "channel_arn", "sub_channel_id", "created", "seq"),
    Index("messages_by_age", "created"),
)


def new_message_id(now: int) -> str:
    """Make a MessageId: 64 hexadecimal digits, as the live service does.

    The first twelve are the time, so that the database appends to its index of ids instead of writing a page of it
    somewhere for every message. The rest is random, but no secret: who knows an id may read nothing by it.

    Args:
        now: milliseconds since the epoch.
    """
    return f"{now:012x}{random.getrandbits(208):052x}"


@dataclass(slots=True)
class Message:
    """One row, and the sender's name. Members stand in the order of `_COLUMNS`."""

    channel_arn: str
    message_id: str
    sub_channel_id: str
    """Empty in an ordinary channel."""
    sender_arn: str
    content: str
    """Empty once redacted."""
    metadata: str | None
    type: str
    """STANDARD or CONTROL."""
    persistence: str
    """PERSISTENT or NON_PERSISTENT."""
    content_type: str | None
    attributes: str | None
    """MessageAttributes as JSON text."""
    target: str | None
    """ARN of the one member that a targeted message is for."""
    push: str | None
    """PushNotification as JSON text: kept, never delivered."""
    redacted: bool
    status: str
    """SENT, PENDING or FAILED, as far as sending goes."""
    status_detail: str | None
    edit_status: str | None
    """PENDING or FAILED while an update is, or ended, in a channel flow."""
    created: int
    edited: int | None
    updated: int
    sender_name: str | None = None
    """The name when the row was read."""

    @property
    def group(self) -> str:
        """Delivery group of the channel, or of the part of an elastic channel."""
        return group_of(self.channel_arn, self.sub_channel_id)

    def is_visible_to(self, user_arn: str | None) -> bool:
        """Whether a user who may read the channel may read this message: not while in a flow, not others' targeted."""
        if user_arn == self.sender_arn:
            return True
        return self.status == "SENT" and self.target in (None, user_arn)


_COLUMNS = [messages.c[field.name] for field in fields(Message) if field.name != "sender_name"]
_NAMES = [column.name for column in _COLUMNS]
_values_of = attrgetter(*_NAMES)
_SELECT: Select[Any] = (
    select(*_COLUMNS, users.c.name.label("sender_name"), messages.c.seq)
    .select_from(messages)
    .outerjoin(users, users.c.arn == messages.c.sender_arn)
)
_INSERT = Statement(insert(messages).values({column.name: bindparam(column.name) for column in _COLUMNS}))
_FIND = Statement(
    _SELECT.where(messages.c.channel_arn == bindparam("channel"), messages.c.message_id == bindparam("message"))
)
_CHANGEABLE = (
    "content", "metadata", "content_type", "attributes", "push", "redacted", "status", "status_detail", "edit_status",
    "edited", "updated",
)  # fmt: skip
_UPDATE = Statement(
    update(messages)
    .values({name: bindparam(f"new_{name}") for name in _CHANGEABLE})
    .where(messages.c.message_id == bindparam("message"))
)
_DELETE = Statement(delete(messages).where(messages.c.message_id == bindparam("message")))
_TOUCH_CHANNEL = Statement(
    update(channels).values(last_message=bindparam("moment")).where(channels.c.arn == bindparam("channel"))
)


def message_of(row: Row) -> Message:
    """Read a row of a query that begins with `Message`'s columns."""
    message = Message(*row[: len(_COLUMNS) + 1])
    message.redacted = bool(message.redacted)
    return message


def find_message(tx: Transaction, channel_arn: str, message_id: str) -> Message | None:
    """Load one message of a channel."""
    row = tx.first(_FIND, channel=channel_arn, message=message_id)
    return None if row is None else message_of(row)


def insert_message(tx: Transaction, message: Message) -> None:
    """Store a new message."""
    values = dict(zip(_NAMES, _values_of(message), strict=True))
    values["redacted"] = int(message.redacted)
    tx.execute(_INSERT, **values)


def update_message(tx: Transaction, message: Message) -> None:
    """Store what may change of a message: all but its identity, sender, audience and creation."""
    values = {f"new_{name}": getattr(message, name) for name in _CHANGEABLE}
    values["new_redacted"] = int(message.redacted)
    tx.execute(_UPDATE, message=message.message_id, **values)


def delete_message(tx: Transaction, message_id: str) -> None:
    """Erase one message."""
    tx.execute(_DELETE, message=message_id)


def touch_channel(tx: Transaction, channel_arn: str) -> None:
    """Note that a persistent message was sent to a channel now."""
    tx.execute(_TOUCH_CHANNEL, channel=channel_arn, moment=tx.now)


def visible_to(bearer: ColumnElement[Any]) -> ColumnElement[bool]:
    """Say in SQL what `Message.is_visible_to` says, for stored messages only."""
    columns = messages.c
    return and_(
        columns.persistence == "PERSISTENT",
        or_(columns.status == "SENT", columns.sender_arn == bearer),
        or_(columns.target.is_(None), columns.target == bearer, columns.sender_arn == bearer),
    )


def _page(*, ascending: bool) -> Statement:
    moment, seq = messages.c.created, messages.c.seq
    key = tuple_(moment, seq)
    after = tuple_(bindparam("after_created", type_=BigInteger), bindparam("after_seq", type_=BigInteger))
    return Statement(
        _SELECT.where(
            messages.c.channel_arn == bindparam("channel"),
            messages.c.sub_channel_id == bindparam("sub_channel"),
            moment >= bindparam("not_before"),
            moment <= bindparam("not_after"),
            key > after if ascending else key < after,
            visible_to(bindparam("bearer")),
        )
        .order_by(*((moment, seq) if ascending else (moment.desc(), seq.desc())))
        .limit(bindparam("limit", type_=Integer))
    )


_ASCENDING = _page(ascending=True)
_DESCENDING = _page(ascending=False)
_ANY_TIME = 1 << 62


@dataclass(frozen=True, slots=True)
class Page:
    """What ListChannelMessages asks of the store. Times in milliseconds, both ends included."""

    channel_arn: str
    sub_channel_id: str
    bearer: str | None
    ascending: bool = False
    not_before: int | None = None
    not_after: int | None = None
    after: tuple[int, int] | None = None
    """Position of the last message of the page before: what the page's rows returned with it."""
    limit: int = 50


def list_messages(tx: Transaction, page: Page) -> list[tuple[Message, tuple[int, int]]]:
    """Load a page of the messages that the bearer may see, each with its position.

    Positions are creation time and sequence number, so messages sent in between shift no page.
    """
    not_before = -_ANY_TIME if page.not_before is None else page.not_before
    not_after = _ANY_TIME if page.not_after is None else page.not_after
    if page.after is None:
        after = (-_ANY_TIME, 0) if page.ascending else (_ANY_TIME, 0)
    else:
        # The index is entered by creation time alone, so a page deep in the past must say where that begins.
        after = page.after
        not_before = max(not_before, after[0]) if page.ascending else not_before
        not_after = not_after if page.ascending else min(not_after, after[0])
    rows = tx.all(
        _ASCENDING if page.ascending else _DESCENDING,
        channel=page.channel_arn,
        sub_channel=page.sub_channel_id,
        bearer=page.bearer,
        not_before=not_before,
        not_after=not_after,
        after_created=after[0],
        after_seq=after[1],
        limit=page.limit,
    )
    return [(message_of(row), (row.created, row.seq)) for row in rows]


_LATEST = Statement(
    _SELECT.where(
        messages.c.channel_arn == bindparam("channel"),
        messages.c.sub_channel_id == bindparam("sub_channel"),
        messages.c.persistence == "PERSISTENT",
        messages.c.status == "SENT",
    )
    .order_by(messages.c.created.desc(), messages.c.seq.desc())
    .limit(bindparam("limit", type_=Integer))
)


def latest_messages(tx: Transaction, channel_arn: str, sub_channel_id: str, limit: int) -> list[Message]:
    """Load the newest sent messages of a channel, whoever they are for; newest first."""
    rows = tx.all(_LATEST, channel=channel_arn, sub_channel=sub_channel_id, limit=limit)
    return [message_of(row) for row in rows]


def delete_messages_before(tx: Transaction, app_instance_arn: str, moment: int, limit: int) -> int:
    """Erase up to `limit` messages of an app instance that are older than `moment`; how many there were."""
    owned = select(channels.c.arn).where(channels.c.app_instance_arn == app_instance_arn)
    old = (
        select(messages.c.seq)
        .where(messages.c.created < moment, messages.c.channel_arn.in_(owned))
        .order_by(messages.c.created)
        .limit(limit)
    )
    return int(tx.connection.execute(delete(messages).where(messages.c.seq.in_(old))).rowcount)


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.connection.execute(delete(messages).where(messages.c.channel_arn == channel_arn))
