"""Streaming configurations: to which stream the records of an app instance go."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, bindparam, delete, insert, select

from chime_messaging.server.store.database import Transaction, metadata
from chime_messaging.server.store.statements import Statement

streaming_configurations = Table(
    "streaming_configurations",
    metadata,
    Column("app_instance_arn", String, primary_key=True),
    Column("data_type", String, primary_key=True),
    Column("resource_arn", String, nullable=False),
)

_columns = streaming_configurations.c
_ALL = Statement(select(streaming_configurations).order_by(_columns.app_instance_arn, _columns.data_type))
_OF_APP_INSTANCE = Statement(
    select(_columns.data_type, _columns.resource_arn)
    .where(_columns.app_instance_arn == bindparam("app_instance"))
    .order_by(_columns.data_type)
)
_INSERT = Statement(
    insert(streaming_configurations).values(
        app_instance_arn=bindparam("app_instance"), data_type=bindparam("kind"), resource_arn=bindparam("resource")
    )
)
_DELETE = Statement(delete(streaming_configurations).where(_columns.app_instance_arn == bindparam("app_instance")))


def streams_of(tx: Transaction, app_instance_arn: str) -> dict[str, str]:
    """Load data type to stream ARN of an app instance; empty without a configuration."""
    return dict(tx.all(_OF_APP_INSTANCE, app_instance=app_instance_arn))


def all_streams(tx: Transaction) -> dict[str, dict[str, str]]:
    """Load app instance ARN to data type to stream ARN."""
    found: dict[str, dict[str, str]] = {}
    for app_instance_arn, kind, resource in tx.all(_ALL):
        found.setdefault(app_instance_arn, {})[kind] = resource
    return found


def replace_streams(tx: Transaction, app_instance_arn: str, streams: dict[str, str]) -> None:
    """Store data type to stream ARN of an app instance in place of what was there."""
    tx.execute(_DELETE, app_instance=app_instance_arn)
    for kind, resource in streams.items():
        tx.execute(_INSERT, app_instance=app_instance_arn, kind=kind, resource=resource)
