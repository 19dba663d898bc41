"""Real sockets against a whole server: what one connection sees."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from chime_messaging.protocol import signal_frames
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.wire.signaling_pb2 import SignalFrame
from tests.messaging.server.attendee_client import Client, Meeting

pytestmark = pytest.mark.anyio

JOIN_ACK, ROSTER, INDEX = SignalFrame.JOIN_ACK, SignalFrame.AUDIO_STREAM_ID_INFO, SignalFrame.INDEX


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def meeting(server: LocalServer) -> Meeting:
    return Meeting(server)


async def test_a_join_is_answered_with_join_ack_the_roster_and_index_in_this_order(meeting: Meeting) -> None:
    ann, bob = meeting.attendee("ann"), meeting.attendee("bob")
    async with meeting.attend(ann), meeting.socket(bob) as client:
        await client.join()
        ack, roster, index = [await client.receive() for _ in range(3)]
    assert [ack.type, roster.type, index.type] == [JOIN_ACK, ROSTER, INDEX]
    assert ack.joinack.HasField("turn_credentials")
    assert ack.joinack.video_subscription_limit == 25
    streams = roster.audio_stream_id_info.streams
    assert [(entry.attendee_id, entry.external_user_id) for entry in streams] == [
        (ann["AttendeeId"], "ann"),
        (bob["AttendeeId"], "bob"),
    ]
    assert 1 <= streams[0].audio_stream_id < streams[1].audio_stream_id
    assert all(entry.HasField("muted") and not entry.muted for entry in streams)
    assert (index.index.num_participants, index.index.HasField("at_capacity"), index.index.at_capacity) == (
        2,
        True,
        False,
    )


async def test_without_the_flag_there_is_no_roster(meeting: Meeting) -> None:
    async with meeting.socket(meeting.attendee("ann")) as ann:
        await ann.join(flags=0)
        assert [(await ann.receive()).type for _ in range(2)] == [JOIN_ACK, INDEX]
        async with meeting.attend("bob") as bob:
            await bob.say("hello")
            assert (await ann.receive()).type == INDEX
            assert await ann.texts(1) == ["hello"]


async def test_a_join_without_a_session_id_is_accepted_as_the_live_service_does(meeting: Meeting) -> None:
    async with meeting.attend("ann", session_id=None) as ann, meeting.attend("bob"):
        assert (await ann.entries())[0].external_user_id == "bob"


async def test_pings_are_answered_at_once_before_and_after_the_join(meeting: Meeting) -> None:
    async with meeting.socket(meeting.attendee("ann")) as ann:
        await ann.send(signal_frames.ping(1))
        assert (await ann.receive()).ping_pong.ping_id == 1
        await ann.join()
        await ann.next(INDEX)
        await ann.send(signal_frames.ping(7))
        pong = await ann.receive()
        assert (pong.ping_pong.type, pong.ping_pong.ping_id) == (2, 7)
        assert pong.timestamp_ms > 0


async def test_a_token_that_is_not_known_is_refused_after_join_with_4403(meeting: Meeting) -> None:
    ann, bob = meeting.attendee("ann"), meeting.attendee("bob")
    wrong = {
        "nonsense": "nonsense",
        "secret of another": ann["JoinToken"][:49] + bob["JoinToken"][49:],
        "no secret": ann["JoinToken"][:-1] + ("A" if ann["JoinToken"][-1] != "A" else "B"),
    }
    for name, token in wrong.items():
        async with meeting.socket({**ann, "JoinToken": token}) as client:
            await client.join()
            assert (name, *await client.closing()) == (name, 4403, "attendee unavailable")
    unknown = meeting.url.replace(meeting.meeting_id, bob["AttendeeId"])
    async with meeting.socket(ann, unknown) as client:
        await client.join()
        assert await client.closing() == (4403, "attendee unavailable")


async def test_a_deleted_attendee_is_refused_with_4403_and_an_ended_meeting_with_4410(meeting: Meeting) -> None:
    ann, bob = meeting.attendee("ann"), meeting.attendee("bob")
    meeting.api.delete_attendee(MeetingId=meeting.meeting_id, AttendeeId=ann["AttendeeId"])
    async with meeting.socket(ann) as client:
        await client.join()
        assert await client.closing() == (4403, "attendee unavailable")
    meeting.api.delete_meeting(MeetingId=meeting.meeting_id)
    async with meeting.socket(bob) as client:
        await client.join()
        assert (await client.closing())[0] == 4410
    assert meeting.server.node.live.counters.refused == 2


async def test_native_clients_bring_the_token_in_a_cookie_and_need_not_know_pings(server: LocalServer) -> None:
    meeting = Meeting(server)
    ann = meeting.attendee("ann")
    async with connect(
        meeting.url,
        subprotocols=[Subprotocol("Signaling-SDK")],
        additional_headers={"Cookie": f"a=b; _aws_wt_session={ann['JoinToken']}"},
    ) as socket:
        assert socket.subprotocol == "Signaling-SDK"
        client = Client(socket, ann)
        await client.join()
        await client.next(INDEX)


async def test_a_content_share_is_an_attendee_of_its_own_and_goes_with_its_owner(meeting: Meeting) -> None:
    ann = meeting.attendee("ann")
    content = {**ann, "JoinToken": ann["JoinToken"] + "#content"}
    async with meeting.attend(ann) as main, meeting.attend(content) as share:
        (entry,) = await main.entries()
        assert (entry.attendee_id, entry.external_user_id) == (f"{ann['AttendeeId']}#content", "ann")
        meeting.api.delete_attendee(MeetingId=meeting.meeting_id, AttendeeId=ann["AttendeeId"])
        assert [(await each.closing())[0] for each in (share, main)] == [4403, 4403]


async def test_leave_is_acknowledged_then_closed_and_the_others_see_an_end_and_no_drop(meeting: Meeting) -> None:
    async with meeting.attended("ann", "bob") as (ann, bob):
        number = meeting.stream_id(bob.attendee_id)
        await bob.send(signal_frames.leave())
        frames, code, _ = await bob.to_the_end()
        assert ([frame.type for frame in frames], code) == ([SignalFrame.LEAVE_ACK], 1000)
        (gone,) = await ann.entries()
        assert (gone.audio_stream_id, gone.HasField("attendee_id"), gone.HasField("muted")) == (number, False, False)
        assert not gone.HasField("dropped")
        assert (await ann.next(INDEX)).index.num_participants == 1


async def test_the_end_of_a_meeting_is_told_and_closes_everybody_with_4410(meeting: Meeting) -> None:
    async with meeting.attended("ann", "bob") as clients:
        meeting.api.delete_meeting(MeetingId=meeting.meeting_id)
        for client in clients:
            frames, code, _ = await client.to_the_end()
            assert [frame.audio_status.audio_status for frame in frames] == [410]
            assert code == 4410
    assert meeting.server.node.live.meetings == 0


async def test_a_removed_attendee_is_told_and_closed_with_4403_and_the_others_see_it_leave(meeting: Meeting) -> None:
    async with meeting.attended("ann", "bob") as (ann, bob):
        number = meeting.stream_id(bob.attendee_id)
        meeting.api.delete_attendee(MeetingId=meeting.meeting_id, AttendeeId=bob.attendee_id)
        frames, code, _ = await bob.to_the_end()
        assert ([frame.audio_status.audio_status for frame in frames], code) == ([411], 4403)
        (gone,) = await ann.entries()
        assert (gone.audio_stream_id, gone.attendee_id) == (number, "")


async def test_the_same_session_takes_over_silently_with_a_larger_stream_id(meeting: Meeting) -> None:
    bob = meeting.attendee("bob")
    async with meeting.attend("ann") as ann, meeting.attend(bob, session_id=5) as old:
        await ann.next(INDEX)
        await old.send(signal_frames.audio_control(True))
        assert (await ann.entries())[0].muted
        number = meeting.stream_id(old.attendee_id)
        async with meeting.attend(bob, session_id=5) as new:
            _, code, _ = await old.to_the_end()
            assert code is None
            joined, gone = await ann.entries(2)
            assert (joined.attendee_id, joined.audio_stream_id, joined.muted) == (bob["AttendeeId"], number + 1, True)
            assert (gone.attendee_id, gone.audio_stream_id, gone.HasField("muted")) == ("", number, False)
            await new.say("I am back")
            frame = await ann.receive()
            assert frame.type == SignalFrame.DATA_MESSAGE, "no INDEX, as nobody has come or gone"


async def test_another_session_of_the_same_attendee_sends_the_older_away_with_301(meeting: Meeting) -> None:
    bob = meeting.attendee("bob")
    async with meeting.attend(bob, session_id=5) as old, meeting.attend(bob, session_id=6) as new:
        frames, code, reason = await old.to_the_end()
        assert [frame.audio_status.audio_status for frame in frames] == [301]
        assert (code, reason) == (4409, "joined from another device")
        async with meeting.attend("ann") as ann:
            await ann.say("only one of them")
            assert await new.texts(1) == ["only one of them"]


async def test_join_may_come_again_on_the_same_socket(meeting: Meeting) -> None:
    async with meeting.attended("ann", "bob") as (ann, bob):
        numbers = [meeting.stream_id(each.attendee_id) for each in (ann, bob)]
        await bob.join()
        roster = await bob.entries(2)
        assert [entry.audio_stream_id for entry in roster] == [numbers[0], numbers[1] + 1]
        await ann.say("once")
        await ann.say("more")
        assert await bob.texts(2) == ["once", "more"]


async def test_who_loses_its_connection_is_dropped_after_the_grace_and_not_before() -> None:
    async with LocalServer(ServerConfiguration(port=0, quotas=False, reconnect_grace=0.2)) as server:
        meeting = Meeting(server)
        async with meeting.attended("ann", "bob") as (ann, bob):
            number = meeting.stream_id(bob.attendee_id)
            server.control.meetings.abort(bob.attendee_id)
            await ann.say("nobody has left")
            (gone,) = await ann.entries()
            assert (gone.audio_stream_id, gone.dropped) == (number, True)
            assert (await ann.next(INDEX)).index.num_participants == 1
        assert server.node.live.counters.dropped == 1


async def test_who_comes_back_within_the_grace_is_not_missed(meeting: Meeting) -> None:
    bob_credentials = meeting.attendee("bob")
    async with meeting.attend("ann") as ann, meeting.attend(bob_credentials) as bob:
        await ann.next(INDEX)
        number = meeting.stream_id(bob.attendee_id)
        meeting.server.control.meetings.abort(bob.attendee_id)
        await bob.to_the_end()
        async with meeting.attend(bob_credentials):
            joined, gone = await ann.entries(2)
            assert (joined.attendee_id, joined.audio_stream_id) == (bob.attendee_id, number + 1)
            assert (gone.audio_stream_id, gone.dropped) == (number, False)


async def test_an_unanswered_ping_cuts_the_connection() -> None:
    settings = ServerConfiguration(port=0, signaling_ping_interval=0.1, signaling_ping_grace=0.3)
    async with LocalServer(settings) as server:
        meeting = Meeting(server)
        async with meeting.attend("ann") as ann, meeting.attend("bob") as bob:
            for client in (ann, bob):
                await client.send(signal_frames.ping(1))
            bob.answers_pings = False
            lively = asyncio.create_task(ann.to_the_end())
            assert (await bob.closing())[0] is None
            assert server.node.live.counters.silent == 1
            assert not lively.done()
            await server.control.meetings.close(ann.attendee_id, 4500, "enough")
            assert (await lively)[1:] == (4500, "enough")


async def test_mute_is_told_to_everybody(meeting: Meeting) -> None:
    async with meeting.attended("ann", "bob") as (ann, bob):
        number = meeting.stream_id(bob.attendee_id)
        await bob.send(signal_frames.audio_control(True))
        await bob.send(signal_frames.audio_control(True))
        await bob.send(signal_frames.audio_control(False))
        for client in (ann, bob):
            first, second = await client.entries(2)
            assert [(each.audio_stream_id, each.muted, each.attendee_id) for each in (first, second)] == [
                (number, True, ""),
                (number, False, ""),
            ]


async def test_what_follows_a_join_at_once_is_not_lost(meeting: Meeting) -> None:
    async with meeting.attend("ann") as ann, meeting.socket(meeting.attendee("bob")) as bob:
        await bob.join()
        await bob.say("early", "bird")
        assert await ann.texts(2) == ["early", "bird"]


async def test_before_the_join_nothing_is_delivered(meeting: Meeting) -> None:
    async with meeting.attend("ann") as ann, meeting.socket(meeting.attendee("bob")) as bob:
        await bob.say("too early")
        await bob.join()
        await bob.say("in time")
        assert await ann.texts(1) == ["in time"]


@pytest.mark.parametrize("target", ["/control/", "/control/a/b", "/controls/a", "/control"])
async def test_other_paths_are_refused(server: LocalServer, target: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"ws://127.0.0.1:{server.port}{target}", subprotocols=[Subprotocol("_aws_wt_session")])
    assert caught.value.response.status_code == 404


HOSTILE = [
    b"",
    b"\x05",
    b"\x05\xff\xff\xff\xff",
    b"\x05\x08\x01",
    b"\x05\x08\x01\x10\x63",  # a type that nobody knows
    b"\x05\x08\x01\x10\x13",  # PING_PONG without a body
    b"\x05\x08\x01\x10\x01",  # JOIN without a body
    b"\x05\x08\x01\x10\x16",  # DATA_MESSAGE without a body
    b"\x05\x08\x01\x10\x03",  # SUBSCRIBE without a body
    b"\x05" + b"\x1a\x80" * 2000,
    b"\x05\x08\x01\x10\x02",  # frames of servers
    b"\x05\x08\x01\x10\x12\x9a\x01\x02\x0a\x00",
]


@pytest.mark.parametrize("joined", [False, True])
async def test_hostile_frames_are_skipped(meeting: Meeting, joined: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with meeting.attend("ann") as ann, meeting.socket(meeting.attendee("bob")) as bob:
        if joined:
            await bob.join()
        for data in HOSTILE:
            await bob.socket.send(data)
        await bob.socket.send("text")
        if not joined:
            await bob.join()
        await bob.say("still here")
        assert await ann.texts(1) == ["still here"]
    assert meeting.server.node.live.counters.skipped >= len(HOSTILE) - 2, "two are harmless after a JOIN"
    assert caplog.records == []


async def test_a_frame_that_is_too_large_ends_the_connection_with_1009(meeting: Meeting) -> None:
    async with meeting.attended("ann", "bob") as (ann, bob):
        await bob.socket.send(b"\x05" + bytes(300_000))
        assert (await bob.closing())[0] == 1009
        await ann.send(signal_frames.ping(1))
        assert (await ann.next(SignalFrame.PING_PONG)).ping_pong.ping_id == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(st.binary(max_size=40) | st.sampled_from(HOSTILE), max_size=5))
def test_no_bytes_make_the_server_stumble(fuzzed: Meeting, data: list[bytes]) -> None:
    async def run() -> None:
        async with fuzzed.attend(fuzzed.fuzzer) as client:  # type: ignore[attr-defined]
            for each in data:
                await client.socket.send(b"\x05\x08\x01" + each)
            await client.send(signal_frames.ping(99))
            while True:
                pong = await client.next(SignalFrame.PING_PONG)
                if pong.ping_pong.ping_id == 99:
                    return

    asyncio.run(run())


@pytest.fixture
def fuzzed(meeting: Meeting) -> Meeting:
    meeting.fuzzer = meeting.attendee("fuzzer")  # type: ignore[attr-defined]
    return meeting


async def test_a_restarted_server_takes_its_attendees_back_with_the_same_tokens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    settings = ServerConfiguration(port=port, database=str(tmp_path / "chime.db"), quotas=False)
    async with LocalServer(settings) as server:
        meeting = Meeting(server)
        credentials = meeting.attendee("ann")
        async with meeting.attend(credentials) as ann, meeting.attend("bob") as bob:
            await asyncio.to_thread(server.__exit__, None, None, None)
            for client in (ann, bob):
                assert await client.closing() == (4503, "the server stops")
            await asyncio.to_thread(server.__enter__)
            async with meeting.attend(credentials) as again:
                assert again.frames == []
                assert server.node.live.attendees == 1


async def test_numbers_of_streams_grow_over_a_restart_of_the_server(tmp_path: Path) -> None:
    settings = ServerConfiguration(port=0, database=str(tmp_path / "chime.db"), quotas=False)
    async with LocalServer(settings) as server:
        meeting = Meeting(server)
        ann, port = meeting.attendee("ann"), server.port
        before = []
        for _ in range(3):
            async with meeting.attend(ann):
                before.append(meeting.stream_id(ann["AttendeeId"]))
    async with LocalServer(settings) as restarted:
        meeting.server = restarted
        url = meeting.url.replace(str(port), str(restarted.port))
        async with meeting.socket(ann, url) as client:
            await client.join()
            (entry,) = await client.entries()
    assert before == sorted(set(before))
    assert before[-1] < entry.audio_stream_id < 2**32


async def test_faults_can_be_injected(meeting: Meeting) -> None:
    control = meeting.server.control.meetings
    control.refuse(4500, 1, "try again")
    async with meeting.socket(meeting.attendee("ann")) as ann:
        await ann.join()
        assert await ann.closing() == (4500, "try again")
    async with meeting.attended("bob", "eve") as (bob, eve):
        control.throttle(1)
        await bob.say("returned", "delivered")
        (returned,) = await bob.messages(1)
        assert (returned.data, returned.HasField("ingest_time_ns"), returned.ingest_time_ns) == (b"returned", True, 0)
        assert await eve.texts(1) == ["delivered"]
        control.send_raw(eve.attendee_id, b"\x02raw")
        assert await eve.socket.recv() == b"\x02raw"
        control.abort(eve.attendee_id)
        assert (await eve.closing())[0] is None
        await control.close(None, 4555, "all of you")
        assert await bob.closing() == (4555, "all of you")


async def test_a_held_join_is_answered_when_it_is_released(meeting: Meeting) -> None:
    control = meeting.server.control.meetings
    control.hold_joins()
    async with meeting.socket(meeting.attendee("ann")) as ann:
        await ann.join()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ann.receive()
        control.hold_joins(False)
        assert (await ann.receive()).type == JOIN_ACK


async def test_a_client_that_goes_while_it_is_held_leaves_nothing_behind(meeting: Meeting) -> None:
    control, live = meeting.server.control.meetings, meeting.server.node.live
    control.hold_joins()
    async with meeting.socket(meeting.attendee("ann")) as ann:
        await ann.join()
        ann.socket.transport.abort()
    async with asyncio.timeout(5):
        while live.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)
    control.hold_joins(False)
    assert (live.meetings, live.attendees) == (0, 0)


async def test_no_log_holds_a_token(meeting: Meeting, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ann = meeting.attendee("ann")
    async with meeting.attend(ann):
        pass
    ours = [record for record in caplog.records if record.name.startswith("chime_messaging")]
    assert ours
    assert not [record for record in ours if ann["JoinToken"] in logging.Formatter().format(record) + str(vars(record))]


async def test_metrics_tell_of_meetings(meeting: Meeting) -> None:
    async with meeting.attended("ann", "bob") as (ann, bob):
        await ann.say("hello")
        await bob.texts(1)
        text = meeting.server.node.metrics.render().decode()
    for line in ("chime_attendees 2.0", "chime_meetings 1.0", "chime_joins_total 2.0", "chime_data_messages_total 1.0"):
        assert line in text.splitlines()


async def test_an_attendee_of_a_replica_is_promoted_with_the_credentials_of_the_primary_meeting(
    meeting: Meeting,
) -> None:
    replica = meeting.replica()
    guest = meeting.attendee("guest")
    async with meeting.attend("star") as star, replica.attend("fan") as fan:
        await fan.send(signal_frames.primary_meeting_join(guest["AttendeeId"], "guest", "wrong"))
        refused = await fan.next(SignalFrame.PRIMARY_MEETING_JOIN_ACK)
        assert refused.error.status == 403
        await fan.send(signal_frames.primary_meeting_join(guest["AttendeeId"], "guest", guest["JoinToken"]))
        await fan.say("hello from the audience")
        accepted = await fan.next(SignalFrame.PRIMARY_MEETING_JOIN_ACK)
        assert not accepted.HasField("error")
        assert not (await fan.next(INDEX)).index.at_capacity
        (message,) = await star.messages(1)
        assert (message.data, message.sender_external_user_id) == (b"hello from the audience", "guest")
        await star.say("welcome")
        assert await fan.texts(1) == ["welcome"]
        meeting.api.delete_attendee(MeetingId=meeting.meeting_id, AttendeeId=guest["AttendeeId"])
        assert (await fan.next(SignalFrame.PRIMARY_MEETING_LEAVE)).type == SignalFrame.PRIMARY_MEETING_LEAVE
        await fan.say("nobody hears this")
        assert (await fan.messages(1))[0].ingest_time_ns == 0
