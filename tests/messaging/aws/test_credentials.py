import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import CredentialResolver, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError
from botocore.session import Session

from chime_messaging.aws.credentials import Credentials, resolve_credentials
from chime_messaging.errors import CredentialsError

pytestmark = pytest.mark.anyio


def client(credentials: Any = None, **keys: str) -> Any:
    session: Any = Session()
    session.register_component("credential_provider", CredentialResolver([]))
    if credentials is not None:
        session._credentials = credentials
    return session.create_client("chime-sdk-messaging", region_name="us-east-1", **keys)


def refreshable(refresh: Any, *, expires_in: float = -1.0) -> RefreshableCredentials:
    expiry = datetime.now(UTC) + timedelta(seconds=expires_in)
    return RefreshableCredentials("old", "old", "old", expiry, refresh, "assume-role")


def metadata(**changes: Any) -> dict[str, Any]:
    expiry = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {"access_key": "new", "secret_key": "s", "token": "t", "expiry_time": expiry} | changes


async def test_keys_given_to_the_client_are_used() -> None:
    made = client(aws_access_key_id="a", aws_secret_access_key="b", aws_session_token="c")
    assert await resolve_credentials(made) == Credentials("a", "b", "c")


async def test_keys_without_a_token_have_none() -> None:
    assert await resolve_credentials(client(aws_access_key_id="a", aws_secret_access_key="b")) == Credentials("a", "b")


async def test_missing_credentials_are_said_to_be_missing() -> None:
    with pytest.raises(CredentialsError, match="no AWS credentials found") as caught:
        await resolve_credentials(client())
    assert not caught.value.may_recover


async def test_expired_credentials_are_refreshed_off_the_event_loop() -> None:
    threads: list[int] = []

    def refresh() -> dict[str, Any]:
        threads.append(threading.get_ident())
        return metadata()

    made = client(refreshable(refresh))
    assert await resolve_credentials(made) == Credentials("new", "s", "t")
    assert await resolve_credentials(made) == Credentials("new", "s", "t")
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize(
    "refresh",
    [
        lambda: metadata(expiry_time=(datetime.now(UTC) - timedelta(hours=1)).isoformat()),
        lambda: (_ for _ in ()).throw(CredentialRetrievalError(provider="x", error_msg="no")),
        lambda: (_ for _ in ()).throw(ConnectionResetError("gone")),
    ],
    ids=["still expired", "provider refused", "network"],
)
async def test_failed_refresh_may_recover(refresh: Any) -> None:
    with pytest.raises(CredentialsError) as caught:
        await resolve_credentials(client(refreshable(refresh)))
    assert caught.value.may_recover


async def test_refresh_that_hangs_has_a_deadline() -> None:
    gate = threading.Event()

    def refresh() -> dict[str, Any]:
        gate.wait(20)
        return metadata()

    try:
        with pytest.raises(CredentialsError, match="no credentials within 0.05 s") as caught:
            await resolve_credentials(client(refreshable(refresh)), timeout=0.05)
        assert caught.value.may_recover
    finally:
        gate.set()
