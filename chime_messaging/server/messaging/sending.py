"""The way of every new message, whoever sends it: into the channel, or into its flow first."""

from __future__ import annotations

from chime_messaging.server.messaging import bots, flow_runs
from chime_messaging.server.messaging.message_events import announce
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.messages import Message, insert_message, touch_channel


def send(tx: Transaction, message: Message, flow_arn: str | None) -> None:
    """Store and deliver a checked message; a STANDARD one through the channel's flow if it has one.

    Sets the message's status: SENT, or PENDING.
    """
    if flow_arn is not None and message.type == "STANDARD":
        flow_runs.start_create(tx, message, flow_arn)
        return
    if message.persistence == "PERSISTENT":
        insert_message(tx, message)
        touch_channel(tx, message.channel_arn)
    announce(tx, "CREATE_CHANNEL_MESSAGE", message)
    bots.hand_over(tx, message)
