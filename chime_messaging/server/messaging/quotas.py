"""Count quotas of messaging: the service's defaults, refused with ResourceLimitExceededException.

The 10 million channels of an app instance are not among them: counting them would make each new one dearer.
"""

from __future__ import annotations

MEMBERSHIPS_PER_CHANNEL = 10_000
CHANNELS_PER_MEMBER = 20_000
MODERATORS_PER_CHANNEL = 1_000
ELASTIC_CHANNELS_PER_APP_INSTANCE = 1
SUB_CHANNELS_PER_CHANNEL = 100
MEMBERS_PER_SUB_CHANNEL = 1_000
