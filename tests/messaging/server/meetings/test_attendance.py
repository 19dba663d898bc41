import asyncio
from pathlib import Path
from typing import Any

from chime_messaging.server.janitor import Janitor
from chime_messaging.server.meetings.attendance import audio_connections_changed, disconnect_all, viewers_changed
from chime_messaging.server.meetings.lifecycle import HOUR, MINUTE
from chime_messaging.server.notices import MeetingEnded
from chime_messaging.server.store import meetings as store
from chime_messaging.server.store.database import Database
from chime_messaging.server.store.lifecycle import SWEEPS, Sweep
from tests.messaging.server.meetings.conftest import MeetingsService

SWEEPING: dict[str, Sweep] = {name: SWEEPS[name] for name in ("meetings", "ended-meetings")}


class Day:
    """Virtual time: the janitor's naps are what moves the clock, and what is to happen happens in between.

    Args:
        service: its clock goes.
        plan: what happens, by minute.
    """

    def __init__(self, service: MeetingsService, plan: dict[int, Any]) -> None:
        self.service = service
        self.plan = plan
        self.start = service.now
        self.over = asyncio.Event()
        self.end = 0

    @property
    def minute(self) -> int:
        return (self.service.now - self.start) // MINUTE

    async def sleep(self, seconds: float) -> None:
        if self.minute >= self.end:
            self.over.set()
            await asyncio.Event().wait()
        self.service.now += round(seconds * 1000)
        if self.minute in self.plan:
            await self.service.database.run(self.plan[self.minute])

    def pass_by(self, minutes: int) -> None:
        """Let the janitor go round once a minute."""

        async def go() -> None:
            self.end = minutes
            async with Janitor(self.service.database, interval=60, sweeps=SWEEPING, sleep=self.sleep):
                await asyncio.wait_for(self.over.wait(), 20)

        self.service.runner.run(go())


def has(meeting_id: str, audio_connections: int) -> Any:
    return lambda tx: audio_connections_changed(tx, meeting_id, audio_connections)


def ended_after(service: MeetingsService, plan: dict[int, Any], meeting_id: str, minutes: int = 25 * 60) -> int | None:
    """After how many minutes a meeting ended by itself."""
    day = Day(service, plan)
    day.pass_by(minutes)
    found = service.run(lambda tx: store.meeting(tx, meeting_id))
    return None if found.ended is None else (found.ended - day.start) // MINUTE


def test_a_meeting_that_nobody_joins_ends_after_five_minutes(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    assert ended_after(meetings, {}, meeting_id, 10) == 5
    assert meetings.told(MeetingEnded) == [MeetingEnded(meeting_id)]
    assert meetings.refusal("GetMeeting", MeetingId=meeting_id) == ("NotFoundException", "The meeting has ended")


def test_a_meeting_with_one_attendee_ends_after_half_an_hour(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    assert ended_after(meetings, {3: has(meeting_id, 1)}, meeting_id, 60) == 30


def test_a_meeting_that_goes_on_ends_after_a_day(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    plan = {3: has(meeting_id, 2), 600: has(meeting_id, 1), 629: has(meeting_id, 5)}
    assert ended_after(meetings, plan, meeting_id) == 24 * 60


def test_a_meeting_that_is_left_ends_five_minutes_later(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    plan = {3: has(meeting_id, 20), 90: has(meeting_id, 0)}
    assert ended_after(meetings, plan, meeting_id, 120) == 95


def test_a_meeting_whose_viewers_do_nothing_ends_half_an_hour_later(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()

    def idle(tx: Any) -> None:
        viewers_changed(tx, meeting_id, 3, 0)

    assert ended_after(meetings, {3: has(meeting_id, 2), 40: idle}, meeting_id, 120) == 70


def test_each_meeting_has_its_own_time(meetings: MeetingsService) -> None:
    quiet, busy = meetings.meeting(), meetings.meeting()
    Day(meetings, {1: has(busy, 2)}).pass_by(60)
    assert meetings.told(MeetingEnded) == [MeetingEnded(quiet)]
    assert meetings("GetMeeting", MeetingId=busy)


def test_who_comes_too_late_changes_nothing(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    meetings("DeleteMeeting", MeetingId=meeting_id)
    meetings.run(has(meeting_id, 3))
    meetings.run(has("unknown", 3))
    assert meetings.run(lambda tx: store.meeting(tx, meeting_id)).audio_connections == 0
    meetings.now += 24 * HOUR + MINUTE
    assert meetings.sweep("ended-meetings") == 1


def test_many_meetings_end_in_one_round(meetings: MeetingsService) -> None:
    made = {meetings.meeting() for _ in range(450)}
    Day(meetings, {}).pass_by(6)
    assert {notice.meeting_id for notice in meetings.told(MeetingEnded)} == made


def test_after_a_restart_attendees_are_known_and_nobody_is_connected(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "chime.db"
        clock = [1_700_000_000_000]
        async with Database(path, clock=lambda: clock[0]) as database:
            await database.run(lambda tx: store.add_meeting(tx, meeting(clock[0])))
            await database.run(has("m", 2))
        clock[0] += HOUR
        async with Database(path, clock=lambda: clock[0]) as database:
            assert await database.run(disconnect_all) == 1
            assert await database.run(disconnect_all) == 0
            found = await database.run(lambda tx: store.meeting(tx, "m"))
            assert found is not None
            assert found.audio_connections == 0
            assert 0 <= found.due - clock[0] - 5 * MINUTE < 10

    asyncio.run(main())


def meeting(now: int) -> store.Meeting:
    return store.Meeting("m", "arn", "x", None, "us-east-1", None, None, None, None, now, None, 0, now, now, None, now)
