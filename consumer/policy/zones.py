"""Time zones: known IANA names, offsets from UTC, and the zone of a phone number.

Known names are those of the package tzdata, whatever the machine has, so a text of an event never
becomes a path. `Factory` means that no zone was set and is not known.

Between 1970 and the last rule of the data each zone keeps an offset for days at least (the
shortest time is 167 hours), so a change of offset is found by bisection of a day.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

DAY: Final = 86_400
"""Seconds of a day."""

ZONE_NAMES: Final = frozenset(files("tzdata").joinpath("zones").read_text("ascii").split()) - {
    "Factory"
}

_LATEST: Final = 250_000_000_000
"""Epoch seconds in the year 9892: datetime ends in 9999."""

_COMPARED: Final = range(1_767_225_600, 1_767_225_600 + 3650 * DAY, DAY)
"""Ten years from 2026 on, day by day: zones that agree in them share one offset."""

_PHONES: Final = 8192
"""Phone numbers whose zone is remembered: customers return."""


def known_zone(name: object) -> ZoneInfo | None:
    """Return the zone of an IANA name, or None for anything else; never raises."""
    return _load_zone(name) if type(name) is str and name in ZONE_NAMES else None


@cache  # bounded by the known names
def _load_zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def offset_at(at: float, zone: dt.tzinfo) -> int:
    """Return the seconds that the zone's wall clock is ahead of UTC at an epoch time.

    A time before 1970 has the offset of 1970.
    """
    second = min(max(math.floor(at), 0), _LATEST)
    offset = dt.datetime.fromtimestamp(second, zone).utcoffset() or dt.timedelta()
    return offset.days * DAY + offset.seconds


def steady_offset(start: int, end: int, zone: dt.tzinfo) -> tuple[int, int]:
    """Return the offset at `start`, and the second up to which it holds: `end` at the latest.

    At most a day may lie between the two.
    """
    offset = offset_at(start, zone)
    if offset_at(end, zone) == offset:
        return offset, end
    seconds = range(start, end)
    return offset, start + bisect_left(
        seconds, True, key=lambda second: offset_at(second, zone) != offset
    )


@lru_cache(_PHONES)
def zone_of_phone(number: str) -> str | None:
    """Return the zone of an E.164 number if all its zones share one offset, else None.

    All numbers of +90 have one zone; mobile numbers of +7 may be in any of sixteen.
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    return _shared_zone(time_zones_for_number(parsed))


@cache  # bounded by the library's lists of zones: some hundred
def _shared_zone(names: tuple[str, ...]) -> str | None:
    zones = [zone for zone in map(known_zone, names) if zone is not None]
    if not zones or len(zones) < len(names):
        return None
    return names[0] if len(zones) == 1 or _share_offset(zones) else None


def _share_offset(zones: Iterable[ZoneInfo]) -> bool:
    return all(
        len({steady_offset(start, start + DAY, zone) for zone in zones}) == 1 for start in _COMPARED
    )
