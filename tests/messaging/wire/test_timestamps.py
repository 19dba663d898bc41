"""Timestamps as the mobile clients parse them: exactly three fraction digits and Z."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from chime_messaging.wire.timestamps import to_wire, truncate


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2021, 6, 3, 16, 26, 31, 13_000, UTC), "2021-06-03T16:26:31.013Z"),
        (datetime(2021, 6, 3, 16, 26, 31, 0, UTC), "2021-06-03T16:26:31.000Z"),
        (datetime(2021, 6, 3, 16, 26, 31, 999_999, UTC), "2021-06-03T16:26:31.999Z"),
        (datetime(2021, 6, 3, 18, 26, 31, 5, timezone(timedelta(hours=2))), "2021-06-03T16:26:31.000Z"),
    ],
)
def test_exactly_three_digits_in_utc(moment: datetime, text: str) -> None:
    assert to_wire(moment) == text
    assert to_wire(truncate(moment)) == text
