"""How things are named: the ARNs of Amazon Chime SDK identities and messaging, and identifiers made here.

Forms and limits: messaging API reference (ChimeArn, ResourceName, MessageId patterns).
"""

from __future__ import annotations

import re
import secrets
import uuid
from base64 import b64decode, b64encode
from functools import lru_cache
from typing import Literal

import msgspec

from chime_messaging.errors import InvalidArnError

ArnKind = Literal["app-instance", "user", "bot", "channel", "channel-flow", "meeting", "other"]

_ARN = re.compile(
    r"arn:(?P<partition>[a-z0-9\-.]{1,63}):(?P<service>[a-z0-9\-.]{0,63}):(?P<region>[a-z0-9\-.]{0,63})"
    r":(?P<account>[a-z0-9\-.]{0,63}):(?P<resource>[^/].{0,1023})",
    re.DOTALL,
)
_RESOURCE_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9:\-_.@]{0,62}[A-Za-z0-9])?")
_MEETING_SIDE_ID = re.compile(r"[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}")
_JOIN_TOKEN_SIZE = 98
CONTENT_SUFFIX = "#content"
"""Ends the AttendeeId and the JoinToken of an attendee's content share."""
_CHILDREN: dict[str, ArnKind] = {
    "user": "user",
    "bot": "bot",
    "channel": "channel",
    "channel-flow": "channel-flow",
}


class Arn(msgspec.Struct, frozen=True, gc=False):
    """A parsed ARN; `str()` gives the text back."""

    text: str
    partition: str
    region: str
    account: str
    kind: ArnKind
    app_instance_id: str | None
    """UUID of the app instance the resource lives in; None outside app instances."""
    resource_id: str
    """Last part: the user id, channel id, flow id or the app instance id itself."""

    def __str__(self) -> str:
        return self.text

    @property
    def app_instance_arn(self) -> str:
        """ARN of the app instance that the resource lives in."""
        return app_instance_arn(self.app_instance_id or "", region=self.region, account=self.account)


@lru_cache(maxsize=4096)
def parse_arn(text: str, field: str = "arn") -> Arn:
    """Parse a Chime ARN of any kind.

    Raises:
        InvalidArnError: if the text does not have the form of an ARN; names `field`.
    """
    found = _ARN.fullmatch(text) if 5 <= len(text) <= 1600 else None
    if found is None:
        raise InvalidArnError(field, text, "an ARN (arn:aws:chime:REGION:ACCOUNT:RESOURCE)")
    parts = found["resource"].split("/")
    kind: ArnKind = "other"
    app_instance: str | None = None
    if parts[0] == "app-instance" and len(parts) >= 2:
        app_instance = parts[1]
        if len(parts) == 2:
            kind = "app-instance"
        elif len(parts) == 4:
            kind = _CHILDREN.get(parts[2], "other")
    elif parts[0] == "meeting" and len(parts) == 2:
        kind = "meeting"
    return Arn(text, found["partition"], found["region"], found["account"], kind, app_instance, parts[-1])


def require_arn(text: str, field: str, *kinds: ArnKind) -> Arn:
    """Parse an ARN that must be of one of `kinds`.

    Raises:
        InvalidArnError: if it is not; names `field` and says what was expected.
    """
    expected = f"the ARN of {' or '.join('an app instance ' + k if k != 'app-instance' else k for k in kinds)}"
    if not isinstance(text, str):
        raise InvalidArnError(field, repr(text), expected)
    arn = parse_arn(text, field)
    if arn.kind not in kinds:
        raise InvalidArnError(field, text, expected)
    return arn


def app_instance_arn(app_instance_id: str, *, region: str = "us-east-1", account: str) -> str:
    """Build the ARN of an app instance."""
    return f"arn:aws:chime:{region}:{account}:app-instance/{app_instance_id}"


def is_resource_id(text: str) -> bool:
    """Whether a text may be an AppInstanceUserId or a ChannelId (1-64 characters)."""
    return len(text) <= 64 and _RESOURCE_ID.fullmatch(text) is not None


def meeting_arn(meeting_id: str, *, region: str = "us-east-1", account: str) -> str:
    """Build the ARN of a meeting."""
    return f"arn:aws:chime:{region}:{account}:meeting/{meeting_id}"


def new_meeting_id(cell: int = 0) -> str:
    """Make a MeetingId: the form of a UUID, whose last four digits are decimal and name the cell that hosts it."""
    return f"{_random_hex_groups()[:-4]}{cell:04d}"


def new_attendee_id() -> str:
    """Make an AttendeeId: the form of a UUID without its version digits, as the live service does."""
    return _random_hex_groups()


def new_join_token(attendee_id: str) -> str:
    """Make a JoinToken: 98 characters that are legal in an HTTP token, from the AttendeeId and a secret UUID."""
    return b64encode(f"{attendee_id}:{uuid.uuid4()}".encode()).decode().rstrip("=")


def attendee_id_of(join_token: str) -> str | None:
    """Read the AttendeeId out of a JoinToken, or out of a content share's (which ends in ``#content``).

    None if the text does not have the form of one. The secret in it is for the store to compare.
    """
    text = join_token.removesuffix(CONTENT_SUFFIX)
    if len(text) != _JOIN_TOKEN_SIZE:
        return None
    try:
        attendee_id = b64decode(text + "==", validate=True).partition(b":")[0].decode("ascii")
    except ValueError:
        return None
    return attendee_id if _MEETING_SIDE_ID.fullmatch(attendee_id) else None


def _random_hex_groups() -> str:
    digits = secrets.token_hex(16)
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_uuid() -> str:
    """Make an id for an app instance, a channel or a request."""
    return str(uuid.uuid4())


def new_session_id() -> str:
    """Make a messaging session id: a random 32-bit number in decimal, as the official client does."""
    return str(secrets.randbits(32))
