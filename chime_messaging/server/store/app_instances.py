"""App instances and their administrators."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, bindparam, delete, func, insert, select, update

from chime_messaging.server.store.database import Statement, Transaction, metadata

app_instances = Table(
    "app_instances",
    metadata,
    Column("arn", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("metadata", Text),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("retention_days", Integer),
    Column("retention_start", BigInteger),
)
admins = Table(
    "admins",
    metadata,
    Column("app_instance_arn", Text, primary_key=True),
    Column("arn", Text, primary_key=True),
    Column("created", BigInteger, nullable=False),
    Index("admins_by_arn", "arn"),
)


@dataclass(frozen=True, slots=True)
class AppInstance:
    """One row of `app_instances`; times in milliseconds."""

    arn: str
    name: str
    metadata: str | None
    created: int
    updated: int
    retention_days: int | None
    retention_start: int | None
    """When the first messages over the limit are removed."""


_FIND = Statement(select(app_instances).where(app_instances.c.arn == bindparam("arn")))
_COUNT = Statement(select(func.count()).select_from(app_instances))
_ADD = Statement(
    insert(app_instances).values(
        arn=bindparam("arn"),
        name=bindparam("name"),
        metadata=bindparam("metadata"),
        created=bindparam("now"),
        updated=bindparam("now"),
    )
)
_RENAME = Statement(
    update(app_instances)
    .where(app_instances.c.arn == bindparam("arn"))
    .values(name=bindparam("name"), metadata=bindparam("metadata"), updated=bindparam("now"))
)
_RETAIN = Statement(
    update(app_instances)
    .where(app_instances.c.arn == bindparam("arn"))
    .values(retention_days=bindparam("days"), retention_start=bindparam("start"))
)
_DELETE = Statement(delete(app_instances).where(app_instances.c.arn == bindparam("arn")))
_PAGE = Statement(
    select(app_instances)
    .where(app_instances.c.arn > bindparam("after"))
    .order_by(app_instances.c.arn)
    .limit(bindparam("count"))
)
_RETAINING = Statement(
    select(app_instances).where(
        app_instances.c.retention_days.is_not(None), app_instances.c.retention_start <= bindparam("now")
    )
)

_IS_ADMIN = Statement(
    select(admins.c.created).where(
        admins.c.app_instance_arn == bindparam("app_instance_arn"), admins.c.arn == bindparam("arn")
    )
)
_COUNT_ADMINS = Statement(
    select(func.count()).select_from(admins).where(admins.c.app_instance_arn == bindparam("app_instance_arn"))
)
_ADD_ADMIN = Statement(
    insert(admins).values(
        app_instance_arn=bindparam("app_instance_arn"), arn=bindparam("arn"), created=bindparam("now")
    )
)
_DELETE_ADMIN = Statement(
    delete(admins).where(admins.c.app_instance_arn == bindparam("app_instance_arn"), admins.c.arn == bindparam("arn"))
)
_DELETE_ADMINS = Statement(delete(admins).where(admins.c.app_instance_arn == bindparam("app_instance_arn")))
_PAGE_ADMINS = Statement(
    select(admins.c.arn, admins.c.created)
    .where(admins.c.app_instance_arn == bindparam("app_instance_arn"), admins.c.arn > bindparam("after"))
    .order_by(admins.c.arn)
    .limit(bindparam("count"))
)


def app_instance(tx: Transaction, arn: str) -> AppInstance | None:
    """Load one app instance."""
    row = tx.first(_FIND, arn=arn)
    return AppInstance(*row) if row is not None else None


def count_app_instances(tx: Transaction) -> int:
    """How many there are."""
    return int(tx.first(_COUNT)[0])


def add_app_instance(tx: Transaction, arn: str, name: str, document: str | None) -> None:
    """Store a new app instance; `document` is its Metadata."""
    tx.execute(_ADD, arn=arn, name=name, metadata=document, now=tx.now)


def update_app_instance(tx: Transaction, arn: str, name: str, document: str | None) -> bool:
    """Give an app instance another name and metadata; False if there is none."""
    return tx.execute(_RENAME, arn=arn, name=name, metadata=document, now=tx.now) > 0


def set_retention(tx: Transaction, arn: str, days: int | None, start: int | None) -> None:
    """Store or clear for how long messages are kept, and from when on that holds."""
    tx.execute(_RETAIN, arn=arn, days=days, start=start)


def delete_app_instance(tx: Transaction, arn: str) -> bool:
    """Remove an app instance and the list of its administrators; False if there is none."""
    tx.execute(_DELETE_ADMINS, app_instance_arn=arn)
    return tx.execute(_DELETE, arn=arn) > 0


def app_instances_after(tx: Transaction, after: str, count: int) -> list[AppInstance]:
    """One page, by ARN."""
    return [AppInstance(*row) for row in tx.all(_PAGE, after=after, count=count)]


def app_instances_retaining(tx: Transaction, now: int) -> list[AppInstance]:
    """Those whose messages must be removed when they are too old."""
    return [AppInstance(*row) for row in tx.all(_RETAINING, now=now)]


def admin_since(tx: Transaction, app_instance_arn: str, arn: str) -> int | None:
    """Since when a user or bot is an administrator; None if it is none."""
    row = tx.first(_IS_ADMIN, app_instance_arn=app_instance_arn, arn=arn)
    return int(row[0]) if row is not None else None


def count_admins(tx: Transaction, app_instance_arn: str) -> int:
    """How many administrators an app instance has."""
    return int(tx.first(_COUNT_ADMINS, app_instance_arn=app_instance_arn)[0])


def add_admin(tx: Transaction, app_instance_arn: str, arn: str) -> None:
    """Promote a user or bot."""
    tx.execute(_ADD_ADMIN, app_instance_arn=app_instance_arn, arn=arn, now=tx.now)


def delete_admin(tx: Transaction, app_instance_arn: str, arn: str) -> bool:
    """Demote a user or bot; False if it was no administrator."""
    return tx.execute(_DELETE_ADMIN, app_instance_arn=app_instance_arn, arn=arn) > 0


def admins_after(tx: Transaction, app_instance_arn: str, after: str, count: int) -> list[tuple[str, int]]:
    """One page of (ARN, since), by ARN."""
    rows = tx.all(_PAGE_ADMINS, app_instance_arn=app_instance_arn, after=after, count=count)
    return [(row[0], row[1]) for row in rows]
