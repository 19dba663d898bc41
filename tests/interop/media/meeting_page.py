"""An attendee in Chromium: the unmodified official client in a page, and instruments that measure what arrives."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

PATIENCE = 15.0
"""Seconds that anything may take which should take less than one."""
AUDIBLE = -45.0
"""Level in dBFS of a spectral line above which a tone is heard; the tones of the pages arrive at about -25."""
LEAK = -55.0
"""Level that a tone which is not there stays below; other tones make the codec put something everywhere."""
T = TypeVar("T")
_FIND = "want => attendee.log.find(entry => Object.entries(want).every(([key, value]) => entry[key] === value))"


@dataclass(frozen=True)
class Heard:
    """A third of a second of what a page plays: levels in dBFS, frequencies in Hz."""

    peak: float
    level: float
    levels: Sequence[float]


@dataclass(frozen=True)
class Seen:
    """A tile: its mean colour, size, and how many frames of it are shown in a second."""

    colour: tuple[float, float, float]
    width: int
    height: int
    rate: float

    def is_close_to(self, colour: Sequence[int], tolerance: float = 40.0) -> bool:
        """Whether the mean colour is another one, but for what coding and colour spaces do to it."""
        return all(abs(mine - theirs) < tolerance for mine, theirs in zip(self.colour, colour, strict=True))


class MeetingPage:
    """One attendee in a page of its own."""

    def __init__(self, page: Any, attendee: Mapping[str, Any]) -> None:
        self.page = page
        self.attendee = attendee
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))

    @property
    def id(self) -> str:
        """The attendee's."""
        return str(self.attendee["AttendeeId"])

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the page's attendee and wait for its result."""
        return self.page.evaluate(
            "([method, parameters]) => attendee[method](...parameters)", [method, list(arguments)]
        )

    def join(self, meeting: Mapping[str, Any], *frequencies: float, **options: Any) -> None:
        """Join with these tones as voice, and wait until the client says that it has started."""
        self.start(meeting, *frequencies, **options)
        self.until("started")

    def start(self, meeting: Mapping[str, Any], *frequencies: float, **options: Any) -> None:
        """Begin to join."""
        spoken = list(frequencies or (440.0,))
        self.call("join", {"meeting": meeting, "attendee": self.attendee, "frequencies": spoken, **options})

    # What was reported.

    def log(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """What the page reported up to now."""
        find = "event => attendee.log.filter(entry => entry.event === event)"
        entries: list[dict[str, Any]] = self.page.evaluate(find, event)
        return [entry for entry in entries if all(entry.get(key) == value for key, value in fields.items())]

    def until(self, event: str, *, patience: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """Wait until the page has reported something with these fields; what it was."""
        self.wait(_FIND, {"event": event, **fields}, f"{event} {fields}", patience)
        return dict(self.page.evaluate(_FIND, {"event": event, **fields}))

    def until_count(self, event: str, count: int, *, patience: float = PATIENCE) -> None:
        """Wait until the page has reported something so many times."""
        condition = "([event, count]) => attendee.log.filter(entry => entry.event === event).length >= count"
        self.wait(condition, [event, count], f"{event} x {count}", patience)

    def wait(self, condition: str, argument: Any, what: str, patience: float = PATIENCE) -> None:
        """Wait until a JavaScript function of one argument gives something true."""
        try:
            self.page.wait_for_function(condition, arg=argument, timeout=patience * 1000, polling=50)
        except Exception as error:
            raise AssertionError(f"no {what} within {patience} s: {self.story()}") from error

    def story(self) -> str:
        """The end of what happened in the page, for messages of failures."""
        log = self.page.evaluate("() => attendee.log.slice(-25)")
        lines = [", ".join(f"{key}={value}" for key, value in entry.items()) for entry in log]
        return "\n  ".join([*lines, str(self.roster()), *self.console[-5:]])

    # Sound.

    def listen(self, *frequencies: float) -> Heard:
        """Measure what the page plays now."""
        return Heard(**self.call("listen", list(frequencies)))

    def hears(self, *frequencies: float, absent: Sequence[float] = (), patience: float = PATIENCE) -> Heard:
        """Wait until all tones are heard, and those that must be absent are not, in one measurement."""

        def fits(heard: Heard) -> bool:
            present, gone = heard.levels[: len(frequencies)], heard.levels[len(frequencies) :]
            return all(level > AUDIBLE for level in present) and all(level < LEAK for level in gone)

        wanted = f"tones {frequencies} without {list(absent)}"
        return self._measure(lambda: self.listen(*frequencies, *absent), fits, wanted, patience)

    def hears_not(self, *frequencies: float, patience: float = PATIENCE) -> Heard:
        """Wait until none of the tones is heard."""
        return self.hears(absent=frequencies, patience=patience)

    # Roster.

    def roster(self) -> dict[str, dict[str, Any]]:
        """Who is present, with volume, mute and signal strength, by attendee id."""
        return dict(self.page.evaluate("() => attendee.roster"))

    def until_roster(self, *attendee_ids: str, patience: float = PATIENCE) -> None:
        """Wait until exactly these are present."""
        condition = "ids => JSON.stringify(Object.keys(attendee.roster).sort()) === JSON.stringify(ids)"
        self.wait(condition, sorted(attendee_ids), f"roster {attendee_ids}", patience)

    def until_of(self, attendee_id: str, condition: str, *, patience: float = PATIENCE) -> None:
        """Wait until a JavaScript expression about an entry of the roster, ``who``, is true."""
        script = f"id => {{ const who = attendee.roster[id]; return who && ({condition}); }}"
        self.wait(script, attendee_id, f"{condition} of {attendee_id}", patience)

    # Pictures.

    def has_tile(self, attendee_id: str, *, patience: float = PATIENCE) -> None:
        """Wait for a tile of an attendee."""
        self.wait("id => attendee.tileOf(id)", attendee_id, f"tile of {attendee_id}", patience)

    def has_no_tile(self, attendee_id: str, *, patience: float = PATIENCE) -> None:
        """Wait until there is no tile of an attendee."""
        self.wait("id => !attendee.tileOf(id)", attendee_id, f"end of the tile of {attendee_id}", patience)

    def look(self, attendee_id: str, seconds: float = 1.0) -> Seen | None:
        """Measure an attendee's tile for a while; None if it shows nothing."""
        before = self.call("look", attendee_id)
        self.page.wait_for_timeout(seconds * 1000)
        after = self.call("look", attendee_id)
        if before is None or after is None:
            return None
        rate = (after["frames"] - before["frames"]) / (after["at"] - before["at"]) * 1000
        return Seen(tuple(after["colour"]), after["width"], after["height"], rate)

    def sees(
        self,
        attendee_id: str,
        colour: Sequence[int],
        *,
        rate: float = 5.0,
        width: int | None = None,
        patience: float = PATIENCE,
    ) -> Seen:
        """Wait until an attendee's tile moves in this colour, at a rate and (if asked for) with a width."""

        def fits(seen: Seen | None) -> bool:
            return (
                seen is not None
                and seen.is_close_to(colour)
                and seen.rate >= rate
                and (width is None or seen.width == width)
            )

        seen = self._measure(lambda: self.look(attendee_id), fits, f"{colour} of {attendee_id}, {width} wide", patience)
        assert seen is not None
        return seen

    def sees_still(self, attendee_id: str, *, patience: float = PATIENCE) -> None:
        """Wait until an attendee's tile does not move."""
        self._measure(
            lambda: self.look(attendee_id),
            lambda seen: seen is None or seen.rate == 0,
            f"stillness of {attendee_id}",
            patience,
        )

    def _measure(self, measure: Callable[[], T], fits: Callable[[T], bool], wanted: str, patience: float) -> T:
        deadline = time.monotonic() + patience
        while True:
            value = measure()
            if fits(value):
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"no {wanted} within {patience} s but {value}: {self.story()}")
