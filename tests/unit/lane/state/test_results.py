"""Results of a call: what its invitations share, and the vendor's own id of it."""

from __future__ import annotations

from consumer.lane.state.results import CallFacts, EndedInvitation
from consumer.records.call import Outcome, Verdict
from consumer.records.result import Reason, Result
from tests.support.lanes import held, results


def result_of(reference: str | None) -> Result:
    outcome = Outcome(Verdict.ACCEPTED, 200, "00000", reference=reference)
    facts = CallFacts.from_call("b1", outcome, 1_000.0, 1_001.0)
    (result,) = results([EndedInvitation(held(0), Reason.ACCEPTED, None, 1, facts)])
    return result


def test_a_result_names_the_vendors_own_id_of_its_call() -> None:
    assert result_of("846673197418938368")["vendor_reference"] == "846673197418938368"


def test_without_one_it_has_no_such_key() -> None:
    assert "vendor_reference" not in result_of(None)
