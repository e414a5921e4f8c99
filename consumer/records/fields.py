"""Field types that every record shares, and how times are written.

Times in records are RFC 3339 in UTC; times in code are seconds since the epoch (`float`), except
where a name says otherwise.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

RECORD_VERSION: Literal[1] = 1
"""Version of every record we write but invitations. A reader refuses one that it does not know."""


LAST_MOMENT = 253_402_300_799.0
"""9999-12-31T23:59:59Z in epoch seconds: no later time has a date."""


Moment = Annotated[float, Field(ge=0, le=LAST_MOMENT, allow_inf_nan=False)]
"""Epoch seconds in a record of ours."""


Expiry = Annotated[float, Field(ge=-LAST_MOMENT, le=2 * LAST_MOMENT, allow_inf_nan=False)]
"""An event's time and what a route adds to it, epoch seconds."""


Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


MOST_ATTEMPTS = 10**9
"""Less than the largest `Count` by more than any campaign adds."""


AttemptCount = Annotated[int, Field(ge=0, le=MOST_ATTEMPTS)]


Position = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A partition or an offset."""


LONGEST_NAME = 256


Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME)]
"""An id or a name in a record of ours; those of a config have 64 characters at most."""


HIGHEST_PRIORITY = 100
USUAL_PRIORITY = 50


Priority = Annotated[int, Field(ge=0, le=HIGHEST_PRIORITY)]
"""Of two invitations that a contact rule allows one of, the higher goes."""


MESSAGE_LIMIT = 200
"""Characters of a vendor's message that may travel: ten thousand results repeat it."""

LINK_LIMIT = 8_000
"""Characters of a link, at most: the URI length that RFC 9110 recommends to support."""


def rfc3339(when: float) -> str:
    """Epoch seconds → `2026-11-22T15:37:07.123Z`."""
    return dt.datetime.fromtimestamp(when, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
