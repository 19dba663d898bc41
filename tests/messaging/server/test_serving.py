from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from chime_messaging.server import serving
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer

PROGRAM = """
from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.logs import configure_logs
from chime_messaging.server.serving import serve
configure_logs()
serve(
    ServerConfiguration(port=0, authorization=Authorization.TRUST),
    lambda node: print("ready", node.url, flush=True),
)
print("stopped", flush=True)
"""


def test_a_client_that_stalls_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "DRAIN_TIMEOUT", 0.2)
    with ExitStack() as stack:
        with LocalServer() as server:
            stalled = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            stalled.sendall(
                b"POST /app-instances HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
            )
            assert b"100 Continue" in stalled.recv(4096)
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        assert idle.recv(4096) == b""
        with suppress(ConnectionResetError):
            assert stalled.recv(4096) == b""


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0"])
def test_it_listens_where_it_is_told_and_names_an_address_that_works(host: str) -> None:
    with LocalServer(ServerConfiguration(host=host, port=0)) as server:
        client = server.client("chime-sdk-messaging")
        assert client.get_messaging_session_endpoint()["Endpoint"]["Url"] == server.url.removeprefix("http://")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        word, url = process.stdout.readline().split()
        assert word == "ready"
        port = int(url.rpartition(":")[2])
        user = "arn:aws:chime:us-east-1:123456789012:app-instance/a/user/b"
        with (
            socket.create_connection(("127.0.0.1", port)),
            connect(f"ws://127.0.0.1:{port}/connect?userArn={user}&sessionId=1") as session,
        ):
            assert "SESSION_ESTABLISHED" in str(session.recv(timeout=5))
            process.send_signal(number)
            with pytest.raises(ConnectionClosed) as caught:
                session.recv(timeout=5)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1012
            out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "stopped\n"), err
    assert "Traceback" not in err
