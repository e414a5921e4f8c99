"""Histories: suppressions merge in any order, erasure and pruning drop what they must."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.contacts.history import (
    Answer,
    Contact,
    ContactState,
    History,
    HistoryRecord,
    Suppression,
    SuppressionReason,
    decode_history,
    encode_record,
)
from tests.support.contacts import DAY, FACTS, NOW

REASONS: list[SuppressionReason] = ["opted_out", "bounced", "erased"]
suppressions = st.builds(
    Suppression,
    st.sampled_from(["all", "sms"]),
    st.sampled_from([1.0, 2.0, 3.0]),
    st.sampled_from(REASONS),
    st.none() | st.sampled_from([2.0, 9.0]),
    st.booleans(),
)


@given(st.lists(suppressions, max_size=4))
def test_suppressions_end_alike_in_whatever_order_and_however_often_they_come(
    written: list[Suppression],
) -> None:
    def merged(order: tuple[Suppression, ...]) -> set[str]:
        history = History()
        for suppression in order:
            history.merge(suppression)
        return set(map(repr, history.suppressions))

    expected = merged(tuple(written))
    assert all(merged(order) == expected for order in permutations(written))
    assert merged((*written, *written)) == expected


def test_last_write_wins_and_a_suppression_wins_over_its_removal_at_the_same_time() -> None:
    history = History()
    history.merge(Suppression("all", NOW, removed=True))
    history.merge(Suppression("all", NOW - 1))
    assert [found.removed for found in history.suppressions] == [True]
    history.merge(Suppression("all", NOW))
    assert [found.removed for found in history.suppressions] == [False]


def test_scopes_and_reasons_stand_beside_each_other() -> None:
    history = History()
    history.merge(Suppression("all", NOW, "bounced"))
    history.merge(Suppression("all", NOW + 1, "opted_out", removed=True))
    history.merge(Suppression("sms", NOW))
    assert len(history.suppressions) == 3


def test_erasure_forgets_what_was_before_and_keeps_suppressions_and_open_reservations() -> None:
    history = History(HistoryRecord(suppressions=[Suppression("sms", NOW - DAY)]))
    for number, (state, at) in enumerate(
        [
            (ContactState.SENT, NOW),
            (ContactState.UNKNOWN, NOW - 1),
            (ContactState.WAITING, NOW - 1),
            (ContactState.SENT, NOW + 1),
            (ContactState.RESERVED, NOW - 1),
            (ContactState.SEALED, NOW - 1),
        ]
    ):
        history.put(Contact(f"c{number}", state, at))
    history.add_answer(Answer(NOW))
    history.merge(Suppression("all", NOW, "erased"))
    history.add_answer(Answer(NOW - 1))
    history.add_answer(Answer(NOW + 1))
    assert [contact.id for contact in history.contacts] == ["c3", "c4", "c5"]
    assert [answer.at for answer in history.answers] == [NOW + 1]
    assert [found.reason for found in history.suppressions] == ["opted_out", "erased"]


def test_pruning_drops_what_was_sent_or_answered_too_long_ago() -> None:
    history = History()
    for state in (ContactState.SENT, ContactState.UNKNOWN, ContactState.RESERVED):
        history.put(Contact(f"old {state}", state, NOW - 1))
    history.put(Contact("new", ContactState.SENT, NOW))
    history.merge(Suppression("all", 0.0))
    history.answers = [Answer(NOW - 1), Answer(NOW)]
    history.prune(NOW)
    assert [contact.id for contact in history.contacts] == ["old 0", "new"]
    assert history.answers == [Answer(NOW)]
    assert len(history.suppressions) == 1


def test_contact_replaces_that_of_the_same_invitation_and_an_answer_counts_once() -> None:
    history = History()
    history.put(Contact("c", ContactState.RESERVED, NOW))
    history.put(Contact("c", ContactState.SENT, NOW + 1))
    history.add_answer(Answer(NOW))
    history.add_answer(Answer(NOW))
    assert history.find("c") == Contact("c", ContactState.SENT, NOW + 1)
    assert len(history.answers) == 1
    history.remove("c")
    assert (history.find("c"), history.find(None)) == (None, None)
    assert history.encode() is not None
    assert History().encode() is None


def test_history_reads_back_as_it_was_written_and_is_small() -> None:
    contact = Contact("0" * 32, ContactState.SENT, NOW, FACTS, {"store.id": "17"})
    history = History(HistoryRecord([contact], [Answer(NOW, FACTS)], [Suppression("all", NOW)]))
    value = history.encode()
    assert value is not None
    again = decode_history(value)
    assert (list(again.contacts), again.answers) == ([contact], history.answers)
    assert again.suppressions == history.suppressions
    assert len(encode_record(HistoryRecord([contact]))) < 110
