import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.faults import Fault
from chime_messaging.server.meetings.ingestion import MAX_BODY_BYTES, MAX_REMEMBERED, OTHER, ClientEvents


def report(*names: object, **members: object) -> bytes:
    payloads = [{"name": name, "ts": 1_700_000_000_000, "retryCount": 2} for name in names]
    events = [{"type": "Meet", "v": 1, "payloads": payloads}]
    return json.dumps({"metadata": {"meetingId": "m", "sdkName": "js"}, "events": events, **members}).encode()


def test_events_are_counted_by_name_and_kept_with_their_metadata() -> None:
    events = ClientEvents()
    assert events.take(report("meetingStartSucceeded", "signalingDropped")) == 2
    assert events.take(report("signalingDropped")) == 1
    assert events.counts == {"meetingStartSucceeded": 1, "signalingDropped": 2}
    assert (events.posts, events.events, events.refused) == (2, 3, 0)
    assert events.latest[0]["meetingId"] == "m"
    assert events.latest[0]["retryCount"] == 2


def test_the_token_of_a_beacon_is_not_kept() -> None:
    events = ClientEvents()
    events.take(report("meetingEnded", authorization="the-join-token"))
    assert "the-join-token" not in repr(events.latest)


def test_names_that_clients_make_up_share_one_counter() -> None:
    events = ClientEvents()
    for n in range(50):
        events.take(report(f"made-up-{n}", None, ["list"], {}))
    assert events.counts == {OTHER: 200}


def test_memory_is_bounded() -> None:
    events = ClientEvents()
    for _ in range(30):
        events.take(report(*["meetingEnded"] * 100))
    assert len(events.latest) == MAX_REMEMBERED
    assert events.events == 3000


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b'{"events":7}', b'{"events":[{"payloads":[7]}]}', b"\xff", b"[" * 5000],
    ids=range(8),
)
def test_what_is_no_report_is_refused(body: bytes) -> None:
    events = ClientEvents()
    with pytest.raises(Fault):
        events.take(body)
    assert (events.posts, events.refused) == (0, 1)


def test_a_report_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(Fault, match="at most"):
        ClientEvents().take(report("x" * MAX_BODY_BYTES))


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused_and_nothing_else(body: bytes) -> None:
    events = ClientEvents()
    try:
        events.take(body)
    except Fault as fault:
        assert fault.name == "BadRequestException"
