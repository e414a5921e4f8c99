"""Contact data of fictional households, from reserved ranges only: it reaches no real person.

Phones are 555-0100 to 555-0199, which the North American Numbering Plan reserves for fiction, in
area codes that have a place in the United States. Toll-free and premium codes are left out: there
the range is not reserved (800-555-0199 alone is). E-mail domains are RFC 2606's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Final

# A file: a list from phonenumbers' data would give a household another number whenever that library
# learns of a new area code. All are in its version 9.0.0; codes are not withdrawn.
_AREAS: Final = resources.files("consumer.demo").joinpath("area_codes.txt").read_text().split()

HOUSEHOLDS: Final = len(_AREAS) * 100
"""Households with a number of their own: 1 to 34,900."""

IMPOSSIBLE_PHONE: Final = "+15550100"
"""Looks like E.164, but is no number of any region: the area code is missing."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A household's contact data: `phone` is E.164."""

    name: str
    phone: str
    email: str


def contact(household: int) -> Contact:
    """Return a household's contact data: always the same, and shared with no other household.

    Raises ValueError outside 1 to `HOUSEHOLDS`.
    """
    if not 1 <= household <= HOUSEHOLDS:
        raise ValueError(f"expected a household from 1 to {HOUSEHOLDS}, there are no more numbers")
    line, area = divmod(household - 1, len(_AREAS))
    return Contact(
        name=f"Household {household}",
        phone=f"+1{_AREAS[area]}55501{line:02d}",
        email=f"household-{household}@example.com",
    )


def trait(household: int, name: str) -> float:
    """Return a constant in [0, 1), uniform over households and independent between names."""
    digest = hashlib.blake2b(f"{name}|{household}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48
