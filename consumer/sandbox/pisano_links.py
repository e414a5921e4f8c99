"""Pisano's link endpoint: the body of one customer, and the link that the double makes of it.

The vendor's page names the body, and prints no answer: this double's has the link as `link`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from consumer.sandbox.wire import RefusalError

_KEYS = {"customer", "built_in_responses", "options"}
_CUSTOMER = {"name", "external_id", "email", "phone_number"}


def check_link(document: dict[str, Any]) -> None:
    """Check a link call's body; raises RefusalError with a code."""
    customer = document.get("customer")
    if customer is None:
        raise RefusalError("13015")
    others = [document.get(key, {}) for key in ("built_in_responses", "options")]
    sound = document.keys() <= _KEYS and all(isinstance(one, dict) for one in (customer, *others))
    if not sound or not customer.keys() <= _CUSTOMER or not _texts(customer):
        raise RefusalError("13028")
    if not _texts(others[0]):
        raise RefusalError("13028")


def link_recipients(document: dict[str, Any]) -> tuple[str, ...]:
    """Return the customer of a call, for the journal: the phone number, else the address."""
    customer = document.get("customer")
    given = customer if isinstance(customer, dict) else {}
    named = (given.get(key) for key in ("phone_number", "email"))
    return tuple([name for name in named if isinstance(name, str)][:1])


def link_body(request: bytes) -> bytes:
    """Return an accepted call's answer: the same link for the same body."""
    link = f"https://survey.sandbox.example/{sha256(request).hexdigest()[:16]}"
    return orjson.dumps({"link": link})


def _texts(values: dict[str, Any]) -> bool:
    return all(isinstance(value, str) for value in values.values())
