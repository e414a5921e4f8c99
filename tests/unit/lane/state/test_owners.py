"""Recent owners of a lane, and when they look like competing processes."""

from __future__ import annotations

import pytest

from consumer.lane.state.owners import KEPT, contested, next_owners
from consumer.records.checkpoint import Owner


def owners(versions: str, *, every: float = 60.0) -> list[Owner]:
    """One owner for each letter, which is its config."""
    found: list[Owner] = []
    for number, version in enumerate(versions):
        found = next_owners(found, f"i{number % 2}", version, number * every)
    return found


def test_a_checkpoint_remembers_the_last_owners_oldest_first() -> None:
    found = owners("a" * (KEPT + 3))
    assert [each.at for each in found] == [60.0 * number for number in range(3, KEPT + 3)]
    assert next_owners((), "one", "v", 5.0) == [Owner(instance="one", config_version="v", at=5.0)]


@pytest.mark.parametrize(
    "versions",
    [
        "",
        "a",
        "aaaaaaaa",  # a crash loop, or moves between equals
        "abcdefgh",  # one deploy after the other
        "aab",
        "aba",  # a deploy that was rolled back
        "abab",  # and done again
        "aaabbaab",
    ],
)
def test_deploys_and_their_rollbacks_are_no_fight(versions: str) -> None:
    assert contested(owners(versions)) is None


@pytest.mark.parametrize("versions", ["ababa", "aabbaabba", "abcabc", "ababab"])
def test_configs_in_turn_are_a_fight(versions: str) -> None:
    said = contested(owners(versions))
    assert said is not None
    assert "a, b" in said
    assert "instances i0, i1" in said
    assert "application_id" in said


def test_a_fight_of_yesterday_is_over() -> None:
    assert contested(owners("ababa", every=900.0)) is not None
    assert contested(owners("ababa", every=901.0)) is None
