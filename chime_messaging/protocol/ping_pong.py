"""Pings over one connection, as either side sends them. Mirrors DefaultPingPong."""

from __future__ import annotations


class PingPong:
    """The pings of one side: ids count from 1, and only the answer to the latest one counts.

    Args:
        interval: Seconds between two pings.
    """

    def __init__(self, interval: float) -> None:
        self.ping_id = 0
        """Id of the latest ping; 0 before the first."""
        self.due = 0.0
        """When the next ping is due."""
        self.sent = 0.0
        """When the latest ping was sent."""
        self.is_answered = True
        """Whether the latest ping is answered, or there was none."""
        self.missed = 0
        """Pings in a row that were unanswered when the next one was due."""
        self._interval = interval

    def begin(self, now: float) -> None:
        """Start over with a new connection; the first ping is due after one interval."""
        self.ping_id = 0
        self.is_answered = True
        self.missed = 0
        self.due = now + self._interval

    def ping(self, now: float) -> int:
        """Count a ping that is sent now; return its id."""
        if not self.is_answered:
            self.missed += 1
        self.ping_id += 1
        self.is_answered = False
        self.sent = now
        self.due = now + self._interval
        return self.ping_id

    def pong(self, ping_id: int, now: float) -> float | None:
        """Take an answer; return its round trip in seconds, None if it is not the first to the latest ping."""
        if ping_id != self.ping_id or self.is_answered:
            return None
        self.is_answered = True
        self.missed = 0
        return max(0.0, now - self.sent)
