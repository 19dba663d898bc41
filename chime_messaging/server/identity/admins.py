"""Administrators of an app instance: users or bots of the same instance."""

from __future__ import annotations

from typing import Any

from chime_messaging.server import faults
from chime_messaging.server.identity.lookups import app_instance_in, arn_in
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import app_instances, users
from chime_messaging.server.store.paging import window

ADMIN_LIMIT = 100


@operation("identity", "CreateAppInstanceAdmin")
def create_app_instance_admin(call: Call) -> dict[str, Any]:
    """Promote a user or bot."""
    owner = app_instance_in(call).arn
    arn = arn_in(call, "AppInstanceAdminArn", "user", "bot").text
    who = users.user(call.tx, arn)
    if who is None or who.app_instance_arn != owner:
        raise faults.forbidden()
    if users.is_admin(call.tx, owner, arn):
        raise faults.conflict("This user or bot is an administrator already.")
    if call.configuration.quotas and app_instances.count_admins(call.tx, owner) >= ADMIN_LIMIT:
        raise faults.resource_limit(f"An app instance has at most {ADMIN_LIMIT} administrators.")
    app_instances.add_admin(call.tx, owner, arn)
    return {"AppInstanceAdmin": {"Arn": arn, "Name": who.name}, "AppInstanceArn": owner}


@operation("identity", "DescribeAppInstanceAdmin")
def describe_app_instance_admin(call: Call) -> dict[str, Any]:
    """Answer with one administrator."""
    owner = app_instance_in(call).arn
    arn = arn_in(call, "AppInstanceAdminArn", "user", "bot").text
    since = app_instances.admin_since(call.tx, owner, arn)
    if since is None:
        raise faults.forbidden()
    return {
        "AppInstanceAdmin": {
            "Admin": users.identity_of(call.tx, arn),
            "AppInstanceArn": owner,
            "CreatedTimestamp": since,
        }
    }


@operation("identity", "DeleteAppInstanceAdmin")
def delete_app_instance_admin(call: Call) -> None:
    """Demote a user or bot."""
    owner = app_instance_in(call).arn
    if not app_instances.delete_admin(call.tx, owner, arn_in(call, "AppInstanceAdminArn", "user", "bot").text):
        raise faults.forbidden()


@operation("identity", "ListAppInstanceAdmins")
def list_app_instance_admins(call: Call) -> dict[str, Any]:
    """Answer with one page of the administrators."""
    owner = app_instance_in(call).arn
    part = window(call.params, "ListAppInstanceAdmins", owner)
    after = str(part.after[0]) if part.after else ""
    rows, token = part.cut(app_instances.admins_after(call.tx, owner, after, part.fetch), lambda row: (row[0],))
    who = users.identities_of(call.tx, [arn for arn, _ in rows])
    admins = [{"Admin": who[arn]} for arn, _ in rows]
    return {"AppInstanceArn": owner, "AppInstanceAdmins": admins, "NextToken": token}
