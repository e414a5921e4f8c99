"""The transaction event of the examples, and made-up events from a seed.

The examples, the demo and `produce` share `TransactionEvent`; the dispatcher itself reads whatever
its config names. `schemas/transaction-event.schema.json` is generated from it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Annotated, Final, Literal, NotRequired

import orjson
from pydantic import Field
from typing_extensions import TypedDict

from consumer.demo.contacts import IMPOSSIBLE_PHONE, contact, trait
from consumer.records.fields import rfc3339

SEGMENTS: Final = ("regular", "silver", "gold")
SYNTHETIC_HOUSEHOLDS: Final = 300
THRESHOLD: Final = 100.0
"""The smallest amount that the example route takes; smaller synthetic sales match nothing."""

TimedEvent = tuple[float, bytes, bytes]
"""Seconds from the first event at the recorded pace, the record's key and its value."""


class Store(TypedDict):
    """Where it was bought."""

    id: Annotated[str, Field(min_length=1, description="the store's identifier")]
    city: Annotated[str | None, Field(description="the store's city, null when it is not known")]


class Consent(TypedDict):
    """What the customer agreed to, by channel."""

    sms: Annotated[bool, Field(description="may be asked by SMS")]
    email: Annotated[bool, Field(description="may be asked by e-mail")]


class Customer(TypedDict):
    """The customer; one without `phone` and `email` cannot be asked."""

    id: Annotated[str, Field(min_length=1, description="the customer's identifier")]
    name: Annotated[str, Field(description="how the customer is addressed")]
    phone: NotRequired[
        Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164, if known")]
    ]
    email: NotRequired[Annotated[str, Field(description="an e-mail address, if known")]]
    segment: Annotated[str, Field(description="a marketing segment", examples=[*SEGMENTS])]
    consent: Consent


class TransactionEvent(TypedDict):
    """A completed transaction, one record of an input topic."""

    id: Annotated[
        str, Field(min_length=1, max_length=256, description="unique; a copy has the same id")
    ]
    time: Annotated[
        str,
        Field(
            description="when the transaction was completed, RFC 3339 with an offset",
            json_schema_extra={"format": "date-time"},
        ),
    ]
    channel: Annotated[
        str, Field(description="what the customer did there", examples=["pos", "visit"])
    ]
    amount: Annotated[
        float, Field(allow_inf_nan=False, description="the total, in units of `currency`")
    ]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")]
    store: Store
    customer: Customer
    items: Annotated[int, Field(ge=0, description="the number of items bought")]


_CITIES: Final = (
    *("Alderbrook", "Birchford", "Cedar Bay", "Dunmere", "Eastlake", "Fernhill"),
    *("Glenport", "Harborview", "Ironbridge", "Juniper Falls", "Kingsmead", "Larkfield"),
)
STORES: Final[tuple[Store, ...]] = tuple(
    Store(id=f"store-{number:02d}", city=city) for number, city in enumerate(_CITIES, start=1)
)
"""The stores of synthetic transactions; the cities are invented too."""


def customer(household: int) -> Customer:
    """Return a household as a customer with phone and e-mail; always the same.

    90 % agreed to SMS and 80 % to e-mail; segments are 60 % regular, 30 % silver, 10 % gold. Raises
    ValueError outside the range of `contacts.contact`.
    """
    found, rank = contact(household), trait(household, "segment")
    return {
        "id": f"household-{household}",
        "name": found.name,
        "phone": found.phone,
        "email": found.email,
        "segment": SEGMENTS[(rank >= 0.6) + (rank >= 0.9)],
        "consent": {
            "sms": trait(household, "sms") < 0.9,
            "email": trait(household, "email") < 0.8,
        },
    }


def synthetic(
    count: int, seed: int, start: float, *, rate: float = 1_000.0
) -> Iterator[TimedEvent]:
    """Yield `count` transactions of 300 households at 12 stores; the same seed makes the same ones.

    `start`: epoch seconds of the beginning; an event's `time` is `start` plus the seconds it is
    due; fed faster than that, events come before their time. `rate`: events per second on average,
    with random arrivals. Every customer agreed to be asked.

    Of the households 2 % have no address, 1 % only an impossible phone, 15 % only an e-mail
    address. Of the events 0.2 % are cut short, 10 % are below `THRESHOLD`, 20 % are visits.
    """
    luck = random.Random(seed)  # noqa: S311 - repeatable on purpose, nothing secret is drawn
    reaches = _reaches(luck)
    moment = 0.0  # at one event per second
    for number in range(count):
        household, which = luck.randrange(SYNTHETIC_HOUSEHOLDS), luck.random()
        below = 0.002 <= which < 0.102
        amount = luck.uniform(1, THRESHOLD - 1) if below else THRESHOLD + luck.expovariate(1 / 80)
        due = moment / rate
        event: TransactionEvent = {
            "id": f"synthetic-{seed}-{number}",
            "time": rfc3339(start + due),
            "channel": "visit" if 0.102 <= which < 0.302 else "pos",
            "amount": round(amount, 2),
            "currency": "USD",
            "store": luck.choice(STORES),
            "customer": _reachable_by(reaches[household], customer(household + 1)),
            "items": luck.randint(1, 40),
        }
        value = orjson.dumps(event)
        key = f"household-{household + 1}".encode()
        yield due, key, value[: len(value) // 2] if which < 0.002 else value
        moment += luck.expovariate(1.0)


_Reach = Literal["both", "email", "impossible", "none"]


def _reaches(luck: random.Random) -> list[_Reach]:
    none, impossible, email = (SYNTHETIC_HOUSEHOLDS * share // 100 for share in (2, 1, 15))
    both = SYNTHETIC_HOUSEHOLDS - none - impossible - email
    found: list[_Reach] = ["none"] * none
    found += ["impossible"] * impossible
    found += ["email"] * email
    found += ["both"] * both
    luck.shuffle(found)
    return found


def _reachable_by(reach: _Reach, buyer: Customer) -> Customer:
    buyer["consent"] = {"sms": True, "email": True}
    if reach == "impossible":
        buyer["phone"] = IMPOSSIBLE_PHONE
    elif reach != "both":
        del buyer["phone"]
    if reach in {"impossible", "none"}:
        del buyer["email"]
    return buyer
