"""Count quotas of messaging: the service's defaults, refused with ResourceLimitExceededException."""

from __future__ import annotations

CHANNELS_PER_APP_INSTANCE = 10_000_000
MEMBERSHIPS_PER_CHANNEL = 10_000
CHANNELS_PER_MEMBER = 20_000
MODERATORS_PER_CHANNEL = 1_000
ELASTIC_CHANNELS_PER_APP_INSTANCE = 1
SUB_CHANNELS_PER_CHANNEL = 100
MEMBERS_PER_SUB_CHANNEL = 1_000
