"""boto3 clients set up for this library. Any other boto3 client works as well."""

from __future__ import annotations

import threading
from functools import partial
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from chime_messaging.aws.control_plane import translate
from chime_messaging.aws.threads import MAX_THREADS, run_in_thread

Service = Literal["chime-sdk-messaging", "chime-sdk-identity", "chime-sdk-meetings"]

_making = threading.Lock()  # making clients from one boto3 session is not thread-safe; using them is


def create_client(
    service: Service = "chime-sdk-messaging",
    *,
    session: boto3.Session | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    verify: str | bool | None = None,
) -> Any:
    """Make a boto3 client with short time-outs, a connection per worker thread, and all retries left to `ControlPlane`.

    Reading the service model takes some tenths of a second; inside an event loop use `open_client`.

    Args:
        service: Name as boto3 knows it.
        session: Where credentials and settings come from; boto3's defaults when omitted.
        region: AWS region; boto3's usual sources when omitted.
        endpoint_url: Base URL instead of AWS; boto3's ``AWS_ENDPOINT_URL_*`` variables work too.
        verify: Path of a CA bundle, or False for no check of the server's certificate.

    Raises:
        ConfigurationError: if there is no region.
        CredentialsError: if a credentials provider is set up wrongly.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=MAX_THREADS,
    )
    try:
        with _making:
            make = (session or boto3.Session()).client
            client = make(service, region_name=region, endpoint_url=endpoint_url, verify=verify, config=config)
            if getproxies() and _is_on_this_machine(client.meta.endpoint_url):
                # A local server. boto3 would ask the proxy for it, whose loopback is another one.
                client.close()
                config = config.merge(Config(proxies={}))
                client = make(service, region_name=region, endpoint_url=endpoint_url, verify=verify, config=config)
            return client
    except BotoCoreError as exc:
        raise translate(exc, f"client of {service}", endpoint_url or service) from exc


def _is_on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def open_client(
    service: Service = "chime-sdk-messaging",
    *,
    session: boto3.Session | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    verify: str | bool | None = None,
) -> Any:
    """`create_client` in a worker thread."""
    return await run_in_thread(
        partial(create_client, service, session=session, region=region, endpoint_url=endpoint_url, verify=verify)
    )
