"""Upload: one row of a CSV file on its way to the router; a record of `<application_id>.uploads`.

The row names its route: a business unit chose it. `id` is the row's identity, a pseudonym made by
`send-csv`; it becomes the event's id, and the invitation's id is made of it, so a row that is sent
twice makes one invitation's id.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from consumer.records.fields import LAST_MOMENT, RECORD_VERSION

MAX_WAIT = 90 * 86_400.0
"""Seconds that a row may wait for its `not_before`: the delay topics keep a record for 100 days."""

RowId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
"""The identity of a row."""


class Upload(Struct, frozen=True, gc=False):
    """A row. `event`: its cells by path, as routes read them; `time`: RFC 3339; `not_before`: epoch
    seconds before which its invitation is not sent."""

    route: Annotated[str, Meta(min_length=1, max_length=64)]
    id: RowId
    time: Annotated[str, Meta(max_length=64)]
    event: dict[str, Any]
    not_before: Annotated[float, Meta(ge=0, le=LAST_MOMENT)] = 0.0
    version: Literal[1] = RECORD_VERSION
