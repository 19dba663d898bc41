from __future__ import annotations

import json
import logging
from typing import Any

from chime_messaging.server.logs import JsonLines


def line(**changes: Any) -> dict[str, Any]:
    record = logging.makeLogRecord(
        {"name": "chime", "levelname": "INFO", "msg": "hello %s", "args": ("you",), **changes}
    )
    text = JsonLines().format(record)
    assert "\n" not in text
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_a_record_is_one_json_line() -> None:
    parsed = line()
    assert (parsed["message"], parsed["level"], parsed["logger"]) == ("hello you", "info", "chime")
    assert parsed["time"].endswith("+00:00")


def test_extras_are_members_and_absent_ones_are_left_out() -> None:
    parsed = line(operation="CreateChannel", error=None, odd=object)
    assert parsed["operation"] == "CreateChannel"
    assert "error" not in parsed
    assert isinstance(parsed["odd"], str)


def test_a_traceback_stays_on_the_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        parsed = line(exc_info=(ValueError, error, error.__traceback__))
    assert "ValueError: broken" in parsed["exception"]
