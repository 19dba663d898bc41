"""TURN credentials of attendees."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.local_server import LocalServer
from chime_messaging.server.relays import relay_credentials
from chime_messaging.wire.signaling_pb2 import JoinFrame, SignalFrame
from tests.messaging.server.attendee_client import Meeting

URIS = ("turn:127.0.0.1:3478?transport=udp", "turns:127.0.0.1:443?transport=tcp")


def test_without_relays_there_are_no_credentials() -> None:
    assert relay_credentials(ServerConfiguration(), "alice", 0.0) is None


def test_everybody_gets_the_same_name_and_password() -> None:
    configuration = ServerConfiguration(turn_uris=URIS, turn_username="chime", turn_password="s3cret")
    found = relay_credentials(configuration, "alice", 0.0)
    assert found is not None
    assert (found.username, found.password, found.ttl, found.uris) == ("chime", "s3cret", 300, URIS)


def test_with_a_shared_secret_the_name_says_until_when_and_whose_and_the_password_proves_it() -> None:
    configuration = ServerConfiguration(turn_uris=URIS, turn_secret="shared")
    found = relay_credentials(configuration, "alice", 1_000_000.5)
    assert found is not None
    assert found.username == f"{1_000_000 + 86400}:alice"
    proof = hmac.new(b"shared", found.username.encode(), hashlib.sha1).digest()
    assert base64.b64decode(found.password) == proof


def test_secrets_are_in_no_representation() -> None:
    configuration = ServerConfiguration(turn_uris=URIS, turn_password="s3cret", turn_secret="shared")
    assert "s3cret" not in repr(configuration)
    assert "shared" not in repr(configuration)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_join_ack_carries_them() -> None:
    async with LocalServer(ServerConfiguration(port=0, turn_uris=URIS, turn_username="u", turn_password="p")) as server:
        meeting = Meeting(server)
        async with meeting.socket(meeting.attendee("alice")) as client:
            await client.send(SignalFrame(type=SignalFrame.JOIN, join=JoinFrame(protocol_version=2, flags=2)))
            turn = (await client.next(SignalFrame.JOIN_ACK)).joinack.turn_credentials
    assert (turn.username, turn.password, tuple(turn.uris)) == ("u", "p", URIS)
