"""Idempotency tokens: a request repeated with the same token gets the first answer again.

A token belongs to its scope (the bearer, or the account for calls without one) and its operation.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Index, Table, Text, bindparam, delete, insert, select

from chime_messaging.server import faults
from chime_messaging.server.store.database import Statement, Transaction, metadata

TOKEN_LIFETIME = 24 * 3600 * 1000
"""How long an answer is remembered, in milliseconds."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("response", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("idempotency_by_age", "created"),
)

_RECALL = Statement(
    select(idempotency.c.fingerprint, idempotency.c.response, idempotency.c.created).where(
        idempotency.c.key == bindparam("key")
    )
)
_FORGET = Statement(delete(idempotency).where(idempotency.c.key == bindparam("key")))
_REMEMBER = Statement(
    insert(idempotency).values(
        key=bindparam("key"),
        fingerprint=bindparam("fingerprint"),
        response=bindparam("response"),
        created=bindparam("now"),
    )
)
_OLDEST = Statement(
    select(idempotency.c.created)
    .where(idempotency.c.created <= bindparam("until"))
    .order_by(idempotency.c.created)
    .limit(bindparam("count"))
)
_PURGE = Statement(delete(idempotency).where(idempotency.c.created <= bindparam("until")))


def recall(tx: Transaction, scope: str, operation: str, token: str, fingerprint: str) -> dict[str, Any] | None:
    """The answer given to this token before, or None if it is new.

    Raises:
        Fault: ConflictException, if the token was used with other parameters.
    """
    key = _key(scope, operation, token)
    row = tx.first(_RECALL, key=key)
    if row is None:
        return None
    if row[2] <= tx.now - TOKEN_LIFETIME:
        tx.execute(_FORGET, key=key)
        return None
    if row[0] != fingerprint:
        raise faults.conflict("The ClientRequestToken was used before with different parameters.")
    answer: dict[str, Any] = msgspec.json.decode(row[1])
    return answer


def remember(
    tx: Transaction, scope: str, operation: str, token: str, fingerprint: str, response: dict[str, Any]
) -> None:
    """Keep the answer to a token for `TOKEN_LIFETIME`."""
    tx.execute(
        _REMEMBER,
        key=_key(scope, operation, token),
        fingerprint=fingerprint,
        response=msgspec.json.encode(response).decode(),
        now=tx.now,
    )


def _key(scope: str, operation: str, token: str) -> str:
    # Tokens are random: each goes to another page of its index, which has the fewer pages the shorter its keys are.
    return hashlib.blake2b(f"{scope}\n{operation}\n{token}".encode(), digest_size=16).hexdigest()


def purge_tokens(tx: Transaction, limit: int) -> int:
    """Drop about `limit` tokens older than `TOKEN_LIFETIME`; how many went."""
    due = tx.all(_OLDEST, until=tx.now - TOKEN_LIFETIME, count=limit)
    return tx.execute(_PURGE, until=due[-1].created) if due else 0
