"""A call repeated with the same ClientRequestToken gets the first answer, and nothing happens twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.idempotency import recall, remember

_encoder = msgspec.json.Encoder(order="sorted")

Response = dict[str, Any]


def once(
    tx: Transaction,
    scope: str,
    operation: str,
    member: str,
    params: dict[str, Any],
    act: Callable[[], Response],
    renew: Callable[[Response], Response] = lambda known: known,
) -> Response:
    """Act, unless the same call was answered before.

    Args:
        tx: the transaction of the call; the answer is remembered in it.
        scope: whose token it is: the bearer's ARN, or the account.
        operation: ``messaging.CreateChannel``.
        member: name of the parameter that holds the token.
        params: all parameters.
        act: what to do for a new token.
        renew: what to do to the answer of a token that was used before.

    Raises:
        Fault: ConflictException, if the token was used with other parameters.
    """
    token = params.get(member)
    if token is None:
        return act()
    fingerprint = fingerprint_of(params, member)
    known = recall(tx, scope, operation, token, fingerprint)
    if known is not None:
        return renew(known)
    response = act()
    remember(tx, scope, operation, token, fingerprint, response)
    return response


def fingerprint_of(params: dict[str, Any], member: str) -> str:
    """Digest of all parameters but the token."""
    others = {name: value for name, value in params.items() if name != member}
    return hashlib.blake2b(_encoder.encode(others), digest_size=16).hexdigest()
