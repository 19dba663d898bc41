"""App instances: the root of everything else, and how long their messages are kept."""

from __future__ import annotations

from typing import Any

from chime_messaging.ids import app_instance_arn, new_uuid
from chime_messaging.server import faults
from chime_messaging.server.identity.lookups import app_instance_in
from chime_messaging.server.identity.users import disconnect
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import app_instances, endpoints, tags, users
from chime_messaging.server.store.app_instances import AppInstance
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.expiration import RETENTION_GRACE
from chime_messaging.server.store.lifecycle import APP_INSTANCE_HOOKS, existence
from chime_messaging.server.store.paging import window

APP_INSTANCE_LIMIT = 100


@existence("app-instance")
def _exists(tx: Transaction, arn: str) -> bool:
    return app_instances.app_instance(tx, arn) is not None


@operation("identity", "CreateAppInstance")
def create_app_instance(call: Call) -> dict[str, Any]:
    """Make an app instance with an ARN of its own."""
    if call.configuration.quotas and app_instances.count_app_instances(call.tx) >= APP_INSTANCE_LIMIT:
        raise faults.resource_limit(f"An account has at most {APP_INSTANCE_LIMIT} app instances.")
    arn = app_instance_arn(new_uuid(), region=call.configuration.region, account=call.configuration.account)
    app_instances.add_app_instance(call.tx, arn, call.params["Name"], call.params.get("Metadata"))
    tags.put_tags(call.tx, arn, call.params.get("Tags"))
    return {"AppInstanceArn": arn}


@operation("identity", "DescribeAppInstance")
def describe_app_instance(call: Call) -> dict[str, Any]:
    """Answer with one app instance."""
    found = app_instance_in(call)
    return {
        "AppInstance": {
            **_summary(found),
            "CreatedTimestamp": found.created,
            "LastUpdatedTimestamp": found.updated,
        }
    }


@operation("identity", "UpdateAppInstance")
def update_app_instance(call: Call) -> dict[str, Any]:
    """Replace name and metadata."""
    found = app_instance_in(call)
    app_instances.update_app_instance(call.tx, found.arn, call.params["Name"], call.params["Metadata"])
    return {"AppInstanceArn": found.arn}


@operation("identity", "DeleteAppInstance")
def delete_app_instance(call: Call) -> None:
    """Remove an app instance and everything in it; every socket of its users is closed."""
    arn = app_instance_in(call).arn
    for hook in APP_INSTANCE_HOOKS:
        hook(call.tx, arn)
    for user_arn in users.arns_of_app_instance(call.tx, arn):
        disconnect(call.tx, user_arn)
    endpoints.delete_endpoints_of(call.tx, arn)
    tags.remove_tags_below(call.tx, arn)
    users.delete_users_of(call.tx, arn)
    app_instances.delete_app_instance(call.tx, arn)


@operation("identity", "ListAppInstances")
def list_app_instances(call: Call) -> dict[str, Any]:
    """Answer with one page of the account's app instances."""
    part = window(call.params, "ListAppInstances")
    after = str(part.after[0]) if part.after else ""
    rows, token = part.cut(app_instances.app_instances_after(call.tx, after, part.fetch), lambda row: (row.arn,))
    return {"AppInstances": [_summary(row) for row in rows], "NextToken": token}


@operation("identity", "PutAppInstanceRetentionSettings")
def put_app_instance_retention_settings(call: Call) -> dict[str, Any]:
    """Set for how many days channel messages are kept; without a number of days they are kept for ever."""
    arn = app_instance_in(call).arn
    settings = call.params["AppInstanceRetentionSettings"].get("ChannelRetentionSettings") or {}
    days = settings.get("RetentionDays")
    start = call.now + RETENTION_GRACE if days is not None else None
    app_instances.set_retention(call.tx, arn, days, start)
    return _retention(days, start)


@operation("identity", "GetAppInstanceRetentionSettings")
def get_app_instance_retention_settings(call: Call) -> dict[str, Any]:
    """Answer with the retention settings and when they begin to delete."""
    found = app_instance_in(call)
    return _retention(found.retention_days, found.retention_start)


def _summary(found: AppInstance) -> dict[str, Any]:
    return {"AppInstanceArn": found.arn, "Name": found.name, "Metadata": found.metadata}


def _retention(days: int | None, start: int | None) -> dict[str, Any]:
    settings = {"ChannelRetentionSettings": {"RetentionDays": days}} if days is not None else {}
    return {"AppInstanceRetentionSettings": settings, "InitiateDeletionTimestamp": start}
