"""The unmodified `DefaultMessagingSession` of amazon-chime-sdk-js, in Node, over TLS."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from chime_messaging.server.configuration import Authorization
from tests.interop.conftest import LocalChime, NodeProcess

pytestmark = pytest.mark.interop

RunNode = Callable[..., NodeProcess]


@pytest.fixture
def alice(chime: LocalChime) -> str:
    return chime.user(f"alice-{uuid4()}")


@pytest.fixture
def bob(chime: LocalChime) -> str:
    return chime.user(f"bob-{uuid4()}")


def established_at(chime: LocalChime, run_node: RunNode, user: str) -> NodeProcess:
    session = run_node("session.mjs", of=chime, userArn=user)
    session.message("SESSION_ESTABLISHED")
    return session


def established(run_node: RunNode, user: str, **options: object) -> NodeProcess:
    session = run_node("session.mjs", userArn=user, **options)
    assert session.next() == {"event": "connecting", "reconnecting": False}
    session.until("message", type="SESSION_ESTABLISHED")
    assert {"event": "start"} in session.seen
    return session


def test_it_connects_receives_and_stops(run_node: RunNode, chime: LocalChime, alice: str, bob: str) -> None:
    channel = chime.channel(alice, bob)
    session = established(run_node, bob)
    message_id = chime.send(channel, alice, "hello 🚀", Metadata="line one\nline two")
    message = session.message("CREATE_CHANNEL_MESSAGE")
    assert message["headers"]["x-amz-chime-message-type"] == "STANDARD"
    payload = message["payload"]
    assert (payload["MessageId"], payload["Content"]) == (message_id, "hello 🚀")
    assert payload["Sender"] == {"Arn": alice, "Name": alice.rsplit("/", 1)[1].title()}
    assert payload["ChannelArn"] == channel
    assert payload["CreatedTimestamp"][19] == "."
    assert len(payload["CreatedTimestamp"]) == len("2021-06-03T16:26:31.013Z")
    assert {"event": "resolved"} in session.seen
    session.tell("stop")
    assert session.until("stop")["code"] == 1005


@pytest.mark.parametrize("sort_by", [None, "unread", "last-message-timestamp"])
def test_prefetch_brings_the_channels(
    run_node: RunNode, chime: LocalChime, alice: str, bob: str, sort_by: str | None
) -> None:
    unread = chime.channel(alice, bob)
    read = chime.channel(alice, bob)
    chime.send(unread, alice, "one")
    chime.send(read, alice, "two")
    chime.messaging.update_channel_read_marker(ChannelArn=read, ChimeBearer=bob)
    session = established(run_node, bob, prefetch=True, sortBy=sort_by)
    details = {d["Channel"]["ChannelArn"]: d for d in (session.message("CHANNEL_DETAILS")["payload"] for _ in "12")}
    assert set(details) == {unread, read}
    assert [m["Content"] for m in details[read]["ChannelMessages"]] == ["two"]
    assert details[read]["ReadMarkerTimestamp"] > details[read]["Channel"]["LastMessageTimestamp"]
    assert "ReadMarkerTimestamp" not in details[unread]
    assert {m["Member"]["Arn"] for m in details[unread]["ChannelMemberships"]} == {alice, bob}


def test_every_change_of_a_channel_arrives_as_its_event(
    run_node: RunNode, chime: LocalChime, alice: str, bob: str
) -> None:
    api = chime.messaging
    session = established(run_node, bob)
    channel = chime.channel(alice, bob)
    joined = session.message("CREATE_CHANNEL_MEMBERSHIP")["payload"]
    assert joined["ChannelArn"] == channel
    message = chime.send(channel, alice, "draft")
    where = {"ChannelArn": channel, "ChimeBearer": alice}
    api.update_channel_message(MessageId=message, Content="final", **where)
    assert session.message("UPDATE_CHANNEL_MESSAGE")["payload"]["Content"] == "final"
    api.redact_channel_message(MessageId=message, **where)
    assert session.message("REDACT_CHANNEL_MESSAGE")["payload"]["Redacted"] is True
    api.update_channel(Name="renamed", **where)
    assert session.message("UPDATE_CHANNEL")["payload"]["Name"] == "renamed"
    carol = chime.user(f"carol-{uuid4()}")
    api.batch_create_channel_membership(Type="DEFAULT", MemberArns=[carol], **where)
    assert [m["Arn"] for m in session.message("BATCH_CREATE_CHANNEL_MEMBERSHIP")["payload"]["Members"]] == [carol]
    api.delete_channel_membership(MemberArn=carol, **where)
    assert session.message("DELETE_CHANNEL_MEMBERSHIP")["payload"]["Member"]["Arn"] == carol
    api.delete_channel(**where)
    assert session.message("DELETE_CHANNEL")["payload"]["ChannelArn"] == channel


def test_a_deleted_user_is_kicked_and_not_let_back(run_node: RunNode, chime: LocalChime, alice: str) -> None:
    session = established(run_node, alice)
    chime.identity.delete_app_instance_user(AppInstanceUserArn=alice)
    assert session.until("stop")["code"] == 4003
    assert run_node("session.mjs", userArn=alice).until("rejected")["code"] == 4401


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 4005])
def test_it_reconnects_after_a_retryable_close(run_node: RunNode, chime: LocalChime, alice: str, code: int) -> None:
    session = established(run_node, alice)
    chime.run(chime.server.control.close, alice, code, "test")
    assert session.until("connecting")["reconnecting"] is True
    session.message("SESSION_ESTABLISHED")


def test_it_is_started_before_its_first_frame_is_told(run_node: RunNode, chime: LocalChime, alice: str) -> None:
    session = run_node("session.mjs", userArn=alice)
    order = [session.next() for _ in range(4)]
    assert [report["event"] for report in order if report["event"] != "resolved"] == ["connecting", "start", "message"]


def test_it_comes_back_to_a_server_that_was_restarted(
    run_node: RunNode, start_chime: Callable[..., LocalChime], tmp_path: Path
) -> None:
    database = str(tmp_path / "chime.db")
    first = start_chime(tls=True, database=database)
    alice = first.user("alice")
    channel = first.channel(alice)
    session = established_at(first, run_node, alice)
    port = first.server.port
    first.stop()
    second = start_chime(tls=True, database=database, port=port)
    assert session.until("connecting")["reconnecting"] is True
    session.message("SESSION_ESTABLISHED")
    sent = second.send(channel, alice, "after the restart")
    assert session.message("CREATE_CHANNEL_MESSAGE")["payload"]["MessageId"] == sent
    assert not [report for report in session.seen if report["event"] == "stop"]


def test_a_forbidden_endpoint_look_up_ends_as_4999(run_node: RunNode, chime: LocalChime, alice: str) -> None:
    chime.server.control.fail("GetMessagingSessionEndpoint", "ForbiddenException", times=100)
    try:
        session = run_node("session.mjs", userArn=alice, reconnectTimeoutMs=1000)
        # From a second try on, the official session rejects a promise nobody holds. How many tries fit into the time
        # depends on the machine.
        assert session.until("unhandled", "rejected")["code"] == 4999
    finally:
        chime.server.control.clear()


def test_a_wrong_signature_is_refused_with_4401(
    run_node: RunNode, start_chime: Callable[..., LocalChime], node: str
) -> None:
    strict = start_chime(tls=True, authorization=Authorization.STRICT)
    dora = strict.user("dora")
    wrong = strict.options["credentials"] | {"secretAccessKey": "wrong"}
    # Given the endpoint, the session goes straight to the socket; else the look-up over HTTP is refused first.
    endpoint = strict.server.url.removeprefix("https://")
    refused = run_node("session.mjs", of=strict, userArn=dora, credentials=wrong, endpointUrl=endpoint)
    assert refused.until("rejected")["code"] == 4401
    accepted = run_node("session.mjs", of=strict, userArn=dora)
    accepted.message("SESSION_ESTABLISHED")


def test_an_unknown_user_is_refused_with_4401(run_node: RunNode, chime: LocalChime) -> None:
    session = run_node("session.mjs", userArn=f"{chime.app_instance}/user/nobody")
    assert session.until("rejected")["code"] == 4401
