from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.faults import Fault
from chime_messaging.server.rest.signatures import MAX_SKEW, verify_headers, verify_query

KEYS = {"AKIDEXAMPLE": "secret"}
HOST = "127.0.0.1:8765"
USER = "arn:aws:chime:us-east-1:123456789012:app-instance/8f5b/user/o'neil!(x)*@y"
PATH = "/channels/" + quote(USER, safe="") + "/messages"
QUERY = "max-results=5&next-token=a%2Bb%2F%3D&empty="
BODY = b'{"Content":"hi"}'
Headers = list[tuple[bytes, bytes]]


def signed(token: str | None = None, secret: str = "secret", service: str = "chime") -> tuple[Headers, datetime]:
    request = AWSRequest("POST", f"http://{HOST}{PATH}?{QUERY}", headers={"x-amz-chime-bearer": USER}, data=BODY)
    request.headers["Content-Type"] = "application/json"
    SigV4Auth(Credentials("AKIDEXAMPLE", secret, token), service, "eu-central-1").add_auth(request)
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return [(b"host", HOST.encode()), (b"user-agent", b"unsigned"), *headers], moment


def verify(headers: Headers, now: datetime, **changes: object) -> str:
    request = {"method": "POST", "raw_path": PATH, "raw_query": QUERY, "body": BODY, "keys": KEYS, **changes}
    return verify_headers(headers=headers, now=now, **request)  # type: ignore[arg-type]


def presigned(expires: int = 10, unescaped: str = "") -> tuple[str, datetime]:
    """A signed connect URL's query; `unescaped` characters are signed and sent as they are, as browsers' SDKs do."""
    url = f"https://{HOST}/connect?userArn={quote(USER, safe='')}&sessionId=12&prefetch-on=connect"
    request = AWSRequest("GET", url)
    signer = SigV4QueryAuth(Credentials("AKIDEXAMPLE", "secret", "token/+="), "chime", "us-east-1", expires)
    signer.add_auth(request)
    base, _, _ = str(request.url).partition("&X-Amz-Signature=")
    for character in unescaped:
        base = base.replace(quote(character, safe=""), character)
    again = AWSRequest("GET", base)
    again.context["timestamp"] = request.context["timestamp"]
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    return f"{urlsplit(base).query}&X-Amz-Signature={signature}", datetime.now(UTC)


def name_of(call: Callable[[], object]) -> str:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value.name


@pytest.mark.parametrize("token", [None, "session-token"])
def test_what_botocore_signs_verifies(token: str | None) -> None:
    headers, now = signed(token)
    assert verify(headers, now) == "AKIDEXAMPLE"


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "PUT"},
        {"raw_path": PATH.replace("o", "0", 1)},
        {"raw_path": PATH.replace("%2F", "/")},
        {"raw_query": QUERY.replace("5", "6")},
        {"raw_query": QUERY + "&more=1"},
        {"body": BODY + b" "},
        {"body": b""},
        {"keys": {"AKIDEXAMPLE": "other"}},
    ],
)
def test_a_changed_request_does_not_verify(changes: dict[str, object]) -> None:
    headers, now = signed()
    assert name_of(lambda: verify(headers, now, **changes)) == "InvalidSignatureException"


@pytest.mark.parametrize("name", [b"x-amz-chime-bearer", b"host", b"x-amz-date", b"content-type"])
def test_a_changed_or_missing_signed_header_does_not_verify(name: bytes) -> None:
    headers, now = signed()
    assert any(each == name for each, _ in headers)
    others = [(each, value) for each, value in headers if each != name]
    assert name_of(lambda: verify(others, now)) == "InvalidSignatureException"
    assert name_of(lambda: verify([*others, (name, b"20200101T000000Z")], now)) == "InvalidSignatureException"


def test_a_bearer_added_after_signing_does_not_verify() -> None:
    request = AWSRequest("GET", f"http://{HOST}/channels")
    SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "chime", "us-east-1").add_auth(request)
    headers = [(b"host", HOST.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    plain = {"method": "GET", "raw_path": "/channels", "raw_query": "", "body": b""}
    assert verify(headers, datetime.now(UTC), **plain) == "AKIDEXAMPLE"
    headers.append((b"x-amz-chime-bearer", USER.encode()))
    assert name_of(lambda: verify(headers, datetime.now(UTC), **plain)) == "InvalidSignatureException"


def test_unsigned_headers_may_change_on_the_way() -> None:
    headers, now = signed()
    assert verify([*headers, (b"via", b"proxy")], now) == "AKIDEXAMPLE"


@pytest.mark.parametrize("late", [MAX_SKEW + timedelta(seconds=1), -MAX_SKEW - timedelta(seconds=1)])
def test_the_clocks_may_be_apart_by_the_skew_only(late: timedelta) -> None:
    headers, now = signed()
    verify(headers, now + late * 0.9)
    with pytest.raises(Fault, match="Signature expired|Signature not yet current"):
        verify(headers, now + late)


def test_without_authorization_the_token_is_missing() -> None:
    assert name_of(lambda: verify([(b"host", HOST.encode())], datetime.now(UTC))) == (
        "MissingAuthenticationTokenException"
    )


def test_an_unknown_key_is_an_unrecognized_client() -> None:
    headers, now = signed()
    assert name_of(lambda: verify(headers, now, keys={})) == "UnrecognizedClientException"


def test_the_scope_must_be_of_this_service() -> None:
    headers, now = signed(service="s3")
    assert name_of(lambda: verify(headers, now)) == "InvalidSignatureException"


@given(st.binary(max_size=120))
def test_any_authorization_is_refused(value: bytes) -> None:
    headers = [(b"host", HOST.encode()), (b"x-amz-date", b"20210603T162631Z"), (b"authorization", value)]
    assert name_of(lambda: verify(headers, datetime.now(UTC))) == "InvalidSignatureException"


def test_a_presigned_url_of_botocore_verifies() -> None:
    query, now = presigned()
    assert verify_query(query, HOST, keys=KEYS, now=now) == "AKIDEXAMPLE"


def test_the_raw_query_counts_whatever_the_client_escapes() -> None:
    query, now = presigned(unescaped="!'()*")
    assert "o'neil!(x)*" in query
    assert verify_query(query, HOST, keys=KEYS, now=now) == "AKIDEXAMPLE"


def test_the_order_of_the_query_does_not_matter() -> None:
    query, now = presigned()
    backwards = "&".join(reversed(query.split("&")))
    assert verify_query(backwards, HOST, keys=KEYS, now=now) == "AKIDEXAMPLE"


def test_a_presigned_url_is_for_one_host_and_path() -> None:
    query, now = presigned()
    assert name_of(lambda: verify_query(query, "127.0.0.1", keys=KEYS, now=now)) == "InvalidSignatureException"
    assert name_of(lambda: verify_query(query, HOST, keys=KEYS, now=now, raw_path="/other")) == (
        "InvalidSignatureException"
    )


def test_a_presigned_url_ends_with_its_time_and_the_skew() -> None:
    query, now = presigned(expires=60)
    verify_query(query, HOST, keys=KEYS, now=now + timedelta(seconds=55) + MAX_SKEW)
    with pytest.raises(Fault, match="Signature expired"):
        verify_query(query, HOST, keys=KEYS, now=now + timedelta(seconds=62) + MAX_SKEW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Expires=10", "X-Amz-Expires=0"),
        ("X-Amz-Expires=10", "X-Amz-Expires=999999"),
        ("X-Amz-Expires=10", "X-Amz-Expires=%D9%A7"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=none"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
        ("X-Amz-Date=2", "X-Amz-Date=x"),
        ("sessionId=12", "sessionId=13"),
        ("aws4_request", "aws4"),
    ],
)
def test_a_changed_presigned_url_does_not_verify(old: str, new: str) -> None:
    query, now = presigned()
    assert old in query
    assert name_of(lambda: verify_query(query.replace(old, new), HOST, keys=KEYS, now=now)) == (
        "InvalidSignatureException"
    )


def test_a_url_without_signature_has_no_token() -> None:
    assert name_of(lambda: verify_query("userArn=x", HOST, keys=KEYS, now=datetime.now(UTC))) == (
        "MissingAuthenticationTokenException"
    )


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_query_is_refused(text: str) -> None:
    query = f"X-Amz-Signature={hashlib.sha256(b'').hexdigest()}&X-Amz-Algorithm=AWS4-HMAC-SHA256&{text}"
    assert name_of(lambda: verify_query(query, HOST, keys=KEYS, now=datetime.now(UTC))) in (
        "InvalidSignatureException",
        "BadRequestException",
    )
