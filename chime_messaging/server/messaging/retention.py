"""Retention: messages that an app instance no longer wants to keep."""

from __future__ import annotations

from chime_messaging.server.store.app_instances import app_instances_retaining
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.lifecycle import sweep
from chime_messaging.server.store.messages import delete_messages_before

_DAY = 24 * 3600 * 1000


@sweep("messages")
def delete_old_messages(tx: Transaction, limit: int) -> int:
    """Erase up to `limit` messages that are older than their app instance keeps them; how many there were.

    Nobody is told: retention works behind the scenes, as does deletion with a channel.
    """
    erased = 0
    for owner in app_instances_retaining(tx, tx.now):
        if owner.retention_days is not None and erased < limit:
            erased += delete_messages_before(tx, owner.arn, tx.now - owner.retention_days * _DAY, limit - erased)
    return erased
