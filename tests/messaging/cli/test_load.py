"""``chime load data`` against a running server."""

import json
from collections.abc import Callable

import pytest

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def at(server: LocalServer, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> str:
    monkeypatch.setenv("CHIME_URL", server.url)
    return server.url


def test_everything_arrives_once_and_the_meeting_is_ended(chime: Run, at: str, server: LocalServer) -> None:
    code, out, err = chime(
        "load", "data", "--attendees", "5", "--senders", "2", "--rate", "100", "--seconds", "0.3", "--json"
    )
    assert code == 0, err
    result = json.loads(out)
    latency = result.pop("latency_ms")
    assert result.pop("seconds") >= 0.25
    assert result == {
        "attendees": 5,
        "sent": 30,
        "delivered": 120,
        "throttled": 0,
        "lost": 0,
        "duplicated": 0,
        "reconnects": 0,
        "ended": 0,
    }
    assert 0 < latency["p50"] <= latency["p99"] <= latency["max"] < 5000


def test_result_for_people(chime: Run, at: str) -> None:
    code, out, _ = chime("load", "data", "--attendees", "3", "--rate", "100", "--seconds", "0.1")
    assert code == 0
    assert "10 messages of 256 bytes to 3 attendees" in out
    assert "delivered   20 of 20" in out
    assert "throttled   0   lost 0   duplicated 0" in out


def test_too_fast_senders_see_what_comes_back(
    chime: Run, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    with LocalServer(ServerConfiguration(port=0)) as server:
        monkeypatch.setenv("CHIME_URL", server.url)
        code, out, err = chime(
            "load", "data", "--attendees", "2", "--rate", "1500", "--seconds", "0.25", "--unpaced", "--json"
        )
    assert code == 0, err
    result = json.loads(out)
    assert result["throttled"] > 0
    assert result["delivered"] == 375 - result["throttled"], "what comes back is not lost"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--senders", "3", "--attendees", "2"], "senders: 3 are more than the 2 attendees"),
        (["--size", "5"], "size: is 5 bytes; it takes 12 to tell messages apart"),
        (["--url", "http://chime.invalid:1"], "url: is not this machine; AWS asks to be asked before load tests"),
    ],
)
def test_mistakes_are_one_clear_line(chime: Run, at: str, arguments: list[str], error: str) -> None:
    code, _, err = chime("load", "data", *arguments)
    assert (code, err) == (2, f"chime: {error}\n")
