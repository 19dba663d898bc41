"""What was acknowledged is there after kill -9, once, however often the process died and the client tried again."""

import http.client
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

SERVER = """
import sys
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.serving import serve
serve(ServerConfiguration(port=0, quotas=False, database=sys.argv[1]), lambda node: print(node.url, flush=True))
"""
ROOT = Path(__file__).parents[3]
ROUNDS = 8
SENDERS = 6


class Rest:
    """One keep-alive connection to a server that takes any signature."""

    def __init__(self, url: str, bearer: str | None = None) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        self._headers = {"x-amz-chime-bearer": bearer} if bearer else {}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        text = json.dumps(body) if body is not None else None
        self._connection.request(method, path, text, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        found: dict[str, Any] = json.loads(content or b"{}")
        return found

    def close(self) -> None:
        self._connection.close()


@contextmanager
def serving(database: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(database)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), "the server did not start"
        yield url, process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


@dataclass
class Ledger:
    """What the senders know: which message every token was acknowledged with, and which tokens got no answer."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def sent(self, token: str) -> None:
        with self.changed:
            self.unanswered.add(token)

    def answered(self, token: str, message_id: str) -> None:
        with self.changed:
            assert self.acknowledged.setdefault(token, message_id) == message_id
            self.unanswered.discard(token)
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.acknowledged) >= count, 20), "the senders are stuck"


class Chat:
    """One channel with one member who sends."""

    def __init__(self, url: str) -> None:
        rest = Rest(url)
        app = rest.call("POST", "/app-instances", {"Name": "app", "ClientRequestToken": "app"})["AppInstanceArn"]
        body = {"AppInstanceArn": app, "AppInstanceUserId": "ann", "Name": "Ann", "ClientRequestToken": "ann"}
        self.ann = rest.call("POST", "/app-instance-users", body)["AppInstanceUserArn"]
        rest.close()
        rest = Rest(url, self.ann)
        body = {"AppInstanceArn": app, "Name": "channel", "ClientRequestToken": "channel"}
        self.channel = quote(rest.call("POST", "/channels", body)["ChannelArn"], safe="")
        rest.close()

    def send(self, rest: Rest, token: str) -> str:
        body = {"Content": token, "Type": "STANDARD", "Persistence": "PERSISTENT", "ClientRequestToken": token}
        message_id: str = rest.call("POST", f"/channels/{self.channel}/messages", body)["MessageId"]
        return message_id

    def messages(self, url: str) -> list[dict[str, Any]]:
        rest, found, token = Rest(url, self.ann), [], None
        while True:
            query = {"sort-order": "ASCENDING", "max-results": 50, **({"next-token": token} if token else {})}
            page = rest.call("GET", f"/channels/{self.channel}/messages?{urlencode(query)}")
            found += page["ChannelMessages"]
            token = page.get("NextToken")
            if token is None:
                rest.close()
                return found


def keep_sending(chat: Chat, url: str, name: str, ledger: Ledger) -> None:
    rest = Rest(url, chat.ann)
    try:
        for number in range(100_000):
            token = f"{name}-{number:06}"
            ledger.sent(token)
            ledger.answered(token, chat.send(rest, token))
    except (OSError, http.client.HTTPException):
        pass  # the server was killed: the token stays unanswered
    finally:
        rest.close()


def send_until_killed(
    chat: Chat, url: str, process: "subprocess.Popen[str]", ledger: Ledger, name: str, count: int
) -> None:
    senders = [
        threading.Thread(target=keep_sending, args=(chat, url, f"{name}-{i}", ledger), daemon=True)
        for i in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    ledger.wait_for(len(ledger.acknowledged) + count)
    process.send_signal(signal.SIGKILL)
    for sender in senders:
        sender.join(20)
        assert not sender.is_alive()
    assert process.wait(20) == -signal.SIGKILL


def check(chat: Chat, url: str, ledger: Ledger) -> None:
    found = chat.messages(url)
    contents = [message["Content"] for message in found]
    assert len(set(contents)) == len(contents), "a message is there twice"
    stored = {message["Content"]: message["MessageId"] for message in found}
    assert ledger.acknowledged.items() <= stored.items(), "an acknowledged message is lost"
    assert stored.keys() <= ledger.acknowledged.keys() | ledger.unanswered
    times = [message["CreatedTimestamp"] for message in found]
    assert times == sorted(times)
    by_sender: dict[str, list[str]] = {}
    for content in contents:
        by_sender.setdefault(content.rpartition("-")[0], []).append(content)
    assert all(sent == sorted(sent) for sent in by_sender.values()), "messages of one sender changed places"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_acknowledged_messages_survive_kill_9_exactly_once(tmp_path: Path) -> None:
    database, ledger, moments = tmp_path / "chime.db", Ledger(), random.Random(20240917)
    chat: Chat | None = None
    repeated = 0
    for number in range(ROUNDS):
        with serving(database) as (url, process):
            if chat is None:
                chat = Chat(url)
            check(chat, url, ledger)
            rest = Rest(url, chat.ann)
            for token in sorted(ledger.unanswered):
                ledger.answered(token, chat.send(rest, token))
                repeated += 1
            for token in moments.sample(sorted(ledger.acknowledged), min(5, len(ledger.acknowledged))):
                ledger.answered(token, chat.send(rest, token))
            rest.close()
            send_until_killed(chat, url, process, ledger, f"round{number}", moments.randrange(1, 200))
    with serving(database) as (url, process):
        assert chat is not None
        check(chat, url, ledger)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert repeated > 0, "no kill caught a message on its way: the test proves nothing"


def test_a_server_that_is_told_to_stop_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    database, ledger = tmp_path / "chime.db", Ledger()
    with serving(database) as (url, process):
        chat = Chat(url)
        sender = threading.Thread(target=keep_sending, args=(chat, url, "ann", ledger), daemon=True)
        sender.start()
        ledger.wait_for(50)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        sender.join(20)
        assert not sender.is_alive()
    with serving(database) as (url, process):
        check(chat, url, ledger)
