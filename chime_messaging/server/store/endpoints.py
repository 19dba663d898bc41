"""Devices that a user registered for push notifications. Recorded only: nothing is pushed from here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Table, Text, bindparam, delete, func, insert, select, update

from chime_messaging.server.store.database import Statement, Transaction, metadata

endpoints = Table(
    "endpoints",
    metadata,
    Column("user_arn", Text, primary_key=True),
    Column("endpoint_id", Text, primary_key=True),
    Column("name", Text),
    Column("type", Text, nullable=False),
    Column("resource_arn", Text, nullable=False),
    Column("device_token", Text, nullable=False),
    Column("voip_device_token", Text),
    Column("allow_messages", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of `endpoints`; times in milliseconds."""

    user_arn: str
    endpoint_id: str
    name: str | None
    type: str
    resource_arn: str
    device_token: str
    voip_device_token: str | None
    allow_messages: str
    created: int
    updated: int


_KEY = (endpoints.c.user_arn == bindparam("arn"), endpoints.c.endpoint_id == bindparam("id"))
_FIND = Statement(select(endpoints).where(*_KEY))
_COUNT = Statement(select(func.count()).select_from(endpoints).where(endpoints.c.user_arn == bindparam("arn")))
_ADD = Statement(
    insert(endpoints).values(
        user_arn=bindparam("arn"),
        endpoint_id=bindparam("id"),
        name=bindparam("name"),
        type=bindparam("type"),
        resource_arn=bindparam("resource_arn"),
        device_token=bindparam("device_token"),
        voip_device_token=bindparam("voip_device_token"),
        allow_messages=bindparam("allow_messages"),
        created=bindparam("now"),
        updated=bindparam("now"),
    )
)
_UPDATE = Statement(
    update(endpoints)
    .where(*_KEY)
    .values(name=bindparam("name"), allow_messages=bindparam("allow_messages"), updated=bindparam("now"))
)
_DELETE = Statement(delete(endpoints).where(*_KEY))
_DELETE_ALL = Statement(delete(endpoints).where(endpoints.c.user_arn == bindparam("arn")))
_DELETE_IN = Statement(
    # Not a range: how ARNs sort depends on the database's collation.
    delete(endpoints).where(func.substr(endpoints.c.user_arn, 1, bindparam("length")) == bindparam("prefix"))
)
_PAGE = Statement(
    select(endpoints)
    .where(endpoints.c.user_arn == bindparam("arn"), endpoints.c.endpoint_id > bindparam("after"))
    .order_by(endpoints.c.endpoint_id)
    .limit(bindparam("count"))
)


def endpoint(tx: Transaction, user_arn: str, endpoint_id: str) -> Endpoint | None:
    """Load one endpoint."""
    row = tx.first(_FIND, arn=user_arn, id=endpoint_id)
    return Endpoint(*row) if row is not None else None


def count_endpoints(tx: Transaction, user_arn: str) -> int:
    """How many endpoints a user has."""
    return int(tx.first(_COUNT, arn=user_arn)[0])


def add_endpoint(
    tx: Transaction,
    user_arn: str,
    endpoint_id: str,
    *,
    name: str | None,
    type: str,
    resource_arn: str,
    device_token: str,
    voip_device_token: str | None,
    allow_messages: str,
) -> None:
    """Store a new endpoint."""
    tx.execute(
        _ADD,
        arn=user_arn,
        id=endpoint_id,
        name=name,
        type=type,
        resource_arn=resource_arn,
        device_token=device_token,
        voip_device_token=voip_device_token,
        allow_messages=allow_messages,
        now=tx.now,
    )


def update_endpoint(tx: Transaction, user_arn: str, endpoint_id: str, name: str | None, allow_messages: str) -> None:
    """Give an endpoint another name and setting."""
    tx.execute(_UPDATE, arn=user_arn, id=endpoint_id, name=name, allow_messages=allow_messages, now=tx.now)


def delete_endpoint(tx: Transaction, user_arn: str, endpoint_id: str) -> bool:
    """Remove an endpoint; False if there is none."""
    return tx.execute(_DELETE, arn=user_arn, id=endpoint_id) > 0


def delete_endpoints(tx: Transaction, user_arn: str) -> None:
    """Remove every endpoint of a user."""
    tx.execute(_DELETE_ALL, arn=user_arn)


def delete_endpoints_of(tx: Transaction, app_instance_arn: str) -> None:
    """Remove every endpoint of every user of an app instance."""
    prefix = f"{app_instance_arn}/"
    tx.execute(_DELETE_IN, prefix=prefix, length=len(prefix))


def endpoints_after(tx: Transaction, user_arn: str, after: str, count: int) -> list[Endpoint]:
    """One page, by EndpointId."""
    return [Endpoint(*row) for row in tx.all(_PAGE, arn=user_arn, after=after, count=count)]
