import logging
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.aws.credentials import Credentials
from chime_messaging.aws.signing import presign_connect_url

USER = "arn:aws:chime:us-east-1:123456789012:app-instance/59a98c52-c9c3-4bb8-b5b6-3b1ec1f3d8f4/user/ann"
KEYS = Credentials("AKIAEXAMPLE", "secret", "a token")
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def url(endpoint: str = "example.com", **changes: object) -> str:
    settings = {"user_arn": USER, "session_id": "7", "region": "us-east-1", "credentials": KEYS, "now": NOW} | changes
    return presign_connect_url(endpoint, **settings)  # type: ignore[arg-type]


def query(signed: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(signed).query).items()}


def test_url_has_what_the_service_asks_for() -> None:
    assert query(url()) == {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "AKIAEXAMPLE/20240506/us-east-1/chime/aws4_request",
        "X-Amz-Date": "20240506T070809Z",
        "X-Amz-Expires": "10",
        "X-Amz-Security-Token": "a token",
        "X-Amz-SignedHeaders": "host",
        "sessionId": "7",
        "userArn": USER,
        "X-Amz-Signature": query(url())["X-Amz-Signature"],
    }


def test_token_is_left_out_when_there_is_none() -> None:
    assert "X-Amz-Security-Token" not in query(url(credentials=Credentials("a", "b")))


def test_signature_stands_last() -> None:
    assert url().rpartition("&")[2].startswith("X-Amz-Signature=")


def test_prefetch_and_its_order_are_independent() -> None:
    assert query(url(prefetch=True))["prefetch-on"] == "connect"
    assert "prefetch-on" not in query(url(prefetch_sort_by="unread"))
    assert query(url(prefetch_sort_by="unread"))["prefetch-sort-by"] == "unread"


@pytest.mark.parametrize(
    ("scheme", "endpoint", "start"),
    [
        ("wss", "Example.COM", "wss://example.com/connect?"),
        ("wss", "example.com:443", "wss://example.com/connect?"),
        ("wss", "example.com:8443", "wss://example.com:8443/connect?"),
        ("ws", "127.0.0.1:8765", "ws://127.0.0.1:8765/connect?"),
        ("ws", "127.0.0.1:80", "ws://127.0.0.1/connect?"),
        ("ws", "[::1]:8765", "ws://[::1]:8765/connect?"),
    ],
)
def test_host_is_written_as_the_host_header_will_be(scheme: str, endpoint: str, start: str) -> None:
    assert url(endpoint, scheme=scheme).startswith(start)


def test_moment_in_any_time_zone_is_signed_in_utc() -> None:
    assert url(now=NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))) == url()


def test_without_a_moment_the_present_is_signed() -> None:
    signed = datetime.strptime(query(url(now=None))["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - signed) < timedelta(seconds=30)


@given(
    session=st.text(min_size=1).filter(lambda text: text.isprintable()), token=st.text(min_size=1).filter(str.isascii)
)
def test_any_session_id_and_token_survive_the_query(session: str, token: str) -> None:
    signed = query(url(session_id=session, credentials=Credentials("a", "b", token)))
    assert (signed["sessionId"], signed["X-Amz-Security-Token"]) == (session, token)


@given(session=st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_botocore_computes_the_same_signature_from_the_signed_url(session: str) -> None:
    signed = url(session_id=session)
    bare, _, signature = signed.rpartition("&X-Amz-Signature=")
    verifier = SigV4QueryAuth(ReadOnlyCredentials("AKIAEXAMPLE", "secret", "a token"), "chime", "us-east-1")
    request = AWSRequest("GET", bare)
    request.context["timestamp"] = "20240506T070809Z"
    assert (
        verifier.signature(verifier.string_to_sign(request, verifier.canonical_request(request)), request) == signature
    )


def test_no_secret_is_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=""):
        signed = url()
    text = caplog.text
    assert query(signed)["X-Amz-Signature"] not in text
    assert "a token" not in text
    assert "a%20token" not in text


def test_printed_credentials_hide_secret_and_token() -> None:
    assert "secret" not in f"{KEYS!r} {KEYS}"
    assert "a token" not in f"{KEYS!r} {KEYS}"
