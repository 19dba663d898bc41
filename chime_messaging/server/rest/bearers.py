"""Who asks: the ``x-amz-chime-bearer`` header against the users there are.

Anything but a known user or bot of the target's app instance is 401; what it may do is the handlers' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel

from chime_messaging.errors import InvalidArnError
from chime_messaging.ids import Arn, parse_arn
from chime_messaging.server import faults
from chime_messaging.server.faults import Fault
from chime_messaging.server.rest.requests import BEARER_MEMBER
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.users import user_exists

BEARER_HEADER = b"x-amz-chime-bearer"

# The member that names what the call is about, in this order.
_TARGETS = ("ChannelArn", "AppInstanceArn", "AppInstanceUserArn")


class BearerRule:
    """What one operation wants of its bearer, read from the model."""

    def __init__(self, operation: OperationModel) -> None:
        shape = operation.input_shape
        members = shape.members if shape is not None else {}
        self.taken = BEARER_MEMBER in members
        """Whether the operation looks at the header at all."""
        self.required = shape is not None and BEARER_MEMBER in shape.required_members
        self._target = next((name for name in _TARGETS if name in members), None)

    def read(self, headers: Mapping[bytes, bytes]) -> Arn | None:
        """Parse the header.

        Raises:
            Fault: UnauthorizedClientException, if it is required and absent, or not the ARN of a user or bot.
        """
        if not self.taken:
            return None
        raw = headers.get(BEARER_HEADER)
        if raw is None:
            if self.required:
                raise _refused()
            return None
        try:
            bearer = parse_arn(raw.decode(), BEARER_MEMBER)
        except (InvalidArnError, UnicodeDecodeError):
            raise _refused() from None
        if bearer.kind not in ("user", "bot"):
            raise _refused()
        return bearer

    def admit(self, tx: Transaction, bearer: Arn, params: Mapping[str, Any]) -> None:
        """Check that the bearer exists, in the app instance that the call is about.

        Raises:
            Fault: UnauthorizedClientException.
        """
        if self._target is not None:
            target = _app_instance_of(params.get(self._target))
            if target is not None and target != bearer.app_instance_id:
                raise _refused()
        if not user_exists(tx, bearer.text):
            raise _refused()


def _app_instance_of(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return parse_arn(text).app_instance_id
    except InvalidArnError:
        return None  # the handler refuses it, in its own words


def _refused() -> Fault:
    return faults.unauthorized("An invalid app instance user ARN was supplied for the x-amz-chime-bearer HTTP header.")
