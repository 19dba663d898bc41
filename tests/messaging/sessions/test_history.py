from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.errors import ConfigurationError, SessionClosedError, SessionKickedError
from chime_messaging.events import GapDetected, MessageCreated, SessionStopped
from chime_messaging.observers.hub import EventHub
from chime_messaging.sessions.history import BUFFER, Listing, LiveMessages, RecentIds, require_aware
from chime_messaging.wire.envelope import Envelope
from chime_messaging.wire.payloads import ChannelMessage

APP = "arn:aws:chime:us-east-1:123456789012:app-instance/59a98c52-c9c3-4bb8-b5b6-3b1ec1f3d8f4"
HERE, ELSEWHERE = f"{APP}/channel/here", f"{APP}/channel/elsewhere"
START = datetime(2024, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.anyio


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def message(number: int, channel: str = HERE, sub_channel_id: str | None = None) -> ChannelMessage:
    return ChannelMessage(
        channel_arn=channel, message_id=f"m{number}", created_timestamp=at(number), sub_channel_id=sub_channel_id
    )


def created(number: int, channel: str = HERE, sub_channel_id: str | None = None) -> MessageCreated:
    return MessageCreated(Envelope({}), message(number, channel, sub_channel_id))


class Archive:
    """A channel's history; `before` runs when a reading has found what it will show, before it shows it."""

    def __init__(self, *numbers: int) -> None:
        self.stored = [message(number) for number in numbers]
        self.readings: list[tuple[datetime | None, datetime | None]] = []
        self.before: Callable[[], None] = lambda: None

    def list(self, since: datetime | None, until: datetime | None) -> "Found":
        self.readings.append((since, until))
        return Found(self, since, until)

    def add(self, *numbers: int) -> None:
        self.stored.extend(message(number) for number in numbers)


class Found:
    def __init__(self, archive: Archive, since: datetime | None, until: datetime | None) -> None:
        self.archive = archive
        self.window = since or START, until or datetime.max.replace(tzinfo=UTC)
        self.found: Iterator[ChannelMessage] | None = None

    def __aiter__(self) -> "Found":
        return self

    async def __anext__(self) -> ChannelMessage:
        if self.found is None:
            first, last = self.window
            stored = self.archive.stored
            self.found = iter([item for item in stored if first <= (item.created_timestamp or START) <= last])
            self.archive.before()
        for item in self.found:
            return item
        raise StopAsyncIteration


async def read(
    hub: EventHub, listing: Listing, count: int, *, since: datetime | None = None, sub_channel_id: str | None = None
) -> list[str]:
    ids: list[str] = []
    async with LiveMessages(hub, HERE, listing, since=since, sub_channel_id=sub_channel_id) as messages:
        async for item in messages:
            ids.append(item.message_id)
            if len(ids) == count:
                break
    return ids


def ids(*numbers: int) -> list[str]:
    return [f"m{number}" for number in numbers]


async def test_history_comes_first_then_what_is_live() -> None:
    archive = Archive(1, 2)
    async with EventHub() as hub:
        archive.before = lambda: hub.emit(created(3))
        assert await read(hub, archive.list, 3) == ids(1, 2, 3)


async def test_message_seen_in_history_and_live_comes_once() -> None:
    archive = Archive(1, 2)

    def both() -> None:
        for number in (1, 2, 3):
            hub.emit(created(number))

    archive.before = both
    async with EventHub() as hub:
        assert await read(hub, archive.list, 3) == ids(1, 2, 3)


async def test_message_created_while_the_history_is_read_is_not_lost() -> None:
    archive = Archive(1)
    archive.before = lambda: hub.emit(created(2))
    async with EventHub() as hub:
        assert await read(hub, archive.list, 2) == ids(1, 2)


async def test_other_channels_and_other_sub_channels_are_left_out() -> None:
    archive = Archive()

    def some() -> None:
        hub.emit(created(1, ELSEWHERE))
        hub.emit(created(2, HERE, "part-b"))
        hub.emit(created(3, HERE, "part-a"))

    archive.before = some
    async with EventHub() as hub:
        assert await read(hub, archive.list, 1, sub_channel_id="part-a") == ids(3)


async def test_since_is_passed_to_the_history() -> None:
    archive = Archive(1, 2, 3)
    async with EventHub() as hub:
        assert await read(hub, archive.list, 2, since=at(2)) == ids(2, 3)


async def test_reader_that_fell_behind_gets_everything_once_and_in_order() -> None:
    archive = Archive(0)
    total = BUFFER * 3

    async with EventHub() as hub:
        got: list[str] = []
        async with LiveMessages(hub, HERE, archive.list) as messages:
            async for item in messages:
                got.append(item.message_id)
                if item.message_id == "m0":
                    # Everything happens while the reader is busy with the first message.
                    for number in range(1, total):
                        archive.add(number)
                        hub.emit(created(number))
                if len(got) == total:
                    break
    assert got == ids(*range(total))
    assert len(archive.readings) == 2


async def test_second_reading_starts_a_little_before_the_newest_message_but_not_before_since() -> None:
    archive = Archive(100)
    async with EventHub() as hub, LiveMessages(hub, HERE, archive.list, since=at(98)) as messages:
        async for item in messages:
            if item.message_id == "m100":
                for number in range(101, 102 + BUFFER):
                    archive.add(number)
                    hub.emit(created(number))
            elif len(archive.readings) == 2:
                break
    newest_before_overflow = 100 + BUFFER
    assert archive.readings == [(at(98), None), (at(newest_before_overflow - 5), None)]


async def test_gap_that_the_session_could_not_fill_is_filled_from_history() -> None:
    archive = Archive(1)

    def lose() -> None:
        archive.before = lambda: None
        archive.add(2, 3)
        hub.emit(GapDetected(HERE, at(1), at(3), "throttled"))
        hub.emit(GapDetected(ELSEWHERE, at(0), at(9), "throttled"))
        hub.emit(created(4))

    archive.before = lose
    async with EventHub() as hub:
        assert await read(hub, archive.list, 4) == ids(1, 2, 3, 4)
    assert archive.readings == [(None, None), (at(1), at(3))]


async def test_end_of_the_session_ends_the_iteration() -> None:
    archive = Archive(1)
    archive.before = lambda: hub.emit(SessionStopped(1005))
    async with EventHub() as hub:
        assert await read(hub, archive.list, 99) == ids(1)


async def test_error_that_ended_the_session_is_raised_after_the_messages() -> None:
    archive = Archive(1)
    archive.before = lambda: hub.emit(SessionStopped(4003, "kicked", SessionKickedError(4003, "kicked")))
    async with EventHub() as hub:
        messages = LiveMessages(hub, HERE, archive.list)
        assert (await anext(messages)).message_id == "m1"
        with pytest.raises(SessionKickedError):
            await anext(messages)
        with pytest.raises(StopAsyncIteration):
            await anext(messages)


async def test_session_that_is_over_cannot_be_followed() -> None:
    async with EventHub() as hub:
        pass
    with pytest.raises(SessionClosedError):
        await read(hub, Archive(1).list, 1)


async def test_session_that_ends_while_the_reader_is_behind_leaves_nothing_out() -> None:
    archive = Archive(0)
    got: list[str] = []
    over = anyio.Event()
    hub = EventHub()

    async def run_hub() -> None:
        async with hub:
            await over.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_hub)
        async for item in LiveMessages(hub, HERE, archive.list):
            got.append(item.message_id)
            if item.message_id == "m0":
                for number in range(1, BUFFER + 10):
                    archive.add(number)
                    hub.emit(created(number))
                over.set()
                await anyio.wait_all_tasks_blocked()
    assert got == ids(*range(BUFFER + 10))


async def test_iteration_that_is_left_unsubscribes() -> None:
    archive = Archive(1)
    async with EventHub() as hub:
        async for _ in LiveMessages(hub, HERE, archive.list):
            assert len(hub.statistics()) == 1
            break
        assert len(hub.statistics()) == 0


SAY, LOSE, READ = "say", "lose", "read"


@given(st.lists(st.tuples(st.sampled_from([SAY, SAY, LOSE, READ]), st.integers(1, 12)), max_size=40))
def test_whatever_is_said_lost_or_read_slowly_comes_once_and_in_order(script: list[tuple[str, int]]) -> None:
    async def run() -> tuple[list[str], list[str]]:
        archive, said = Archive(0), 1
        got: list[str] = []
        async with EventHub() as hub:
            messages = LiveMessages(hub, HERE, archive.list, size=8)
            for action, amount in script:
                if action == READ:
                    got += [(await anext(messages)).message_id for _ in range(min(amount, said - len(got)))]
                    continue
                archive.add(*range(said, said + amount))
                if action == LOSE:
                    hub.emit(GapDetected(HERE, at(said), at(said + amount - 1), "lost"))
                else:
                    for number in range(said, said + amount):
                        hub.emit(created(number))
                said += amount
            while len(got) < said:
                got.append((await anext(messages)).message_id)
        return got, ids(*range(said))

    got, said = anyio.run(run)
    assert got == said


def test_recent_ids_forget_the_oldest() -> None:
    recent = RecentIds(2)
    assert [recent.add(item) for item in "aab"] == [True, False, True]
    assert recent.add("c")
    assert recent.add("a")
    assert not recent.add("c")


def test_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="since: .*no time zone"):
        require_aware("since", datetime(2024, 1, 1))
