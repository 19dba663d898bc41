"""Streaming configurations: which records an app instance wants in which Kinesis stream."""

from __future__ import annotations

import re
from typing import Any

from chime_messaging.server import faults
from chime_messaging.server.notices import Streams
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.app_instances import app_instance
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.lifecycle import on_app_instance_deleted
from chime_messaging.server.store.streaming import replace_streams, streams_of

_KINESIS = re.compile(r"arn:[a-z\-]+:kinesis:[a-z0-9\-]+:[0-9]{12}:stream/(chime-messaging-[A-Za-z0-9_.\-]{1,112})")


@operation("messaging", "PutMessagingStreamingConfigurations")
def put_messaging_streaming_configurations(call: Call) -> dict[str, Any]:
    """Replace the configuration of an app instance."""
    owner, configurations = call.params["AppInstanceArn"], call.params["StreamingConfigurations"]
    _require_app_instance(call.tx, owner, faults.not_found)
    streams: dict[str, str] = {}
    for configuration in configurations:
        if configuration["DataType"] in streams:
            raise faults.bad_request(f"There are two configurations for {configuration['DataType']}.")
        if stream_name(configuration["ResourceArn"]) is None:
            raise faults.bad_request("ResourceArn must name a Kinesis stream whose name begins with chime-messaging-.")
        streams[configuration["DataType"]] = configuration["ResourceArn"]
    _change(call.tx, owner, streams)
    return {"StreamingConfigurations": configurations}


@operation("messaging", "GetMessagingStreamingConfigurations")
def get_messaging_streaming_configurations(call: Call) -> dict[str, Any]:
    """Return the configuration of an app instance."""
    owner = call.params["AppInstanceArn"]
    _require_app_instance(call.tx, owner, faults.not_found)
    streams = streams_of(call.tx, owner)
    if not streams:
        raise faults.not_found("The app instance has no streaming configuration.")
    return {
        "StreamingConfigurations": [{"DataType": kind, "ResourceArn": arn} for kind, arn in streams.items()],
    }


@operation("messaging", "DeleteMessagingStreamingConfigurations")
def delete_messaging_streaming_configurations(call: Call) -> None:
    """Stop streaming."""
    owner = call.params["AppInstanceArn"]
    _require_app_instance(call.tx, owner, faults.forbidden)
    _change(call.tx, owner, {})


def stream_name(resource_arn: str) -> str | None:
    """Read the name out of the ARN of a Kinesis stream that may be used; None for any other text."""
    found = _KINESIS.fullmatch(resource_arn)
    return None if found is None else found[1]


def streams_notice(app_instance_arn: str, streams: dict[str, str]) -> Streams:
    """Build the notice that tells the sink of data type to stream ARN."""
    named = ((kind, stream_name(arn)) for kind, arn in streams.items())
    return Streams(app_instance_arn, tuple((kind, name) for kind, name in named if name is not None))


def _require_app_instance(tx: Transaction, arn: str, fault: Any) -> None:
    if app_instance(tx, arn) is None:
        raise fault("The app instance does not exist.")


def _change(tx: Transaction, app_instance_arn: str, streams: dict[str, str]) -> None:
    replace_streams(tx, app_instance_arn, streams)
    tx.notify(streams_notice(app_instance_arn, streams))


@on_app_instance_deleted
def _delete_with_app_instance(tx: Transaction, app_instance_arn: str) -> None:
    if streams_of(tx, app_instance_arn):
        _change(tx, app_instance_arn, {})
