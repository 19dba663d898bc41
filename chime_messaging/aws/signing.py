"""The presigned URL that opens a messaging session: SigV4 in the query, valid for ten seconds.

Official name: DefaultSigV4.signURL. botocore's query signer does the arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from chime_messaging.aws.credentials import Credentials

Scheme = Literal["ws", "wss"]
PrefetchSortBy = Literal["unread", "last-message-timestamp"]

SERVICE = "chime"
EXPIRES = 10
"""Seconds from signing within which the handshake must arrive."""

_DEFAULT_PORTS: Mapping[str, str] = {"ws": ":80", "wss": ":443"}


def presign_connect_url(
    endpoint: str,
    *,
    user_arn: str,
    session_id: str,
    region: str,
    credentials: Credentials,
    scheme: Scheme = "wss",
    prefetch: bool = False,
    prefetch_sort_by: PrefetchSortBy | None = None,
    query: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> str:
    """Build the URL of the websocket, signature included. It is a secret: never log it.

    Args:
        endpoint: Host, or host:port, as GetMessagingSessionEndpoint gives it.
        user_arn: The app instance user that connects.
        session_id: Id of the session, kept over reconnects.
        region: AWS region of the signature's scope.
        credentials: Keys to sign with.
        scheme: ``ws`` only for a local server without TLS.
        prefetch: Whether the service sends the details of the user's channels right after the connect.
        prefetch_sort_by: Which channels come first; sent whenever set, as the official client does.
        query: Further parameters to sign, for example ``X-Amzn-User-Agent``.
        now: Moment of signing; the present when omitted.
    """
    params = {**(query or {}), "sessionId": session_id, "userArn": user_arn}
    if prefetch:
        params["prefetch-on"] = "connect"
    if prefetch_sort_by is not None:
        params["prefetch-sort-by"] = prefetch_sort_by
    # The Host header of a websocket names no default port, and botocore strips only those of http and https.
    host = endpoint.lower().removesuffix(_DEFAULT_PORTS[scheme])
    request = AWSRequest(method="GET", url=f"{scheme}://{host}/connect", params=params)
    _ConnectSigner(credentials, region, now or datetime.now(UTC)).add_auth(request)
    return str(request.url)


class _ConnectSigner(SigV4QueryAuth):
    """botocore's signer; the moment is an argument, nothing is logged, the query is in canonical order."""

    def __init__(self, credentials: Credentials, region: str, now: datetime) -> None:
        keys = ReadOnlyCredentials(credentials.access_key, credentials.secret_key, credentials.token or None)
        super().__init__(keys, SERVICE, region, expires=EXPIRES)
        self._now = now.astimezone(UTC)

    def add_auth(self, request: Any) -> None:
        request.context["timestamp"] = self._now.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)  # type: ignore[attr-defined]  # missing in the stubs
        base = request.url.partition("?")[0]
        canonical = self.canonical_request(request)
        request.url = f"{base}?{canonical.split(chr(10))[2]}"
        request.url += f"&X-Amz-Signature={self.signature(self.string_to_sign(request, canonical), request)}"
