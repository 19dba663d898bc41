"""Python attendees in a meeting of the local server, over real sockets."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

from chime_media.devices.audio_sources import AudioQueue, OpusPackets, Tone
from chime_media.devices.sources import Samples, SourceEnded
from chime_media.events import AudioInputEnded, MediaConnected
from chime_media.rtc.audio_sender import AudioFormat
from chime_media.rtc.media_thread import MediaThread
from chime_media.rtc.opus import OpusEncoder
from chime_media.server.local_server import LocalMeetingServer
from chime_media.sessions.meeting_session import MeetingSession
from chime_messaging.errors import AttendeeRejectedError, MeetingEndedError, SessionClosedError
from chime_messaging.meeting_events import (
    AttendeeLeft,
    AttendeeMuted,
    DataMessageReceived,
    MeetingReconnectScheduled,
    MeetingSessionStatusCode,
)
from tests.media.sessions.attendees import attendee, hear, hear_tone, loudness, until
from tests.messaging.server.attendee_client import Meeting

pytestmark = pytest.mark.anyio


async def test_attendees_hear_each_other_and_not_themselves(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        alice.audio.start_input(Tone(440))
        bob.audio.start_input(Tone(1000))
        async with alice.audio.frames() as at_alice, bob.audio.frames() as at_bob:
            await asyncio.gather(hear_tone(at_alice, 1000), hear_tone(at_bob, 440))
            heard_by_alice, heard_by_bob = await asyncio.gather(hear(at_alice, 50), hear(at_bob, 50))
    assert -22 < loudness(heard_by_alice, 1000) < -18
    assert -22 < loudness(heard_by_bob, 440) < -18
    assert loudness(heard_by_alice, 440) < -55
    assert loudness(heard_by_bob, 1000) < -55


async def test_playing_returns_when_all_was_said_and_takes_turns(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice:
        before = time.monotonic()
        await asyncio.gather(alice.audio.play(Tone(440, seconds=0.3)), alice.audio.play(Tone(880, seconds=0.3)))
        assert 0.5 < time.monotonic() - before < 1.5
        assert not alice.audio.is_playing


async def test_the_input_is_heard_again_after_what_was_played(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        alice.audio.start_input(Tone(440))
        async with bob.audio.frames() as frames:
            await hear_tone(frames, 440)
            await alice.audio.play(Tone(1300, seconds=0.5))
            await hear_tone(frames, 1300)
            await hear_tone(frames, 440)


async def test_a_source_that_fails_is_told_to_who_plays_it(meeting: Meeting) -> None:
    class Broken(Tone):
        def read(self) -> Samples:
            raise OSError("the disk is gone")

    async with await attendee(meeting, "alice") as alice:
        with pytest.raises(SourceEnded) as caught:
            await alice.audio.play(Broken(440))
        assert isinstance(caught.value.problem, OSError)
        await alice.audio.play(Tone(440, seconds=0.1))


async def test_the_mute_is_seen_and_heard_by_others(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        alice.audio.start_input(Tone(440))
        async with bob.audio.frames() as frames:
            await hear_tone(frames, 440)
            async with bob.events(AttendeeMuted) as mutes:
                alice.audio.mute()
                event = await anext(mutes)
                assert (event.attendee.attendee_id, event.attendee.muted) == (alice.attendee_id, True)
                await hear(frames, 25)
                assert loudness(await hear(frames, 25), 440) < -70
                alice.audio.forbid_unmute()
                assert not alice.audio.unmute()
                alice.audio.allow_unmute()
                assert alice.audio.unmute()
                assert (await anext(mutes)).attendee.muted is False
                await hear_tone(frames, 440)


async def test_ready_made_packets_are_neither_decoded_nor_encoded(meeting: Meeting) -> None:
    encoder = OpusEncoder()
    tone = Tone(440)
    packets = [encoder.encode(tone.read()) for _ in range(50)]
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        alice.audio.start_input(OpusPackets(packets, loop=True))
        async with bob.audio.frames() as frames:
            await hear_tone(frames, 440)
        assert alice.engine.sender._encoder is None
        assert alice.engine.receiver._playout._decoder is None


async def test_stereo_reaches_the_other_side_as_stereo(meeting: Meeting) -> None:
    stereo = AudioFormat.fullband_music_stereo()
    async with (
        await attendee(meeting, "alice", audio_format=stereo) as alice,
        await attendee(meeting, "bob", audio_format=stereo) as bob,
    ):
        queue = AudioQueue(channels=2)
        left, right = Tone(440), Tone(1500)
        for _ in range(150):
            queue.push(np.stack([left.read(), right.read()], axis=1))
        alice.audio.start_input(queue)
        async with bob.audio.frames() as frames, asyncio.timeout(5):
            while True:
                samples = np.concatenate([await anext(frames) for _ in range(25)])
                assert samples.shape == (24_000, 2)
                if loudness(samples[:, 0], 440) > -25 and loudness(samples[:, 1], 1500) > -25:
                    break
        assert loudness(samples[:, 0], 1500) < -45
        assert loudness(samples[:, 1], 440) < -45


@pytest.mark.parametrize("way", ["abort", "close"])
async def test_media_is_back_within_two_seconds_of_a_cut_socket(
    server: LocalMeetingServer, meeting: Meeting, way: str
) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        alice.audio.start_input(Tone(440))
        left: list[AttendeeLeft] = []
        bob.on(AttendeeLeft)(left.append)
        async with (
            bob.audio.frames() as at_bob,
            alice.audio.frames() as at_alice,
            alice.events(MediaConnected) as connected,
        ):
            bob.audio.start_input(Tone(1000))
            await hear_tone(at_bob, 440)
            await hear_tone(at_alice, 1000)
            session_id = alice._signaling.engine.signaling._audio_session_id
            before = time.monotonic()
            if way == "abort":
                await asyncio.to_thread(server.control.meetings.abort, alice.attendee_id)
            else:
                await server.control.meetings.close(alice.attendee_id, 4500, "test")
            async with asyncio.timeout(5):
                event = await anext(connected)
            took = time.monotonic() - before
            assert event.reconnected
            assert took < 2.0
            assert alice._signaling.engine.signaling._audio_session_id == session_id
            await hear_tone(at_bob, 440)
            await hear_tone(at_alice, 1000)
            # The old connection carried sound until the new one did.
            heard = await hear(at_bob, 20)
            assert loudness(heard, 440) > -25
        assert left == []
        assert set(alice.roster) == {alice.attendee_id, bob.attendee_id}


async def test_the_roster_tells_once_who_left_during_a_reconnect(server: LocalMeetingServer, meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        left: list[AttendeeLeft] = []
        alice.on(AttendeeLeft)(left.append)
        await until(alice, lambda: bob.attendee_id in alice.roster)
        await asyncio.to_thread(server.control.meetings.hold_joins, True)
        async with alice.events(MeetingReconnectScheduled, MediaConnected) as events:
            await asyncio.to_thread(server.control.meetings.abort, alice.attendee_id)
            await asyncio.wait_for(anext(events), 5)
            bob.stop()
            await bob.wait_stopped()
            await asyncio.to_thread(server.control.meetings.hold_joins, False)
            await asyncio.to_thread(server.control.meetings.abort)
            async with asyncio.timeout(10):
                while not isinstance(await anext(events), MediaConnected):
                    pass
        await until(alice, lambda: bool(left))
        assert [event.attendee.attendee_id for event in left] == [bob.attendee_id]
        assert left[0].missed


async def test_a_handler_that_blocks_the_event_loop_stalls_neither_sound_nor_pongs(meeting: Meeting) -> None:
    async with await attendee(meeting, "bob") as bob:
        bob.audio.start_input(Tone(440))
        sender = bob.engine.sender
        before, at = sender.packets_sent, time.monotonic()
        # The very thing: a handler waits on the event loop for what will not come in time, and blocks it.
        threading.Event().wait(timeout=3.0)
        sent, took = sender.packets_sent - before, time.monotonic() - at
        # Not all of them only where the machine has no time for anybody.
        assert 0.8 < sent / (took * 50) < 1.05
        assert bob.engine.receiver.packets_received > 0.8 * 50 * took
        assert bob.is_joined


async def test_data_messages_and_sound_share_the_session(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        async with bob.events(DataMessageReceived) as messages:
            await alice.send("chat", {"text": "hello"}, lifetime=60)
            event = await asyncio.wait_for(anext(messages), 5)
        assert event.message.json() == {"text": "hello"}
        carol = await attendee(meeting, "carol")
        async with carol.events(DataMessageReceived) as replayed, carol:
            assert (await asyncio.wait_for(anext(replayed), 5)).message.json() == {"text": "hello"}


async def test_a_meeting_that_ends_ends_the_session(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, alice.audio.frames() as frames:
        playing = asyncio.create_task(alice.audio.play(Tone(440)))
        await hear(frames, 5)
        await asyncio.to_thread(meeting.api.delete_meeting, MeetingId=meeting.meeting_id)
        stopped = await asyncio.wait_for(alice.wait_stopped(), 5)
        assert stopped.status is MeetingSessionStatusCode.MEETING_ENDED
        async with asyncio.timeout(5):
            async for _ in frames:
                pass
        with pytest.raises(SessionClosedError):
            await asyncio.wait_for(playing, 5)
    with pytest.raises((MeetingEndedError, AttendeeRejectedError)):
        await MeetingSession(alice.configuration).__aenter__()


async def test_stopping_does_no_harm_before_and_ends_what_is_entered(meeting: Meeting) -> None:
    alice = await attendee(meeting, "alice")
    alice.stop()
    alice.audio.mute()
    async with alice, await attendee(meeting, "bob") as bob:
        await until(bob, lambda: bob.roster.get(alice.attendee_id) is not None)
        assert bob.roster[alice.attendee_id].muted
        alice.stop()
        assert (await asyncio.wait_for(alice.wait_stopped(), 5)).status is MeetingSessionStatusCode.LEFT


async def test_the_thread_ends_with_the_last_session(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice:
        thread = shared_thread()
        assert thread is not None
        async with await attendee(meeting, "bob"):
            assert shared_thread() is thread
        assert alice.is_joined
    assert shared_thread() is None
    await asyncio.to_thread(thread._thread.join, 5)
    assert not thread._thread.is_alive()


def shared_thread() -> MediaThread | None:
    return MediaThread._shared


async def test_the_end_of_an_input_is_told(meeting: Meeting) -> None:
    async with await attendee(meeting, "bob") as bob, bob.events(AudioInputEnded) as ended:
        bob.audio.start_input(Tone(440, seconds=0.1))
        async with asyncio.timeout(5):
            event = await anext(ended)
        assert event.problem is None
        assert bob.audio.input is None
