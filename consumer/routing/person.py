"""Reads under which identities an event knows its customer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consumer.policy.candidate import Value
from consumer.routing.route import Body, Normaliser

TextAt = Callable[[Value], str | None]

NUMBER, HOUSEHOLD = "id:", "household:"
"""In front of a number, so that no pseudonym of one is that of an address."""


@dataclass(frozen=True, slots=True)
class PersonReader:
    """`numbers`: prefix → getter, of what identifies by itself. `addresses`: getter and normaliser;
    an address that is none is no identity."""

    numbers: Sequence[tuple[str, Value]] = ()
    addresses: Sequence[tuple[Value, Normaliser]] = ()

    def read(self, body: Body, text_at: TextAt) -> list[str]:
        """Return the identities in plain text, the customer's number first."""
        found = list[str]()
        for prefix, value in self.numbers:
            text = text_at(value)
            if text and text.strip():
                found.append(prefix + text.strip())
        for get, normalise in self.addresses:
            raw = get(body)
            address = None if raw is None or raw == "" else normalise(raw)
            if address is not None:
                found.append(address)
        return found


NO_PERSON = PersonReader()
