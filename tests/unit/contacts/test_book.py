"""The contact book over a store in memory: rounds, conflicts, ownership, offsets, generations."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from consumer.contacts.book import ContactBook, Ownership
from consumer.contacts.memory import MemoryStore
from consumer.errors import StoreUnavailable
from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.explaining import RuleCheck
from consumer.policy.contacts.history import ContactState
from consumer.policy.contacts.request import GRANTED, LOST, Decision, Verdict
from consumer.policy.contacts.table import ContactRules
from consumer.records.result import Reason
from tests.support.contact_world import InterruptedStore
from tests.support.contacts import DAY, NOW, request, sent, suppression

EVERYONE = ContactRule("everyone", within=30 * DAY)
STORE = ContactRule("store", within=DAY, per=("store",))
RULES = ContactRules([EVERYONE])
OWNER = Ownership("lane", 7)
PLACE = ("results", 0)


class CountingStore(MemoryStore):
    """Counts writes; `busy` lets writes of more than one invitation fail."""

    def __init__(self) -> None:
        super().__init__(lambda: self.now, grace=10.0)
        self.now = NOW
        self.writes = 0
        self.busy = False

    def write(
        self, generation: str, versions: Mapping[str, int], values: Mapping[str, bytes | None]
    ) -> bool:
        self.writes += 1
        several = sum(key.startswith("r:") for key in values) > 1
        return not (self.busy and several) and super().write(generation, versions, values)


def ready_book(store: CountingStore, rules: ContactRules = RULES) -> ContactBook:
    book = ContactBook(store, rules)
    book.take_over(OWNER, [])
    book.recovery(["lane"])
    store.now += store.grace
    assert book.finish_recovery(["lane"], {})
    store.writes = 0
    return book


def states(book: ContactBook, *subjects: str) -> list[dict[str, ContactState]]:
    found = book.histories(subjects)
    return [{one.id: one.state for one in found[name].contacts} for name in subjects]


def test_invitations_are_decided_in_order_and_in_rounds_of_200() -> None:
    store = CountingStore()
    book = ready_book(store)
    requests = [request(number, f"p{number % 300}") for number in range(450)]
    decisions = book.reserve(requests, OWNER)
    verdicts = [decision.verdict for decision in decisions]
    assert verdicts == [Verdict.GRANTED] * 300 + [Verdict.REFUSED] * 150
    assert decisions[449].blocked_by == "i149"
    assert store.writes == 2  # the third round changed nothing
    assert book.seal([request(1).id, "unknown"], OWNER) == [GRANTED, LOST]


def test_round_that_met_another_writer_is_repeated_with_fewer() -> None:
    store = CountingStore()
    book = ready_book(store)
    store.busy = True
    requests = [request(number, f"p{number}") for number in range(5)]
    assert book.reserve(requests) == [GRANTED] * 5
    assert store.writes == 10  # of 5, 2 and 1; three times of 2 and 1; of 1


def test_store_that_never_lets_a_round_through_is_unavailable() -> None:
    store = CountingStore()
    book = ready_book(store)
    store.busy = True
    with pytest.raises(StoreUnavailable, match="too often"):
        book.take_over(OWNER, [request(1), request(2)])


def test_new_generation_grants_nothing_until_lanes_reported_and_results_were_read() -> None:
    store = CountingStore()
    book = ready_book(store)
    first, second = request(1), request(2)
    book.reserve([first], OWNER)
    book.seal([first.id], OWNER)
    store.wipe()
    with pytest.raises(StoreUnavailable, match="is new or was restarted"):
        book.reserve([second], OWNER)
    with pytest.raises(StoreUnavailable, match="is new or was restarted"):
        book.seal([first.id], OWNER)
    waiting = book.recovery(["lane"])
    assert (waiting.phase, set(waiting.missing), waiting.seconds) == ("waiting", {"lane"}, 10.0)
    assert not book.finish_recovery(["lane"], {})
    book.take_over(OWNER, [first])
    assert book.recovery(["lane"]).phase == "waiting"
    store.now += 10
    assert book.recovery(["lane"]).phase == "reading"
    assert not book.finish_recovery(["lane"], {PLACE: 3})
    book.settle([], {PLACE: 2}, {PLACE: 0})
    assert not book.finish_recovery(["lane"], {PLACE: 3})
    book.settle([sent(request(3, "q"), store.now)], {PLACE: 3}, {PLACE: 2})
    assert book.finish_recovery(["lane"], {PLACE: 3, ("other", 0): 0})
    assert book.recovery(["lane"]).phase == "ready"
    decisions = book.reserve([second, request(4, "q")], OWNER)
    assert [decision.blocked_by for decision in decisions] == ["i1", "i3"]


def test_rules_that_count_by_other_keys_begin_at_the_beginning() -> None:
    store = CountingStore()
    ready_book(store).settle([], {PLACE: 5}, {PLACE: 0})
    same = ContactBook(store, ContactRules([EVERYONE, ContactRule("more", 9, within=DAY)]))
    assert (same.recovery(["lane"]).phase, same.offsets([PLACE])) == ("ready", {PLACE: 5})
    other = ContactBook(store, ContactRules([EVERYONE, STORE]))
    assert (other.recovery(["lane"]).phase, other.offsets([PLACE])) == ("waiting", {})
    with pytest.raises(StoreUnavailable):
        other.reserve([request(1)])


def test_former_owner_of_a_lane_reserves_and_seals_nothing() -> None:
    store = CountingStore()
    book = ready_book(store)
    book.reserve([request(1)], OWNER)
    successor = Ownership("lane", 8)
    book.take_over(successor, [])
    with pytest.raises(StoreUnavailable, match="another owner"):
        book.reserve([request(1)], OWNER)
    with pytest.raises(StoreUnavailable, match="another owner"):
        book.seal([request(1).id], OWNER)
    with pytest.raises(StoreUnavailable, match="another owner"):
        book.take_over(OWNER, [])
    with pytest.raises(StoreUnavailable, match="another owner"):
        book.reserve([request(2)], Ownership("never taken over", 1))
    assert book.seal([request(1).id], successor) == [GRANTED]


def test_late_write_of_a_former_owner_leaves_no_reservation_behind() -> None:
    """Meanwhile its successor reserved the invitation, and the vendor rejected it."""
    store = CountingStore()
    book = ready_book(store)
    interrupted = InterruptedStore(store)
    late = ContactBook(interrupted, RULES)

    def meanwhile() -> None:
        successor = Ownership("lane", 8)
        book.take_over(successor, [])
        assert book.reserve([request(1)], successor) == [GRANTED]
        book.settle([sent(request(1), NOW, "released")], {})

    interrupted.interruptions.append(meanwhile)
    with pytest.raises(StoreUnavailable, match="another owner"):
        late.reserve([request(1)], OWNER)
    assert (list(store.keys("r:")), list(store.keys("s:"))) == ([], [])


def test_reservation_is_displaced_under_all_its_subjects_though_the_newcomer_has_one() -> None:
    book = ready_book(CountingStore(), ContactRules([EVERYONE, STORE]))
    loser = request(1, "phone", "email", keys={"store": "1"})
    book.reserve([loser])
    winner = request(2, "phone", priority=60)
    assert book.reserve([winner]) == [Decision(Verdict.GRANTED, displaced=("i1",))]
    assert states(book, "phone", "email") == [{"i2": ContactState.RESERVED}, {}]
    assert book.reserve([request(3, "other", keys={"store": "1"})]) == [GRANTED]
    assert book.seal([loser.id])[0].reason is Reason.OUTRANKED


def test_offsets_go_forward_only_and_stand_with_what_they_settle() -> None:
    book = ready_book(CountingStore())
    many = [sent(request(number, f"p{number}"), NOW) for number in range(401)]
    book.settle(many, {PLACE: 401, ("contacts", 3): 1}, {PLACE: 0, ("contacts", 3): 0})
    book.settle(many[:1], {PLACE: 1}, {PLACE: 0})
    assert book.offsets([PLACE, ("contacts", 3), ("contacts", 4)]) == {
        PLACE: 401,
        ("contacts", 3): 1,
    }
    assert states(book, "p400") == [{"i400": ContactState.SENT}]


def test_rotated_key_finds_what_stands_under_the_former_one() -> None:
    """While both keys are listed, persons have a pseudonym of each."""
    book = ready_book(CountingStore())
    book.settle([sent(request(1, "old:a"), NOW), suppression("old:b")], {})
    both = [
        request(2, "new:a", "old:a"),
        request(3, "new:b", "old:b"),
        request(4, "new:c", "old:c"),
    ]
    reasons = [decision.reason for decision in book.reserve(both)]
    assert reasons == [Reason.CONTACT_LIMIT, Reason.OPTED_OUT, None]
    book.settle([sent(both[2], NOW), suppression("new:d", "old:d")], {})
    after = [request(5, "new:c"), request(6, "old:c"), request(7, "new:d"), request(8, "old:d")]
    assert [decision.reason for decision in book.reserve(after)] == [
        Reason.CONTACT_LIMIT,
        Reason.CONTACT_LIMIT,
        Reason.OPTED_OUT,
        Reason.OPTED_OUT,
    ]


def test_result_under_one_key_settles_a_reservation_under_both() -> None:
    book = ready_book(CountingStore())
    book.reserve([request(1, "new:a", "old:a"), request(2, "new:b", "old:b")])
    book.settle([sent(request(1, "old:a"), NOW), sent(request(2, "old:b"), NOW, "released")], {})
    assert states(book, "new:a", "old:a", "new:b") == [{"i1": ContactState.SENT}] * 2 + [{}]


def test_explaining_writes_nothing() -> None:
    store = CountingStore()
    book = ready_book(store)
    book.reserve([request(1)])
    before = store.snapshot()
    decision, checks = book.explain(request(2, priority=60))
    assert decision == Decision(Verdict.GRANTED, displaced=("i1",))
    assert checks == [RuleCheck("everyone", "full", None, "i1")]
    assert store.snapshot() == before


def test_old_contacts_are_dropped_when_a_history_is_written() -> None:
    store = CountingStore()
    book = ready_book(store, ContactRules([ContactRule("many", 9, within=DAY)], keep=2 * DAY))
    book.settle([sent(request(1), store.now)], {})
    store.now += 3 * DAY
    book.reserve([request(2)])
    assert states(book, "p") == [{"i2": ContactState.RESERVED}]
