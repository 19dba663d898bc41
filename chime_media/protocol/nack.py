"""Which packets are missing, when to ask for them, and when to give up (the generic NACK of RFC 4585)."""

from __future__ import annotations

from collections.abc import Iterable

_NONE: tuple[int, ...] = ()


class _Missing:
    __slots__ = ("doubted", "due", "since", "tries")

    def __init__(self, since: float, due: float) -> None:
        self.since = since
        self.due = due
        self.tries = 0
        self.doubted = False


class NackGenerator:
    """Notes the gaps of one stream by extended sequence numbers.

    The first request goes out at once. Where packets overtake each other, that is, where some came by themselves after
    others, it waits for as long as they were late, up to `MOST_PATIENCE`. Repeats follow after the round trip.

    Args:
        capacity: How many may be missing; if more are, a key frame is cheaper.
        tries: Requests per packet.
        seconds: How long a packet is waited for.
    """

    MOST_PATIENCE = 0.06
    LEAST_REPEAT = 0.02
    DOUBT_TRIES = 4
    DOUBT_SECONDS = 0.3

    __slots__ = (
        "_capacity",
        "_missing",
        "_patience",
        "_seconds",
        "_tries",
        "doubted",
        "given_up",
        "highest",
        "round_trip",
    )

    def __init__(self, capacity: int = 400, tries: int = 12, seconds: float = 1.0) -> None:
        self._capacity = capacity
        self._tries = tries
        self._seconds = seconds
        self.highest = -1
        """The highest number so far. Who takes the next one may set it to that in place of calling `received`."""
        self._missing: dict[int, _Missing] = {}
        self._patience = 0.0
        self.round_trip = 0.1
        """From a request to its answer, in seconds; measured once there were answers."""
        self.given_up = 0
        """Packets that are lost for good; when it grows, only a key frame helps."""
        self.doubted = 0
        """Packets that were asked for several times in vain, so that a key frame may come sooner. Most still come."""

    def received(self, number: int, now: float, *, resent: bool = False) -> Iterable[int]:
        """Take the extended number of a packet; answers the numbers to ask for at once, mostly none."""
        highest = self.highest
        if number == highest + 1 or highest < 0:
            self.highest = number
            return _NONE
        if number <= highest:
            self._arrived(number, now, resent)
            return _NONE
        self.highest = number
        if number - highest - 1 + len(self._missing) > self._capacity:
            self.given_up += number - highest - 1 + len(self._missing)
            self._missing.clear()
            return _NONE
        gap = range(highest + 1, number)
        patience = self._patience
        for missing in gap:
            entry = self._missing[missing] = _Missing(now, now + patience)
            if patience == 0:
                self._asked(entry, now)
        return _NONE if patience else gap

    def due(self, now: float) -> list[int]:
        """The numbers to ask for now, as they still are missing."""
        ask: list[int] = []
        over: list[int] = []
        for number, entry in self._missing.items():
            if now - entry.since > self._seconds or (entry.tries >= self._tries and entry.due <= now):
                over.append(number)
            elif entry.due <= now:
                if not entry.doubted and (
                    entry.tries >= self.DOUBT_TRIES or (entry.tries and now - entry.since > self.DOUBT_SECONDS)
                ):
                    entry.doubted = True
                    self.doubted += 1
                self._asked(entry, now)
                ask.append(number)
        for number in over:
            del self._missing[number]
        self.given_up += len(over)
        return ask

    @property
    def next_due(self) -> float | None:
        """When `due` is to be called next, None if nothing is missing."""
        return min((entry.due for entry in self._missing.values()), default=None)

    def forget_before(self, number: int) -> None:
        """Nothing before this number is needed any more, for example as a key frame begins with it."""
        if self._missing:
            for missing in [missing for missing in self._missing if missing < number]:
                del self._missing[missing]

    def is_missing(self, number: int) -> bool:
        """Whether that packet is being waited for."""
        return number in self._missing

    def __len__(self) -> int:
        return len(self._missing)

    def _asked(self, entry: _Missing, now: float) -> None:
        entry.tries += 1
        entry.due = now + max(self.LEAST_REPEAT, 1.5 * self.round_trip if entry.tries < 4 else 2 * self.round_trip)

    def _arrived(self, number: int, now: float, resent: bool) -> None:
        entry = self._missing.pop(number, None)
        if entry is None:
            return
        late = now - entry.since
        if resent:
            # Only after a single request it is sure which one was answered.
            if entry.tries == 1:
                self.round_trip += (min(1.0, max(0.002, late - self._patience)) - self.round_trip) / 4
            self._patience *= 0.98
        elif entry.tries == 0 or late < self.round_trip / 2:
            self._patience = min(self.MOST_PATIENCE, max(self._patience * 0.98, late * 1.25))
        if self._patience < 0.001:
            self._patience = 0.0
