from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chime_messaging.events import MessageCreated
from chime_messaging.protocol.seen import WINDOW, SeenMessages
from chime_messaging.wire.envelope import Envelope
from chime_messaging.wire.payloads import ChannelMessage

START = datetime(2026, 1, 1, tzinfo=UTC)


def created(second: float, arn: str = "a") -> MessageCreated:
    moment = START + timedelta(seconds=second)
    return MessageCreated(
        Envelope({}), ChannelMessage(channel_arn=arn, message_id=f"{arn}{second}", created_timestamp=moment)
    )


def test_a_repeated_message_is_not_accepted_and_is_counted() -> None:
    seen = SeenMessages("arn:alice")
    assert seen.accept(created(1))
    assert not seen.accept(created(1))
    assert seen.accept(created(1, "b"))
    assert seen.duplicates == 1


def test_memory_per_channel_is_bounded_and_what_is_forgotten_is_never_fetched_again() -> None:
    seen = SeenMessages("arn:alice")
    assert len(seen.accept_all(created(n / 1000) for n in range(5000))) == 5000
    channel = seen.channels["a"]
    assert len(channel.recent) <= 2 * WINDOW
    oldest = min(moment for moment in channel.recent.values() if moment is not None)
    assert channel.complete_from(timedelta(seconds=30)) == oldest


def test_the_channels_that_were_quiet_longest_are_forgotten_first() -> None:
    seen = SeenMessages("arn:alice", max_channels=8)
    for n in range(9):
        seen.accept(created(100 - n, str(n)))
    assert "8" in seen.channels
    assert "7" not in seen.channels
    assert len(seen.channels) == 8
    assert seen.floor == START + timedelta(seconds=93, milliseconds=1)


def test_messages_without_a_time_are_told_once_too() -> None:
    event = MessageCreated(Envelope({}), ChannelMessage(channel_arn="a", message_id="1"))
    seen = SeenMessages("arn:alice")
    assert seen.accept(event)
    assert not seen.accept(event)
    for n in range(3 * WINDOW):
        seen.accept(MessageCreated(Envelope({}), ChannelMessage(channel_arn="a", message_id=f"n{n}")))
    assert len(seen.channels["a"].recent) <= 2 * WINDOW
