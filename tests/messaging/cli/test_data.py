"""``chime data`` against a running server."""

import io
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chime_messaging.cli.data import record
from chime_messaging.meeting_events import DataMessage
from chime_messaging.server.local_server import LocalServer

Run = Callable[..., tuple[int, str, str]]
Start = Callable[..., Any]


@pytest.fixture
def at(server: LocalServer, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> str:
    for name, value in (("CHIME_URL", server.url), ("CHIME_MEETING", "standup")):
        monkeypatch.setenv(name, value)
        environment[name] = value
    return server.url


def joined(start: Start, *arguments: str) -> Any:
    """Start ``chime data sub`` and wait until it has joined."""
    sub = start("data", "sub", *arguments)
    while not any("joined" in line for line in sub.stderr):
        assert sub.process.poll() is None, sub.stderr
    return sub


def test_lines_of_stdin_come_out_as_json_lines(
    start: Start, chime: Run, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub = joined(start, "chat", "--as", "bob", "--count", "3")
    monkeypatch.setattr("sys.stdin", io.StringIO('one\n\ntwo ✋\r\n{"three": 3}'))
    assert chime("data", "pub", "chat", "--as", "alice") == (0, "", "")
    lines = [json.loads(sub.line()) for _ in range(3)]
    assert [line["text"] for line in lines] == ["one", "two ✋", '{"three": 3}']
    assert all((line["topic"], line["sender"]) == ("chat", "alice") for line in lines)
    assert [line["timestamp"] for line in lines] == sorted(line["timestamp"] for line in lines)
    assert sub.wait() == 0


def test_topics_choose_and_none_means_all(start: Start, chime: Run, at: str) -> None:
    chosen = joined(start, "b", "c", "--as", "bob", "--count", "2")
    everything = joined(start, "--as", "carol", "--count", "3")
    for topic in ("a", "b", "c"):
        assert chime("data", "pub", topic, "to", topic, "--as", "alice")[0] == 0
    assert [json.loads(chosen.line())["text"] for _ in range(2)] == ["to b", "to c"]
    assert [json.loads(everything.line())["text"] for _ in range(3)] == ["to a", "to b", "to c"]


def test_what_is_kept_reaches_who_joins_later(start: Start, chime: Run, at: str) -> None:
    chime("data", "pub", "chat", "kept", "--as", "alice", "--lifetime", "60")
    chime("data", "pub", "chat", "gone", "--as", "alice")
    chime("data", "pub", "chat", "kept too", "--as", "alice", "--lifetime", "60")
    sub = joined(start, "chat", "--as", "bob", "--count", "2")
    assert [json.loads(sub.line())["text"] for _ in range(2)] == ["kept", "kept too"]
    assert sub.wait() == 0


def test_join_information_is_all_that_it_takes(
    start: Start, chime: Run, at: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    path = tmp_path / "bob.json"
    path.write_text(chime("meeting", "attendee", "standup", "bob")[1])
    for name in ("CHIME_URL", "CHIME_MEETING"):
        del environment[name]
    sub = joined(start, "chat", "--join", str(path), "--count", "1")
    assert chime("data", "pub", "chat", "hi", "--as", "alice")[0] == 0
    assert json.loads(sub.line())["text"] == "hi"
    assert sub.wait() == 0


def test_bytes_that_are_no_text_come_out_as_base64() -> None:
    message = DataMessage("chat", b"\xff\x00", "a-1", "alice", 1_700_000_000_123_456_789)
    assert json.loads(msgspec.json.encode(record(message))) == {
        "topic": "chat",
        "base64": "/wA=",
        "sender": "alice",
        "sender_attendee_id": "a-1",
        "timestamp": "2023-11-14T22:13:20.123000Z",
    }


def test_roster_is_told_when_asked_for(start: Start, chime: Run, at: str) -> None:
    sub = joined(start, "--as", "bob", "--roster")
    assert json.loads(sub.line()) | {"attendee_id": ""} == {"attendee": "bob", "attendee_id": "", "present": True}
    chime("data", "pub", "chat", "hi", "--as", "alice")
    lines = [json.loads(sub.line()) for _ in range(3)]
    assert [line.get("attendee", line.get("text")) for line in lines] == ["alice", "hi", "alice"]
    assert [line.get("present") for line in lines] == [True, None, False]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sub_ends_well_when_interrupted(start: Start, at: str, number: signal.Signals) -> None:
    sub = joined(start, "--as", "bob")
    assert sub.interrupt(number) == 0
    assert not any("Traceback" in line for line in sub.stderr)


def test_sub_comes_back_after_a_cut(start: Start, chime: Run, at: str, server: LocalServer) -> None:
    sub = joined(start, "chat", "--as", "bob", "--count", "1")
    server.control.meetings.abort()
    while not any("joined again" in line for line in sub.stderr):
        assert sub.process.poll() is None, sub.stderr
    chime("data", "pub", "chat", "after", "--as", "alice")
    assert json.loads(sub.line())["text"] == "after"


def test_end_of_the_meeting_is_one_line(start: Start, chime: Run, at: str) -> None:
    sub = joined(start, "--as", "bob")
    chime("meeting", "delete", "standup")
    assert sub.wait() == 1
    for thread in sub.threads:
        thread.join()
    assert sub.stderr[-1].startswith("chime: ")
    assert "ended" in sub.stderr[-1]
    assert not any("Traceback" in line for line in sub.stderr)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["pub", "no spaces", "x", "--as", "alice"], "topic: 'no spaces' has other characters"),
        (["pub", "x" * 37, "x", "--as", "alice"], "topic: is 37 characters, the limit is 36 characters"),
        (["pub", "chat", "x" * 2049, "--as", "alice"], "data: is 2049 bytes, the limit is 2048 bytes"),
        (["pub", "chat", "x"], "meeting: say which and who"),
        (["sub", "no spaces", "--as", "bob"], "topic: 'no spaces' has other characters"),
        (["sub", "--as", "x"], "user: 'x' cannot be an ExternalUserId"),
    ],
)
def test_mistakes_are_one_clear_line(chime: Run, at: str, arguments: list[str], error: str) -> None:
    code, _, err = chime("data", *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert err.startswith(f"chime: {error}")


def test_what_comes_back_is_printed_and_fails(
    chime: Run, at: str, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.control.meetings.throttle(1)
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
    code, out, _ = chime("data", "pub", "chat", "--as", "alice")
    assert code == 1
    assert [json.loads(line) for line in out.splitlines()] == [{"topic": "chat", "text": "one", "throttled": True}]


def test_everything_works_over_tls_with_the_variables_of_env(
    start: Start, chime: Run, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    port = start("serve", "--tls", "--port", "0").line().rpartition(":")[2]
    variables = json.loads(chime("env", "--tls", "--port", port, "--shell", "json")[1])
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    environment.update(variables)
    sub = joined(start, "chat", "--meeting", "standup", "--as", "bob", "--count", "1")
    assert chime("data", "pub", "chat", "psst", "--meeting", "standup", "--as", "alice") == (0, "", "")
    assert json.loads(sub.line())["text"] == "psst"
    assert chime("load", "data", "--attendees", "2", "--rate", "50", "--seconds", "0.1")[0] == 0
