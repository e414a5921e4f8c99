"""Exclusion: addresses by globs, of all under which the event knows its customer, and events."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.policy.exclusion import Exclusion, compile_globs
from consumer.records.result import Reason
from tests.support.candidates import FakeCandidate

STAFF = compile_globs(["*@ourcompany.example", "test-*@*", "+9053200*"])


@pytest.mark.parametrize(
    ("identities", "reason"),
    [
        (["ada@ourcompany.example"], Reason.EXCLUDED),
        (["Ada@OurCompany.example"], Reason.EXCLUDED),
        (["test-1@a.example"], Reason.EXCLUDED),
        (["+905320012345"], Reason.EXCLUDED),
        (["id:7", "+905551234567", "ada@ourcompany.example"], Reason.EXCLUDED),
        (["ada@ourcompany.example.org"], None),
        (["ada@notourcompany.example"], None),
        (["ada@ourcompanyXexample"], None),
        (["+905551234567"], None),
        ([], None),
    ],
)
def test_a_customer_is_excluded_by_any_address(
    identities: list[str], reason: Reason | None
) -> None:
    assert Exclusion(STAFF)(FakeCandidate(person=identities), 0) is reason


def test_an_event_is_excluded_by_its_pattern() -> None:
    exclusion = Exclusion(event=lambda body: body.get("type") == "employee")
    assert exclusion(FakeCandidate({"type": "employee"}), 0) is Reason.EXCLUDED
    assert exclusion(FakeCandidate({"type": "guest"}, ["ada@ourcompany.example"]), 0) is None


def test_no_globs_exclude_none() -> None:
    assert compile_globs([]) is None
    assert Exclusion()(FakeCandidate(person=["a@b.example"]), 0) is None


parts = st.text("ab.@*+ \n", max_size=8)


@given(st.lists(parts, min_size=1, max_size=3), st.text("abAB.@+ \n", max_size=12))
@example(["a*a*a"], "aa")
@example(["*a*"], "bab")
@example(["**"], "")
@example(["a*b*b"], "ab")
def test_a_glob_is_that_of_a_shell(globs: list[str], text: str) -> None:
    """Without its other wildcards, and without case. Blanks around a glob are none of it."""
    matches = compile_globs(globs)
    assert matches is not None
    expected = any(fnmatchcase(text.lower(), glob.strip().lower()) for glob in globs)
    assert bool(matches(text)) == expected


def test_many_stars_take_no_more_time_than_one() -> None:
    """Each text is passed over once for each star: a backtracking match would not end."""
    matches = compile_globs(["*a" * 40 + "*b"])
    assert matches is not None
    assert not matches("a" * 5_000)
    assert matches("a" * 5_000 + "b")


def test_a_glob_is_no_regular_expression() -> None:
    matches = compile_globs(["a+b|c@(d).example"])
    assert matches is not None
    assert matches("a+b|c@(d).example")
    assert not matches("c@d.example")
