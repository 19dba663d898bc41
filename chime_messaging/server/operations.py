"""The table of operations, and what a handler is given.

A handler is a plain function: it runs inside one transaction on the store's thread, reads `call.params` (decoded and
validated by botocore's model), and returns the response members as a dict in PascalCase. Timestamps inside the server
are integers: milliseconds since the epoch, UTC; the REST layer writes them as the shape demands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chime_messaging.ids import Arn
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.store.database import Transaction


@dataclass(slots=True)
class Call:
    """One authorised request."""

    service: str
    """``messaging``, ``identity`` or ``meetings``."""
    operation: str
    params: dict[str, Any]
    bearer: Arn | None
    """Who asks. Known to exist and of the right kind, except with `Authorization.TRUST`; None where none is taken."""
    tx: Transaction
    configuration: ServerConfiguration
    host: str = ""
    """Host, or host and port, under which the client knows this server: what URLs in the answer begin with."""

    @property
    def now(self) -> int:
        """Milliseconds since the epoch; the same throughout the transaction."""
        return self.tx.now


Handler = Callable[[Call], dict[str, Any] | None]

HANDLERS: dict[tuple[str, str], Handler] = {}

Renewal = Callable[[Call, dict[str, Any]], dict[str, Any]]

RENEWALS: dict[tuple[str, str], Renewal] = {}


def operation(service: str, name: str) -> Callable[[Handler], Handler]:
    """Register the handler of one operation, for example ``@operation("messaging", "CreateChannel")``."""

    def register(handler: Handler) -> Handler:
        if (service, name) in HANDLERS:
            raise RuntimeError(f"{service}.{name} has two handlers")
        HANDLERS[service, name] = handler
        return handler

    return register


def renewal(service: str, name: str) -> Callable[[Renewal], Renewal]:
    """Register what brings the first answer up to date for a call repeated with its token, where it can be out of date.

    The answer holds ids that were made for it and stays as it was; URLs depend on how the server is called this time.
    """

    def register(function: Renewal) -> Renewal:
        RENEWALS[service, name] = function
        return function

    return register
