"""Endpoints for push notifications: registered and shown, never pushed to."""

from __future__ import annotations

from typing import Any

from chime_messaging.ids import new_uuid
from chime_messaging.server import faults
from chime_messaging.server.identity.lookups import user_in
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import endpoints
from chime_messaging.server.store.endpoints import Endpoint
from chime_messaging.server.store.paging import window

ENDPOINT_LIMIT = 10


@operation("identity", "RegisterAppInstanceUserEndpoint")
def register_app_instance_user_endpoint(call: Call) -> dict[str, Any]:
    """Record a device of a user."""
    owner = user_in(call).arn
    attributes = call.params["EndpointAttributes"]
    if attributes.get("VoipDeviceToken") and call.params["Type"] == "GCM":
        raise faults.bad_request("VoipDeviceToken is for APNS and APNS_SANDBOX endpoints.")
    if call.configuration.quotas and endpoints.count_endpoints(call.tx, owner) >= ENDPOINT_LIMIT:
        raise faults.resource_limit(f"An app instance user has at most {ENDPOINT_LIMIT} endpoints.")
    endpoint_id = new_uuid()
    endpoints.add_endpoint(
        call.tx,
        owner,
        endpoint_id,
        name=call.params.get("Name"),
        type=call.params["Type"],
        resource_arn=call.params["ResourceArn"],
        device_token=attributes["DeviceToken"],
        voip_device_token=attributes.get("VoipDeviceToken"),
        allow_messages=call.params.get("AllowMessages") or "ALL",
    )
    return {"AppInstanceUserArn": owner, "EndpointId": endpoint_id}


@operation("identity", "DescribeAppInstanceUserEndpoint")
def describe_app_instance_user_endpoint(call: Call) -> dict[str, Any]:
    """Answer with one endpoint."""
    found = _endpoint_in(call)
    return {
        "AppInstanceUserEndpoint": {
            **_summary(found),
            "ResourceArn": found.resource_arn,
            "EndpointAttributes": {"DeviceToken": found.device_token, "VoipDeviceToken": found.voip_device_token},
            "CreatedTimestamp": found.created,
            "LastUpdatedTimestamp": found.updated,
        }
    }


@operation("identity", "UpdateAppInstanceUserEndpoint")
def update_app_instance_user_endpoint(call: Call) -> dict[str, Any]:
    """Change what is given of name and AllowMessages."""
    found = _endpoint_in(call)
    name = call.params.get("Name")
    allow = call.params.get("AllowMessages") or found.allow_messages
    endpoints.update_endpoint(call.tx, found.user_arn, found.endpoint_id, found.name if name is None else name, allow)
    return {"AppInstanceUserArn": found.user_arn, "EndpointId": found.endpoint_id}


@operation("identity", "DeregisterAppInstanceUserEndpoint")
def deregister_app_instance_user_endpoint(call: Call) -> None:
    """Forget a device of a user."""
    found = _endpoint_in(call)
    endpoints.delete_endpoint(call.tx, found.user_arn, found.endpoint_id)


@operation("identity", "ListAppInstanceUserEndpoints")
def list_app_instance_user_endpoints(call: Call) -> dict[str, Any]:
    """Answer with one page of a user's endpoints."""
    owner = user_in(call).arn
    part = window(call.params, "ListAppInstanceUserEndpoints", owner)
    after = str(part.after[0]) if part.after else ""
    rows, token = part.cut(endpoints.endpoints_after(call.tx, owner, after, part.fetch), lambda row: (row.endpoint_id,))
    return {"AppInstanceUserEndpoints": [_summary(row) for row in rows], "NextToken": token}


def _endpoint_in(call: Call) -> Endpoint:
    found = endpoints.endpoint(call.tx, user_in(call).arn, call.params["EndpointId"])
    if found is None:
        raise faults.forbidden()
    return found


def _summary(found: Endpoint) -> dict[str, Any]:
    return {
        "AppInstanceUserArn": found.user_arn,
        "EndpointId": found.endpoint_id,
        "Name": found.name,
        "Type": found.type,
        "AllowMessages": found.allow_messages,
        "EndpointState": _state(found),
    }


def _state(found: Endpoint) -> dict[str, str]:
    if ":mobiletargeting:" in found.resource_arn:
        return {"Status": "ACTIVE"}
    return {"Status": "INACTIVE", "StatusReason": "INVALID_PINPOINT_ARN"}
