"""Several recipients in one event (`for_each`): each item of a list makes an invitation of its own.

Expressions see the item as `$item` beside the event. The item's place in the list is the ordinal in
the invitation's id, so reading the event again makes the same invitations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.routing.decoding.decode import Event
from consumer.routing.decoding.digits import exact_body, exact_text, has_double
from consumer.routing.expressions import ITEM, compile_value
from consumer.routing.lookup import NO_TABLES, Tables

MOST_ITEMS: Final = 1_000
"""Items of one event, at most: each makes an invitation in the transaction of the event."""


class ItemReader:
    """Reads an event's items. `path`: JMESPath to the list."""

    def __init__(self, path: str, tables: Tables = NO_TABLES) -> None:
        self._path = path
        self._read = compile_value(path, tables)
        self._read_exactly = compile_value(path, tables, exact=True)

    def events(self, event: Event) -> list[Event]:
        """Return the event once for each item, with the item at `$item`; without an item once,
        which has no recipient. Raises EventError for too many."""
        items = self.items(event.body)
        if len(items) > MOST_ITEMS:
            expected = f"expected at most {MOST_ITEMS:,} items at `{self._path}`"
            raise EventError(DeadLetterReason.TOO_MANY_ITEMS, expected)
        exact = self._exact_items(event) if has_double(items) else items
        return [
            msgspec.structs.replace(
                event,
                body={**event.body, ITEM: item},
                raw=self._raw(event, exact[number]) if has_double(item) else event.raw,
            )
            for number, item in enumerate(items)
        ]

    def items(self, body: dict[str, Any]) -> Sequence[object]:
        """Return the items of an event's body; a single null if there are none."""
        found = self._read(body)
        return found if type(found) is list and found else [None]

    def _exact_items(self, event: Event) -> Sequence[object]:
        """Return the items with their numbers' digits."""
        found = self._read_exactly(exact_body(event.raw, event.body))
        return found if type(found) is list else []

    def _raw(self, event: Event, item: object) -> bytes:
        return exact_text({**exact_body(event.raw, event.body), ITEM: item})
