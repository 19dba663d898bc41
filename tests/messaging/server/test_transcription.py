import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from chime_messaging.server.meetings.lifecycle import end_of, opened
from chime_messaging.server.notices import (
    MeetingEnded,
    MeetingMessage,
    Notice,
    TranscriptionStarted,
    TranscriptionStopped,
)
from chime_messaging.server.store import meetings
from chime_messaging.server.store.database import Database
from chime_messaging.server.transcription import Transcriber, Transcription, TranscriptionRunner
from chime_messaging.wire.transcript import Transcript, TranscriptAlternative, TranscriptResult, decode

ENGLISH = {"EngineTranscribeSettings": {"LanguageCode": "en-US"}}
STARTED = TranscriptionStarted("m", msgspec.json.encode(ENGLISH).decode())


class Typist:
    """A transcriber that says what it is given to say and notes when it begins and ends."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Transcription] = asyncio.Queue()
        self.ended: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, transcription: Transcription) -> None:
        self.begun.put_nowait(transcription)
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.put_nowait(transcription.meeting_id)

    async def next(self) -> Transcription:
        return await asyncio.wait_for(self.begun.get(), 10)

    async def next_end(self) -> str:
        return await asyncio.wait_for(self.ended.get(), 10)


class House:
    """A database with one transcribed meeting, and what is delivered."""

    def __init__(self, database: Database, runner: TranscriptionRunner, notices: asyncio.Queue[Notice]) -> None:
        self.database, self.runner, self.notices = database, runner, notices

    async def next(self) -> Notice:
        return await asyncio.wait_for(self.notices.get(), 10)


@asynccontextmanager
async def house(transcriber: Transcriber | None, *, transcribed: bool = False) -> AsyncIterator[House]:
    notices: asyncio.Queue[Notice] = asyncio.Queue()
    runners: list[TranscriptionRunner] = []

    def on_commit(committed: list[Notice]) -> None:
        for notice in committed:
            notices.put_nowait(notice)
            for runner in runners:
                runner.apply(notice)

    async with Database(on_commit=on_commit) as database:
        await database.run(lambda tx: meetings.add_meeting(tx, meeting(tx.now, transcribed=transcribed)))
        async with TranscriptionRunner(database, notices.put_nowait, transcriber) as runner:
            runners.append(runner)
            yield House(database, runner, notices)


def meeting(now: int, *, transcribed: bool) -> meetings.Meeting:
    due = end_of(opened(now))[0]
    how = ENGLISH if transcribed else None
    return meetings.Meeting(
        "m", "arn", "x", None, "eu-west-1", None, None, None, how, now, None, 0, now, now, None, due
    )


def result(text: str) -> TranscriptResult:
    return TranscriptResult("r1", "ch_0", False, 1, 2, (TranscriptAlternative(text),))


def test_what_a_transcriber_publishes_goes_to_the_meeting() -> None:
    async def main() -> None:
        typist = Typist()
        async with house(typist) as home:
            home.runner.apply(STARTED)
            transcription = await typist.next()
            assert (transcription.meeting_id, transcription.configuration) == ("m", ENGLISH)
            transcription.publish(result("hello"))
            transcription.publish()
            message = await home.next()
            assert isinstance(message, MeetingMessage)
            assert (message.meeting_id, message.topic) == ("m", "aws:chime:transcription")
            assert decode(message.data) == [Transcript((result("hello"),))]
            assert home.notices.empty()

    asyncio.run(main())


@pytest.mark.parametrize("stop", [TranscriptionStopped("m"), MeetingEnded("m")], ids=["stopped", "ended"])
def test_a_transcriber_stops_with_its_meeting_and_is_not_heard_any_more(stop: Notice) -> None:
    async def main() -> None:
        typist = Typist()
        async with house(typist) as home:
            home.runner.apply(STARTED)
            transcription = await typist.next()
            home.runner.apply(MeetingEnded("another"))
            assert home.runner.running == 1
            home.runner.apply(stop)
            assert await typist.next_end() == "m"
            assert home.runner.running == 0
            transcription.publish(result("too late"))
            assert home.notices.empty()

    asyncio.run(main())


def test_another_configuration_is_another_run() -> None:
    async def main() -> None:
        typist = Typist()
        async with house(typist) as home:
            home.runner.apply(STARTED)
            await typist.next()
            home.runner.apply(TranscriptionStarted("m", '{"EngineTranscribeSettings":{"LanguageCode":"de-DE"}}'))
            again = await typist.next()
            assert again.configuration["EngineTranscribeSettings"]["LanguageCode"] == "de-DE"
            assert await typist.next_end() == "m"
            assert home.runner.running == 1

    asyncio.run(main())


def test_a_meeting_that_was_transcribed_before_a_restart_still_is() -> None:
    async def main() -> None:
        typist = Typist()
        async with house(typist, transcribed=True):
            assert (await typist.next()).configuration == ENGLISH
        assert await typist.next_end() == "m"

    asyncio.run(main())


def test_a_transcriber_may_be_plugged_in_later_and_changed() -> None:
    async def main() -> None:
        first, second = Typist(), Typist()
        async with house(None, transcribed=True) as home:
            assert home.runner.running == 0
            home.runner.plug(first)
            await first.next()
            home.runner.plug(second)
            assert await first.next_end() == "m"
            await second.next()
            home.runner.plug(None)
            assert await second.next_end() == "m"

    asyncio.run(main())


def test_a_transcriber_that_fails_is_an_event_for_attendees_and_a_trace_for_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)

    async def broken(transcription: Transcription) -> None:
        raise ZeroDivisionError("secret detail")

    async def main() -> None:
        async with house(broken, transcribed=True) as home:
            stopped, message = await home.next(), await home.next()
            assert stopped == TranscriptionStopped("m")
            assert isinstance(message, MeetingMessage)
            (status,) = decode(message.data)
            assert getattr(status, "type", None) == "failed"
            assert "ZeroDivisionError" in getattr(status, "message", "")
            assert "secret" not in getattr(status, "message", "")
            assert home.runner.running == 0
            assert await home.database.run(meetings.transcribed_meetings) == {}

    asyncio.run(main())
    assert "secret detail" in caplog.text
