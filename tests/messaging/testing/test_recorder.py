from datetime import UTC, datetime

import pytest

from chime_messaging.events import (
    ChannelEvent,
    Event,
    GapDetected,
    ReconnectScheduled,
    SessionConnecting,
    SessionEstablished,
    SessionStopped,
    UnknownEvent,
)
from chime_messaging.observers.hub import EventHub
from chime_messaging.testing.recorder import EventRecorder
from chime_messaging.wire.envelope import Envelope

pytestmark = pytest.mark.anyio


async def test_it_checks_order_with_gaps_and_without() -> None:
    async with EventHub() as hub, EventRecorder(hub) as recorder:
        for event in (
            SessionConnecting(False),
            SessionEstablished("1", False),
            ReconnectScheduled(0.0, 1, 1006, ""),
            SessionStopped(1000),
        ):
            hub.emit(event)
        await recorder.wait_for(SessionStopped)
        recorder.assert_order(SessionConnecting, SessionStopped)
        recorder.assert_exactly(SessionConnecting, SessionEstablished, ReconnectScheduled, SessionStopped)
        with pytest.raises(AssertionError, match="no SessionConnecting"):
            recorder.assert_order(SessionStopped, SessionConnecting)
        with pytest.raises(AssertionError, match="got: SessionConnecting SessionEstablished"):
            recorder.assert_exactly(SessionConnecting)
        with pytest.raises(AssertionError, match="2 x SessionStopped expected"):
            await recorder.wait_for(SessionStopped, count=2, timeout=0.01)
        assert len(recorder.of(Event)) == len(recorder) == 4


async def test_it_records_only_what_it_was_asked_for() -> None:
    async with EventHub() as hub:
        recorder = EventRecorder(hub, ChannelEvent)
        hub.emit(UnknownEvent(Envelope({})))
        hub.emit(GapDetected("arn", datetime.now(UTC), datetime.now(UTC), ""))
        await recorder.wait_for(UnknownEvent)
        recorder.assert_exactly(UnknownEvent)


async def test_past_events_count_when_waiting_for_one_and_a_closed_recorder_records_nothing_more() -> None:
    async with EventHub() as hub:
        recorder = EventRecorder(hub)
        hub.emit(SessionStopped(1000))
        await recorder.wait_for(SessionStopped)
        assert (await recorder.wait_for(SessionStopped, lambda event: event.code == 1000)).code == 1000
        recorder.close()
        hub.emit(SessionStopped(1001))
    assert len(recorder) == 1
