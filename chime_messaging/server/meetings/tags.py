"""Tags of meetings. The errors have other names than in the other two services."""

from __future__ import annotations

from typing import Any

from chime_messaging.server.faults import Fault
from chime_messaging.server.meetings.lookups import tagged_meeting
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import tags


@operation("meetings", "TagResource")
def tag_resource(call: Call) -> None:
    """Add tags, replacing those with the same key."""
    arn = tagged_meeting(call.tx, call.params["ResourceARN"])
    try:
        tags.put_tags(call.tx, arn, call.params["Tags"])
    except Fault as fault:
        if fault.name == "ResourceLimitExceededException":
            raise Fault("TooManyTagsException", fault.message, ResourceName=arn) from None
        raise


@operation("meetings", "UntagResource")
def untag_resource(call: Call) -> None:
    """Remove tags by key."""
    tags.remove_tags(call.tx, tagged_meeting(call.tx, call.params["ResourceARN"]), call.params["TagKeys"])


@operation("meetings", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """Answer with the tags of a meeting."""
    return {"Tags": tags.tags_of(call.tx, tagged_meeting(call.tx, call.params["ResourceARN"]))}
