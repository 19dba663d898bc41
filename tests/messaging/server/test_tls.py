from __future__ import annotations

import ssl
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.sync.client import connect

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.tls import host_name, identify, state_folder


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "chime"


def test_the_authority_is_made_once_and_kept(own_state: Path) -> None:
    first = identify().ca_path.read_bytes()
    assert identify().ca_path.read_bytes() == first
    assert state_folder() == own_state


def test_the_key_is_for_its_owner_alone(own_state: Path) -> None:
    identify()
    assert stat.S_IMODE((own_state / "ca-key.pem").stat().st_mode) == 0o600


def test_servers_that_start_at_once_agree_on_one_authority() -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = [made.ca_path for made in pool.map(lambda _: identify(), range(4))]
    assert len({path.read_bytes() for path in paths}) == 1
    assert not list(state_folder().parent.glob("chime-ca-*"))


def test_a_folder_without_an_authority_gets_one(own_state: Path) -> None:
    own_state.mkdir(parents=True)
    (own_state / "other").touch()
    assert identify().ca_path.exists()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("chime.example:443", "chime.example"),
        ("[::1]:8765", "::1"),
        ("::1", "::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("0.0.0.0", ""),
        ("::", ""),
    ],
)
def test_hosts_are_cut_to_what_a_certificate_names(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.anyio
async def test_boto3_and_websockets_trust_the_authority() -> None:
    configuration = ServerConfiguration(port=0, tls=True, public_host="localhost")
    async with LocalServer(configuration) as server:
        assert server.url.startswith("https://")
        assert server.environment["AWS_CA_BUNDLE"] == server.ca_path
        alice = await server.create_user("Alice")
        context = ssl.create_default_context(cafile=server.ca_path)
        for host in ("localhost", "127.0.0.1"):
            with connect(f"wss://{host}:{server.port}/connect?userArn={alice}&sessionId=1", ssl=context) as socket:
                assert "SESSION_ESTABLISHED" in str(socket.recv(timeout=5))
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(f"wss://127.0.0.1:{server.port}/connect", ssl=ssl.create_default_context())


def test_a_boto3_program_needs_only_the_environment() -> None:
    with LocalServer(ServerConfiguration(port=0, tls=True)) as server:
        program = "import boto3; print(boto3.client('chime-sdk-messaging').get_messaging_session_endpoint())"
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert f"127.0.0.1:{server.port}" in ran.stdout, ran.stderr
