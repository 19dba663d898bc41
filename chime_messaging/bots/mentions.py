"""Whether a message speaks to a bot, and what it says to it. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from chime_messaging.wire.payloads import MessageSummary

MENTIONS = "CHIME.mentions"
"""Message attribute that lists the ARNs of who is mentioned; the service's own rule for app instance bots."""


def is_mentioned(message: MessageSummary, user_arn: str, name: str | None = None) -> bool:
    """Whether a message mentions a user: by attribute, as ``<@ARN|name>``, or as ``@name``."""
    attribute = (message.message_attributes or {}).get(MENTIONS)
    if attribute is not None and user_arn in attribute.string_values:
        return True
    return _mention(user_arn, name).search(message.content or "") is not None


def without_mention(text: str, user_arn: str, name: str | None = None) -> str:
    """Take the mentions of a user out of a text."""
    return _mention(user_arn, name).sub(" ", text).strip()


@lru_cache(maxsize=256)
def _mention(user_arn: str, name: str | None) -> re.Pattern[str]:
    by_arn = rf"<@{re.escape(user_arn)}(?:\|[^>\n]{{0,256}})?>[,:]?"
    if not name:
        return re.compile(by_arn)
    return re.compile(rf"{by_arn}|(?<![\w@])@{re.escape(name)}(?!\w)[,:]?", re.IGNORECASE)
