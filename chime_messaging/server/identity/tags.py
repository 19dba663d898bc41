"""Tags, the same operations in the identity and the messaging service."""

from __future__ import annotations

from typing import Any

from chime_messaging.errors import InvalidArnError
from chime_messaging.ids import parse_arn
from chime_messaging.server import faults
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import tags
from chime_messaging.server.store.lifecycle import EXISTS


@operation("identity", "TagResource")
@operation("messaging", "TagResource")
def tag_resource(call: Call) -> None:
    """Add tags, replacing those with the same key."""
    tags.put_tags(call.tx, _resource(call), call.params["Tags"])


@operation("identity", "UntagResource")
@operation("messaging", "UntagResource")
def untag_resource(call: Call) -> None:
    """Remove tags by key."""
    tags.remove_tags(call.tx, _resource(call), call.params["TagKeys"])


@operation("identity", "ListTagsForResource")
@operation("messaging", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """Answer with the tags of a resource."""
    return {"Tags": tags.tags_of(call.tx, _resource(call))}


def _resource(call: Call) -> str:
    """The ARN of a resource that exists and is of a kind that carries tags."""
    try:
        arn = parse_arn(call.params["ResourceARN"], "ResourceARN")
    except InvalidArnError as error:
        raise faults.bad_request(str(error)) from None
    exists = EXISTS.get(arn.kind)
    if exists is None or not exists(call.tx, arn.text):
        raise faults.forbidden()
    return arn.text
