"""``chime meeting`` against a running server."""

import json
from collections.abc import Callable

import pytest

from chime_messaging.server.local_server import LocalServer

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def at(server: LocalServer, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> str:
    monkeypatch.setenv("CHIME_URL", server.url)
    return server.url


def test_name_is_one_meeting_until_it_is_over(chime: Run, at: str) -> None:
    code, first, err = chime("meeting", "create", "standup")
    assert code == 0, err
    assert chime("meeting", "create", "standup")[1] == first
    assert chime("meeting", "create", "retro")[1] != first
    assert chime("meeting", "delete", "standup") == (0, "", "")
    code, second, _ = chime("meeting", "create", "standup")
    assert code == 0
    assert second != first
    assert chime("meeting", "create", "standup")[1] == second


def test_user_is_one_attendee_of_a_meeting(chime: Run, at: str, server: LocalServer) -> None:
    code, out, err = chime("meeting", "attendee", "standup", "bob")
    assert code == 0, err
    joining = json.loads(out)
    assert joining == json.loads(chime("meeting", "attendee", joining["Meeting"]["MeetingId"], "bob")[1])
    assert joining["Attendee"]["ExternalUserId"] == "bob"
    assert joining["Meeting"]["MediaPlacement"]["SignalingUrl"].startswith(server.url.replace("http", "ws", 1))
    got = server.client("chime-sdk-meetings").get_attendee(
        MeetingId=joining["Meeting"]["MeetingId"], AttendeeId=joining["Attendee"]["AttendeeId"]
    )
    assert got["Attendee"] == joining["Attendee"]


def test_attendees_are_listed(chime: Run, at: str) -> None:
    chime("meeting", "create", "standup", "--attendee", "alice", "--attendee", "bob")
    code, out, _ = chime("meeting", "list", "standup")
    assert code == 0
    assert sorted(line.split()[0] for line in out.splitlines()) == ["alice", "bob"]
    _, out, _ = chime("meeting", "list", "standup", "--json")
    assert all(json.loads(line)["JoinToken"] for line in out.splitlines())


def test_creation_as_json_has_all_that_is_needed_to_join(chime: Run, at: str) -> None:
    _, out, _ = chime("meeting", "create", "standup", "--attendee", "alice", "--json")
    made = json.loads(out)
    assert made["Meeting"]["ExternalMeetingId"] == "standup"
    assert [attendee["ExternalUserId"] for attendee in made["Attendees"]] == ["alice"]
    assert "ResponseMetadata" not in made


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["create", "x"], 2, "meeting: 'x' cannot be a name: it takes 2 to 64 characters"),
        (["attendee", "standup", "x"], 2, "user: 'x' cannot be an ExternalUserId: it takes 2 to 64 characters"),
        (["delete", "7fb54e84-0000-4000-8000-000000000001"], 1, "GetMeeting: "),
        (["delete", "arn:aws:chime:us-east-1:1:meeting/7fb54e84-0000-4000-8000-000000000001"], 1, "GetMeeting: "),
        (["list", "standup", "--url", "localhost"], 2, "url: 'localhost' is not like http://127.0.0.1:8765"),
    ],
)
def test_mistakes_are_one_clear_line(chime: Run, at: str, arguments: list[str], code: int, error: str) -> None:
    got, _, err = chime("meeting", *arguments)
    assert got == code
    assert len(err.splitlines()) == 1
    assert err.startswith(f"chime: {error}")


def test_names_mean_nothing_away_from_this_machine(chime: Run, at: str) -> None:
    code, _, err = chime("meeting", "delete", "standup", "--url", "http://meetings.invalid:1")
    assert (code, err) == (2, "chime: meeting: 'standup' is no id; names of meetings cannot be looked up on AWS\n")
