"""What operators' commands about persons write."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config import load
from consumer.config.models import Config
from consumer.errors import OperationError
from consumer.operations.contacts.contact_topic import (
    copies_under_all_keys,
    last_words,
    rows_by_key,
)
from consumer.operations.contacts.identities import check_pseudonyms, pseudonyms_by_identity
from consumer.operations.contacts.suppressing import check_scope, erasures, opt_outs, removals
from consumer.records.contact_record import AnswerRecord, ContactRecord, SuppressionRecord
from tests.unit.routing.test_feeds import NEW, NOW, OLD, PHONE, SUPPRESSIONS, config_text


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A config with two keys of pseudonyms."""
    (tmp_path / "scopes.csv").write_text("code,scope\n7,sms\n")
    return load(config_text({"suppressions": SUPPRESSIONS}), env={}, base=tmp_path)


def test_an_identity_has_a_pseudonym_under_each_key(config: Config) -> None:
    found = pseudonyms_by_identity(
        config, [" 0532 123 45 67", "ada@Mail.example.com", "id: 7", "household:H1"], "TR"
    )
    names = [PHONE, "ada@mail.example.com", "id:7", "household:H1"]
    assert found == [[NEW(name), OLD(name)] for name in names]


@pytest.mark.parametrize("text", ["ada", "id:", "household: ", "0532 123 45 67", "ada@"])
def test_what_is_no_identity_is_refused_without_repeating_it(config: Config, text: str) -> None:
    with pytest.raises(OperationError, match="line 2: expected") as caught:
        pseudonyms_by_identity(config, [PHONE, text], None)
    assert "532" not in str(caught.value)


def test_a_region_is_one_that_has_numbers(config: Config) -> None:
    with pytest.raises(OperationError, match="two capital letters"):
        pseudonyms_by_identity(config, [PHONE], "tr")


def test_a_pseudonym_is_under_a_key_of_the_config(config: Config) -> None:
    check_pseudonyms(config, [NEW(PHONE), OLD(PHONE)])
    for text in ("k3:abc", "abc", "k1:", ":abc", PHONE):
        with pytest.raises(OperationError, match="expected a pseudonym"):
            check_pseudonyms(config, [text])


def test_a_scope_holds_some_survey_back(config: Config) -> None:
    for scope in ("", "sms", "nps", "sms-survey"):
        check_scope(config, scope)
    with pytest.raises(OperationError, match="the scope is one of"):
        check_scope(config, "fax")


def opt_out(person: str = "k1:a", at: float = NOW, scope: str = "") -> ContactRecord:
    """A person's opt-out."""
    (made,) = opt_outs([person], at, scope, None)
    return made


def test_a_removal_needs_something_to_remove() -> None:
    known = last_words([opt_out(scope="sms")])
    (made,) = removals(["k1:a"], NOW + 1, "sms", known)
    assert last_words([*known.values(), made]) == {made.key: made}
    with pytest.raises(OperationError, match=r"there is: opted_out \(sms\)"):
        removals(["k1:a"], NOW, "", known)
    with pytest.raises(OperationError, match="nothing of that scope"):
        removals(["k1:b"], NOW, "sms", known)
    with pytest.raises(OperationError, match="nothing of that scope"):
        removals(["k1:a"], NOW, "sms", known, bounced=True)
    with pytest.raises(OperationError, match="nothing of that scope"):
        removals(["k1:a"], NOW, "sms", last_words([made]))


PERSONS = st.sampled_from(["k1:a", "k2:a", "k1:b", "k2:b", "k3:a"])
RECORDS = st.lists(
    st.builds(
        SuppressionRecord,
        version=st.just(1),
        person=PERSONS,
        at=st.integers(0, 9),
        scope=st.sampled_from(["", "sms"]),
        removed=st.booleans(),
    )
    | st.builds(AnswerRecord, version=st.just(1), person=PERSONS, at=st.integers(0, 9)),
    max_size=12,
)


@given(RECORDS)
def test_the_last_word_is_the_newest_and_never_the_more_lenient_of_two(
    records: list[ContactRecord],
) -> None:
    found = last_words(records)
    assert found.keys() == {record.key for record in records}
    assert found == last_words(records[::-1]) or len({*map(repr, records)}) == len(records)
    for record in records:
        last = found[record.key]
        assert record.at <= last.at
        if record.at == last.at and isinstance(last, SuppressionRecord):
            assert last.removed <= getattr(record, "removed", False)


@given(RECORDS)
def test_a_person_stands_alike_under_all_keys_after_rekeying(records: list[ContactRecord]) -> None:
    """A second time there is nothing left to write, and others are left alone."""
    known = last_words(records)
    identities = [["k2:a", "k1:a"], ["k2:b", "k1:b"]]
    copies = copies_under_all_keys(known, identities)
    after = last_words([*known.values(), *copies])
    assert not {copy.person for copy in copies} & {"k3:a"}

    def facts(person: str) -> set[tuple[object, ...]]:
        own = [record for record in after.values() if record.person == person]
        return {(one.at, getattr(one, "scope", None), getattr(one, "removed", None)) for one in own}

    for new, old in identities:
        assert facts(new) == facts(old)
    assert copies_under_all_keys(after, identities) == []


def test_rows_are_counted_by_key() -> None:
    gone = SuppressionRecord(version=1, person="k1:c", at=NOW, removed=True)
    answer = AnswerRecord(version=1, person="k2:a", at=NOW)
    marks = erasures(["k1:a"], NOW)
    known = last_words([opt_out(), opt_out("k1:b"), gone, answer, *marks])
    assert rows_by_key(known) == {"k1": {"opted_out": 2, "erased": 1}, "k2": {"answer": 1}}
