"""What is loaded once for a batch decides as if it were written and read between two of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.duplicates import Duplicates
from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.reserving import reserve
from consumer.policy.contacts.sealing import seal
from consumer.policy.contacts.settling import settle
from tests.support.contacts import DAY, ISTANBUL, NOW, PureContacts, request, sent

RULES = (
    ContactRule("everyone", 2, within=30 * DAY),
    ContactRule("store", 2, within=DAY, per=("store",), at_limit="wait"),
)
TABLE: dict[str, Any] = {
    "paces": {"p": Pace("p", 4, "month", ISTANBUL, ("store",))},
    "duplicates": {"p": Duplicates("id", DAY)},
}

requests = st.builds(
    lambda number, person, store, key, priority, mode, resend: request(
        number,
        person,
        keys={"store": store, "id": key},
        priority=priority,
        contact=mode,
        resend_of=resend,
        pace="p",
        duplicates="p",
    ),
    st.integers(0, 12),
    st.sampled_from("abcdef"),
    st.sampled_from("xy"),
    st.sampled_from([None, "1", "2", "3"]),
    st.sampled_from([10, 50, 90]),
    st.sampled_from(["obey", "obey", "exempt", "off"]),
    st.sampled_from([None, None, "i0", "i1", "i2"]),
)
outcomes = st.sampled_from([("sent", NOW), ("sent", NOW - 3600), ("released", NOW)])
steps = st.lists(
    st.tuples(st.sampled_from(["reserve", "reserve", "seal", "settle"]), requests, outcomes)
)


def written(contacts: PureContacts) -> list[dict[str, bytes]]:
    kept = contacts._histories, contacts._reservations
    return [{k: v for k, v in part.items() if v is not None} for part in kept]


@given(steps)
def test_batch_decides_like_its_invitations_one_by_one(
    history: list[tuple[str, Request, tuple[Any, float]]],
) -> None:
    apart, together = (PureContacts(*RULES, **TABLE) for _ in range(2))
    loaded, rules = together.load(), together.rules
    for kind, wanted, (outcome, at) in history:
        if kind == "reserve":
            assert reserve(wanted, loaded, rules, NOW) == apart.reserve(wanted)
        elif kind == "seal":
            assert seal(wanted.id, loaded, rules, NOW) == apart.seal(wanted)
        else:
            settle(sent(wanted, at, outcome), loaded, rules)
            apart.settle(sent(wanted, at, outcome))
    together.save(loaded)
    assert written(together) == written(apart)


@pytest.mark.parametrize(
    ("at_most", "batch", "granted"),
    [
        (3, [(0, None), (1, None), (2, "i0"), (3, None), (4, None)], [0, 1, 2, 3]),
        (2, [(1, "i0"), (0, None), (2, None), (3, None)], [1, 0, 2]),
    ],
)
def test_resend_in_a_batch_takes_one_place_of_a_pace(
    at_most: int, batch: list[tuple[int, str | None]], granted: list[int]
) -> None:
    contacts = PureContacts(paces={"p": Pace("p", at_most, "month", ISTANBUL)})
    loaded = contacts.load()
    requests = [request(number, f"p{number}", pace="p", resend_of=old) for number, old in batch]
    verdicts = [reserve(wanted, loaded, contacts.rules, NOW).verdict for wanted in requests]
    assert [
        batch[place][0] for place, verdict in enumerate(verdicts) if verdict == "granted"
    ] == granted
