"""Durations among the settings of sessions."""

from __future__ import annotations

import math

from chime_messaging.errors import ConfigurationError


def require_seconds(name: str, value: object, *, zero: bool) -> None:
    """Check a duration: a finite number, not negative, and 0 only where `zero` says so.

    Raises:
        ConfigurationError: naming the setting.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(name, f"must be a number of seconds, is {value!r}")
    if value < 0 or (value == 0 and not zero):
        raise ConfigurationError(name, f"must be {'at least' if zero else 'more than'} 0 seconds, is {value:g}")
