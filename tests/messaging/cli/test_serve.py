import json
import signal
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from chime_messaging.server.configuration import LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_line_comes_when_it_serves_and_a_signal_ends_it_with_0(start: Callable[..., object], number: int) -> None:
    chime = start("serve", "--port", "0", "--no-media", "--no-quotas")
    ready, url = chime.line().split()  # type: ignore[attr-defined]
    assert ready == "ready"
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
        assert answer.read() == b"ok"
    assert chime.interrupt(signal.Signals(number)) == 0  # type: ignore[attr-defined]
    logs = [json.loads(line) for line in chime.stderr]  # type: ignore[attr-defined]
    assert logs[-1]["message"] == "stopping"


def test_database_file_keeps_what_was_made(start: Callable[..., object], tmp_path: Path) -> None:
    for turn in range(2):
        chime = start("serve", "--port", "0", "--db", str(tmp_path / "chime.db"))
        url = chime.line().split()[1]  # type: ignore[attr-defined]
        session = boto3.Session(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY, region_name="us-east-1")
        identity = session.client("chime-sdk-identity", endpoint_url=url)
        assert len(identity.list_app_instances()["AppInstances"]) == turn
        identity.create_app_instance(Name=f"turn {turn}")
        identity.close()
        assert chime.interrupt() == 0  # type: ignore[attr-defined]


def test_taken_port_is_said_in_one_line(chime: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = chime("serve", "--port", str(port))
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"chime: address: cannot listen on 127.0.0.1:{port}: Address already in use"


def test_trust_and_strict_auth_exclude_each_other(chime: Run) -> None:
    code, _, err = chime("serve", "--trust", "--strict-auth")
    assert code == 2
    assert "exclude each other" in err


@pytest.mark.parametrize(
    ("database", "problem"),
    [
        ("/nonexistent/chime.db", "db: /nonexistent/chime.db: unable to open database file"),
        ("nosuch://user:secret@127.0.0.1:1/db", "db: "),
        ("mysql+nosuchdriver://user:secret@127.0.0.1:1/db", "db: "),
    ],
)
def test_database_that_cannot_be_opened_is_said_in_one_line_without_its_password(
    chime: Run, database: str, problem: str
) -> None:
    code, out, err = chime("serve", "--port", "0", "--db", database)
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith(f"chime: {problem}")
    assert "secret" not in err
