"""Pages of a list: how many rows, from where on, and the opaque token for the next.

Lists are read by key, never by offset: a token names the last row a caller has seen, so that rows added or removed in
between neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from chime_messaging.server import faults

T = TypeVar("T")
Key = tuple[str | int, ...]

PAGE_SIZE = 50
_SEAL_SIZE = 8
_TOKEN_LIMIT = 2048


@dataclass(frozen=True, slots=True)
class Window:
    """What part of a list is asked for."""

    scope: str
    """The list that the token belongs to: a token of another list is refused."""
    limit: int
    """Rows of one page."""
    after: Key | None
    """Key of the last row of the page before; None for the first page."""

    @property
    def fetch(self) -> int:
        """Rows to read: one more than the page, which tells whether there is a next page."""
        return self.limit + 1

    def cut(self, rows: Sequence[T], key: Callable[[T], Key]) -> tuple[list[T], str | None]:
        """Take one page from `fetch` rows; the page, and the token for what follows, None at the end."""
        page = list(rows[: self.limit])
        if len(rows) <= self.limit:
            return page, None
        return page, write_token(self.scope, key(page[-1]))


def window(params: Mapping[str, Any], *scope: str, key: tuple[type, ...] = (str,), size: int = PAGE_SIZE) -> Window:
    """Read MaxResults and NextToken of a list operation.

    Args:
        params: the operation's parameters.
        scope: what the list depends on: the operation, and each parameter that selects rows.
        key: types of the parts of the key.
        size: rows if MaxResults is not given.

    Raises:
        Fault: BadRequestException, if the token is not one that this list gave out.
    """
    name = "\n".join(scope)
    limit = params.get("MaxResults") or size
    token = params.get("NextToken")
    return Window(name, limit, read_token(name, token, key) if token else None)


def write_token(scope: str, key: Key) -> str:
    """Seal a key into a token."""
    body = msgspec.json.encode(key)
    return base64.urlsafe_b64encode(_seal(scope, body) + body).decode().rstrip("=")


def read_token(scope: str, token: str, types: tuple[type, ...]) -> Key:
    """Open a token.

    Raises:
        Fault: BadRequestException, if it was not written for this scope, or was changed.
    """
    try:
        if len(token) > _TOKEN_LIMIT:
            raise ValueError("too long")
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        seal, body = raw[:_SEAL_SIZE], raw[_SEAL_SIZE:]
        if seal != _seal(scope, body):
            raise ValueError("seal")
        key = tuple(msgspec.json.decode(body, type=list[str | int]))
        if [type(part) for part in key] != list(types):
            raise ValueError("key")
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise faults.bad_request("The NextToken is not valid for this request.") from None
    return key


def _seal(scope: str, body: bytes) -> bytes:
    # A check against mistakes and guesses, not against the operator of the server: a token grants nothing by itself.
    return hashlib.blake2b(body, key=hashlib.sha256(scope.encode()).digest(), digest_size=_SEAL_SIZE).digest()
