"""What a bot must not forget: how far it has answered, what it was about to say, and its state. In SQLite.

Per channel there are the ids of the latest messages that were handled; the creation time of the newest is the cursor.
Before a bot sends, it writes down what: a message whose handling was cut short is handled again after the restart, and
what it had sent, or was sending, is sent with the same token and the same words, which is the same message to the
service. When a message is done, its mark and the changes of the state are one transaction.

Called on the event loop: a commit goes to the page cache (WAL, ``synchronous=NORMAL``: it outlives the process, and a
crash of the machine may take back the last ones), which costs less than the way to a thread and back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from chime_messaging.bots.state import ChannelState
from chime_messaging.errors import ConfigurationError

OVERLAP = timedelta(seconds=30)
"""How far before its cursor a channel is read again: messages may become visible out of order by so much."""

MARKS = 64
"""Marks that are kept back at most; and after so many, old ones are deleted."""

Mark = tuple[str, str, int, str]

_TICK = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES = """
CREATE TABLE IF NOT EXISTS cursors (
    bot TEXT, channel TEXT, reached INTEGER NOT NULL, PRIMARY KEY (bot, channel)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS handled (
    bot TEXT, channel TEXT, created INTEGER, message TEXT, PRIMARY KEY (bot, channel, created, message)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sends (
    bot TEXT, message TEXT, position INTEGER, request BLOB NOT NULL, begun INTEGER NOT NULL,
    PRIMARY KEY (bot, message, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (bot TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    bot TEXT, channel TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (bot, channel, name)) WITHOUT ROWID;
"""


class Send(msgspec.Struct):
    """Something a bot was about to send."""

    request: dict[str, Any]
    begun: datetime


class BotStore:
    """The memory of one bot.

    Args:
        path: File; None keeps everything in memory. Several bots may share a file.
        bot: ARN of the bot.

    Raises:
        ConfigurationError: if the file cannot be used.
    """

    def __init__(self, path: str | Path | None, bot: str) -> None:
        self.bot = bot
        try:
            self._db = sqlite3.connect(path or ":memory:", timeout=5.0, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_TABLES)
        except sqlite3.Error as exc:
            raise ConfigurationError("state", f"{path}: {exc}") from exc
        self._marks: dict[Mark, None] = {}
        self._since_trim = 0
        found = self._db.execute("SELECT DISTINCT message FROM sends WHERE bot=?", (bot,))
        self._interrupted = {str(message) for (message,) in found}

    def close(self) -> None:
        """Close the file."""
        self._flush()
        self._db.close()

    @property
    def interrupted(self) -> frozenset[str]:
        """Ids of messages whose handling was cut short in an earlier run."""
        return frozenset(self._interrupted)

    # How far

    @property
    def has_run(self) -> bool:
        """Whether the bot has run before, and so has been away."""
        return self._db.execute("SELECT 1 FROM runs WHERE bot=?", (self.bot,)).fetchone() is not None

    def ran(self) -> None:
        """Say that the bot runs."""
        self._db.execute("INSERT OR IGNORE INTO runs VALUES (?)", (self.bot,))

    def cursors(self) -> dict[str, datetime]:
        """Return how far each channel was handled."""
        self._flush()
        rows = self._db.execute(
            "SELECT channel, max(reached) FROM (SELECT channel, reached FROM cursors WHERE bot=:bot"
            " UNION ALL SELECT channel, max(created) FROM handled WHERE bot=:bot GROUP BY channel) GROUP BY channel",
            {"bot": self.bot},
        )
        return {channel: _moment(reached) for channel, reached in rows}

    def begin_at(self, cursors: Mapping[str, datetime | None]) -> None:
        """Set where channels that have no cursor begin: after this moment; None with their first message."""
        rows = [(self.bot, channel, 0 if at is None else _number(at)) for channel, at in cursors.items()]
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT OR IGNORE INTO cursors VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def read_from(self, channel: str) -> datetime | None:
        """Return the moment from which a channel is to be read after an absence; None from its beginning."""
        self._flush()
        begin, oldest, newest = self._db.execute(
            "SELECT (SELECT reached FROM cursors WHERE bot=:bot AND channel=:channel), min(created), max(created)"
            " FROM handled WHERE bot=:bot AND channel=:channel",
            {"bot": self.bot, "channel": channel},
        ).fetchone()
        if newest is None:
            return None if not begin else _moment(begin) + _TICK
        # Nothing before the oldest mark: whether that was handled could not be told any more.
        return max(_moment(newest) - OVERLAP, _moment(oldest))

    def is_handled(self, channel: str, message_id: str, created: datetime) -> bool:
        """Whether a message is done."""
        mark = (self.bot, channel, _number(created), message_id)
        if mark in self._marks:
            return True
        found = self._db.execute("SELECT 1 FROM handled WHERE bot=? AND channel=? AND created=? AND message=?", mark)
        return found.fetchone() is not None

    def mark(self, channel: str, message_id: str, created: datetime) -> None:
        """Mark a message that nothing was done about; written with the next one that is done, or when the bot ends."""
        self._marks[(self.bot, channel, _number(created), message_id)] = None
        if len(self._marks) >= MARKS:
            self._flush()

    def done(
        self, channel: str, message_id: str, created: datetime, state: Mapping[str, bytes | None] | None = None
    ) -> None:
        """Mark a message as handled, with what its handling changed."""
        self._marks[(self.bot, channel, _number(created), message_id)] = None
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany("INSERT OR IGNORE INTO handled VALUES (?, ?, ?, ?)", self._marks)
            if message_id in self._interrupted:
                db.execute("DELETE FROM sends WHERE bot=? AND message=?", (self.bot, message_id))
            self._write_state(channel, state or {})
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
        self._interrupted.discard(message_id)
        self._written(self._marks)

    def _flush(self) -> None:
        if self._marks:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO handled VALUES (?, ?, ?, ?)", self._marks)
            self._db.execute("COMMIT")
            self._written(self._marks)

    def _written(self, marks: Mapping[Mark, None]) -> None:
        newest = {channel: created for _, channel, created, _ in marks}
        self._since_trim += len(marks)
        self._marks.clear()
        if self._since_trim >= MARKS:
            self._since_trim = 0
            rows = [(self.bot, channel, created - OVERLAP // _TICK) for channel, created in newest.items()]
            self._db.executemany("DELETE FROM handled WHERE bot=? AND channel=? AND created<?", rows)

    # What was said

    def sends(self, message_id: str) -> dict[int, Send]:
        """Return what an earlier run sent, or was about to send, in answer to a message, by position."""
        if message_id not in self._interrupted:
            return {}
        rows = self._db.execute(
            "SELECT position, request, begun FROM sends WHERE bot=? AND message=?", (self.bot, message_id)
        )
        return {position: Send(msgspec.json.decode(request), _moment(begun)) for position, request, begun in rows}

    def will_send(self, message_id: str, position: int, request: Mapping[str, Any], now: datetime) -> None:
        """Write down what is about to be sent."""
        row = (self.bot, message_id, position, msgspec.json.encode(request), _number(now))
        self._db.execute("INSERT OR REPLACE INTO sends VALUES (?, ?, ?, ?, ?)", row)
        self._interrupted.add(message_id)

    # State

    def state(self, channel: str) -> ChannelState:
        """Read the state of a channel."""
        rows = self._db.execute("SELECT name, value FROM state WHERE bot=? AND channel=?", (self.bot, channel))
        return ChannelState({name: bytes(value) for name, value in rows})

    def write(self, channel: str, changes: Mapping[str, bytes | None]) -> None:
        """Store changes of a state by themselves, outside the handling of a message."""
        if not changes:
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._write_state(channel, changes)
        self._db.execute("COMMIT")

    def _write_state(self, channel: str, changes: Mapping[str, bytes | None]) -> None:
        for name, value in changes.items():
            if value is None:
                self._db.execute("DELETE FROM state WHERE bot=? AND channel=? AND name=?", (self.bot, channel, name))
            else:
                self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)", (self.bot, channel, name, value))


def _number(moment: datetime) -> int:
    return (moment - _EPOCH) // _TICK


def _moment(number: int) -> datetime:
    return _EPOCH + number * _TICK
