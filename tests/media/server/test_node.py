"""The media node as its attendees meet it: real sockets, real packets, and signalling frames one by one."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from chime_media.server import attendee_media, meeting_media
from chime_media.server.local_server import LocalMeetingServer
from chime_media.wire import rtcp, rtp
from chime_messaging.ids import new_uuid
from chime_messaging.protocol import signal_frames
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.wire.signaling_pb2 import (
    DUPLEX,
    RX,
    PauseResumeFrame,
    RemoteVideoUpdateFrame,
    SignalFrame,
    SubscribeFrame,
    VideoSubscriptionConfiguration,
)
from tests.media.server.node_client import MediaClient, attending
from tests.messaging.server.attendee_client import Meeting

pytestmark = pytest.mark.anyio

KEY_FRAME = b"\x10\x00\x9d\x01\x2a" + bytes(40)
DELTA_FRAME = b"\x10\x01" + bytes(40)
FAILED = (400, "failed to initialize video session")


@pytest.fixture(scope="module")
def server() -> Iterator[LocalMeetingServer]:
    with LocalMeetingServer(ServerConfiguration(port=0, reconnect_grace=1.0)) as running:
        yield running


@pytest.fixture
def meeting(server: LocalMeetingServer) -> Iterator[Meeting]:
    made = Meeting(server, new_uuid())
    yield made
    made.api.delete_meeting(MeetingId=made.meeting_id)


async def enter(stack: AsyncExitStack, meeting: Meeting, name: str, **options: str | int) -> MediaClient:
    """An attendee that is there: subscribed, connected, heard."""
    attendee = await stack.enter_async_context(attending(meeting, name, **options))  # type: ignore[arg-type]
    await attendee.client.next(SignalFrame.INDEX)
    await attendee.subscribe()
    attendee.speak(b"\xf8\xff\xfe")
    entries = await attendee.entries()
    while entries[-1].attendee_id != attendee.attendee_id:
        entries = await attendee.entries()
    return attendee


# Joining


async def test_an_attendee_is_answered_connected_told_of_itself_and_sent_audio(meeting: Meeting) -> None:
    async with attending(meeting, "alice") as alice:
        index = await alice.index()
        assert (index.num_participants, index.at_capacity) == (1, False)
        ack = await alice.subscribe()
        assert (ack.duplex, len(ack.allocations), ack.allocations[0].track_label) == (RX, 1, "")
        assert ack.allocations[0].stream_id
        assert not ack.tracks
        alice.speak(b"\xf8\xff\xfe")
        status = await alice.client.next(SignalFrame.AUDIO_STATUS)
        assert status.audio_status.audio_status == 200
        (entry,) = await alice.entries()
        assert (entry.attendee_id, entry.muted) == (alice.attendee_id, False)
        await alice.listener.until(lambda: len(alice.listener.rtp) >= 10)
        packets = [rtp.parse(packet) for packet in alice.listener.rtp[:10]]
        assert {packet.payload_type for packet in packets} == {111}
        assert [b.timestamp - a.timestamp for a, b in pairwise(packets)] == [960] * 9


async def test_compressed_offers_get_compressed_answers_each_with_the_one_before(meeting: Meeting) -> None:
    async with attending(meeting, "alice") as alice:
        first = await alice.subscribe(compressed=True)
        second = await alice.subscribe(compressed=True)
        assert not first.sdp_answer
        assert not second.sdp_answer
        assert len(second.compressed_sdp_answer) < len(first.compressed_sdp_answer) / 4


async def test_the_others_hear_of_who_speaks_and_that_it_fell_silent(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        bob = await enter(stack, meeting, "bob")
        entry = next(entry for entry in await alice.entries() if entry.attendee_id == bob.attendee_id)
        with bob.talking():
            while True:
                frame = await alice.client.next(SignalFrame.AUDIO_METADATA)
                states = {state.audio_stream_id: state for state in frame.audio_metadata.attendee_states}
                if entry.audio_stream_id in states and states[entry.audio_stream_id].HasField("volume"):
                    assert states[entry.audio_stream_id].volume < 42
                    break
            before = len(alice.listener.rtp)
            await alice.listener.until(lambda: any(len(each) > 40 for each in alice.listener.rtp[before:]))
        while True:
            frame = await alice.client.next(SignalFrame.AUDIO_METADATA)
            (state,) = frame.audio_metadata.attendee_states
            if state.volume == 127:
                break


async def test_mute_is_seen_by_all_and_keeps_the_voice_from_the_mix(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        bob = await enter(stack, meeting, "bob")
        await bob.client.send(signal_frames.audio_control(True))
        for attendee in (alice, bob):
            while not (entry := (await attendee.entries())[-1]).muted:
                pass
            assert not entry.attendee_id
        with bob.talking():
            before = len(alice.listener.rtp)
            await alice.listener.until(lambda: len(alice.listener.rtp) >= before + 30)
        assert {len(rtp.parse(packet).payload) for packet in alice.listener.rtp[before + 5 :]} == {3}


async def test_who_does_not_subscribe_is_taken_to_bring_no_media(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendee_media, "DATA_ONLY_AFTER", 0.0)
    monkeypatch.setattr(meeting_media, "CARE_INTERVAL", 0.05)
    async with attending(meeting, "alice") as alice:
        (entry,) = await alice.entries()
        assert entry.attendee_id == alice.attendee_id


async def test_who_sends_no_media_any_more_is_dropped_and_comes_back(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting_media, "CARE_INTERVAL", 0.05)
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        bob = await enter(stack, meeting, "bob")
        (entry,) = [each for each in await alice.entries() if each.attendee_id == bob.attendee_id]
        with alice.talking():
            monkeypatch.setattr(attendee_media, "DROPPED_AFTER", 0.4)
            dropped = (await alice.entries())[-1]
            assert (dropped.audio_stream_id, dropped.dropped) == (entry.audio_stream_id, True)
            bob.speak(b"\xf8\xff\xfe")
            back = (await alice.entries())[-1]
        assert back.attendee_id == bob.attendee_id
        assert back.audio_stream_id > entry.audio_stream_id


async def test_a_reconnect_with_the_same_session_is_silent_and_gets_a_new_peer(meeting: Meeting) -> None:
    credentials = await asyncio.to_thread(meeting.attendee, "bob")
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        bob = await enter(stack, meeting, credentials, session_id=7)  # type: ignore[arg-type]
        (first,) = await alice.entries()
        await asyncio.to_thread(meeting.server.control.abort, bob.attendee_id)
        again = await stack.enter_async_context(attending(meeting, credentials, session_id=7))
        await again.subscribe()
        new, gone = await alice.entries(2)
        assert (new.attendee_id, new.audio_stream_id > first.audio_stream_id) == (bob.attendee_id, True)
        assert (gone.audio_stream_id, gone.attendee_id, gone.dropped) == (first.audio_stream_id, "", False)
        assert not bob.listener.closed
        again.speak(b"\xf8\xff\xfe")
        await bob.listener.until(lambda: bob.listener.closed is not None)
        await again.listener.until(lambda: len(again.listener.rtp) > 3)


async def test_another_device_ends_the_media_of_the_first(meeting: Meeting) -> None:
    credentials = await asyncio.to_thread(meeting.attendee, "bob")
    async with AsyncExitStack() as stack:
        bob = await enter(stack, meeting, credentials, session_id=7)  # type: ignore[arg-type]
        await stack.enter_async_context(attending(meeting, credentials, session_id=8))
        assert (await bob.client.next(SignalFrame.AUDIO_STATUS)).audio_status.audio_status in (200, 301)
        await bob.listener.until(lambda: bob.listener.closed is not None)


# Video


async def test_video_of_one_is_forwarded_to_another_and_its_key_frames_are_asked_for(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        bob = await enter(stack, meeting, "bob")
        alice.start_camera()
        ack = await alice.subscribe()
        assert (ack.duplex, ack.allocations[0].track_label) == (DUPLEX, "AmazonChimeExpressVideo")
        index = await bob.told_of(alice.attendee_id)
        (source,) = index.sources
        assert (source.stream_id, source.group_id) == (ack.allocations[0].stream_id, ack.allocations[0].group_id)
        assert (source.max_bitrate_kbps, source.framerate) == (1400, 15)
        mid = bob.negotiation.receive(source.stream_id)
        (track,) = (await bob.subscribe()).tracks
        assert (track.stream_id, track.track_label) == (source.stream_id, f"v_{mid}")
        heard = len(bob.listener.rtp)
        alice.show(KEY_FRAME)
        alice.show(DELTA_FRAME)
        await bob.listener.until(lambda: len(of(bob, track.ssrc, heard)) >= 1)
        await alice.listener.until(lambda: any(asks_for_key(packet) for packet in alice.listener.rtcp))
        alice.show(KEY_FRAME)
        await bob.listener.until(lambda: KEY_FRAME in of(bob, track.ssrc, heard))
        # Turned off and on: the same ids, and the same section shows it again.
        alice.negotiation.camera = None
        assert (await alice.subscribe()).duplex == RX
        await bob.told_of()
        alice.start_camera()
        again = await alice.subscribe()
        assert again.allocations[0].stream_id == source.stream_id


def of(attendee: MediaClient, ssrc: int, start: int) -> list[bytes]:
    """Payloads that came from one stream."""
    packets = map(rtp.parse, attendee.listener.rtp[start:])
    return [packet.payload for packet in packets if packet.ssrc == ssrc]


def asks_for_key(packet: bytes) -> bool:
    return any(isinstance(each, rtcp.PictureLossIndication) for each in rtcp.parse(packet))


async def test_a_paused_video_is_not_sent_and_a_resumed_one_is(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        bob = await enter(stack, meeting, "bob")
        alice.start_camera()
        stream_id = (await alice.subscribe()).allocations[0].stream_id
        bob.negotiation.receive(stream_id)
        (track,) = (await bob.subscribe()).tracks
        pause = PauseResumeFrame(stream_ids=[stream_id])
        await bob.client.send(SignalFrame(type=SignalFrame.PAUSE, pause=pause))
        await settled(bob)
        before = len(bob.listener.rtp)
        alice.show(KEY_FRAME)
        await bob.listener.until(lambda: len(bob.listener.rtp) > before + 5)
        assert of(bob, track.ssrc, before) == []
        await bob.client.send(SignalFrame(type=SignalFrame.RESUME, pause=pause))
        await settled(bob)
        alice.show(KEY_FRAME)
        await bob.listener.until(lambda: of(bob, track.ssrc, before) == [KEY_FRAME])


async def settled(attendee: MediaClient) -> None:
    """Wait until the server has taken all that was sent so far."""
    await attendee.client.send(signal_frames.ping(77))
    while (await attendee.client.next(SignalFrame.PING_PONG)).ping_pong.ping_id != 77:
        pass


async def test_another_video_comes_under_the_same_mid_without_an_offer(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        carol = await enter(stack, meeting, "carol")
        bob = await enter(stack, meeting, "bob")
        ids = []
        for sender in (alice, carol):
            sender.start_camera()
            ids.append((await sender.subscribe()).allocations[0].stream_id)
        mid = bob.negotiation.receive(ids[0])
        (track,) = (await bob.subscribe()).tracks
        update = RemoteVideoUpdateFrame(
            added_or_updated_video_subscriptions=[VideoSubscriptionConfiguration(mid=mid, stream_id=ids[1])]
        )
        await bob.client.send(SignalFrame(type=SignalFrame.REMOTE_VIDEO_UPDATE, remote_video_update=update))
        await settled(bob)
        before = len(bob.listener.rtp)
        alice.show(KEY_FRAME + b"alice")
        carol.show(KEY_FRAME + b"carol")
        await bob.listener.until(lambda: of(bob, track.ssrc, before) == [KEY_FRAME + b"carol"])
        removed = RemoteVideoUpdateFrame(removed_video_subscription_mids=[mid])
        await bob.client.send(SignalFrame(type=SignalFrame.REMOTE_VIDEO_UPDATE, remote_video_update=removed))
        await settled(bob)
        carol.show(KEY_FRAME)
        await bob.listener.until(lambda: len(bob.listener.rtp) > before + 10)
        assert len(of(bob, track.ssrc, before)) == 1


async def test_senders_are_told_what_all_receivers_can_decode(meeting: Meeting) -> None:
    async with attending(meeting, "alice") as alice:
        assert len((await alice.index()).supported_receive_codec_intersection) > 5
        await alice.subscribe()
        assert list((await alice.index()).supported_receive_codec_intersection) == [1, 3]


async def test_bitrates_are_told_while_somebody_sends(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting_media, "BITRATE_INTERVAL", 0.1)
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        alice.start_camera()
        stream_id = (await alice.subscribe()).allocations[0].stream_id
        alice.show(KEY_FRAME)
        frame = await alice.client.next(SignalFrame.BITRATES)
        assert [rate.source_stream_id for rate in frame.bitrates.bitrates] == [stream_id]


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_sender_of_content_is_asked_for_key_frames_now_and_then_unless_it_objects(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    monkeypatch.setattr(attendee_media, "REFRESH_INTERVAL", 0.1)
    monkeypatch.setattr(meeting_media, "CARE_INTERVAL", 0.05)
    async with AsyncExitStack() as stack:
        credentials = await asyncio.to_thread(meeting.attendee, "alice")
        options = {"suffix": "#content", "key_frame_requests": wanted}
        alice = await enter(stack, meeting, credentials, **options)  # type: ignore[arg-type]
        bob = await enter(stack, meeting, "bob")
        alice.start_camera()
        bob.negotiation.receive((await alice.subscribe()).allocations[0].stream_id)
        (track,) = (await bob.subscribe()).tracks
        alice.show(KEY_FRAME)
        await bob.listener.until(lambda: of(bob, track.ssrc, 0) == [KEY_FRAME])
        alice.show(DELTA_FRAME)
        before = len(alice.listener.rtcp)
        if wanted:
            await alice.listener.until(lambda: any(map(asks_for_key, alice.listener.rtcp[before:])))
        else:
            sent = len(alice.listener.rtp)
            await alice.listener.until(lambda: len(alice.listener.rtp) > sent + 30)
            assert not any(map(asks_for_key, alice.listener.rtcp[before:]))


# Refusals


def error_of(frame: SignalFrame) -> tuple[int, str]:
    assert frame.HasField("error")
    return frame.error.status, frame.error.description


async def test_what_makes_no_sense_is_answered_with_400_and_changes_nothing(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        duplex = alice.frame()
        duplex.duplex = DUPLEX
        for frame in (duplex, SubscribeFrame(sdp_offer="nonsense"), SubscribeFrame(compressed_sdp_offer=b"\0\1")):
            answered = await alice.ask(frame)
            assert error_of(answered) == FAILED
            assert answered.suback.duplex == RX
        before = len(alice.listener.rtp)
        await alice.listener.until(lambda: len(alice.listener.rtp) > before + 5)


async def test_who_wants_no_videos_only_views_and_is_told_of_none(meeting: Meeting) -> None:
    async with attending(meeting, "alice", max_num_of_videos=0) as alice:
        index = await alice.index()
        assert (index.at_capacity, len(index.sources)) == (True, 0)
        answered = await alice.ask(alice.frame())
        assert (answered.error.status, answered.suback.duplex) == (206, RX)
        assert answered.suback.sdp_answer


async def test_a_sender_too_many_only_views(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting_media, "MOST_SENDERS", 1)
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        bob = await enter(stack, meeting, "bob")
        alice.start_camera()
        await alice.subscribe()
        assert (await bob.told_of(alice.attendee_id)).at_capacity
        bob.start_camera()
        answered = await bob.ask(bob.frame())
        assert (answered.error.status, answered.suback.duplex) == (206, RX)
        alice.negotiation.camera = None
        await alice.subscribe()
        assert not (await bob.told_of()).at_capacity


async def test_a_third_content_share_is_refused_until_another_ends(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        people = [await asyncio.to_thread(meeting.attendee, name) for name in ("alice", "bob", "carol")]
        shares = [await stack.enter_async_context(attending(meeting, who, suffix="#content")) for who in people]
        await shares[0].subscribe()
        await shares[1].subscribe()
        assert (await shares[2].ask(shares[2].frame())).error.status == 509
        await shares[0].client.send(signal_frames.leave())
        await shares[0].client.next(SignalFrame.LEAVE_ACK)
        await shares[2].subscribe()


async def test_an_attendee_that_may_not_send_video_only_views(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        alice.start_camera()
        await alice.subscribe()
        await asyncio.to_thread(
            meeting.api.update_attendee_capabilities,
            MeetingId=meeting.meeting_id,
            AttendeeId=alice.attendee_id,
            Capabilities={"Audio": "Send", "Video": "Receive", "Content": "Receive"},
        )
        while not (await alice.index()).at_capacity:
            pass
        answered = await alice.ask(alice.frame())
        assert answered.error.status == 206
        # Audio is not sent to it any more; reports still are.
        await settled(alice)
        before = len(alice.listener.rtp)
        reports = len(alice.listener.rtcp)
        await alice.listener.until(lambda: len(alice.listener.rtcp) > reports)
        assert len(alice.listener.rtp) == before


# Replicas


async def test_the_audience_of_a_replica_hears_and_sees_and_is_heard_once_it_is_promoted(meeting: Meeting) -> None:
    replica = await asyncio.to_thread(meeting.replica)
    guest = await asyncio.to_thread(meeting.attendee, "guest")
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        alice.start_camera()
        stream_id = (await alice.subscribe()).allocations[0].stream_id
        fan = await stack.enter_async_context(attending(replica, "fan"))
        index = await fan.told_of(alice.attendee_id)
        assert (index.at_capacity, index.sources[0].stream_id) == (True, stream_id)
        fan.negotiation.receive(stream_id)
        (track,) = (await fan.subscribe()).tracks
        alice.show(KEY_FRAME)
        await fan.listener.until(lambda: of(fan, track.ssrc, 0) == [KEY_FRAME])
        with fan.talking():
            before = len(alice.listener.rtp)
            await alice.listener.until(lambda: len(alice.listener.rtp) > before + 30)
            assert {len(rtp.parse(packet).payload) for packet in alice.listener.rtp[before:]} == {3}
            await fan.client.send(
                signal_frames.primary_meeting_join(guest["AttendeeId"], guest["ExternalUserId"], guest["JoinToken"])
            )
            assert not (await fan.client.next(SignalFrame.PRIMARY_MEETING_JOIN_ACK)).HasField("error")
            assert (await alice.entries())[-1].attendee_id == guest["AttendeeId"]
            before = len(alice.listener.rtp)
            await alice.listener.until(lambda: any(len(each) > 40 for each in alice.listener.rtp[before:]))
            fan.start_camera()
            assert (await fan.subscribe()).duplex == DUPLEX
            await alice.told_of(guest["AttendeeId"])
            await fan.client.send(signal_frames.primary_meeting_leave())
            await alice.told_of()


# Ends


async def test_a_removed_attendee_and_an_ended_meeting_are_told_so_and_their_media_ends(
    server: LocalMeetingServer,
) -> None:
    meeting = await asyncio.to_thread(Meeting, server, "ends")
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        bob = await enter(stack, meeting, "bob")
        identity = {"MeetingId": meeting.meeting_id, "AttendeeId": bob.attendee_id}
        await asyncio.to_thread(lambda: meeting.api.delete_attendee(**identity))
        frames, code, _ = await bob.client.to_the_end()
        assert (frames[-1].audio_status.audio_status, code) == (411, 4403)
        await bob.listener.until(lambda: bob.listener.closed is not None)
        await asyncio.to_thread(meeting.api.delete_meeting, MeetingId=meeting.meeting_id)
        frames, code, _ = await alice.client.to_the_end()
        assert (frames[-1].audio_status.audio_status, code) == (410, 4410)
        await alice.listener.until(lambda: alice.listener.closed is not None)


async def test_a_meeting_leaves_nothing_behind(meeting: Meeting, server: LocalMeetingServer) -> None:
    async with AsyncExitStack() as stack:
        alice = await enter(stack, meeting, "alice")
        alice.start_camera()
        await alice.subscribe()
        assert meeting.meeting_id in server.media.meetings
        await alice.client.send(signal_frames.leave())
        await alice.client.next(SignalFrame.LEAVE_ACK)
        await alice.listener.until(lambda: alice.listener.closed is not None)
    assert meeting.meeting_id not in server.media.meetings


async def test_numbers_and_the_page_for_people_are_served(server: LocalMeetingServer) -> None:
    def fetch(path: str) -> str:
        with urllib.request.urlopen(server.url + path) as answer:
            return str(answer.read().decode())

    assert "chime_media_connections" in await asyncio.to_thread(fetch, "/metrics")
    assert "amazon-chime-sdk-js" in await asyncio.to_thread(fetch, "/meet")
