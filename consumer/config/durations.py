"""Durations and limits as a user writes them: `10m`, `20/5s`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from consumer.lane.state.settings import Limit

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"[0-9]{1,9}(ms|s|m|h|d)"
LONGEST = 3650 * 86400.0
"""Seconds of the longest duration: far beyond any use, and future times stay in range."""

MOST_CALLS = 1_000_000
"""Calls of one limit, at most."""

_LIMIT = rf"[0-9]{{1,9}}/{_DURATION}"


def parse_duration(text: object) -> float:
    """Parse `<int>ms|s|m|h|d` to seconds; raises `ValueError` with what was expected."""
    if not isinstance(text, str) or re.fullmatch(_DURATION, text, re.ASCII) is None:
        raise ValueError("expected a duration: a whole number and ms, s, m, h or d, as in 10m")
    digits = text.rstrip("mshd")
    seconds = round(int(digits) * _UNITS[text[len(digits) :]], 3)
    if seconds > LONGEST:
        raise ValueError(f"expected at most {duration_text(LONGEST)}")
    return seconds


def _parse_positive(text: object) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError("expected a duration longer than nothing, as in 10m")
    return seconds


def parse_limit(text: object) -> Limit:
    """Parse `<calls>/<duration>` to `Limit(calls, period in seconds)`; raises `ValueError`."""
    if not isinstance(text, str) or re.fullmatch(_LIMIT, text, re.ASCII) is None:
        raise ValueError("expected calls/duration, as in 20/5s")
    calls, period = text.split("/")
    if int(calls) < 1:
        raise ValueError("expected at least 1 call, as in 20/5s; for an unlimited quota write []")
    if int(calls) > MOST_CALLS:
        raise ValueError(
            f"expected at most {MOST_CALLS} calls: the time of each is kept; give the same rate "
            "for a shorter period"
        )
    return Limit(int(calls), _parse_positive(period))


def duration_text(seconds: float) -> str:
    """Format seconds as a duration that parses to the same."""
    for unit in ("d", "h", "m", "s"):
        if seconds % _UNITS[unit] == 0 and (seconds or unit == "s"):
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"


def _limit_text(limit: Limit) -> str:
    return f"{limit.calls}/{duration_text(limit.period)}"


def _schema(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": list(examples)})


# Serialised as text, so that the JSON Schema shows defaults as a user would write them.
_AS_TEXT = PlainSerializer(duration_text, return_type=str, when_used="json")

Duration = Annotated[
    float, BeforeValidator(parse_duration), _AS_TEXT, _schema(_DURATION, "30s", "10m", "0s")
]
"""Seconds; zero is allowed."""

PositiveDuration = Annotated[
    float, BeforeValidator(_parse_positive), _AS_TEXT, _schema(_DURATION, "30s", "500ms", "72h")
]
"""Seconds, more than zero."""

RateLimit = Annotated[
    Limit,
    BeforeValidator(parse_limit),
    PlainSerializer(_limit_text, return_type=str, when_used="json"),
    _schema(_LIMIT, "20/5s", "160/625s"),
]
"""So many calls in so many seconds."""
