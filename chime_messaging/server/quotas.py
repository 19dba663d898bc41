"""Rate quotas of the service: how many calls per second, and for what.

A quota is a rate and a scope (a channel, a user, an app instance, the bearer, the account); the operations of one row
share one bucket per scope value. Source: quotas of the Amazon Chime SDK, adjustable per account unless noted.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chime_messaging.errors import InvalidArnError
from chime_messaging.ids import parse_arn
from chime_messaging.server import faults

MAX_BUCKETS = 65_536
CONNECTIONS_PER_SECOND = 1.0
"""New websocket connections per user (fixed)."""
CONNECTION_BURST = 10
"""As many as a user may hold, so that all its devices can come back after a restart."""


@dataclass(frozen=True, slots=True)
class Quota:
    """One row of the table."""

    name: str
    rate: float
    """Calls per second."""
    scope: str
    """The parameter whose value has a bucket of its own, or ``app-instance`` (of any ARN in the parameters),
    ``bearer`` or ``account``."""
    operations: frozenset[tuple[str, str]]
    """Service and operation; empty for all operations of all services that have the scope."""
    shared: bool = True
    """Whether the operations share a bucket, or each has its own."""
    at_once: float | None = None
    """Calls that may come at once, if that is not one second's worth."""

    @property
    def burst(self) -> float:
        """Calls that may come at once."""
        return max(1.0, self.rate) if self.at_once is None else self.at_once


def _messaging(*names: str) -> frozenset[tuple[str, str]]:
    return frozenset(("messaging", name) for name in names)


def _identity(*names: str) -> frozenset[tuple[str, str]]:
    return frozenset(("identity", name) for name in names)


def _meetings(*names: str) -> frozenset[tuple[str, str]]:
    return frozenset(("meetings", name) for name in names)


QUOTAS: tuple[Quota, ...] = (
    Quota("calls of a bearer", 10, "bearer", frozenset()),
    Quota(
        "messages sent, updated, redacted and deleted in a channel",
        30,
        "ChannelArn",
        _messaging(
            "SendChannelMessage",
            "UpdateChannelMessage",
            "RedactChannelMessage",
            "DeleteChannelMessage",
            "ChannelFlowCallback",
        ),
    ),
    Quota("message lists of a channel", 30, "ChannelArn", _messaging("ListChannelMessages")),
    Quota("messages read in a channel", 30, "ChannelArn", _messaging("GetChannelMessage", "GetChannelMessageStatus")),
    Quota(
        "channels created, updated and deleted in an app instance",
        15,
        "app-instance",
        _messaging("CreateChannel", "UpdateChannel", "DeleteChannel"),
    ),
    Quota("channel lists of an app instance", 10, "app-instance", _messaging("ListChannels")),
    Quota("descriptions of a channel", 20, "ChannelArn", _messaging("DescribeChannel")),
    Quota(
        "memberships, bans and moderators created and deleted in a channel",
        15,
        "ChannelArn",
        _messaging(
            "CreateChannelMembership",
            "DeleteChannelMembership",
            "CreateChannelBan",
            "DeleteChannelBan",
            "CreateChannelModerator",
            "DeleteChannelModerator",
        ),
    ),
    Quota(
        "lists of memberships, bans and moderators of a channel",
        15,
        "ChannelArn",
        _messaging("ListChannelMemberships", "ListChannelBans", "ListChannelModerators"),
    ),
    Quota(
        "lists of a user's channels",
        15,
        "AppInstanceUserArn",
        _messaging("ListChannelMembershipsForAppInstanceUser", "ListChannelsModeratedByAppInstanceUser"),
    ),
    Quota("sub-channel lists of a channel", 15, "ChannelArn", _messaging("ListSubChannels")),
    Quota("batches of memberships in a channel", 1, "ChannelArn", _messaging("BatchCreateChannelMembership")),
    Quota(
        "app instances created, updated and deleted",
        5,
        "account",
        _identity("CreateAppInstance", "UpdateAppInstance", "DeleteAppInstance"),
    ),
    Quota(
        "users created, updated and deleted in an app instance",
        10,
        "app-instance",
        _identity("CreateAppInstanceUser", "UpdateAppInstanceUser", "DeleteAppInstanceUser"),
    ),
    Quota(
        "descriptions",
        20,
        "account",
        _identity(
            "DescribeAppInstance", "DescribeAppInstanceUser", "DescribeAppInstanceAdmin", "DescribeAppInstanceBot"
        ),
        shared=False,
    ),
    Quota(
        "lists",
        10,
        "account",
        _identity("ListAppInstances", "ListAppInstanceUsers", "ListAppInstanceAdmins", "ListAppInstanceBots"),
        shared=False,
    ),
    # Approximations: the service documents its rates of meetings per account and Region, and changes them.
    Quota(
        "meetings created",
        10,
        "account",
        _meetings("CreateMeeting", "CreateMeetingWithAttendees"),
        shared=False,
        at_once=20,
    ),
    Quota(
        "other calls about meetings",
        10,
        "account",
        _meetings(
            "BatchCreateAttendee",
            "BatchUpdateAttendeeCapabilitiesExcept",
            "CreateAttendee",
            "DeleteAttendee",
            "DeleteMeeting",
            "GetAttendee",
            "GetMeeting",
            "ListAttendees",
            "ListTagsForResource",
            "StartMeetingTranscription",
            "StopMeetingTranscription",
            "TagResource",
            "UntagResource",
            "UpdateAttendeeCapabilities",
        ),
        shared=False,
    ),
)


class Buckets:
    """Token buckets, at most `limit` of them. Pure: the caller says what time it is.

    A bucket is one number, the time at which it is full again; a forgotten bucket is a full one, so when there are
    too many the one used longest ago goes.
    """

    def __init__(self, limit: int = MAX_BUCKETS) -> None:
        self._limit = limit
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def has(self, key: tuple[str, str], rate: float, burst: float, now: float) -> bool:
        """Whether a token could be taken."""
        return max(self._full_at.get(key, now), now) + 1 / rate - now <= burst / rate + 1e-9

    def take(self, key: tuple[str, str], rate: float, burst: float, now: float) -> bool:
        """Take a token; False if there is none.

        Args:
            key: name of the quota and value of its scope.
            rate: tokens per second.
            burst: tokens in a full bucket.
            now: seconds on any clock that does not go back.
        """
        if not self.has(key, rate, burst, now):
            return False
        self._full_at[key] = max(self._full_at.get(key, now), now) + 1 / rate
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._limit:
            self._full_at.popitem(last=False)
        return True


class Limiter:
    """Admits calls and connections within the quotas. Belongs to the event loop.

    Args:
        quotas: the table.
        clock: monotonic seconds.
    """

    def __init__(self, quotas: tuple[Quota, ...] = QUOTAS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets = Buckets()
        self._everywhere = tuple(quota for quota in quotas if not quota.operations)
        self._quotas: dict[tuple[str, str], list[Quota]] = {}
        for quota in quotas:
            for key in quota.operations:
                self._quotas.setdefault(key, []).append(quota)

    def admit(self, service: str, operation: str, params: Mapping[str, Any], bearer: str | None) -> None:
        """Count one call.

        Args:
            service: ``messaging``, ``identity`` or ``meetings``.
            operation: official name.
            params: decoded request members.
            bearer: ARN of who asks, if anyone.

        Raises:
            Fault: ThrottledClientException, if a quota is used up; nothing is counted then.
        """
        now = self._clock()
        applying: list[tuple[Quota, tuple[str, str]]] = []
        for quota in (*self._everywhere, *self._quotas.get((service, operation), ())):
            value = _scope_value(quota.scope, params, bearer)
            if value is not None:
                name = quota.name if quota.shared else f"{quota.name} by {operation}"
                applying.append((quota, (name, value)))
        for quota, key in applying:
            if not self._buckets.has(key, quota.rate, quota.burst, now):
                raise faults.throttled(f"Rate exceeded: {quota.rate:g} per second for {quota.name}")
        for quota, key in applying:
            self._buckets.take(key, quota.rate, quota.burst, now)

    def admit_connection(self, user_arn: str) -> bool:
        """Count one new websocket of a user; False if there are too many."""
        return self._buckets.take(("connections", user_arn), CONNECTIONS_PER_SECOND, CONNECTION_BURST, self._clock())


def _scope_value(scope: str, params: Mapping[str, Any], bearer: str | None) -> str | None:
    if scope == "account":
        return ""
    if scope == "bearer":
        return bearer
    if scope == "app-instance":
        return _app_instance(params)
    value = params.get(scope)
    return value if isinstance(value, str) else None


def _app_instance(params: Mapping[str, Any]) -> str | None:
    for name in ("AppInstanceArn", "ChannelArn", "AppInstanceUserArn"):
        value = params.get(name)
        if isinstance(value, str):
            try:
                return parse_arn(value).app_instance_id
            except InvalidArnError:
                continue
    return None
