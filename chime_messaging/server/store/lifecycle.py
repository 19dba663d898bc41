"""What else must go when something goes: each noun says so itself.

A noun that hangs on users or app instances registers here what to remove with them; a noun whose rows end by
themselves registers its sweep. So whoever deletes needs to know none of them.
"""

from __future__ import annotations

from collections.abc import Callable

from chime_messaging.server.store.database import Transaction

DeletionHook = Callable[[Transaction, str], None]
"""Gets the ARN of what is about to be deleted, while its row is still there."""
Sweep = Callable[[Transaction, int], int]
"""Removes at most so many rows whose time was up at `tx.now`, returns how many. Called again until nothing is left."""
Exists = Callable[[Transaction, str], bool]

USER_HOOKS: list[DeletionHook] = []
APP_INSTANCE_HOOKS: list[DeletionHook] = []
SWEEPS: dict[str, Sweep] = {}
EXISTS: dict[str, Exists] = {}


def on_user_deleted(hook: DeletionHook) -> DeletionHook:
    """Register (as a decorator) what to remove when a user or bot is deleted, for example its memberships."""
    USER_HOOKS.append(hook)
    return hook


def on_app_instance_deleted(hook: DeletionHook) -> DeletionHook:
    """Register (as a decorator) what to remove when an app instance is deleted, for example its channels."""
    APP_INSTANCE_HOOKS.append(hook)
    return hook


def sweep(name: str) -> Callable[[Sweep], Sweep]:
    """Register (as a decorator) what the janitor calls from time to time, for example to delete expired channels."""

    def register(function: Sweep) -> Sweep:
        if name in SWEEPS:
            raise RuntimeError(f"there are two sweeps called {name}")
        SWEEPS[name] = function
        return function

    return register


def existence(kind: str) -> Callable[[Exists], Exists]:
    """Register (as a decorator) how to tell whether a resource of a kind (see `ids.ArnKind`) exists."""

    def register(function: Exists) -> Exists:
        EXISTS[kind] = function
        return function

    return register
