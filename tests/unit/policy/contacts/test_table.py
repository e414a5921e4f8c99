"""The table of rules: its fingerprint, and `explain`'s state of each rule."""

from __future__ import annotations

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.duplicates import Duplicates
from consumer.policy.contacts.explaining import RuleCheck, check_rules
from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.request import GRANTED
from consumer.policy.contacts.subjects import subjects_of
from consumer.policy.contacts.table import ContactRules
from tests.support.contacts import DAY, ISTANBUL, NOW, PureContacts, request, selecting, sent

PERSON = ContactRule("person", within=DAY)
STORE = ContactRule("store", within=DAY, per=("store",))
PACE = Pace("p", 1, "day", ISTANBUL)


def test_fingerprint_changes_with_what_a_store_must_have_kept() -> None:
    tables = [
        ContactRules(),
        ContactRules([STORE]),
        ContactRules(paces={"p": PACE}),
        ContactRules(duplicates={"p": Duplicates("id", DAY)}),
        ContactRules(keep=DAY),
    ]
    assert len({table.fingerprint for table in tables}) == len(tables)
    assert ContactRules([PERSON]).fingerprint == ContactRules().fingerprint
    twice = ContactRules([STORE, ContactRule("other", 5, within=9.0, per=("store",))])
    assert twice.fingerprint == ContactRules([STORE]).fingerprint


def test_composed_subjects_are_kept_as_long_as_a_window_counts_them() -> None:
    calendar = ContactRule("week", calendar="week", timezone=ISTANBUL, per=("store",))
    rules = ContactRules(
        [PERSON, STORE, calendar],
        {"p": PACE},
        {"p": Duplicates("id", 3 * DAY)},
        keep=400 * DAY,
    )
    kept = {kind: rules.kept_seconds(kind + "|x") / DAY for kind in ("per", "pace", "repeat")}
    assert kept == {"per": 8, "pace": 2, "repeat": 3}
    assert rules.kept_seconds("k1:pseudonym") == 400 * DAY
    assert ContactRules(keep=DAY).kept_seconds("per|x") == 0
    assert ContactRules([calendar], keep=DAY).kept_seconds("per|x") == DAY


def test_subjects_of_equal_text_stay_apart() -> None:
    rules = ContactRules([ContactRule("two", within=DAY, per=("a", "b"))])
    pairs = [{"a": "x", "b": "yz"}, {"a": "xy", "b": "z"}, {"a": "x|y", "b": "z"}]
    assert len({subjects_of(request(keys=keys), rules) for keys in pairs}) == 3


def test_policy_that_the_config_has_no_more_holds_nothing_back() -> None:
    gone = request(pace="gone", duplicates="gone")
    contacts = PureContacts()
    assert [contacts.reserve(gone), contacts.seal(gone)] == [GRANTED, GRANTED]


def test_explaining_shows_every_rule() -> None:
    care = ContactRule("care", within=DAY, applies_to=selecting(tags="care"))
    rules = [
        ContactRule("full", within=DAY),
        ContactRule("room", 2, within=DAY),
        care,
        STORE,
        ContactRule("replaced", within=DAY),
        ContactRule("replacing", 9, within=DAY, instead_of=("replaced",)),
    ]
    contacts = PureContacts(*rules)
    contacts.settle(sent(request(1), NOW))
    assert check_rules(request(2), contacts.load(), contacts.rules, NOW) == [
        RuleCheck("full", "full", NOW + DAY, "i1"),
        RuleCheck("room", "holds"),
        RuleCheck("care", "other_surveys"),
        RuleCheck("store", "null_key"),
        RuleCheck("replaced", "replaced"),
        RuleCheck("replacing", "holds"),
    ]
    exempt = request(2, contact="exempt")
    assert check_rules(exempt, contacts.load(), contacts.rules, NOW)[0].state == "exempt"
