from contextlib import closing

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, ProxyConnectionError

from chime_messaging.aws.clients import create_client, open_client
from chime_messaging.errors import ConfigurationError


def test_client_leaves_retries_to_the_control_plane() -> None:
    client = create_client(region="us-east-1")
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert client.meta.service_model.service_name == "chime-sdk-messaging"
    client.close()


def test_missing_region_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigurationError, match="region"):
        create_client(session=boto3.Session())


@pytest.mark.parametrize(
    ("endpoint", "proxied"),
    [("http://127.0.0.1:1", False), ("http://[::1]:1", False), ("http://localhost:1", False), (None, True)],
)
def test_a_proxy_is_for_what_is_far_away(endpoint: str | None, proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    if endpoint is not None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CHIME_SDK_MESSAGING", endpoint)
    expected = ProxyConnectionError if proxied else EndpointConnectionError
    session = boto3.Session("key", "secret", region_name="us-east-1")
    with closing(create_client(session=session)) as client, pytest.raises(expected):
        client.get_messaging_session_endpoint()


@pytest.mark.anyio
async def test_client_is_made_off_the_event_loop() -> None:
    client = await open_client("chime-sdk-identity", region="eu-central-1")
    assert client.meta.region_name == "eu-central-1"
    client.close()
