"""Chance: parts of the right size, the same ones each time, and larger rates keep who was in."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.candidate import Candidate
from consumer.policy.chance import Holdout, Sample, Split, bucket_of
from consumer.records.result import Reason
from tests.support.candidates import FakeCandidate

MANY = 20_000
rates = st.floats(0, 1)
texts = st.text(max_size=20)
weights = st.lists(st.floats(0.001, 1e6), min_size=2, max_size=6)


def of_person(name: str) -> FakeCandidate:
    return FakeCandidate(person=[name])


def people(number: int = MANY) -> list[FakeCandidate]:
    return [of_person(f"id:{name}") for name in range(number)]


def within(found: int, share: float, number: int = MANY) -> bool:
    """Within five standard deviations: one in 1.7 million fair draws is not."""
    return abs(found - share * number) <= 5 * math.sqrt(number * share * (1 - share)) + 1


@given(texts, texts)
def test_a_bucket_is_a_fraction(salt: str, key: str) -> None:
    assert 0 <= bucket_of(salt, key) < 1
    assert bucket_of(salt, key) == bucket_of(salt, key)


def test_buckets_stay_for_ever() -> None:
    """An upgrade that changed them would invite others. HMAC-SHA-256, its first 53 bits."""
    assert bucket_of("2026-q4", "id:42") == 0.8683014540762969
    assert bucket_of("", "") == 0.7112335921338685


def test_another_process_decides_alike() -> None:
    """Python's own hash differs in each one."""
    asks = "from consumer.policy.chance import bucket_of; print(bucket_of('s', 'id:7'))"
    told = {
        subprocess.run(
            [sys.executable, "-c", asks], capture_output=True, check=True, text=True, env=env
        ).stdout.strip()
        for env in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"})
    }
    assert told == {str(bucket_of("s", "id:7"))}


def test_a_sample_has_the_size_of_its_rate() -> None:
    for rate in (0.0, 0.05, 0.25, 0.5, 0.9, 1.0):
        reasons = Counter(Sample(rate, "2026-q4")(person, 0) for person in people())
        assert within(reasons[None], rate)
        assert reasons.keys() <= {None, Reason.NOT_SAMPLED}


def test_a_holdout_has_the_size_of_its_rate() -> None:
    for rate in (0.0, 0.05, 1.0):
        reasons = Counter(Holdout(rate, "control")(person, 0) for person in people())
        assert within(reasons[Reason.HOLDOUT], rate)


@given(texts, texts, rates, rates)
def test_a_larger_rate_keeps_all_who_were_in(salt: str, key: str, one: float, two: float) -> None:
    less, more = sorted((one, two))
    person = of_person(key)
    if Sample(less, salt)(person, 0) is None:
        assert Sample(more, salt)(person, 0) is None
    if Holdout(less, salt)(person, 0) is Reason.HOLDOUT:
        assert Holdout(more, salt)(person, 0) is Reason.HOLDOUT


def test_other_salts_choose_other_parts() -> None:
    """A half of a half is in both: the parts are independent."""
    both = sum(
        Sample(0.5, "a")(person, 0) is None and Sample(0.5, "b")(person, 0) is None
        for person in people()
    )
    assert within(both, 0.25)


@given(texts, texts, rates)
def test_the_bucket_stands_in_the_result(salt: str, key: str, rate: float) -> None:
    person = of_person(key)
    Sample(rate, salt)(person, 0)
    assert abs(person.found["bucket"] - bucket_of(salt, key)) < 1e-6


def test_a_sample_by_event_or_value_takes_their_keys() -> None:
    def store(body: dict[str, object]) -> object:
        return body["store"]

    for by, key in (("event", "e7"), (store, "s3"), ("person", "id:1")):
        candidate = FakeCandidate({"store": "s3"}, ["id:1", "+90"], "e7")
        Sample(1, "salt", by)(candidate, 0)  # type: ignore[arg-type]  # each is a ChanceKey
        assert candidate.found["bucket"] == round(bucket_of("salt", key), 6)


# ---- splits --------------------------------------------------------------------------------


def test_a_split_deals_by_weights() -> None:
    split = Split.by_weights([70, 20, 10], "route", "person")
    chosen = Counter(map(split.choose, people()))
    assert all(within(chosen[branch], share) for branch, share in enumerate((0.7, 0.2, 0.1)))


@given(weights, texts, texts)
def test_a_split_chooses_the_branch_that_its_bucket_lies_in(
    parts: list[float], salt: str, key: str
) -> None:
    """The branches cut [0, 1) without a gap, whatever floats add up to."""
    bucket, total = bucket_of(salt, key), math.fsum(parts)
    chosen = Split.by_weights(parts, salt, "person").choose(of_person(key))
    begin, end = math.fsum(parts[:chosen]) / total, math.fsum(parts[: chosen + 1]) / total
    assert begin - 1e-9 <= bucket <= end + 1e-9


def test_a_split_chooses_its_last_branch_where_floats_end_before_one() -> None:
    split = Split((0.1, 0.2), "salt")
    assert {split.choose(person) for person in people(200)} == {0, 1}


def test_a_split_that_grows_at_its_end_leaves_the_first_branch_alone() -> None:
    before, after = (Split.by_weights([50, w, 50 - w], "s", "person") for w in (30.0, 10.0))
    for person in people(2_000):
        assert (before.choose(person) == 0) == (after.choose(person) == 0)


def test_rules_are_those_of_a_candidate() -> None:
    candidate: Candidate = FakeCandidate()
    assert Sample(1, "s")(candidate, 0) is None
