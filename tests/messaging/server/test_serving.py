from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

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
