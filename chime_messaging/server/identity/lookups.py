"""From an ARN in a request to the thing it names. What is missing looks the same as what is forbidden."""

from __future__ import annotations

from chime_messaging.errors import InvalidArnError
from chime_messaging.ids import Arn, ArnKind, require_arn
from chime_messaging.server import faults
from chime_messaging.server.operations import Call
from chime_messaging.server.store.app_instances import AppInstance, app_instance
from chime_messaging.server.store.users import User, user


def arn_in(call: Call, field: str, *kinds: ArnKind) -> Arn:
    """Parse an ARN parameter.

    Raises:
        Fault: BadRequestException, if it is not an ARN of one of `kinds`.
    """
    try:
        return require_arn(call.params[field], field, *kinds)
    except InvalidArnError as error:
        raise faults.bad_request(str(error)) from None


def app_instance_in(call: Call, field: str = "AppInstanceArn") -> AppInstance:
    """Load the app instance that a parameter names.

    Raises:
        Fault: ForbiddenException, if there is none.
    """
    found = app_instance(call.tx, arn_in(call, field, "app-instance").text)
    if found is None:
        raise faults.forbidden()
    return found


def user_in(call: Call, field: str = "AppInstanceUserArn") -> User:
    """Load the user that a parameter names.

    Raises:
        Fault: ForbiddenException, if there is none.
    """
    found = user(call.tx, arn_in(call, field, "user").text)
    if found is None:
        raise faults.forbidden()
    return found


def bot_in(call: Call) -> User:
    """Load the bot that AppInstanceBotArn names.

    Raises:
        Fault: ForbiddenException, if there is none.
    """
    found = user(call.tx, arn_in(call, "AppInstanceBotArn", "bot").text)
    if found is None:
        raise faults.forbidden()
    return found
