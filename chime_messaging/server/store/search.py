"""Channels looked up by who their members are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, literal, select, tuple_

from chime_messaging.server.store.channels import Channel, Place, channel_of, channels
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.memberships import memberships


@dataclass(frozen=True, slots=True)
class Wanted:
    """A set of members, hidden ones not counted."""

    members: frozenset[str]
    exactly: bool
    """Whether there may be no others."""


def channels_by_members(
    tx: Transaction,
    wanted: Sequence[Wanted],
    only_of: str | None,
    after: Place,
    count: int,
) -> list[Channel]:
    """One page of the channels that meet all of `wanted`, by creation; with `only_of`, of that user's channels.

    Members belong to one app instance, and so do their channels.
    """
    conditions = [condition for field in wanted for condition in _conditions(field)]
    if only_of is not None:
        conditions.append(_has_member(only_of))
    query = (
        select(channels)
        .where(
            tuple_(channels.c.created, channels.c.arn) > tuple_(literal(after[0]), literal(after[1])),
            *conditions,
        )
        .order_by(channels.c.created, channels.c.arn)
        .limit(count)
    )
    return [channel_of(row) for row in tx.connection.execute(query)]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_has_member(arn, visible=True) for arn in sorted(wanted.members)]
    if wanted.exactly:
        members = select(func.count(memberships.c.member_arn.distinct())).where(
            memberships.c.channel_arn == channels.c.arn, memberships.c.type == "DEFAULT"
        )
        conditions.append(members.scalar_subquery() == len(wanted.members))
    return conditions


def _has_member(arn: str, *, visible: bool = False) -> ColumnElement[bool]:
    # IN and not EXISTS, and no condition on the app instance, which the members imply: so the database starts from the
    # channels of a member and not from all channels.
    found = select(memberships.c.channel_arn).where(memberships.c.member_arn == arn)
    if visible:
        found = found.where(memberships.c.type == "DEFAULT")
    return channels.c.arn.in_(found)
