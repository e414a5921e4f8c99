"""Masks what an explanation would show of a customer, unless the operator asks for all of it.

An explanation is pasted into tickets and chats, so its default is what may stand there:

- An address keeps two characters at each end, by which its owner recognises it.
- A value of the route's `data` goes to the vendor and is a name as often as not, so only its length
  is shown.
- A value that a condition was compared with is shown, for it says why the condition failed; but not
  where it may be an address (an @, seven digits), equals one of the event's addresses, or where the
  condition asks for no more than that there is a value: `exists` on a name would show the name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumer.routing.patterns.match import MISSING

HIDDEN: Final = "…"
_ENDS: Final = 2
_LEAST: Final = 8
"""Characters of an address of which the ends are shown."""
_LONGEST: Final = 80
"""Characters of a found value, at most."""
_MOST: Final = 5
"""Elements of a found array, at most."""
_ADDRESS: Final = re.compile(r"@|＠|%40|\d(?:[\W_]{0,3}\d){6}")


@dataclass(frozen=True, slots=True)
class Masking:
    """Masks texts. `off`: shows all of them. `addresses`: those of the event, as it has them."""

    off: bool = False
    addresses: Collection[object] = ()

    def address(self, given: object) -> object:
        """Return an address as it is shown."""
        if self.off or given is None:
            return given
        text = str(given)
        return text[:_ENDS] + HIDDEN + text[-_ENDS:] if len(text) >= _LEAST else HIDDEN

    def data(self, text: str) -> str:
        """Return a value that goes to the vendor as it is shown. A blank one stays, because vendors
        leave it out."""
        if self.off or not text.strip():
            return text
        return f"<text of {len(text)}>"

    def words(self, text: str) -> str:
        """Return a text that should hold no address, masked if it does."""
        return text if self.off or not _ADDRESS.search(text) else HIDDEN

    def found(self, value: Any, expected: object = ()) -> Any:
        """Return what an event has where a condition looked, in JSON."""
        if self.off or value is MISSING:
            return None if value is MISSING else value
        if isinstance(value, dict):
            return f"<object with {len(value)} keys>"
        if isinstance(value, list):
            shown = [self.found(element, expected) for element in value[:_MOST]]
            return shown + [HIDDEN] * (len(value) > _MOST)
        return self._scalar(value, expected)

    def _scalar(self, value: object, expected: object) -> object:
        if value is None or isinstance(value, bool):
            return value
        if _asks_existence(expected):
            return "<text>" if isinstance(value, str) else "<number>"
        if value in self.addresses or _ADDRESS.search(str(value)):
            return self.address(value)
        cut = isinstance(value, str) and len(value) > _LONGEST
        return f"{str(value)[:_LONGEST]}{HIDDEN}" if cut else value


def _asks_existence(expected: object) -> bool:
    """Tell whether a condition's list asks for no more than that there is a value, or none."""
    return (
        isinstance(expected, list)
        and bool(expected)
        and all(isinstance(one, Mapping) and "exists" in one for one in expected)
    )
