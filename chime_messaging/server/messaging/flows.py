"""Channel flows: their definitions, their channels, and the processor's callback."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import func, select

from chime_messaging.ids import new_uuid
from chime_messaging.server import faults
from chime_messaging.server.messaging.authorization import authorize
from chime_messaging.server.messaging.flow_runs import CALLBACK_DEADLINE, Edit, decide, fail
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.app_instances import app_instance
from chime_messaging.server.store.channels import channels, update_channel
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.flows import (
    ChannelFlow,
    channel_flows,
    delete_flow,
    delete_flows_of,
    find_flow,
    find_run,
    flows_after,
    forget_runs_before,
    insert_flow,
    overdue_runs,
    update_flow,
)
from chime_messaging.server.store.lifecycle import existence, on_app_instance_deleted, sweep
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.tags import put_tags, remove_tags

MAX_FLOWS = 100
"""Channel flows of one app instance."""


@operation("messaging", "CreateChannelFlow")
def create_channel_flow(call: Call) -> dict[str, Any]:
    """Define a flow of one processor."""
    params, tx = call.params, call.tx
    owner = params["AppInstanceArn"]
    if app_instance(tx, owner) is None:
        raise faults.forbidden("The app instance does not exist.")
    count = select(func.count()).select_from(channel_flows).where(channel_flows.c.app_instance_arn == owner)
    if call.configuration.quotas and (tx.connection.scalar(count) or 0) >= MAX_FLOWS:
        raise faults.resource_limit(f"An app instance has at most {MAX_FLOWS} channel flows.")
    flow = ChannelFlow(
        arn=f"{owner}/channel-flow/{new_uuid()}",
        app_instance_arn=owner,
        name=params["Name"],
        processors=_processors(params["Processors"]),
        created=call.now,
        updated=call.now,
    )
    insert_flow(tx, flow)
    put_tags(tx, flow.arn, params.get("Tags") or [])
    return {"ChannelFlowArn": flow.arn}


@operation("messaging", "UpdateChannelFlow")
def update_channel_flow(call: Call) -> dict[str, Any]:
    """Replace name and processors; messages already on their way keep the old processor."""
    flow = _require_flow(call)
    processors = _processors(call.params["Processors"])
    update_flow(call.tx, flow.arn, name=call.params["Name"], processors=processors, updated=call.now)
    return {"ChannelFlowArn": flow.arn}


@operation("messaging", "DeleteChannelFlow")
def delete_channel_flow(call: Call) -> None:
    """Delete a flow that no channel uses."""
    flow = _require_flow(call)
    used = select(channels.c.arn).where(channels.c.flow_arn == flow.arn).limit(1)
    if call.tx.connection.scalar(used) is not None:
        raise faults.conflict("The channel flow is associated with a channel.")
    remove_tags(call.tx, flow.arn)
    delete_flow(call.tx, flow.arn)


@operation("messaging", "DescribeChannelFlow")
def describe_channel_flow(call: Call) -> dict[str, Any]:
    """Return a flow in full."""
    flow = _require_flow(call)
    return {"ChannelFlow": {**_summary(flow), "CreatedTimestamp": flow.created, "LastUpdatedTimestamp": flow.updated}}


@operation("messaging", "ListChannelFlows")
def list_channel_flows(call: Call) -> dict[str, Any]:
    """Return a page of an app instance's flows."""
    owner = call.params["AppInstanceArn"]
    if app_instance(call.tx, owner) is None:
        raise faults.forbidden("The app instance does not exist.")
    part = window(call.params, "ListChannelFlows", owner)
    after = str(part.after[0]) if part.after else ""
    page, token = part.cut(flows_after(call.tx, owner, after, part.fetch), key=lambda flow: (flow.arn,))
    return {"ChannelFlows": [_summary(flow) for flow in page], "NextToken": token}


@operation("messaging", "AssociateChannelFlow")
def associate_channel_flow(call: Call) -> None:
    """Have a channel's messages go through a flow; a channel has one at most."""
    access = authorize(call, "AssociateChannelFlow", call.params["ChannelArn"])
    flow = find_flow(call.tx, call.params["ChannelFlowArn"])
    if flow is None or flow.app_instance_arn != access.channel.app_instance_arn:
        raise faults.not_found("The channel flow does not exist.")
    if access.channel.flow_arn not in (None, flow.arn):
        raise faults.conflict("The channel has another channel flow.")
    update_channel(call.tx, access.channel.arn, flow_arn=flow.arn)


@operation("messaging", "DisassociateChannelFlow")
def disassociate_channel_flow(call: Call) -> None:
    """Have a channel's messages bypass the flow from now on; those on their way still get their verdict."""
    access = authorize(call, "DisassociateChannelFlow", call.params["ChannelArn"])
    if access.channel.flow_arn != call.params["ChannelFlowArn"]:
        raise faults.not_found("The channel flow is not associated with the channel.")
    update_channel(call.tx, access.channel.arn, flow_arn=None)


@operation("messaging", "ListChannelsAssociatedWithChannelFlow")
def list_channels_associated_with_channel_flow(call: Call) -> dict[str, Any]:
    """Return a page of the channels that use a flow."""
    flow = _require_flow(call)
    part = window(call.params, "ListChannelsAssociatedWithChannelFlow", flow.arn)
    columns = channels.c
    query = (
        select(columns.arn, columns.name, columns.mode, columns.privacy, columns.metadata)
        .where(columns.flow_arn == flow.arn, columns.arn > (part.after[0] if part.after else ""))
        .order_by(columns.arn)
        .limit(part.fetch)
    )
    page, token = part.cut(call.tx.connection.execute(query).all(), key=lambda row: (row.arn,))
    return {
        "Channels": [
            {
                "ChannelArn": row.arn,
                "Name": row.name,
                "Mode": row.mode,
                "Privacy": row.privacy,
                "Metadata": row.metadata or None,
            }
            for row in page
        ],
        "NextToken": token,
    }


@operation("messaging", "ChannelFlowCallback")
def channel_flow_callback(call: Call) -> dict[str, Any]:
    """Take a processor's verdict."""
    take_verdict(call.tx, call.params)
    return {"ChannelArn": call.params["ChannelArn"], "CallbackId": call.params["CallbackId"]}


def take_verdict(tx: Transaction, params: dict[str, Any]) -> None:
    """Check and carry out a verdict, in the parameters of ChannelFlowCallback.

    Raises:
        Fault: 403 for an unknown or late callback, 409 for a second one, 400 for one that does not fit its message.
    """
    run = find_run(tx, params["CallbackId"])
    if run is None or run.channel_arn != params["ChannelArn"] or tx.now - run.created > CALLBACK_DEADLINE:
        raise faults.forbidden("The callback is unknown, or more than 48 hours old.")
    if run.state != "PENDING":
        raise faults.conflict("The callback was made before.")
    edited = params["ChannelMessage"]
    if edited["MessageId"] != run.message_id:
        raise faults.bad_request("MessageId is not the one that the callback is for.")
    edit = Edit(
        content=edited.get("Content"),
        metadata=edited.get("Metadata"),
        content_type=edited.get("ContentType"),
        attributes=edited.get("MessageAttributes"),
        push=edited.get("PushNotification"),
    )
    decide(tx, run, edit, deny=bool(params.get("DeleteResource")))


def _require_flow(call: Call) -> ChannelFlow:
    flow = find_flow(call.tx, call.params["ChannelFlowArn"])
    if flow is None:
        raise faults.forbidden("The channel flow does not exist.")
    return flow


def _processors(processors: list[dict[str, Any]]) -> str:
    # The model takes up to three; the service's quota is one.
    if len(processors) != 1:
        raise faults.bad_request("A channel flow has exactly one processor.")
    return msgspec.json.encode(processors).decode()


def _summary(flow: ChannelFlow) -> dict[str, Any]:
    return {
        "ChannelFlowArn": flow.arn,
        "Name": flow.name,
        "Processors": msgspec.json.decode(flow.processors),
    }


@existence("channel-flow")
def _exists(tx: Transaction, arn: str) -> bool:
    return find_flow(tx, arn) is not None


@on_app_instance_deleted
def _delete_with_app_instance(tx: Transaction, app_instance_arn: str) -> None:
    delete_flows_of(tx, app_instance_arn)


@sweep("flow-runs")
def _end_overdue_runs(tx: Transaction, limit: int) -> int:
    """Let FallbackAction decide about messages whose processor never answered, and forget old verdicts."""
    deadline = tx.now - CALLBACK_DEADLINE
    overdue = overdue_runs(tx, deadline, limit)
    for run in overdue:
        fail(tx, run.callback_id, "The processor gave no verdict within 48 hours.")
    forget_runs_before(tx, deadline)
    return len(overdue)
