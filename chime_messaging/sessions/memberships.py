"""The people of a channel: members, moderators, the banned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.errors import ConflictError
from chime_messaging.ids import require_arn
from chime_messaging.sessions.pages import Items
from chime_messaging.wire.limits import BATCH_MEMBERS
from chime_messaging.wire.payloads import (
    ChannelBan,
    ChannelMembership,
    ChannelModerator,
    Identity,
    MembershipError,
    MembershipForUser,
    MembershipType,
)


class AddedMembers(msgspec.Struct, frozen=True):
    """What became of a batch of new members."""

    members: list[Identity]
    errors: list[MembershipError]
    """Users who could not be added; the others are members."""


class ChannelMembers:
    """The calls of a channel that are about people. `Channel` has them all."""

    def __init__(self, arn: str, control_plane: ControlPlane, bearer: str) -> None:
        require_arn(arn, "channel_arn", "channel")
        require_arn(bearer, "bearer", "user", "bot")
        self.arn = arn
        """ARN of the channel."""
        self.bearer = bearer
        """ARN of the user who acts."""
        self._control_plane = control_plane

    def members(self, *, type: MembershipType | None = None, sub_channel_id: str | None = None) -> Items[Identity]:
        """Iterate over the members. Official name: ListChannelMemberships.

        Args:
            type: HIDDEN for the hidden ones; the others by default.
            sub_channel_id: Part of an elastic channel.
        """
        return Items(
            self._call,
            "ListChannelMemberships",
            "ChannelMemberships",
            _identity("Member"),
            Type=type,
            SubChannelId=sub_channel_id,
        )

    async def membership(self, member_arn: str, *, sub_channel_id: str | None = None) -> ChannelMembership:
        """Describe one member. Official name: DescribeChannelMembership.

        Raises:
            NotFoundError: if the user is not a member.
        """
        response = await self._call(
            "DescribeChannelMembership", MemberArn=_user(member_arn), SubChannelId=sub_channel_id
        )
        return msgspec.convert(response["ChannelMembership"], ChannelMembership)

    async def own_membership(self) -> MembershipForUser:
        """Describe the bearer's place, read marker included.

        Official name: DescribeChannelMembershipForAppInstanceUser.

        Raises:
            ForbiddenError: if the bearer is not a member.
        """
        response = await self._call("DescribeChannelMembershipForAppInstanceUser", AppInstanceUserArn=self.bearer)
        return msgspec.convert(response["ChannelMembership"], MembershipForUser)

    async def add_member(
        self, member_arn: str, *, type: MembershipType = "DEFAULT", sub_channel_id: str | None = None
    ) -> Identity:
        """Add a user. Official name: CreateChannelMembership.

        Args:
            member_arn: The user or bot.
            type: HIDDEN members read, but are not listed and do not send.
            sub_channel_id: Part of an elastic channel.

        Raises:
            ConflictError: if the user is a member already.
            ForbiddenError: if the bearer may not, or the user is banned.
        """
        response = await self._call(
            "CreateChannelMembership", MemberArn=_user(member_arn), Type=type, SubChannelId=sub_channel_id
        )
        return msgspec.convert(response["Member"], Identity)

    async def add_members(
        self, member_arns: Iterable[str], *, type: MembershipType = "DEFAULT", sub_channel_id: str | None = None
    ) -> AddedMembers:
        """Add any number of users, a hundred per request. Official name: BatchCreateChannelMembership.

        One that cannot be added does not stop the others: look at `errors`.
        """
        arns = [_user(arn) for arn in member_arns]
        added = AddedMembers([], [])
        for start in range(0, len(arns), BATCH_MEMBERS):
            response = await self._call(
                "BatchCreateChannelMembership",
                MemberArns=arns[start : start + BATCH_MEMBERS],
                Type=type,
                SubChannelId=sub_channel_id,
            )
            batch = response.get("BatchChannelMemberships", {})
            added.members.extend(msgspec.convert(batch.get("Members", []), list[Identity]))
            added.errors.extend(msgspec.convert(response.get("Errors", []), list[MembershipError]))
        return added

    async def remove_member(self, member_arn: str, *, sub_channel_id: str | None = None) -> None:
        """Remove a user; the user's messages stay. Official name: DeleteChannelMembership."""
        await self._call("DeleteChannelMembership", MemberArn=_user(member_arn), SubChannelId=sub_channel_id)

    async def join(self) -> None:
        """Become a member, or stay one.

        Raises:
            ForbiddenError: if the channel does not let the bearer in.
        """
        try:
            await self.add_member(self.bearer)
        except ConflictError:
            # A conflict also means that someone else changes this membership right now; this asks which it was.
            await self.membership(self.bearer)

    async def leave(self) -> None:
        """Stop being a member."""
        await self.remove_member(self.bearer)

    def moderators(self) -> Items[Identity]:
        """Iterate over the moderators. Official name: ListChannelModerators."""
        return Items(self._call, "ListChannelModerators", "ChannelModerators", _identity("Moderator"))

    async def moderator(self, moderator_arn: str) -> ChannelModerator:
        """Describe one moderator. Official name: DescribeChannelModerator.

        Raises:
            NotFoundError: if the user is none.
        """
        response = await self._call("DescribeChannelModerator", ChannelModeratorArn=_user(moderator_arn))
        return msgspec.convert(response["ChannelModerator"], ChannelModerator)

    async def add_moderator(self, moderator_arn: str) -> None:
        """Make a member a moderator. Official name: CreateChannelModerator."""
        await self._call("CreateChannelModerator", ChannelModeratorArn=_user(moderator_arn))

    async def remove_moderator(self, moderator_arn: str) -> None:
        """Take the role away; the membership stays. Official name: DeleteChannelModerator."""
        await self._call("DeleteChannelModerator", ChannelModeratorArn=_user(moderator_arn))

    def bans(self) -> Items[Identity]:
        """Iterate over the banned users. Official name: ListChannelBans."""
        return Items(self._call, "ListChannelBans", "ChannelBans", _identity("Member"))

    async def banned(self, member_arn: str) -> ChannelBan:
        """Describe one ban. Official name: DescribeChannelBan.

        Raises:
            NotFoundError: if the user is not banned.
        """
        response = await self._call("DescribeChannelBan", MemberArn=_user(member_arn))
        return msgspec.convert(response["ChannelBan"], ChannelBan)

    async def ban(self, member_arn: str) -> None:
        """Remove a user and keep them out. Official name: CreateChannelBan."""
        await self._call("CreateChannelBan", MemberArn=_user(member_arn))

    async def unban(self, member_arn: str) -> None:
        """Lift a ban; does not make the user a member again. Official name: DeleteChannelBan."""
        await self._call("DeleteChannelBan", MemberArn=_user(member_arn))

    async def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._control_plane.call(operation, ChannelArn=self.arn, ChimeBearer=self.bearer, **params)


def _identity(member: str) -> Callable[[dict[str, Any]], Identity]:
    return lambda item: msgspec.convert(item[member], Identity)


def _user(arn: str) -> str:
    require_arn(arn, "member_arn", "user", "bot")
    return arn
