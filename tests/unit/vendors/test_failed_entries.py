"""Partial answers of `http_batch`: which entries of an accepted call failed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumer.records.call import Answer, Outcome, Verdict
from consumer.vendors.echo import cleaned, is_clean
from consumer.vendors.http_batch.http_batch import HttpBatch
from tests.support.lanes import parts_of
from tests.unit.vendors.test_http_batch import Campaign
from tests.unit.vendors.test_http_forms import LIST, vendor

PEOPLE = [
    parts_of({"email": "ada@a.test", "phone": "+901"}, {}, 1),
    parts_of({"email": "Bob@a.test"}, {}, 2),
    parts_of({"email": "eve@a.test"}, {}, 3),
]
BY_INDEX = {"list": "errors[*]", "index": "row", "code": "code"}
BOTH: dict[str, Any] = {
    "addresses": ["email", "phone"],
    "recipient": {"mail": "$email", "mobile": "$phone"},
}
PARTLY = {"status": [200, 201, 207]}


def reading(rule: dict[str, Any], **changes: Any) -> HttpBatch:
    return vendor(LIST, **BOTH, **{"success": PARTLY, "failed_entries": rule} | changes)


def read(made: HttpBatch, document: object, status: int = 200) -> Outcome:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return made.read_call(Answer(status, {}, body), made.build(Campaign(), PEOPLE, None))


def told(outcome: Outcome) -> tuple[Verdict, dict[int, str | None]]:
    return outcome.verdict, dict(outcome.failed)


def test_entries_are_named_by_their_number() -> None:
    errors = [{"row": 2, "code": "E1"}, {"row": "0"}, {"row": 2, "code": "E2"}]

    assert told(read(reading(BY_INDEX), {"errors": errors})) == (
        Verdict.ACCEPTED,
        {2: "E1", 0: None},
    )


def test_numbers_may_begin_at_one() -> None:
    outcome = read(reading(BY_INDEX | {"first": 1}), {"errors": [{"row": 3}]})

    assert told(outcome) == (Verdict.ACCEPTED, {2: None})


@pytest.mark.parametrize(
    ("name", "entry"), [("bob@a.test", 1), (" BOB@A.TEST ", 1), ("+901", 0), ("ada@a.test", 0)]
)
def test_entries_are_named_by_an_address(name: str, entry: int) -> None:
    outcome = read(reading({"list": "errors", "address": "@"}), {"errors": [name]})

    assert told(outcome) == (Verdict.ACCEPTED, {entry: None})


def test_entries_are_named_by_the_invitations_id() -> None:
    outcome = read(reading({"list": "bad", "id": "ref"}), {"bad": [{"ref": "i2"}]}, 207)

    assert told(outcome) == (Verdict.ACCEPTED, {1: None})


def test_where_every_entry_failed_none_is_accepted() -> None:
    errors = [{"row": n} for n in range(3)]

    outcome = read(reading(BY_INDEX), {"errors": errors, "message": "All failed"})

    assert told(outcome) == (Verdict.REJECTED, dict.fromkeys(range(3)))
    assert (outcome.divisible, outcome.message) == (False, "All failed")


@pytest.mark.parametrize(
    "failure", [{"row": 3}, {"row": -1}, {"row": "x"}, {"row": None}, {"row": True}, {}, 7, None]
)
def test_a_failure_that_names_no_entry_leaves_the_others_in_doubt(failure: object) -> None:
    outcome = read(reading(BY_INDEX), {"errors": [{"row": 1, "code": "E1"}, failure]})

    assert told(outcome) == (Verdict.IN_DOUBT, {1: "E1"})
    assert not outcome.divisible


def test_a_name_of_two_entries_names_none() -> None:
    """A household's address: which of both failed is not said."""
    same = [parts_of({"email": name}, {}, n) for n, name in enumerate(("a@a.test", "A@a.test"))]
    made = reading({"list": "errors", "address": "@"})

    outcome = made.read_call(
        Answer(200, {}, b'{"errors":["a@a.test"]}'), made.build(Campaign(), same, None)
    )

    assert told(outcome) == (Verdict.IN_DOUBT, {})


@pytest.mark.parametrize(
    ("document", "status", "verdict"),
    [
        ({"errors": []}, 200, Verdict.ACCEPTED),
        ({"errors": []}, 207, Verdict.ACCEPTED),
        ({"errors": None}, 200, Verdict.ACCEPTED),
        ({"ok": True}, 201, Verdict.ACCEPTED),
        ({"ok": True}, 207, Verdict.IN_DOUBT),  # each entry has a status, but not here
        ({"errors": {"0": "bad"}}, 200, Verdict.IN_DOUBT),
        ({"errors": "2 of 3"}, 200, Verdict.IN_DOUBT),
        ([], 200, Verdict.IN_DOUBT),
        (b"", 200, Verdict.ACCEPTED),
        (b" \r\n", 207, Verdict.ACCEPTED),
        (b"OK", 200, Verdict.IN_DOUBT),
        (b'{"errors":[{"row":1},', 200, Verdict.IN_DOUBT),  # cut off at the bound of a body
        ({"errors": []}, 202, Verdict.IN_DOUBT),  # `success` does not name it
        ({"errors": [{"row": 0}]}, 500, Verdict.IN_DOUBT),
    ],
)
def test_what_is_not_said_is_not_accepted(document: object, status: int, verdict: Verdict) -> None:
    assert told(read(reading(BY_INDEX), document, status)) == (verdict, {})


def test_a_list_that_is_a_filter_is_never_left_out() -> None:
    made = reading({"list": "results[?status=='error']", "index": "row"})

    assert told(read(made, {"results": []})) == (Verdict.ACCEPTED, {})
    assert told(read(made, {"results": [{"status": "error", "row": 1}]})) == (
        Verdict.ACCEPTED,
        {1: None},
    )
    assert told(read(made, {})) == (Verdict.IN_DOUBT, {})


def test_a_list_deep_inside_may_be_left_out_as_a_whole() -> None:
    made = reading({"list": "result.errors[]", "index": "row"})

    assert told(read(made, {"result": {}})) == (Verdict.ACCEPTED, {})
    assert told(read(made, {"result": "3"})) == (Verdict.IN_DOUBT, {})


def test_without_its_call_a_failure_names_none() -> None:
    made = reading(BY_INDEX)

    assert made.read(Answer(200, {}, b'{"errors":[{"row":0}]}')).verdict is Verdict.IN_DOUBT
    assert made.read(Answer(200, {}, b'{"errors":[]}')).verdict is Verdict.ACCEPTED


def test_a_failing_code_of_the_whole_answer_still_decides() -> None:
    made = reading(BY_INDEX, code="code", bad_recipient={"code": ["BAD"]})

    assert told(read(made, {"code": "BAD", "errors": []})) == (Verdict.IN_DOUBT, {})
    assert read(made, {"code": "BAD"}, 400).divisible


def test_codes_that_a_rule_names_travel_whatever_their_form() -> None:
    made = reading(BY_INDEX, bad_recipient={"code": ["INVALID_EMAIL"]})
    errors = [{"row": 0, "code": "INVALID_EMAIL"}, {"row": 1, "code": "Ada Lovelace"}]

    assert read(made, {"errors": errors}).failed == {0: "INVALID_EMAIL", 1: None}


def test_a_code_that_repeats_the_call_does_not_travel() -> None:
    outcome = Outcome(Verdict.ACCEPTED, 200, failed={0: "E17", 1: "E18", 2: "KNOWN"})

    assert not is_clean(outcome, {"KNOWN"})
    assert cleaned(outcome, b'{"x":"E17"}', {"KNOWN"}).failed == {0: None, 1: "E18", 2: "KNOWN"}
    assert cleaned(outcome, b"{}", {"KNOWN"}) == outcome
    assert is_clean(Outcome(Verdict.ACCEPTED, failed={0: None, 1: "KNOWN"}), {"KNOWN"})


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"list": "errors"}, "expected one of"),
        ({"list": "errors", "index": "a", "id": "b"}, "expected one of"),
        ({"list": "errors[", "index": "a"}, "JMESPath"),
        ({"index": "a"}, "Field required"),
        ({"list": "errors", "address": "a", "first": 1}, "goes with `index`"),
        ({"list": "errors", "index": "a", "first": 2}, "less than or equal to 1"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(rule: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        reading(rule)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 4) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["errors", "row", "code"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values, st.sampled_from([200, 207]))
def test_nothing_is_accepted_beside_a_failure_that_names_none(document: Any, status: int) -> None:
    outcome = read(reading(BY_INDEX), document, status)

    errors = document.get("errors") if isinstance(document, dict) else None
    if outcome.verdict is Verdict.ACCEPTED:
        rows = [failure["row"] for failure in errors or []]
        assert {int(row) for row in rows} == set(outcome.failed)
    assert set(outcome.failed) <= {0, 1, 2}
