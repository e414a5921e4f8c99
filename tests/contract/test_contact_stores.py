"""What every contact store must do: compare and set many keys at once, or none."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.contacts.memory import MemoryStore
from consumer.contacts.store import ABSENT, ContactStore
from tests.support.stores import KINDS, OpenStore, at_now, opened_stores

Values = Mapping[str, bytes | None]


@pytest.fixture(params=KINDS)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    yield from opened_stores(request, tmp_path)


@pytest.fixture
def store(open_store: OpenStore) -> ContactStore:
    return open_store()


def versions_of(store: ContactStore, *keys: str) -> dict[str, int]:
    found = store.read(keys).found
    return {key: found[key].version if key in found else ABSENT for key in keys}


def values_of(store: ContactStore, *keys: str) -> dict[str, bytes]:
    return {key: stored.value for key, stored in store.read(keys).found.items()}


def put(store: ContactStore, values: Values) -> None:
    """Write over whatever is there."""
    generation = store.read(["a"]).generation
    assert store.write(generation, versions_of(store, *values), values)


def write(store: ContactStore, versions: Mapping[str, int], values: Values) -> bool:
    return store.write(store.read(["a"]).generation, versions, values)


def test_new_stores_are_empty(open_store: OpenStore) -> None:
    first, second = open_store(), open_store()
    put(first, {"a": b"1"})
    assert (values_of(first, "a"), values_of(second, "a")) == ({"a": b"1"}, {})


def test_clock_of_a_store_does_not_go_back(store: ContactStore) -> None:
    times = [store.read(["a"]).now for _ in range(3)]
    assert times == sorted(times)
    assert times[0] > 1.7e9


def test_store_gives_back_what_was_written(store: ContactStore) -> None:
    odd = "odd ü|\n*{}:'\"[]\\"
    wanted = {"a": b"1", "empty": b"", odd: bytes(range(256)), "large": b"x" * 10**6}
    put(store, wanted)
    assert values_of(store, *wanted, "other") == wanted
    put(store, {"a": None, "large": b"2"})
    assert values_of(store, *wanted) == {"empty": b"", odd: bytes(range(256)), "large": b"2"}


def test_nothing_is_written_if_one_version_is_another(store: ContactStore) -> None:
    put(store, {"a": b"1", "b": b"1"})
    seen = versions_of(store, "a", "b", "c")
    put(store, {"b": b"2"})
    assert not write(store, seen, {"a": b"3", "b": b"3", "c": b"3"})
    assert values_of(store, "a", "b", "c") == {"a": b"1", "b": b"2"}
    assert write(store, versions_of(store, "a", "b", "c"), {"a": b"3", "b": None, "c": b"3"})
    assert values_of(store, "a", "b", "c") == {"a": b"3", "c": b"3"}


def test_key_that_should_be_absent_and_is_not_stops_a_write(store: ContactStore) -> None:
    put(store, {"a": b"1"})
    assert not write(store, {"a": ABSENT, "b": ABSENT}, {"b": b"2"})
    assert not write(store, {"c": 1}, {"b": b"2"})
    assert write(store, {"b": ABSENT}, {"b": b"2"})


def test_key_may_be_compared_without_being_written(store: ContactStore) -> None:
    put(store, {"a": b"1"})
    seen = versions_of(store, "a")
    assert write(store, {**seen, "b": ABSENT}, {"b": b"1"})
    assert versions_of(store, "a") == seen


def test_version_is_not_used_again_after_a_removal(store: ContactStore) -> None:
    seen = set()
    for _ in range(3):
        put(store, {"a": b"1"})
        seen.add(versions_of(store, "a")["a"])
        put(store, {"a": None})
    assert len(seen) == 3
    assert ABSENT not in seen


def test_wiping_begins_another_generation_and_ends_writes_of_the_old_one(
    store: ContactStore,
) -> None:
    put(store, {"a": b"1"})
    before = store.read(["a"])
    store.wipe()
    after = store.read(["a"])
    assert (after.found, after.generation != before.generation) == ({}, True)
    assert not store.write(before.generation, {"a": ABSENT}, {"a": b"2"})
    put(store, {"a": b"3"})
    assert versions_of(store, "a")["a"] != before.found["a"].version
    assert list(store.keys("")) == ["a"]


def test_keys_are_listed_by_prefix(store: ContactStore) -> None:
    many = {f"s:{number}": b"1" for number in range(2500)}
    put(store, {**many, "r:1": b"1", "s": b"1", "s*[ab]:1": b"1", "t:1": b"1"})
    assert set(store.keys("s:")) == set(many)
    assert list(store.keys("s*[ab]")) == ["s*[ab]:1"]
    assert list(store.keys("nothing")) == []


keys = st.sampled_from("abc")
values = st.none() | st.binary(max_size=2)
writes = st.tuples(
    st.sets(keys), st.dictionaries(keys, values, min_size=1), st.booleans(), st.booleans()
)


@given(st.lists(writes, max_size=12))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_store_agrees_with_one_in_memory(
    open_store: OpenStore, history: list[tuple[set[str], Values, bool, bool]]
) -> None:
    """Some writes compare what was read at the start, some another generation."""
    stores = [MemoryStore(at_now), open_store()]
    first = [versions_of(store, "a", "b", "c") for store in stores]
    for compared, written, late, lost in history:
        answers = []
        for store, old in zip(stores, first, strict=True):
            seen = old if late else versions_of(store, "a", "b", "c")
            generation = "other" if lost else store.read(["a"]).generation
            versions = {key: seen[key] for key in compared | written.keys()}
            answers.append((store.write(generation, versions, written), values_of(store, *"abc")))
        assert answers[0] == answers[1]


def test_threads_that_count_together_lose_no_step(store: ContactStore) -> None:
    def count() -> None:
        steps = 0
        while steps < 25:
            reading = store.read(["n"])
            found = reading.found.get("n")
            version, value = found or (ABSENT, b"0")
            new = str(int(value) + 1).encode()
            steps += store.write(reading.generation, {"n": version}, {"n": new})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values_of(store, "n") == {"n": b"100"}
