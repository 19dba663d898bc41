from urllib.parse import urlsplit

import pytest

from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.server.meetings.placement import media_placement

MEETING = "806721db-e78e-2873-df23-0d958d9b0001"
PLAIN, SECURE = ServerConfiguration(port=8765), ServerConfiguration(port=8765, tls=True)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "[::1]:8765", "chime.example:443"])
def test_every_url_leads_to_the_host_as_called(host: str) -> None:
    placement = media_placement(MEETING, host, PLAIN)
    assert len(placement) == 8
    assert placement.pop("AudioHostUrl") == host
    assert {urlsplit(url).netloc for url in placement.values()} == {host}


def test_the_schemes_follow_tls() -> None:
    plain, secure = media_placement(MEETING, "h", PLAIN), media_placement(MEETING, "h", SECURE)
    assert plain["SignalingUrl"] == f"ws://h/control/{MEETING}"
    assert secure["SignalingUrl"] == f"wss://h/control/{MEETING}"
    assert plain["EventIngestionUrl"] == "http://h/v1/client-events"
    assert secure["EventIngestionUrl"] == "https://h/v1/client-events"


def test_the_signaling_url_has_no_query_because_clients_append_theirs() -> None:
    assert "?" not in media_placement(MEETING, "h", PLAIN)["SignalingUrl"]


@pytest.mark.parametrize("host", ["", "h/../x", "a b", "u@h", "h:123456", "h#f", "h?q", "[::1", "x" * 300, "h\r\nX: y"])
def test_what_is_no_host_gets_into_no_url(host: str) -> None:
    assert media_placement(MEETING, host, PLAIN) == media_placement(MEETING, "127.0.0.1:8765", PLAIN)
