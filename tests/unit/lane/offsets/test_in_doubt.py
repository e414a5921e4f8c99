"""What a former owner had in flight stays in doubt until each invitation was decided."""

from __future__ import annotations

from consumer.lane.offsets.bitmap import pack
from consumer.lane.offsets.in_doubt import InDoubtBatches
from consumer.records.checkpoint import InFlight


def batch(name: str, *offsets: int) -> InFlight:
    first = min(offsets)
    return InFlight(
        batch_id=name,
        campaign="a",
        attempt=1,
        sealed_at=0.0,
        first=first,
        offsets=pack(offsets, first),
    )


def test_nothing_is_in_doubt_without_a_former_owner() -> None:
    assert InDoubtBatches().resolve(1) is None
    assert not list(InDoubtBatches())


def test_an_offset_is_decided_once_by_the_batch_that_carried_it() -> None:
    first, second = batch("one", 3, 9), batch("two", 4)
    doubt = InDoubtBatches([first, second])
    assert len(doubt) == 3
    assert doubt.resolve(4) == second
    assert doubt.resolve(4) is None
    assert doubt.resolve(5) is None
    assert doubt.resolve(9) == first


def test_an_intent_is_kept_until_its_last_offset_is_decided() -> None:
    doubt = InDoubtBatches([batch("one", 3, 9), batch("two", 4)])
    doubt.resolve(3)
    doubt.resolve(4)
    assert [each.batch_id for each in doubt] == ["one"]
    doubt.resolve(9)
    assert not list(doubt)


def test_what_has_its_result_is_in_doubt_no_more() -> None:
    """A former owner decided it and ended before the others: it is never read again."""
    doubt = InDoubtBatches([batch("one", 3, 9), batch("two", 4)], {3, 4}.__contains__)
    assert [each.batch_id for each in doubt] == ["one"]
    doubt.resolve(9)
    assert not list(doubt)


def test_of_two_batches_that_carried_an_offset_the_later_one_is_in_doubt() -> None:
    """A former owner resent it, and was lost as well."""
    doubt = InDoubtBatches([batch("one", 3, 9), batch("resent", 3)])
    decided = doubt.resolve(3)
    assert decided is not None
    assert decided.batch_id == "resent"
    doubt.resolve(9)
    assert not list(doubt)


def test_an_offset_is_in_doubt_until_it_is_decided() -> None:
    doubt = InDoubtBatches([batch("one", 3)])
    assert 3 in doubt
    assert 4 not in doubt
    doubt.resolve(3)
    assert 3 not in doubt
