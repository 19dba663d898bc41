from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from chime_messaging.sessions.signaling import utc_offset

SUMMER, WINTER = 1_783_000_000, 1_799_000_000


@pytest.fixture
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("time_zone", "expected"),
    [
        ("UTC0", ("+00:00", "+00:00")),
        ("IST-5:30", ("+05:30", "+05:30")),
        ("EST5EDT,M3.2.0,M11.1.0", ("-04:00", "-05:00")),
        ("NST3:30", ("-03:30", "-03:30")),
    ],
    indirect=["time_zone"],
)
@pytest.mark.usefixtures("time_zone")
def test_join_says_how_far_local_time_is_from_utc(expected: tuple[str, str]) -> None:
    assert (utc_offset(SUMMER), utc_offset(WINTER)) == expected
