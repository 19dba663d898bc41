"""App instance bots as members: which messages are handed to which bot.

On AWS a bot is an Amazon Lex V2 bot. Here whatever is registered for its LexBotAliasArn stands in; it is handed a
request in the manner of Lex's RecognizeText.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select

from chime_messaging.server.notices import Invoke
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.memberships import memberships
from chime_messaging.server.store.messages import Message
from chime_messaging.server.store.statements import Statement
from chime_messaging.server.store.users import user, users

MENTIONS = "CHIME.mentions"
"""Message attribute that lists the ARNs of who is mentioned."""

_encode = msgspec.json.Encoder().encode

_IN_CHANNEL = (memberships.c.channel_arn == bindparam("channel"), memberships.c.sub_channel_id == bindparam("part"))
# Bots are found by the range of their ARNs in the primary key, so that a channel without any costs one index probe.
_BOTS = Statement(
    select(users.c.arn, users.c.configuration)
    .select_from(memberships)
    .join(users, users.c.arn == memberships.c.member_arn)
    .where(
        *_IN_CHANNEL,
        memberships.c.member_arn > bindparam("first"),
        memberships.c.member_arn < bindparam("last"),
        memberships.c.type == "DEFAULT",
        users.c.kind == "bot",
    )
)
_COUNT_VISIBLE = Statement(
    select(func.count()).select_from(memberships).where(*_IN_CHANNEL, memberships.c.type == "DEFAULT")
)


def hand_over(tx: Transaction, message: Message) -> None:
    """Have the bots of a channel invoked that its new message is for.

    Bots do not hear bots, themselves included: two of them would never stop.
    """
    if message.type != "STANDARD":
        return
    prefix = message.channel_arn.rpartition("/channel/")[0] + "/bot"
    rows = tx.all(
        _BOTS, channel=message.channel_arn, part=message.sub_channel_id, first=f"{prefix}/", last=f"{prefix}0"
    )
    if not rows or message.sender_arn.startswith(f"{prefix}/"):
        return
    others = int(tx.first(_COUNT_VISIBLE, channel=message.channel_arn, part=message.sub_channel_id)[0]) - 1
    mentioned = mentions(message)
    for arn, configuration in rows:
        lex = lex_configuration(configuration)
        if is_for(message.target, arn, invoked_by(lex), mentioned=arn in mentioned, others=others):
            tx.notify(Invoke(arn, request(arn, lex, message)))


def is_for(target: str | None, bot: str, invocation: tuple[str, str], *, mentioned: bool, others: int) -> bool:
    """Decide whether a STANDARD message is handed to a bot.

    Args:
        target: the member that the message is targeted at, if any.
        bot: ARN of the bot.
        invocation: the bot's InvokedBy: StandardMessages and TargetedMessages.
        mentioned: whether the message mentions the bot.
        others: members of the channel besides the bot, the hidden ones not counted.
    """
    standard, targeted = invocation
    if target is not None:
        return target == bot and targeted == "ALL"
    if standard == "AUTO":
        return mentioned or others == 1
    return standard == "ALL" or (standard == "MENTIONS" and mentioned)


def mentions(message: Message) -> Sequence[str]:
    """List the ARNs that a message mentions."""
    if not message.attributes:
        return ()
    attribute = msgspec.json.decode(message.attributes).get(MENTIONS) or {}
    return attribute.get("StringValues") or ()


def lex_configuration(configuration: str | None) -> dict[str, Any]:
    """Read the Lex part of a bot's Configuration (JSON text)."""
    lex = msgspec.json.decode(configuration or "{}").get("Lex") or {}
    return dict(lex)


def invoked_by(lex: dict[str, Any]) -> tuple[str, str]:
    """Tell which standard and which targeted messages invoke a bot; RespondsTo is the older way to say it."""
    if rule := lex.get("InvokedBy"):
        return rule.get("StandardMessages", "AUTO"), rule.get("TargetedMessages", "ALL")
    return ("ALL" if lex.get("RespondsTo") == "STANDARD_MESSAGES" else "AUTO"), "ALL"


class Request(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True, kw_only=True):
    """What a bot is handed: members of Lex's RecognizeText, and where the message came from."""

    bot_arn: str
    bot_alias_arn: str
    locale_id: str
    session_id: str
    request_attributes: dict[str, str]
    """``CHIME.channel.arn`` and ``CHIME.sender.arn``."""
    text: str = ""
    session_state: dict[str, Any] | None = None
    """Names the welcome intent when the bot has just joined."""
    channel_arn: str
    sub_channel_id: str = ""
    sender_arn: str
    message_id: str = ""
    targeted: bool = False
    """Whether the message was for the bot alone; so is the answer for its sender."""


def request(bot_arn: str, lex: dict[str, Any], message: Message) -> bytes:
    """Build what a bot is handed for a message, as JSON text."""
    return _encode(
        _request(
            bot_arn,
            lex,
            message.sender_arn,
            text=message.content,
            channel_arn=message.channel_arn,
            sub_channel_id=message.sub_channel_id,
            message_id=message.message_id,
            targeted=message.target is not None,
        )
    )


def welcome_request(tx: Transaction, bot_arn: str, group: str) -> bytes | None:
    """Build what a bot is handed when it has joined a channel (or a part of one); None without a welcome intent."""
    bot = user(tx, bot_arn)
    lex = lex_configuration(bot.configuration) if bot is not None else {}
    intent = lex.get("WelcomeIntent")
    if not intent:
        return None
    channel_arn, _, sub_channel_id = group.partition("#")
    state = {"intent": {"name": intent}}
    return _encode(
        _request(bot_arn, lex, bot_arn, session_state=state, channel_arn=channel_arn, sub_channel_id=sub_channel_id)
    )


def _request(bot_arn: str, lex: dict[str, Any], sender_arn: str, *, channel_arn: str, **members: Any) -> Request:
    return Request(
        bot_arn=bot_arn,
        bot_alias_arn=lex.get("LexBotAliasArn", ""),
        locale_id=lex.get("LocaleId", ""),
        session_id=hashlib.sha256(f"{channel_arn}\n{sender_arn}".encode()).hexdigest()[:32],
        request_attributes={"CHIME.channel.arn": channel_arn, "CHIME.sender.arn": sender_arn},
        sender_arn=sender_arn,
        channel_arn=channel_arn,
        **members,
    )
