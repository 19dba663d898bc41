"""App instance bots: stored like users, with the configuration that says when they are invoked."""

from __future__ import annotations

from typing import Any

import msgspec

from chime_messaging.ids import new_uuid
from chime_messaging.server import faults
from chime_messaging.server.identity.lookups import app_instance_in, arn_in, bot_in
from chime_messaging.server.identity.users import remove_user
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import tags, users
from chime_messaging.server.store.lifecycle import existence
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.users import User

existence("bot")(users.user_exists)


@operation("identity", "CreateAppInstanceBot")
def create_app_instance_bot(call: Call) -> dict[str, Any]:
    """Make a bot with an ARN of its own."""
    owner = app_instance_in(call).arn
    configuration = _configuration(call.params["Configuration"])
    arn = f"{owner}/bot/{new_uuid()}"
    users.add_user(
        call.tx,
        arn,
        owner,
        kind="bot",
        name=call.params.get("Name"),
        document=call.params.get("Metadata"),
        configuration=configuration,
    )
    tags.put_tags(call.tx, arn, call.params.get("Tags"))
    return {"AppInstanceBotArn": arn}


@operation("identity", "DescribeAppInstanceBot")
def describe_app_instance_bot(call: Call) -> dict[str, Any]:
    """Answer with one bot; the only operation of this service that says NotFound."""
    found = users.user(call.tx, arn_in(call, "AppInstanceBotArn", "bot").text)
    if found is None:
        raise faults.not_found("There is no such app instance bot.")
    return {
        "AppInstanceBot": {
            **_summary(found),
            "Configuration": msgspec.json.decode(found.configuration or "{}"),
            "CreatedTimestamp": found.created,
            "LastUpdatedTimestamp": found.updated,
        }
    }


@operation("identity", "UpdateAppInstanceBot")
def update_app_instance_bot(call: Call) -> dict[str, Any]:
    """Replace name and metadata, and the configuration if one is given."""
    arn = bot_in(call).arn
    users.update_user(call.tx, arn, call.params["Name"], call.params["Metadata"])
    if call.params.get("Configuration") is not None:
        users.configure_bot(call.tx, arn, _configuration(call.params["Configuration"]))
    return {"AppInstanceBotArn": arn}


@operation("identity", "DeleteAppInstanceBot")
def delete_app_instance_bot(call: Call) -> None:
    """Remove a bot with its roles and memberships."""
    remove_user(call.tx, bot_in(call))


@operation("identity", "ListAppInstanceBots")
def list_app_instance_bots(call: Call) -> dict[str, Any]:
    """Answer with one page of the bots of an app instance."""
    owner = app_instance_in(call).arn
    part = window(call.params, "ListAppInstanceBots", owner)
    after = str(part.after[0]) if part.after else ""
    rows, token = part.cut(users.users_after(call.tx, owner, "bot", after, part.fetch), lambda row: (row.arn,))
    return {"AppInstanceArn": owner, "AppInstanceBots": [_summary(row) for row in rows], "NextToken": token}


def _configuration(given: dict[str, Any]) -> str:
    if not given.get("Lex"):
        raise faults.bad_request("Configuration needs Lex.")
    return msgspec.json.encode(given).decode()


def _summary(found: User) -> dict[str, Any]:
    return {"AppInstanceBotArn": found.arn, "Name": found.name, "Metadata": found.metadata}
