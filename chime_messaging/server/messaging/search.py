"""SearchChannels: channels by who their members are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from chime_messaging.server import faults
from chime_messaging.server.configuration import Authorization
from chime_messaging.server.messaging.records import Record, channel_summary
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.channels import START, Place
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.search import Wanted, channels_by_members
from chime_messaging.server.store.users import is_admin


@operation("messaging", "SearchChannels")
def search_channels(call: Call) -> Record:
    """Page through the channels with all of these members, or with exactly these.

    Users find channels that they belong to; administrators, and calls without a bearer, all of the app instance.
    """
    wanted = [_wanted(field) for field in call.params["Fields"]]
    instance, only = _scope(call, wanted)
    scope = ["SearchChannels", instance, only or ""]
    for field in wanted:
        scope += [str(field.exactly), *sorted(field.members)]
    page = window(call.params, *scope, key=(int, str))
    after = cast("Place", page.after or START)
    within = all(_app_instance_of(arn) == instance for field in wanted for arn in field.members)
    found = channels_by_members(call.tx, wanted, only, after, page.fetch) if within else []
    rows, token = page.cut(found, lambda channel: (channel.created, channel.arn))
    return {"Channels": [channel_summary(channel) for channel in rows], "NextToken": token}


def _wanted(field: Mapping[str, Any]) -> Wanted:
    return Wanted(frozenset(field["Values"]), exactly=field["Operator"] == "EQUALS")


def _scope(call: Call, wanted: Sequence[Wanted]) -> tuple[str, str | None]:
    """Say in which app instance to look, and whose channels only."""
    if call.bearer is not None:
        instance = call.bearer.app_instance_arn
        trusted = call.configuration.authorization is Authorization.TRUST
        if trusted or is_admin(call.tx, instance, call.bearer.text):
            return instance, None
        return instance, call.bearer.text
    instances = {_app_instance_of(arn) for field in wanted for arn in field.members}
    if len(instances) != 1 or "" in instances:
        raise faults.bad_request("The values must be members of one app instance.")
    return instances.pop(), None


def _app_instance_of(arn: str) -> str:
    head, kind, _ = arn.rpartition("/user/")
    return head if kind else arn.rpartition("/bot/")[0]
