"""Verification of AWS Signature Version 4, in headers (HTTP calls) and in the query (websocket).

Written here because botocore only signs. The query and path are taken raw, as they came: clients differ in what they
escape (``! ' ( ) *``), and only the bytes they signed verify.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from chime_messaging.server.faults import Fault
from chime_messaging.server.rest.routes import parse_query

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "chime"
"""Signing name of all three services."""
MAX_SKEW = timedelta(minutes=15)
"""How far the clocks of client and server may be apart."""
MAX_EXPIRES = 7 * 24 * 3600

# A header that decides what is done must be under the signature.
_MUST_BE_SIGNED = ("host", "x-amz-date", "x-amz-security-token", "x-amz-chime-bearer")
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM}\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<signed>[^,\s]+),"
    r"\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


class _Claim(NamedTuple):
    key: str
    scope: str
    date: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str
    moment: str


def verify_headers(
    method: str,
    raw_path: str,
    raw_query: str,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    *,
    keys: Mapping[str, str],
    now: datetime,
) -> str:
    """Verify a request that is signed in its headers.

    Args:
        method: upper case.
        raw_path: as received, still percent-encoded.
        raw_query: as received, without the question mark.
        headers: names in lower case, as received.
        body: the whole body.
        keys: secret by access key id.
        now: aware.

    Returns:
        The access key id.

    Raises:
        Fault: MissingAuthenticationTokenException, UnrecognizedClientException or InvalidSignatureException.
    """
    received = _by_name(headers)
    authorization = received.get("authorization")
    if authorization is None:
        raise Fault("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(authorization.strip())
    if found is None:
        raise _invalid("The Authorization header does not have the form of Signature Version 4.")
    moment = received.get("x-amz-date")
    if moment is None:
        raise _invalid("The request has no X-Amz-Date header.")
    claim = _claim(found["credential"], found["signed"], found["signature"], moment)
    for name in _MUST_BE_SIGNED:
        if name in received and name not in claim.signed_headers:
            raise _invalid(f"The header {name} must be signed.")
    _check_age(claim, now, MAX_SKEW)
    canonical = _canonical(
        method, raw_path, _pairs(raw_query), received, claim.signed_headers, hashlib.sha256(body).hexdigest()
    )
    _check_signature(claim, canonical, keys)
    return claim.key


def verify_query(
    raw_query: str, host: str, *, keys: Mapping[str, str], now: datetime, raw_path: str = "/connect"
) -> str:
    """Verify a websocket's signed URL.

    Args:
        raw_query: the query as received, without the question mark.
        host: the Host header as received.
        keys: secret by access key id.
        now: aware.
        raw_path: path of the URL.

    Returns:
        The access key id.

    Raises:
        Fault: MissingAuthenticationTokenException, UnrecognizedClientException or InvalidSignatureException (also when
            the URL has expired); BadRequestException, if the query has a broken percent-encoding.
    """
    query = {key: values[-1] for key, values in parse_query(raw_query).items()}
    if "X-Amz-Signature" not in query:
        raise Fault("MissingAuthenticationTokenException", "Missing Authentication Token")
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise _invalid(f"X-Amz-Algorithm must be {ALGORITHM}.")
    claim = _claim(
        query.get("X-Amz-Credential", ""),
        query.get("X-Amz-SignedHeaders", ""),
        query["X-Amz-Signature"],
        query.get("X-Amz-Date", ""),
    )
    expires = query.get("X-Amz-Expires", "")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 6 and 0 < int(expires) <= MAX_EXPIRES):
        raise _invalid(f"X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES}.")
    if claim.signed_headers != ("host",):
        raise _invalid("X-Amz-SignedHeaders must be host.")
    _check_age(claim, now, timedelta(seconds=int(expires)) + MAX_SKEW)
    pairs = [pair for pair in _pairs(raw_query) if pair[0] != "X-Amz-Signature"]
    received = {"host": host.strip()}
    canonical = _canonical("GET", raw_path, pairs, received, claim.signed_headers, hashlib.sha256(b"").hexdigest())
    _check_signature(claim, canonical, keys)
    return claim.key


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    received: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), " ".join(raw_value.decode("utf-8", "replace").split())
        received[name] = f"{received[name]},{value}" if name in received else value
    return received


def _claim(credential: str, signed: str, signature: str, moment: str) -> _Claim:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise _invalid("The credential must have the form KEY/DATE/REGION/SERVICE/aws4_request.")
    key, date, region, service, _ = parts
    if service != SERVICE:
        raise _invalid(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if date != moment[:8]:
        raise _invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    names = tuple(signed.lower().split(";"))
    return _Claim(key, "/".join(parts[1:]), date, region, names, signature, moment)


def _check_age(claim: _Claim, now: datetime, longest: timedelta) -> None:
    try:
        signed_at = datetime.strptime(claim.moment, _DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise _invalid("X-Amz-Date must have the form YYYYMMDDTHHMMSSZ.") from None
    if now - signed_at > longest:
        earliest = (now - longest).strftime(_DATE_FORMAT)
        raise _invalid(f"Signature expired: {claim.moment} is now earlier than {earliest}")
    if signed_at - now > MAX_SKEW:
        latest = (now + MAX_SKEW).strftime(_DATE_FORMAT)
        raise _invalid(f"Signature not yet current: {claim.moment} is still later than {latest}")


def _pairs(raw_query: str) -> list[tuple[str, str]]:
    pairs = []
    for pair in raw_query.split("&"):
        if pair:
            key, _, value = pair.partition("=")
            pairs.append((key, value))
    return sorted(pairs)


def _canonical(
    method: str,
    raw_path: str,
    pairs: Sequence[tuple[str, str]],
    received: Mapping[str, str],
    signed: Sequence[str],
    body_digest: str,
) -> str:
    absent = [name for name in signed if name not in received]
    if absent:
        raise _invalid(f"The signed header {absent[0][:64]} is not in the request.")
    # Every service but S3 escapes the path a second time in the text that is signed.
    return "\n".join(
        (
            method,
            quote(raw_path, safe="/~-_."),
            "&".join(f"{key}={value}" for key, value in pairs),
            "".join(f"{name}:{received[name]}\n" for name in signed),
            ";".join(signed),
            body_digest,
        )
    )


def _check_signature(claim: _Claim, canonical: str, keys: Mapping[str, str]) -> None:
    secret = keys.get(claim.key)
    if secret is None:
        raise Fault("UnrecognizedClientException", "The security token included in the request is invalid.")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join((ALGORITHM, claim.moment, claim.scope, digest))
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, SERVICE, "aws4_request", to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(key.hex().encode(), claim.signature.encode()):
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method."
        )


def _invalid(message: str) -> Fault:
    return Fault("InvalidSignatureException", message)
