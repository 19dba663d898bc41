from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.errors import ConfigurationError, LimitError
from chime_messaging.wire import limits


@given(st.text(min_size=1, max_size=5000))
def test_content_passes_exactly_when_its_utf8_bytes_fit(content: str) -> None:
    try:
        size = len(content.encode())
    except UnicodeEncodeError:
        size = -1
    if 0 < size <= limits.STANDARD_CONTENT_BYTES:
        limits.require_content(content, "STANDARD")
        return
    with pytest.raises(ConfigurationError) as caught:
        limits.require_content(content, "STANDARD")
    assert caught.value.field == "content"


@pytest.mark.parametrize(("content", "size"), [("x" * 31, 31), ("é" * 16, 32), ("😀" * 8, 32)])
def test_control_content_has_30_bytes(content: str, size: int) -> None:
    with pytest.raises(LimitError, match=f"content: is {size} bytes, the limit is 30 bytes"):
        limits.require_content(content, "CONTROL")


def test_metadata_is_counted_in_characters() -> None:
    limits.require_metadata("é" * 1024)
    limits.require_metadata(None, "CONTROL")
    with pytest.raises(LimitError, match="metadata: is 1025 characters, the limit is 1024 characters"):
        limits.require_metadata("x" * 1025)
    with pytest.raises(ConfigurationError, match="CONTROL messages take none"):
        limits.require_metadata("x", "CONTROL")


def test_attributes_are_counted_together() -> None:
    limits.require_attributes({"n" * 64: ["v" * 480, "v" * 480]})
    with pytest.raises(LimitError) as caught:
        limits.require_attributes({"n" * 64: ["v" * 480, "v" * 481]})
    assert (caught.value.field, caught.value.value, caught.value.limit) == ("attributes", 1025, 1024)


@pytest.mark.parametrize("message_id", ["a", "A-_9", "f" * 128])
def test_message_ids(message_id: str) -> None:
    limits.require_message_id(message_id)


@pytest.mark.parametrize("message_id", ["", "a/b", "a b", "é", "f" * 129, "a\n", None, 7])
def test_what_is_no_message_id(message_id: Any) -> None:
    with pytest.raises(ConfigurationError, match="message_id"):
        limits.require_message_id(message_id)


@pytest.mark.parametrize("token", ["", "a", "a" * 65, "a b", "ü-token"])
def test_what_is_no_client_request_token(token: str) -> None:
    with pytest.raises(ConfigurationError, match="client_request_token"):
        limits.require_token(token)
    limits.require_token(None)


@pytest.mark.parametrize("content", [b"bytes", 7, None])
def test_content_that_is_no_text_is_named(content: Any) -> None:
    with pytest.raises(ConfigurationError, match="content: must be text"):
        limits.require_content(content, "STANDARD")


def test_type_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigurationError, match="type: must be STANDARD or CONTROL, is 'LOUD'"):
        limits.require_content("x", "LOUD")
