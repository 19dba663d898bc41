"""Tags of any resource, by ARN."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Table, Text, bindparam, delete, func, insert, select

from chime_messaging.server import faults
from chime_messaging.server.store.database import Statement, Transaction, metadata

TAG_LIMIT = 50
_KEY_LIMIT = 128
_VALUE_LIMIT = 256

tags = Table(
    "tags",
    metadata,
    Column("resource_arn", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

_OF = Statement(select(tags.c.key, tags.c.value).where(tags.c.resource_arn == bindparam("arn")).order_by(tags.c.key))
_PUT = Statement(
    insert(tags).values(resource_arn=bindparam("arn"), key=bindparam("tag_key"), value=bindparam("tag_value"))
)
_REMOVE = Statement(delete(tags).where(tags.c.resource_arn == bindparam("arn"), tags.c.key == bindparam("tag_key")))
_REMOVE_ALL = Statement(delete(tags).where(tags.c.resource_arn == bindparam("arn")))
_REMOVE_BELOW = Statement(
    # Not a range: how ARNs sort depends on the database's collation.
    delete(tags).where(func.substr(tags.c.resource_arn, 1, bindparam("length")) == bindparam("prefix"))
)


def put_tags(tx: Transaction, arn: str, changes: Iterable[dict[str, Any]] | None) -> None:
    """Add tags (``{"Key", "Value"}``), replacing those with the same key.

    Raises:
        Fault: BadRequestException for a tag that is not allowed, ResourceLimitExceededException over `TAG_LIMIT`.
    """
    wanted = _checked(changes or ())
    if not wanted:
        return
    present = {row[0] for row in tx.all(_OF, arn=arn)}
    if len(present | wanted.keys()) > TAG_LIMIT:
        raise faults.resource_limit(f"A resource has at most {TAG_LIMIT} tags.")
    for key, value in wanted.items():
        if key in present:
            tx.execute(_REMOVE, arn=arn, tag_key=key)
        tx.execute(_PUT, arn=arn, tag_key=key, tag_value=value)


def tags_of(tx: Transaction, arn: str) -> list[dict[str, str]]:
    """Tags of a resource, by key."""
    return [{"Key": row[0], "Value": row[1]} for row in tx.all(_OF, arn=arn)]


def remove_tags(tx: Transaction, arn: str, keys: Iterable[str] | None = None) -> None:
    """Remove tags by key, or all of a resource; keys that it does not have are ignored."""
    if keys is None:
        tx.execute(_REMOVE_ALL, arn=arn)
        return
    for key in keys:
        tx.execute(_REMOVE, arn=arn, tag_key=key)


def remove_tags_below(tx: Transaction, app_instance_arn: str) -> None:
    """Remove the tags of an app instance and of everything in it."""
    remove_tags(tx, app_instance_arn)
    prefix = f"{app_instance_arn}/"
    tx.execute(_REMOVE_BELOW, prefix=prefix, length=len(prefix))


def _checked(changes: Iterable[dict[str, Any]]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for tag in changes:
        key, value = tag["Key"], tag["Value"]
        if not 1 <= len(key) <= _KEY_LIMIT or len(value) > _VALUE_LIMIT:
            raise faults.bad_request(
                f"A tag has a key of 1-{_KEY_LIMIT} characters, a value of at most {_VALUE_LIMIT}."
            )
        if key.lower().startswith("aws:"):
            raise faults.bad_request("Tag keys beginning with aws: are reserved.")
        if key in wanted:
            raise faults.bad_request("A tag key is given twice.")
        wanted[key] = value
    return wanted
