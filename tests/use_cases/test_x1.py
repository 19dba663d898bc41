"""X1: a session from user ARN, session id, endpoint given or looked up, and credentials. Its connect is signed with
SigV4; for a reconnect the endpoint is looked up and the URL signed afresh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.session
import pytest
from botocore.credentials import CredentialProvider, RefreshableCredentials

from chime_messaging import MessagingSession, MessagingSessionConfiguration, SessionEstablished, SessionRejectedError
from chime_messaging.server import Authorization, LocalServer, ServerConfiguration
from chime_messaging.testing import EventRecorder
from chime_messaging.transport import Transport, WebSocketConnector

pytestmark = pytest.mark.anyio

KEYS = tuple((f"AKIDEXAMPLE{number:02}", f"secret-{number}") for number in range(20))


@pytest.fixture(scope="module")
def strict() -> Iterator[LocalServer]:
    """A server that verifies every signature, as the service does."""
    with LocalServer(ServerConfiguration(port=0, authorization=Authorization.STRICT, keys=KEYS)) as server:
        yield server


async def test_a_user_arn_is_enough(strict: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in strict.environment.items():  # region, credentials, endpoint: what boto3 reads
        monkeypatch.setenv(name, value)
    alice = await strict.create_user("Alice")
    async with MessagingSession(MessagingSessionConfiguration(alice)) as session:
        assert session.is_established
        assert session.user_arn == alice
        assert session.session_id


async def test_session_id_endpoint_and_client_can_be_given(strict: LocalServer) -> None:
    alice = await strict.create_user("Alice")
    client = strict.client("chime-sdk-messaging")
    configuration = MessagingSessionConfiguration(alice, "session-1", f"127.0.0.1:{strict.port}", client)
    async with MessagingSession(configuration) as session:
        assert session.session_id == "session-1"


async def test_a_wrong_secret_key_is_refused(strict: LocalServer) -> None:
    alice = await strict.create_user("Alice")
    client = strict.client("chime-sdk-messaging", aws_access_key_id=KEYS[0][0], aws_secret_access_key="wrong")
    configuration = MessagingSessionConfiguration(
        alice, endpoint_url=strict.url.replace("http", "ws"), chime_client=client
    )
    with pytest.raises(SessionRejectedError) as refused:
        async with MessagingSession(configuration):
            pytest.fail("the session was established")
    assert refused.value.code in (401, 403, 4401)


async def test_a_reconnect_looks_the_endpoint_up_and_signs_afresh(strict: LocalServer) -> None:
    alice = await strict.create_user("Alice")
    client, connector = rotating_client(strict), RecordingConnector()
    urls = connector.queries
    lookups: list[int] = []
    client.meta.events.register("before-send.*.GetMessagingSessionEndpoint", lambda **_: lookups.append(len(urls)))
    configuration = MessagingSessionConfiguration(
        alice,
        messaging_session_id="session-1",
        endpoint_url=f"127.0.0.1:{strict.port}",  # for the first connection; reconnects ask
        chime_client=client,
        reconnect_short_backoff=0.01,
    )
    session = MessagingSession(configuration, connector=connector)
    recorder = EventRecorder(session.hub)
    async with session:
        for number in (2, 3):
            await strict.control.close(alice, 1011)
            await recorder.wait_for(SessionEstablished, count=number)
    assert lookups == [1, 2]
    assert [query["userArn"] for query in urls] == [[alice]] * 3
    assert [query["sessionId"] for query in urls] == [["session-1"]] * 3
    assert len({query["X-Amz-Credential"][0] for query in urls}) == 3
    assert len({query["X-Amz-Signature"][0] for query in urls}) == 3


class RecordingConnector:
    """Opens real websockets and keeps the queries of their URLs."""

    def __init__(self) -> None:
        self.queries: list[dict[str, list[str]]] = []
        self._connector = WebSocketConnector()

    async def connect(self, url: str, *, timeout: float, subprotocols: Sequence[str] = ()) -> Transport:
        self.queries.append(parse_qs(urlsplit(url).query))
        return await self._connector.connect(url, timeout=timeout)


class Rotation(CredentialProvider):
    """Temporary credentials as roles have them: boto3 renews them when they are about to expire, which is always."""

    METHOD = CANONICAL_NAME = "rotation"

    def load(self) -> RefreshableCredentials:
        numbers = count()

        def renew() -> dict[str, str]:
            key, secret = KEYS[next(numbers)]
            expiry = datetime.now(UTC) + timedelta(minutes=12)
            return {"access_key": key, "secret_key": secret, "token": "t", "expiry_time": expiry.isoformat()}

        return RefreshableCredentials.create_from_metadata(renew(), renew, self.METHOD)


def rotating_client(server: LocalServer) -> Any:
    session = botocore.session.Session()
    providers: Any = session.get_component("credential_provider")
    providers.providers = [Rotation()]
    make: Callable[..., Any] = boto3.session.Session(botocore_session=session, region_name="us-east-1").client
    return make("chime-sdk-messaging", endpoint_url=server.url)
