"""App instance users and bots: everyone who can be a bearer, a member or an administrator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from chime_messaging.server.store.app_instances import admin_since
from chime_messaging.server.store.database import Statement, Transaction, metadata
from chime_messaging.server.store.expiration import DAY

users = Table(
    "users",
    metadata,
    Column("arn", Text, primary_key=True),
    Column("app_instance_arn", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text),
    Column("metadata", Text),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("configuration", Text),
    Column("expiration_days", Integer),
    Column("expiration_criterion", Text),
    Index("users_by_app_instance", "app_instance_arn", "kind", "arn"),
    Index(
        "users_expiring",
        "expiration_days",
        sqlite_where=text("expiration_days IS NOT NULL"),
        postgresql_where=text("expiration_days IS NOT NULL"),
    ),
)


@dataclass(frozen=True, slots=True)
class User:
    """One row of `users`; times in milliseconds."""

    arn: str
    app_instance_arn: str
    kind: str
    """``user`` or ``bot``."""
    name: str | None
    """Bots may have none."""
    metadata: str | None
    created: int
    updated: int
    configuration: str | None
    """JSON text of a bot's Configuration."""
    expiration_days: int | None
    expiration_criterion: str | None


_ARN = users.c.arn == bindparam("arn")
_FIND = Statement(select(users).where(_ARN))
_NAME = Statement(select(users.c.name).where(_ARN))
_NAMES = Statement(select(users.c.arn, users.c.name).where(users.c.arn.in_(bindparam("arns", expanding=True))))
_COUNT = Statement(
    select(func.count())
    .select_from(users)
    .where(users.c.app_instance_arn == bindparam("app_instance_arn"), users.c.kind == bindparam("kind"))
)
_ADD = Statement(
    insert(users).values(
        arn=bindparam("arn"),
        app_instance_arn=bindparam("app_instance_arn"),
        kind=bindparam("kind"),
        name=bindparam("name"),
        metadata=bindparam("metadata"),
        created=bindparam("now"),
        updated=bindparam("now"),
        configuration=bindparam("configuration"),
    )
)
_RENAME = Statement(
    update(users).where(_ARN).values(name=bindparam("name"), metadata=bindparam("metadata"), updated=bindparam("now"))
)
_CONFIGURE = Statement(update(users).where(_ARN).values(configuration=bindparam("configuration")))
_EXPIRE = Statement(
    update(users)
    .where(_ARN)
    .values(expiration_days=bindparam("days"), expiration_criterion=bindparam("criterion"), updated=bindparam("now"))
)
_DELETE = Statement(delete(users).where(_ARN))
_PAGE = Statement(
    select(users)
    .where(
        users.c.app_instance_arn == bindparam("app_instance_arn"),
        users.c.kind == bindparam("kind"),
        users.c.arn > bindparam("after"),
    )
    .order_by(users.c.arn)
    .limit(bindparam("count"))
)
_OF_APP_INSTANCE = Statement(select(users.c.arn).where(users.c.app_instance_arn == bindparam("app_instance_arn")))
_EXPIRED = Statement(
    select(users.c.arn)
    .where(
        users.c.expiration_days.is_not(None),
        users.c.created + cast(users.c.expiration_days, BigInteger) * DAY <= bindparam("now"),
    )
    .limit(bindparam("count"))
)
_DELETE_IN = Statement(delete(users).where(users.c.app_instance_arn == bindparam("app_instance_arn")))

_IN_LIMIT = 500  # SQLite takes 32766 parameters in a statement, other databases fewer


def user(tx: Transaction, arn: str) -> User | None:
    """Load one user or bot."""
    row = tx.first(_FIND, arn=arn)
    return User(*row) if row is not None else None


def user_exists(tx: Transaction, arn: str) -> bool:
    """Whether there is such a user or bot."""
    return tx.first(_NAME, arn=arn) is not None


def identity_of(tx: Transaction, arn: str) -> dict[str, Any]:
    """The Identity of a user or bot, with the name it has now; the bare ARN if it is gone."""
    row = tx.first(_NAME, arn=arn)
    return {"Arn": arn, "Name": row[0] if row is not None else None}


def identities_of(tx: Transaction, arns: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The Identity of each ARN, those of the deleted without a name."""
    found = {arn: {"Arn": arn, "Name": None} for arn in arns}
    wanted = list(found)
    if len(wanted) == 1:
        return {wanted[0]: identity_of(tx, wanted[0])}
    for start in range(0, len(wanted), _IN_LIMIT):
        for arn, name in tx.all(_NAMES, arns=wanted[start : start + _IN_LIMIT]):
            found[arn]["Name"] = name
    return found


def is_admin(tx: Transaction, app_instance_arn: str, arn: str) -> bool:
    """Whether a user or bot administers an app instance."""
    return admin_since(tx, app_instance_arn, arn) is not None


def count_users(tx: Transaction, app_instance_arn: str, kind: str = "user") -> int:
    """How many users (or bots) an app instance has."""
    return int(tx.first(_COUNT, app_instance_arn=app_instance_arn, kind=kind)[0])


def add_user(
    tx: Transaction,
    arn: str,
    app_instance_arn: str,
    *,
    kind: str = "user",
    name: str | None,
    document: str | None = None,
    configuration: str | None = None,
) -> None:
    """Store a new user or bot; `document` is its Metadata, `configuration` JSON text."""
    tx.execute(
        _ADD,
        arn=arn,
        app_instance_arn=app_instance_arn,
        kind=kind,
        name=name,
        metadata=document,
        now=tx.now,
        configuration=configuration,
    )


def update_user(tx: Transaction, arn: str, name: str | None, document: str | None) -> None:
    """Give a user or bot another name and metadata."""
    tx.execute(_RENAME, arn=arn, name=name, metadata=document, now=tx.now)


def configure_bot(tx: Transaction, arn: str, configuration: str) -> None:
    """Replace a bot's configuration (JSON text)."""
    tx.execute(_CONFIGURE, arn=arn, configuration=configuration)


def set_user_expiration(tx: Transaction, arn: str, days: int | None, criterion: str | None) -> None:
    """Store or clear when a user is deleted by itself."""
    tx.execute(_EXPIRE, arn=arn, days=days, criterion=criterion, now=tx.now)


def delete_user(tx: Transaction, arn: str) -> bool:
    """Remove the row; False if there was none. What hangs on the user is `identity.deletion`'s to remove."""
    return tx.execute(_DELETE, arn=arn) > 0


def users_after(tx: Transaction, app_instance_arn: str, kind: str, after: str, count: int) -> list[User]:
    """One page of users or bots, by ARN."""
    rows = tx.all(_PAGE, app_instance_arn=app_instance_arn, kind=kind, after=after, count=count)
    return [User(*row) for row in rows]


def arns_of_app_instance(tx: Transaction, app_instance_arn: str) -> list[str]:
    """Every user and bot of an app instance."""
    return [row[0] for row in tx.all(_OF_APP_INSTANCE, app_instance_arn=app_instance_arn)]


def expired_users(tx: Transaction, count: int) -> list[str]:
    """At most `count` users whose time is up."""
    return [row[0] for row in tx.all(_EXPIRED, now=tx.now, count=count)]


def delete_users_of(tx: Transaction, app_instance_arn: str) -> None:
    """Remove the rows of every user and bot of an app instance."""
    tx.execute(_DELETE_IN, app_instance_arn=app_instance_arn)
