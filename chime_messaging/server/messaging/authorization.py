"""Who may do what to a channel: the role matrix as data, and the one query that applies it.

Roles and their rights: developer guide, "Authorization by role".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import BindParameter, and_, bindparam, select

from chime_messaging.server import faults
from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.operations import Call
from chime_messaging.server.store.app_instances import admins, app_instance
from chime_messaging.server.store.channels import Channel, channel_of, channels
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.memberships import memberships
from chime_messaging.server.store.moderators import moderators
from chime_messaging.server.store.statements import Statement
from chime_messaging.server.store.users import user, users


class Role(Enum):
    """What the bearer is to a channel; the highest that applies."""

    ADMIN = auto()
    """Administrator of the channel's app instance."""
    MODERATOR = auto()
    MEMBER = auto()
    """With a membership of either type."""
    NON_MEMBER = auto()
    """Any other user of the app instance."""


class Rule(Enum):
    """One cell of the role matrix."""

    YES = auto()
    NO = auto()
    PUBLIC = auto()
    """In public channels."""
    OWN = auto()
    """What is the bearer's own: itself, its membership, its message."""
    MEMBERSHIP = auto()
    """With a membership of its own, of either type."""
    SEND = auto()
    """With a membership that is not hidden."""
    ADD = auto()
    """In unrestricted channels, and as JOIN."""
    JOIN = auto()
    """Only itself, to a public channel."""


_Row = tuple[Rule, Rule, Rule, Rule]
_Y, _N, _OWN, _PUBLIC = Rule.YES, Rule.NO, Rule.OWN, Rule.PUBLIC
_ALL: _Row = (_Y, _Y, _Y, _Y)
_RUN: _Row = (_Y, _Y, _N, _N)
_READ: _Row = (_Y, _Y, _Y, _PUBLIC)
_MINE: _Row = (_OWN, _OWN, _OWN, _N)
_SELF: _Row = (_Y, _OWN, _OWN, _OWN)
_ADD: _Row = (_Y, _Y, Rule.ADD, Rule.JOIN)
_MARK: _Row = (Rule.MEMBERSHIP, Rule.MEMBERSHIP, Rule.MEMBERSHIP, _N)

RULES: dict[str, _Row] = {
    # action: admin, moderator, member, non-member
    "CreateChannel": _ALL,
    "DescribeChannel": _READ,
    "UpdateChannel": _RUN,
    "DeleteChannel": _RUN,
    "PutChannelExpirationSettings": _RUN,
    "CreateChannelMembership": _ADD,
    "BatchCreateChannelMembership": _ADD,
    "DeleteChannelMembership": (_Y, _Y, _OWN, _N),
    "DescribeChannelMembership": _READ,
    "ListChannelMemberships": _READ,
    "ListHiddenChannelMemberships": _RUN,  # ListChannelMemberships with Type=HIDDEN
    "DescribeChannelMembershipForAppInstanceUser": _SELF,
    "DescribeChannelModeratedByAppInstanceUser": _SELF,
    "CreateChannelModerator": _RUN,
    "DeleteChannelModerator": _RUN,
    "DescribeChannelModerator": _RUN,
    "ListChannelModerators": _RUN,
    "CreateChannelBan": _RUN,
    "DeleteChannelBan": _RUN,
    "DescribeChannelBan": _RUN,
    "ListChannelBans": _RUN,
    "ListSubChannels": _RUN,
    "SendChannelMessage": (Rule.SEND, Rule.SEND, Rule.SEND, _N),
    "UpdateChannelMessage": _MINE,
    "RedactChannelMessage": (_Y, _Y, _OWN, _N),
    "DeleteChannelMessage": (_Y, _N, _N, _N),
    "GetChannelMessage": _READ,
    "ListChannelMessages": _READ,
    "GetChannelMessageStatus": _MINE,
    "UpdateChannelReadMarker": _MARK,
    "GetChannelMembershipPreferences": _MINE,
    "PutChannelMembershipPreferences": _MINE,
    "AssociateChannelFlow": _RUN,
    "DisassociateChannelFlow": _RUN,
}
"""What each role may do, by operation name."""

_COLUMN = {Role.ADMIN: 0, Role.MODERATOR: 1, Role.MEMBER: 2, Role.NON_MEMBER: 3}

SAYS_NOT_FOUND = frozenset(
    {
        "AssociateChannelFlow",
        "BatchCreateChannelMembership",
        "CreateChannelMembership",
        "DescribeChannelBan",
        "DescribeChannelMembership",
        "DescribeChannelModerator",
        "DisassociateChannelFlow",
        "GetChannelMessage",
    }
)
"""Operations that declare NotFoundException; the others answer 403 for what does not exist."""

INVALID_USER = "An invalid app instance user ARN was supplied for the input parameter."


@dataclass(frozen=True, slots=True)
class Access:
    """A channel as one bearer may see it."""

    channel: Channel
    role: Role
    bearer: str | None
    """ARN of who asks; None where an operation takes no bearer."""
    name: str | None
    """Name of who asks."""
    sub_channels: tuple[tuple[str, str], ...]
    """Sub-channel id (empty in ordinary channels) and type of each membership of the bearer."""
    rule: Rule
    """The cell of the role matrix that let the bearer in."""

    @property
    def is_member(self) -> bool:
        """Whether the bearer has a membership."""
        return bool(self.sub_channels)

    @property
    def is_hidden(self) -> bool:
        """Whether the bearer's membership is HIDDEN."""
        return any(kind == "HIDDEN" for _, kind in self.sub_channels)

    @property
    def runs_channel(self) -> bool:
        """Whether the bearer is admin or moderator."""
        return self.role in (Role.ADMIN, Role.MODERATOR)

    def require_own(self, owner_arn: str) -> None:
        """Let the bearer go on where the matrix says "own" only if it owns the thing: its message, its membership.

        Raises:
            Fault: 403.
        """
        if self.rule is Rule.OWN and owner_arn != self.bearer:
            raise faults.forbidden()

    def require_sub_channel(self, sub_channel_id: str | None) -> None:
        """Check which part of the channel is asked for: one of an elastic channel, for an ordinary member its own.

        Raises:
            Fault: 400 if it is missing or has no meaning here, 403 if it is another's.
        """
        if not self.channel.is_elastic:
            if sub_channel_id is not None:
                raise faults.bad_request("SubChannelId is for elastic channels only.")
            return
        if sub_channel_id is None:
            raise faults.bad_request("SubChannelId is required in an elastic channel.")
        if self.role is Role.MEMBER and all(sub_channel_id != held for held, _ in self.sub_channels):
            raise faults.forbidden("The bearer is not a member of the sub-channel.")


_BEARER: BindParameter[str] = bindparam("bearer")

_load = Statement(
    select(
        channels,
        memberships.c.sub_channel_id.label("member_sub_channel"),
        memberships.c.type.label("member_type"),
        moderators.c.moderator_arn.label("moderator"),
        admins.c.arn.label("admin"),
        users.c.name.label("bearer_name"),
        users.c.app_instance_arn.label("bearer_app_instance"),
    )
    .select_from(channels)
    .outerjoin(memberships, and_(memberships.c.channel_arn == channels.c.arn, memberships.c.member_arn == _BEARER))
    .outerjoin(moderators, and_(moderators.c.channel_arn == channels.c.arn, moderators.c.moderator_arn == _BEARER))
    .outerjoin(admins, and_(admins.c.app_instance_arn == channels.c.app_instance_arn, admins.c.arn == _BEARER))
    .outerjoin(users, users.c.arn == _BEARER)
    .where(channels.c.arn == bindparam("channel"))
)

_PLACE_OF_BEARER = Statement(
    select(users.c.app_instance_arn, admins.c.arn.label("admin"))
    .select_from(users)
    .outerjoin(admins, and_(admins.c.app_instance_arn == users.c.app_instance_arn, admins.c.arn == users.c.arn))
    .where(users.c.arn == _BEARER)
)


def authorize(call: Call, action: str, channel_arn: str, owner: str | None = None) -> Access:
    """Load a channel and what the bearer is to it, in one query, and apply the role matrix.

    Args:
        call: the request.
        action: row of `RULES`: the operation's name.
        channel_arn: the channel.
        owner: whom the action is about, where the matrix says "own" or "join". Where that is known only later (the
            sender of a message), leave it out and ask `Access.require_own` then.

    Raises:
        Fault: 404 for a missing channel where the operation says so, else 403; 403 if the role does not allow it.
    """
    bearer = None if call.bearer is None else call.bearer.text
    rows = call.tx.all(_load, channel=channel_arn, bearer=bearer)
    if not rows:
        # Without 404 in the operation's contract, what is missing must look like what is forbidden.
        raise faults.not_found("The channel does not exist.") if action in SAYS_NOT_FOUND else faults.forbidden()
    trusted = call.configuration.authorization is Authorization.TRUST or bearer is None
    access = _access(rows, bearer, action, trusted)
    if not trusted and not _allows(access, rows[0].bearer_app_instance, owner, call.configuration):
        raise faults.forbidden()
    return access


def _access(rows: list[Any], bearer: str | None, action: str, trusted: bool) -> Access:
    first = rows[0]
    held = tuple((row.member_sub_channel, row.member_type) for row in rows if row.member_type is not None)
    if trusted or first.admin is not None:
        role = Role.ADMIN
    elif first.moderator is not None:
        role = Role.MODERATOR
    else:
        role = Role.MEMBER if held else Role.NON_MEMBER
    rule = Rule.YES if trusted else RULES[action][_COLUMN[role]]
    return Access(channel_of(first), role, bearer, first.bearer_name, held, rule)


def _allows(access: Access, bearer_app_instance: str | None, owner: str | None, settings: ServerConfiguration) -> bool:
    channel = access.channel
    if bearer_app_instance != channel.app_instance_arn:
        return False
    match access.rule:
        case Rule.YES:
            return True
        case Rule.PUBLIC:
            return channel.privacy == "PUBLIC"
        case Rule.OWN:
            return owner is None or owner == access.bearer
        case Rule.MEMBERSHIP:
            return access.is_member
        case Rule.SEND:
            return access.is_member and not access.is_hidden
        case Rule.ADD if channel.mode == "UNRESTRICTED":
            return True
        case Rule.ADD | Rule.JOIN:
            open_to_join = settings.join_restricted or channel.mode == "UNRESTRICTED"
            return channel.privacy == "PUBLIC" and owner == access.bearer and open_to_join
        case _:
            return False


def administers(call: Call, app_instance_arn: str) -> bool:
    """Tell whether the bearer may do everything in an app instance.

    Raises:
        Fault: 403 if the app instance does not exist or the bearer is of another.
    """
    if call.bearer is None or call.configuration.authorization is Authorization.TRUST:
        if app_instance(call.tx, app_instance_arn) is None:
            raise faults.forbidden("The app instance does not exist.")
        return True
    row = call.tx.first(_PLACE_OF_BEARER, bearer=call.bearer.text)
    if row is None or row.app_instance_arn != app_instance_arn:
        raise faults.forbidden()
    return row.admin is not None


def authorize_user(call: Call, user_arn: str | None) -> str:
    """Say whose channels are asked for: the bearer's, or for an administrator anybody's.

    Args:
        call: the request.
        user_arn: AppInstanceUserArn of the request; None means the bearer.

    Raises:
        Fault: 403 if the bearer may not ask for this user, 400 if there is nobody to ask for.
    """
    bearer = None if call.bearer is None else call.bearer.text
    wanted = user_arn or bearer
    if wanted is None:
        raise faults.bad_request("AppInstanceUserArn is required without a bearer.")
    if wanted == bearer or call.configuration.authorization is Authorization.TRUST:
        return wanted
    found = user(call.tx, wanted)
    if found is None or not administers(call, found.app_instance_arn):
        raise faults.forbidden(INVALID_USER)
    return wanted


def role_of(tx: Transaction, channel_arn: str, bearer: str) -> Role:
    """Tell what a user is to a channel; NON_MEMBER if there is no such channel."""
    rows = tx.all(_load, channel=channel_arn, bearer=bearer)
    return _access(rows, bearer, "DescribeChannel", trusted=False).role if rows else Role.NON_MEMBER


def missing(action: str, message: str) -> faults.Fault:
    """Build the answer for something that does not exist: 404 where the operation declares it, else 403."""
    return faults.not_found(message) if action in SAYS_NOT_FOUND else faults.forbidden(message)
