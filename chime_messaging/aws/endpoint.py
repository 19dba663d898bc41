"""Where a session connects to: GetMessagingSessionEndpoint, asked afresh for every connection."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.aws.signing import Scheme
from chime_messaging.errors import ConnectError, ForbiddenError, ServiceError, UnauthorizedError


class SessionEndpoint(msgspec.Struct, frozen=True):
    """Host of the websocket, and how to speak to it."""

    host: str
    """Host or host:port, without a scheme."""
    scheme: Scheme = "wss"


async def resolve_endpoint(
    client: Any,
    *,
    timeout: float = 10.0,
    network_type: Literal["IPV4_ONLY", "DUAL_STACK"] | None = None,
) -> SessionEndpoint:
    """Ask the control plane where to connect.

    The scheme follows the client: ``ws`` when it was made for a plain ``http://`` endpoint (a local server), else
    ``wss``.

    Args:
        client: A boto3 ``chime-sdk-messaging`` client.
        timeout: Seconds for the whole look-up.
        network_type: Passed on when given.

    Raises:
        UnauthorizedError: 401; trying again does not help.
        ForbiddenError: 403; trying again does not help.
        CredentialsError: if the request could not be signed.
        TransportError: for every other failure; worth another try.
    """
    control_plane = ControlPlane(client, attempts=1)
    params = {"NetworkType": network_type} if network_type else {}
    try:
        response = await control_plane.call("GetMessagingSessionEndpoint", timeout=timeout, **params)
    except (UnauthorizedError, ForbiddenError):
        raise
    except ServiceError as exc:
        raise ConnectError(control_plane.host, str(exc), status=exc.status) from exc
    url = response.get("Endpoint", {}).get("Url")
    if not isinstance(url, str) or not url:
        raise ConnectError(control_plane.host, "GetMessagingSessionEndpoint answered without an Endpoint.Url")
    return parse_endpoint(url, default_scheme=control_plane.session_scheme)


def parse_endpoint(url: str, *, default_scheme: Scheme = "wss") -> SessionEndpoint:
    """Read an endpoint as a user or the service writes it: a bare host, host:port, or a ``ws(s)://`` URL.

    Raises:
        TransportError: if there is no host in it.
    """
    try:
        parts = urlsplit(url if "://" in url else f"{default_scheme}://{url}")
        usable = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConnectError(url, "is not a host or host:port")
    return SessionEndpoint(parts.netloc.lower(), "ws" if parts.scheme in ("ws", "http") else "wss")
