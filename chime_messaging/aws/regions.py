"""Which media region is nearest? Asked before CreateMeeting, whose MediaRegion it becomes."""

from __future__ import annotations

import json
import logging
import re
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from chime_messaging.aws.threads import run_in_thread
from chime_messaging.errors import ConnectError, ConnectTimeoutError, TransportError

NEAREST_MEDIA_REGION_URL = "https://nearest-media-region.l.chime.aws"
FALLBACK_MEDIA_REGION = "us-east-1"

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}")
_MAX_ANSWER = 4096

_log = logging.getLogger(__name__)


async def nearest_media_region(
    *,
    url: str = NEAREST_MEDIA_REGION_URL,
    timeout: float = 2.0,
    fallback: str | None = FALLBACK_MEDIA_REGION,
) -> str:
    """Ask which media region is nearest to this machine.

    Proxies and certificate authorities are those of the environment, as for boto3's own calls.

    Args:
        url: where to ask; a local server answers at ``/nearest-media-region``.
        timeout: seconds for everything; then the fallback holds.
        fallback: what to take when there is no answer; None raises instead.

    Returns:
        A region, for example ``eu-central-1``. Official name: getNearestMediaRegion.

    Raises:
        TransportError: without a fallback, if there was no usable answer in time.
    """
    try:
        return await _ask(url, timeout)
    except TransportError as exc:
        if fallback is None:
            raise
        _log.warning("the nearest media region is not known (%s); taking %s", exc, fallback)
        return fallback


async def _ask(url: str, timeout: float) -> str:
    host = _host_of(url)
    try:
        status, body = await run_in_thread(partial(_fetch, url, timeout), timeout=timeout)
    except TimeoutError as exc:
        raise ConnectTimeoutError(host, timeout) from exc
    except (BotoCoreError, HTTPError, OSError) as exc:
        raise ConnectError(host, str(exc)) from exc
    if status != 200:
        raise ConnectError(host, f"answered with status {status}", status=status)
    try:
        region = json.loads(body)["region"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ConnectError(host, "answered something else than a region") from exc
    if not isinstance(region, str) or _REGION.fullmatch(region) is None:
        raise ConnectError(host, "answered something else than a region")
    return region


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        raise ConnectError(url, "is not an http or https URL")
    return parts.netloc


def _fetch(url: str, timeout: float) -> tuple[int, bytes]:
    """In a worker thread. The answer is read only as far as a region can reach."""
    authority = botocore.session.Session().get_config_variable("ca_bundle")
    limits: Any = (timeout, timeout)  # connect and read; floats work, the stubs know only int
    session = URLLib3Session(verify=authority or True, proxies=get_environ_proxies(url), timeout=limits)
    with closing(session):
        request = AWSRequest("GET", url, stream_output=True, headers={"Accept": "application/json"})
        response = session.send(request.prepare())
        with closing(response.raw):
            return response.status_code, response.raw.read(_MAX_ANSWER, decode_content=True)
