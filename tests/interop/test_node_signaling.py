"""The unmodified signalling half of amazon-chime-sdk-js, in Node, in a meeting on the local server."""

from collections.abc import Callable
from typing import Any

import pytest

from chime_messaging.wire.signaling_pb2 import SignalFrame
from tests.interop.conftest import LocalChime, NodeProcess
from tests.interop.meetings import Meeting, OfficialClient, create_meeting, official_client

pytestmark = pytest.mark.interop

RunNode = Callable[..., NodeProcess]
Join = Callable[..., OfficialClient]


@pytest.fixture
def meeting(chime: LocalChime) -> Meeting:
    return create_meeting(chime)


@pytest.fixture
def start(run_node: RunNode, meeting: Meeting) -> Join:
    """Start the official client as an attendee; what it is told can be waited for."""

    def begin(user: str | dict[str, Any], **options: Any) -> OfficialClient:
        attendee = meeting.attendee(user) if isinstance(user, str) else user
        process = run_node("signaling_session.mjs", of=meeting.chime, **meeting.options(attendee, **options))
        return OfficialClient(process, attendee)

    return begin


@pytest.fixture
def join(start: Join) -> Join:
    """Start the official client and wait until it has joined."""

    def begin(user: str | dict[str, Any], **options: Any) -> OfficialClient:
        client = start(user, **options)
        client.joined = client.until("joined")
        return client

    return begin


def test_it_joins_and_is_told_what_a_session_needs(join: Join) -> None:
    alice = join("alice")
    index = alice.joined["index"]
    assert (index["atCapacity"], index["numParticipants"]) == (False, 1)
    assert alice.joined["turn"] is not None, "without TURN credentials the official client waits for all candidates"
    assert alice.joined["videoLimit"] == 25
    ack = next(report["frame"]["joinack"] for report in alice.reported("frame") if report["type"] == "JOIN_ACK")
    assert ack["defaultServerSideNetworkAdaption"] in ("NONE", "BANDWIDTH_PROBING_AND_VIDEO_QUALITY_ADAPTION")
    assert not alice.reported("status")


def test_frames_come_in_the_order_that_the_official_client_needs(join: Join) -> None:
    types = [report["type"] for report in join("alice").reported("frame")]
    assert [name for name in types if name != "PING_PONG"][:3] == ["JOIN_ACK", "AUDIO_STREAM_ID_INFO", "INDEX"]


def test_it_pings_and_is_answered_and_answers(join: Join) -> None:
    alice = join("alice", pingIntervalMs=100)
    alice.until("pong", id=3)
    assert [report["id"] for report in alice.reported("pong")] == [1, 2, 3]
    assert not alice.reported("missed")


def test_the_roster_reaches_it_on_joining_and_later(join: Join) -> None:
    alice = join("alice")
    bob = join("bob")
    own = bob.attendee["AttendeeId"]
    present = {report["attendeeId"]: report for report in bob.reported("presence") if report["present"]}
    assert set(present) == {alice.attendee["AttendeeId"], own}
    assert present[own]["externalUserId"] == "bob"
    seen = alice.until("presence", attendeeId=own)
    assert (seen["present"], seen["dropped"], seen["externalUserId"]) == (True, False, "bob")
    bob.command("leave")
    bob.until("left")
    left = alice.until("presence", attendeeId=own)
    assert (left["present"], left["dropped"]) == (False, False)


def test_a_lost_attendee_is_told_as_dropped(start_chime: Callable[..., LocalChime], run_node: RunNode) -> None:
    meeting = create_meeting(start_chime(tls=True, reconnect_grace=0.1))
    alice, bob = (official_client(run_node, meeting, name) for name in ("alice", "bob"))
    meeting.chime.server.control.meetings.abort(bob.attendee["AttendeeId"])
    assert bob.until("closed")["code"] == 1006
    left = alice.until("presence", attendeeId=bob.attendee["AttendeeId"], present=False)
    assert left["dropped"]


def test_data_messages_reach_the_others_in_one_order_and_not_their_sender(join: Join) -> None:
    alice, bob, carol = (join(name, topics=["chat"]) for name in ("alice", "bob", "carol"))
    for number in range(10):
        (alice, bob)[number % 2].send("chat", f"{number} ✋")
    to_carol = [carol.data("chat") for _ in range(10)]
    assert {message["data"].decode() for message in to_carol} == {f"{number} ✋" for number in range(10)}
    stamps = [message["timestampMs"] for message in to_carol]
    assert stamps == sorted(stamps)
    assert not any(message["throttled"] for message in to_carol)
    by_bob = [message["data"] for message in to_carol if message["sender"] == bob.attendee["AttendeeId"]]
    assert [alice.data("chat")["data"] for _ in range(5)] == by_bob
    assert {message["externalUserId"] for message in to_carol} == {"alice", "bob"}


def test_messages_with_a_lifetime_are_replayed_to_who_joins_later_and_to_who_comes_back(
    join: Join, start: Join
) -> None:
    alice = join("alice")
    alice.send("chat", "kept", lifetime=300)
    alice.send("chat", "gone")
    alice.send("chat", "kept too", lifetime=60)
    alice.send("done", "done", lifetime=60)
    bob = start("bob", topics=["chat", "done"])
    assert [bob.data("chat")["data"], bob.data("chat")["data"]] == [b"kept", b"kept too"]
    bob.data("done")
    assert len(bob.reported("data")) == 3
    bob.command("reconnect")
    again = [bob.data("chat") for _ in range(2)]
    assert [message["data"] for message in again] == [b"kept", b"kept too"]
    first = [report["timestampMs"] for report in bob.reported("data")][:2]
    assert [message["timestampMs"] for message in again] == first, "what is replayed can be told from what is new"


def test_reconnecting_takes_the_old_connection_over_silently(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    bob.command("reconnect")
    bob.until("joined")
    assert not bob.reported("status")
    bob.send("chat", "here again")
    alice.frame("DATA_MESSAGE")
    about_bob = [r for r in alice.reported("presence") if r["attendeeId"] == bob.attendee["AttendeeId"]]
    assert about_bob
    assert all(report["present"] or not report["dropped"] for report in about_bob)


def test_another_client_with_the_same_token_ends_the_older(join: Join) -> None:
    older = join("alice")
    newer = join(older.attendee)
    status = older.until("status")
    assert status == {
        "event": "status",
        "code": "AudioJoinedFromAnotherDevice",
        "terminal": True,
        "failure": False,
    }
    assert not newer.reported("status")


def test_the_end_of_the_meeting_is_told_and_final(join: Join, start: Join, meeting: Meeting) -> None:
    alice = join("alice")
    bob = meeting.attendee("bob")
    meeting.delete()
    status = alice.until("status")
    assert (status["code"], status["terminal"], status["failure"]) == ("MeetingEnded", True, False)
    assert alice.until("closed")["code"] == 4410
    late = start(bob)
    assert late.until("status")["code"] == "MeetingEnded"


def test_a_removed_attendee_is_told_and_cannot_come_back(join: Join, start: Join, meeting: Meeting) -> None:
    alice = join("alice")
    meeting.remove(alice.attendee)
    status = alice.until("status")
    assert (status["code"], status["terminal"], status["failure"]) == ("AudioAttendeeRemoved", True, False)
    assert alice.until("closed")["code"] == 4403
    again = start(alice.attendee)
    closed = again.until("closed")
    assert (closed["code"], closed["reason"]) == (4403, "attendee unavailable")
    assert again.until("status")["code"] == "SignalingBadRequest"


def test_a_wrong_token_is_refused_with_a_close_code(start: Join, meeting: Meeting) -> None:
    stranger = meeting.attendee("alice") | {"JoinToken": "A" * 98}
    client = start(stranger)
    assert client.until("closed")["code"] == 4403
    assert client.until("status")["code"] == "SignalingBadRequest"


def test_a_bad_topic_closes_the_connection(join: Join) -> None:
    alice = join("alice")
    alice.command("sendUnchecked", message={"topic": "no spaces", "data": [120]})
    alice.until("closed")


def test_too_many_messages_come_back_as_throttled(start_chime: Callable[..., LocalChime], run_node: RunNode) -> None:
    alice = official_client(run_node, create_meeting(start_chime(tls=True)), "alice", topics=["chat"])
    for number in range(400):
        alice.send("chat", str(number))
    back = alice.data("chat")
    assert back["throttled"]
    assert int(back["data"]) >= 200, "a burst of 200 is free"


def test_what_it_sends_is_read_without_a_rest(join: Join) -> None:
    alice = join("alice", pingIntervalMs=50)
    alice.send("chat", "hello", lifetime=1)
    alice.command("mute", muted=True)
    alice.until("pong", id=2)
    alice.command("leave")
    alice.until("closed")
    frames = alice.sent()
    assert {SignalFrame.Type.Name(frame.type) for frame in frames} >= {
        "JOIN",
        "PING_PONG",
        "DATA_MESSAGE",
        "AUDIO_CONTROL",
        "LEAVE",
    }
    for report in alice.reported("sent"):
        assert report["hex"].startswith("05")
