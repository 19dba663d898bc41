"""Client events: what the clients of meetings report about themselves at the EventIngestionUrl.

They are counted by name, and the latest are kept for tests to look at. The token that comes along is thrown away
unread: reports also come from meetings that have ended.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import msgspec

from chime_messaging.server import faults

MAX_BODY_BYTES = 256 << 10
"""Clients keep at most 64 KB before they send."""
MAX_REMEMBERED = 1000
KNOWN_NAMES = frozenset(
    {
        "attendeePresenceReceived",
        "audioInputFailed",
        "audioInputSelected",
        "audioInputUnselected",
        "backgroundFilterConfigSelected",
        "backgroundFilterFailed",
        "backgroundFilterStarted",
        "deviceLabelTriggerFailed",
        "meetingEnded",
        "meetingFailed",
        "meetingReconnected",
        "meetingStartFailed",
        "meetingStartRequested",
        "meetingStartSucceeded",
        "receivingAudioDropped",
        "sendingAudioFailed",
        "sendingAudioRecovered",
        "signalingDropped",
        "videoInputFailed",
        "videoInputSelected",
        "videoInputUnselected",
    }
)
OTHER = "other"
"""Stands for all names that clients make up, so that they cannot fill the table of counters."""


class _Event(msgspec.Struct):
    payloads: list[dict[str, Any]] = []


class _Report(msgspec.Struct):
    metadata: dict[str, Any] = {}
    events: list[_Event] = []


_decode = msgspec.json.Decoder(_Report).decode


class ClientEvents:
    """Takes what clients post. Belongs to the event loop."""

    def __init__(self) -> None:
        self.posts = 0
        """Requests taken."""
        self.refused = 0
        """Requests that were too large or not in the form of a report."""
        self.counts: Counter[str] = Counter()
        """Events by name."""
        self.latest: deque[Mapping[str, Any]] = deque(maxlen=MAX_REMEMBERED)
        """Payloads of events with the metadata of their report, oldest first."""

    def take(self, body: bytes) -> int:
        """Take one report; how many events it had.

        Raises:
            Fault: BadRequestException.
        """
        try:
            report = self._read(body)
        except faults.Fault:
            self.refused += 1
            raise
        self.posts += 1
        payloads = [payload for event in report.events for payload in event.payloads]
        for payload in payloads:
            name = payload.get("name")
            self.counts[name if isinstance(name, str) and name in KNOWN_NAMES else OTHER] += 1
            self.latest.append({**report.metadata, **payload})
        return len(payloads)

    @property
    def events(self) -> int:
        """Events taken."""
        return self.counts.total()

    def _read(self, body: bytes) -> _Report:
        if len(body) > MAX_BODY_BYTES:
            raise faults.bad_request(f"A report has at most {MAX_BODY_BYTES} bytes.")
        try:
            return _decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise faults.bad_request("The body is not a report of client events.") from None
