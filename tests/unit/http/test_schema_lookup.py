"""Look-ups of schemas between two polls: what the book gets, and which records wait."""

from __future__ import annotations

import pytest

from consumer.errors import EventError, RegistryUnavailable
from consumer.http.schema_lookup import (
    GRACE,
    LONGEST_RETRY,
    MOST_AT_ONCE,
    RETRY,
    SchemaLookup,
)
from consumer.http.schema_registry import FoundSchema
from consumer.routing.decoding.schemas.avro import AvroSchema
from consumer.routing.decoding.schemas.schema_book import LARGEST, SchemaBook

INT = FoundSchema('"int"', "AVRO")


class Registry:
    """Has some schemas, lacks others, and fails for those in `broken`."""

    def __init__(self, **schemas: FoundSchema) -> None:
        self.schemas, self.broken, self.asked = schemas, set[str](), list[str]()

    def fetch(self, name: str) -> FoundSchema | None:
        self.asked.append(name)
        if name in self.broken:
            raise RegistryUnavailable("status 503")
        return self.schemas.get(name)


def lookup(registry: Registry) -> SchemaLookup:
    return SchemaLookup(SchemaBook(), registry.fetch)


def refusal(book: SchemaBook, name: str) -> str:
    with pytest.raises(EventError) as caught:
        book.find(name, AvroSchema)
    return str(caught.value)


def test_schema_that_is_found_is_known() -> None:
    found = lookup(Registry(a=INT))
    beats: list[None] = []
    assert found.learn(["a"], 0.0, lambda: beats.append(None)) == set()
    assert found.book.find("a", AvroSchema)
    assert len(beats) == 1


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (FoundSchema("{}", "JSON"), "schema a is of type JSON, expected AVRO"),
        (FoundSchema("{}", "XML"), "schema a is of type XML, which no format reads"),
        (FoundSchema('"Other"', "AVRO"), "schema a uses the type 'Other'"),
    ],
)
def test_unusable_schema_is_refused(schema: FoundSchema, why: str) -> None:
    found = lookup(Registry(a=schema))
    assert found.learn(["a"], 0.0) == set()
    assert refusal(found.book, "a").startswith(why)


def test_lacking_schema_is_refused_after_the_grace_period() -> None:
    registry = Registry()
    found = lookup(registry)
    assert found.learn(["a"], 1000.0) == {"a"}
    assert found.retry_at == 1000.0 + RETRY
    assert found.learn(["a"], 1000.0 + GRACE - 1) == {"a"}
    assert found.learn(["a"], 1000.0 + GRACE) == set()
    assert refusal(found.book, "a") == "schema a is unknown to the registry"
    found.book.begin()  # the next poll asks again: it may be registered by then
    registry.schemas["a"] = INT
    assert found.learn(["a"], 1000.0 + GRACE + 1) == set()
    assert found.book.find("a", AvroSchema)


def test_schema_registered_within_the_grace_period_is_known() -> None:
    registry = Registry()
    found = lookup(registry)
    assert found.learn(["a"], 0.0) == {"a"}
    registry.schemas["a"] = INT
    assert found.learn(["a"], RETRY) == set()
    del registry.schemas["a"]
    assert found.learn(["a"], GRACE) == {"a"}  # a grace period of its own


def test_unreachable_registry_is_asked_ever_less() -> None:
    registry = Registry(a=INT)
    registry.broken |= {"a", "b"}
    found, now, waits = lookup(registry), 0.0, []
    for _ in range(5):
        assert found.learn(["a", "b"], now) == {"a", "b"}
        waits.append(found.retry_at - now)
        asked = len(registry.asked)
        assert found.learn(["a", "b"], found.retry_at - 0.1) == {"a", "b"}
        assert len(registry.asked) == asked
        now = found.retry_at
    assert waits == [RETRY, 2 * RETRY, 4 * RETRY, LONGEST_RETRY, LONGEST_RETRY]
    registry.broken.clear()
    assert found.learn(["a"], now) == set()
    assert found.retry_at == now + RETRY


def test_schema_that_fails_does_not_stand_before_the_others() -> None:
    registry = Registry(a=INT, b=INT, c=INT)
    registry.broken.add("a")
    found = lookup(registry)
    assert found.learn(["a", "b", "c"], 0.0) == {"a", "b", "c"}
    assert found.learn(["a", "b", "c"], found.retry_at) == {"a"}


def test_few_schemas_are_asked_for_at_once() -> None:
    names = [f"s{number}" for number in range(MOST_AT_ONCE + 5)]
    registry = Registry(**dict.fromkeys(names, INT))
    assert lookup(registry).learn(names, 0.0) == set(names[MOST_AT_ONCE:])
    assert registry.asked == names[:MOST_AT_ONCE]


def test_slow_registry_does_not_hold_up_a_poll() -> None:
    registry = Registry(**dict.fromkeys("abcdefgh", INT))
    steady = iter(range(0, 100, 2))
    found = SchemaLookup(SchemaBook(), registry.fetch, steady=lambda: float(next(steady)))
    assert found.learn("abcdefgh", 0.0) == set("cdefgh")
    assert found.learn("cdefgh", 5.0) == set("efgh")


def test_memory_of_lacking_schemas_is_bounded() -> None:
    found = lookup(Registry())
    for number in range(2 * LARGEST + 10):
        found.learn([str(number)], 0.0)
        assert len(found._lacking) <= LARGEST + 2
