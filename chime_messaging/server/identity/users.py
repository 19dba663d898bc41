"""App instance users."""

from __future__ import annotations

from typing import Any

from chime_messaging.ids import is_resource_id
from chime_messaging.server import faults
from chime_messaging.server.identity.lookups import app_instance_in, user_in
from chime_messaging.server.notices import Disconnect
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import app_instances, endpoints, tags, users
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.expiration import expiration_settings
from chime_messaging.server.store.lifecycle import USER_HOOKS, existence, sweep
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.users import User

USER_LIMIT = 100_000
KICKED = 4003
"""Close code for the sockets of somebody who is gone."""

existence("user")(users.user_exists)


@operation("identity", "CreateAppInstanceUser")
def create_app_instance_user(call: Call) -> dict[str, Any]:
    """Make a user under the id that the caller chose."""
    owner = app_instance_in(call)
    user_id = call.params["AppInstanceUserId"]
    if not is_resource_id(user_id):
        raise faults.bad_request("AppInstanceUserId has 1-64 characters: letters, digits, inside also :-_.@")
    arn = f"{owner.arn}/user/{user_id}"
    if users.user_exists(call.tx, arn):
        raise faults.conflict("An app instance user with this AppInstanceUserId exists already.")
    if call.configuration.quotas and users.count_users(call.tx, owner.arn) >= USER_LIMIT:
        raise faults.resource_limit(f"An app instance has at most {USER_LIMIT} users.")
    users.add_user(call.tx, arn, owner.arn, name=_name(call), document=call.params.get("Metadata"))
    if call.params.get("ExpirationSettings"):
        _set_expiration(call, arn)
    tags.put_tags(call.tx, arn, call.params.get("Tags"))
    return {"AppInstanceUserArn": arn}


@operation("identity", "DescribeAppInstanceUser")
def describe_app_instance_user(call: Call) -> dict[str, Any]:
    """Answer with one user."""
    found = user_in(call)
    return {
        "AppInstanceUser": {
            **_summary(found),
            "CreatedTimestamp": found.created,
            "LastUpdatedTimestamp": found.updated,
            "ExpirationSettings": expiration_settings(found.expiration_days, found.expiration_criterion),
        }
    }


@operation("identity", "UpdateAppInstanceUser")
def update_app_instance_user(call: Call) -> dict[str, Any]:
    """Replace name and metadata."""
    arn = user_in(call).arn
    users.update_user(call.tx, arn, _name(call), call.params["Metadata"])
    return {"AppInstanceUserArn": arn}


@operation("identity", "DeleteAppInstanceUser")
def delete_app_instance_user(call: Call) -> None:
    """Remove a user with its roles, memberships and endpoints, and close its sockets."""
    remove_user(call.tx, user_in(call))


@operation("identity", "ListAppInstanceUsers")
def list_app_instance_users(call: Call) -> dict[str, Any]:
    """Answer with one page of the users of an app instance."""
    owner = app_instance_in(call).arn
    part = window(call.params, "ListAppInstanceUsers", owner)
    after = str(part.after[0]) if part.after else ""
    rows, token = part.cut(users.users_after(call.tx, owner, "user", after, part.fetch), lambda row: (row.arn,))
    return {"AppInstanceArn": owner, "AppInstanceUsers": [_summary(row) for row in rows], "NextToken": token}


@operation("identity", "PutAppInstanceUserExpirationSettings")
def put_app_instance_user_expiration_settings(call: Call) -> dict[str, Any]:
    """Set after how many days the user is deleted by itself; without settings it stays."""
    arn = user_in(call).arn
    return {"AppInstanceUserArn": arn, "ExpirationSettings": _set_expiration(call, arn)}


def remove_user(tx: Transaction, who: User) -> None:
    """Remove a user or bot with all that hangs on it, and close its sockets."""
    for hook in USER_HOOKS:
        hook(tx, who.arn)
    app_instances.delete_admin(tx, who.app_instance_arn, who.arn)
    endpoints.delete_endpoints(tx, who.arn)
    tags.remove_tags(tx, who.arn)
    users.delete_user(tx, who.arn)
    disconnect(tx, who.arn)


def disconnect(tx: Transaction, arn: str) -> None:
    """Close the sockets of a user that is deleted."""
    tx.notify(Disconnect(arn, KICKED, "The app instance user was deleted."))


@sweep("users")
def remove_expired_users(tx: Transaction, limit: int) -> int:
    """Remove users whose time is up."""
    arns = users.expired_users(tx, limit)
    for arn in arns:
        who = users.user(tx, arn)
        if who is not None:
            remove_user(tx, who)
    return len(arns)


def _name(call: Call) -> str:
    name: str = call.params["Name"]
    if not name.strip() or len(name) > 100:
        raise faults.bad_request("Name has 1-100 characters, not all of them blank.")
    return name


def _set_expiration(call: Call, arn: str) -> dict[str, Any] | None:
    settings = call.params.get("ExpirationSettings") or {}
    days, criterion = settings.get("ExpirationDays"), settings.get("ExpirationCriterion")
    users.set_user_expiration(call.tx, arn, days, criterion)
    return expiration_settings(days, criterion)


def _summary(found: User) -> dict[str, Any]:
    return {"AppInstanceUserArn": found.arn, "Name": found.name, "Metadata": found.metadata}
