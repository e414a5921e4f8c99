"""Redirect: surveys of a route in `mode: redirect` go to testers, with no address of the customer.

The data of a call may repeat the customer's address, as the event has it or normalised. There it
becomes the tester's.
"""

from __future__ import annotations

from typing import Final, cast

from consumer.records.invitation import Address, Data
from consumer.routing.candidate import RouteCandidate
from consumer.routing.person import HOUSEHOLD, NUMBER
from consumer.routing.route import Target

_SHORTEST: Final = 5
"""Characters of an address, at least: a shorter text is part of other words."""


def tester_of(testers: Address, target: Target) -> Address:
    """Return the testers' addresses that the target's channel uses."""
    kinds = (kind for kind in target.spec.addresses if kind in testers)
    return cast("Address", {kind: testers[kind] for kind in kinds})


def hide_customer(data: Data, candidate: RouteCandidate, tester: Address) -> Data:
    """Return the data with the tester's address wherever it has one of the customer."""
    stand_in = next(iter(tester.values()))
    known = sorted(_addresses(candidate), key=len, reverse=True)  # one may be part of another

    def hidden(text: str) -> str:
        for address in known:
            text = text.replace(address, str(stand_in))
        return text

    return {
        name: hidden(value)
        if isinstance(value, str)
        else {key: hidden(text) for key, text in value.items()}
        for name, value in data.items()
    }


def _addresses(candidate: RouteCandidate) -> set[str]:
    read = [candidate.text_at(get) for get, _ in candidate.route.recipient.values()]
    known = [text for text in candidate.identities() if not text.startswith((NUMBER, HOUSEHOLD))]
    texts = (text.strip() for text in (*read, *known) if text is not None)
    return {text for text in texts if len(text) >= _SHORTEST}
