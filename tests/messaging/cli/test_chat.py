"""``chime user``, ``channel``, ``send`` and ``tail`` against a running server."""

import io
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from chime_messaging.server.local_server import LocalServer

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def at(server: LocalServer, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> str:
    monkeypatch.setenv("CHIME_URL", server.url)
    environment["CHIME_URL"] = server.url
    return server.url


@pytest.fixture
def general(at: str, chime: Run) -> str:
    code, out, err = chime("channel", "create", "general", "--member", "alice", "--member", "bob")
    assert code == 0, err
    return out.strip()


def contents(server: LocalServer, channel: str, user: str = "alice") -> list[str]:
    bearer = f"{channel.partition('/channel/')[0]}/user/{user}"
    listed = server.client("chime-sdk-messaging").list_channel_messages(
        ChannelArn=channel, ChimeBearer=bearer, SortOrder="ASCENDING"
    )
    return [message["Content"] for message in listed["ChannelMessages"]]


def test_names_become_users_and_a_channel_on_a_local_server(chime: Run, general: str) -> None:
    assert general.endswith("/channel/general")
    _, out, _ = chime("user", "list")
    assert [line.split()[0] for line in out.splitlines()] == ["alice", "bob"]
    _, out, _ = chime("channel", "list", "--as", "bob")
    assert out.split() == ["general", general]


def test_user_is_made_once(chime: Run, at: str) -> None:
    first, second = chime("user", "create", "dora"), chime("user", "create", "dora", "--admin")
    assert first[:2] == second[:2]
    assert first[1].strip().endswith("/user/dora")


def test_message_from_arguments(chime: Run, general: str, server: LocalServer) -> None:
    code, out, _ = chime("send", "general", "hello", "you", "--as", "alice")
    assert code == 0
    assert len(out.strip()) == 64
    assert contents(server, general) == ["hello you"]


def test_messages_from_lines_of_stdin(
    chime: Run, general: str, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n\ntwo  \r\nthree"))
    code, out, _ = chime("send", general, "--as", "bob", "--json", "--attribute", "k=a", "--attribute", "k=b=c")
    assert code == 0
    assert [json.loads(line)["Status"]["Value"] for line in out.splitlines()] == ["SENT"] * 3
    assert contents(server, general) == ["one", "two  ", "three"]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["send", "general", "x" * 5000, "--as", "alice"], 2, "content: is 5000 bytes, the limit is 4096 bytes"),
        (["send", "nowhere", "x", "--as", "bob"], 2, "channel: bob is in no channel 'nowhere'; in: general"),
        (["send", "general", "x", "--as", "a b"], 2, "user: 'a b' cannot be an id"),
        (["send", "general", "x", "--as", "alice", "--attribute", "x"], 2, "attribute: 'x' is not NAME=VALUE"),
        (["channel", "create", "general", "--member", "bob"], 2, "channel: there is a channel 'general' already"),
        (["tail", "arn:aws:chime:::x"], 2, "user: 'arn:aws:chime:::x' is not the ARN of an app instance user"),
        (["user", "list", "--app-instance", "arn"], 2, "app-instance: 'arn' is not an ARN"),
    ],
)
def test_mistakes_are_one_clear_line(chime: Run, general: str, arguments: list[str], code: int, error: str) -> None:
    got, _, err = chime(*arguments)
    assert got == code
    assert len(err.splitlines()) == 1
    assert err.startswith(f"chime: {error}")


def test_ctrl_c_ends_the_wait_for_a_line(start: Callable[..., Any], general: str) -> None:
    send = start("send", "general", "--as", "alice", stdin=True)
    send.process.stdin.write("one\n")
    send.process.stdin.flush()
    assert len(send.line()) == 64
    assert send.interrupt(signal.SIGINT) == 130
    assert not any("Traceback" in line for line in send.stderr)


def test_send_asks_who_sends(chime: Run, at: str) -> None:
    code, _, err = chime("send", "general", "x")
    assert code == 2
    assert "--as" in err


def test_no_credentials_no_server_no_url_is_explained(chime: Run) -> None:
    code, _, err = chime("user", "list")
    assert code == 2
    assert 'eval "$(chime env)"' in err


def test_server_that_does_not_run_is_explained(chime: Run) -> None:
    code, _, err = chime("user", "list", "--url", "http://127.0.0.1:1")
    assert (code, err) == (
        1,
        "chime: cannot connect to 127.0.0.1:1: Connection refused (is the server running? chime serve)\n",
    )


def test_tail_shows_messages_for_people_and_ends_well_with_ctrl_c(
    start: Callable[..., Any], chime: Run, general: str
) -> None:
    tail = start("tail", "bob")
    while not any("connected as bob" in line for line in tail.stderr):
        assert tail.process.poll() is None, tail.stderr
    chime("send", "general", "hello \x1b[31mbob", "--as", "alice")
    line = tail.until("hello")
    assert line.endswith("#general alice  hello \N{REPLACEMENT CHARACTER}[31mbob")
    assert tail.interrupt(signal.SIGINT) == 0
    assert not any("Traceback" in line for line in tail.stderr)


def test_tail_as_json_counts_comes_back_after_a_cut_and_loses_nothing(
    start: Callable[..., Any], chime: Run, general: str, server: LocalServer
) -> None:
    tail = start("tail", "bob", "--json", "--count", "3", "--channel", "general")
    tail.until("SESSION_ESTABLISHED")
    chime("send", "general", "one", "--as", "alice")
    tail.until("CREATE_CHANNEL_MESSAGE")
    server.control.refuse(1013, times=1)
    server.control.abort()
    chime("send", "general", "two", "--as", "alice")
    chime("send", "general", "three", "--as", "alice")
    messages: list[str] = []
    while len(messages) < 2:
        event = json.loads(tail.line())
        if event["type"] == "CREATE_CHANNEL_MESSAGE":
            messages.append(event["payload"]["Content"])
    assert messages == ["two", "three"]
    assert tail.wait() == 0


def test_tail_with_history_begins_with_what_was_said(start: Callable[..., Any], chime: Run, general: str) -> None:
    chime("send", "general", "first", "--as", "alice")
    chime("send", "general", "second", "--as", "alice")
    tail = start("tail", "bob", "--history")
    assert [tail.until("#general").split()[-1] for _ in range(2)] == ["first", "second"]
    assert tail.interrupt(signal.SIGTERM) == 0


def test_tail_of_a_session_that_the_service_ends_fails_with_one_line(
    start: Callable[..., Any], general: str, server: LocalServer
) -> None:
    server.control.refuse(4003, times=1, reason="out")
    tail = start("tail", "bob")
    assert tail.wait() == 1
    for thread in tail.threads:
        thread.join()
    assert tail.stderr[-1] == "chime: session ended by the service (code 4003: out)\n"
    assert not any("Traceback" in line for line in tail.stderr)


def test_everything_works_over_tls_with_the_variables_of_env(
    start: Callable[..., Any], chime: Run, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    port = start("serve", "--tls", "--port", "0", "--strict-auth").line().rpartition(":")[2]
    _, out, _ = chime("env", "--tls", "--port", port, "--shell", "json")
    variables = json.loads(out)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    environment.update(variables)
    assert chime("channel", "create", "safe", "--member", "alice")[0] == 0
    tail = start("tail", "alice", "--json", "--count", "1")
    tail.until("SESSION_ESTABLISHED")
    assert chime("send", "safe", "psst", "--as", "alice")[0] == 0
    assert tail.until("psst")
    assert tail.wait() == 0
