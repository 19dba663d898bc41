"""What ``chime demo`` counts: what was sent, and what reached whom."""

from __future__ import annotations

from collections import Counter

from chime_messaging.events import MessageCreated


class Person:
    """One member, and what has reached them."""

    def __init__(self, name: str, arn: str) -> None:
        self.name = name
        self.arn = arn
        self.status = "connecting"
        self.sent = 0
        self.recovered = 0
        self.received: Counter[str] = Counter()
        self.order: list[str] = []

    @property
    def repeated(self) -> int:
        """Messages that came more than once."""
        return sum(count - 1 for count in self.received.values())

    def take(self, event: MessageCreated) -> None:
        """Count a message."""
        self.received[event.message.message_id] += 1
        self.order.append(event.message.message_id)
        self.recovered += event.recovered


class Tally:
    """The people, what they sent, and what is missing."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.sent: list[str] = []
        self.gaps = 0

    def is_complete(self) -> bool:
        """Whether everyone has everything, once, in the same order."""
        return not any(self.lost(person) or person.repeated for person in self.people.values()) and self.in_order()

    def lost(self, person: Person) -> int:
        """Messages that were sent and have not reached a person."""
        return len(set(self.sent) - person.received.keys())

    def in_order(self) -> bool:
        """Whether everyone got the messages in the same order."""
        return len({tuple(person.order) for person in self.people.values()}) <= 1
