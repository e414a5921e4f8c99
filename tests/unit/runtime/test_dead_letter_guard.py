"""The guard of a member's inputs: what of a poll their limits on dead letters admit."""

from __future__ import annotations

from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.dead_letter_limit import DeadLetterLimit
from consumer.runtime.router.dead_letter_guard import DeadLetterGuard, Place, example_of, place_of

POS, WEB = [("pos", 0, at) for at in range(6)], [("web", 0, at) for at in range(6)]
LETTER = InputRecord("pos", 2, 7, b"{").dead_letter(DeadLetterReason.NOT_JSON, "stopped")


def guard(**limits: DeadLetterLimit) -> DeadLetterGuard:
    return DeadLetterGuard(limits)


def test_a_topic_is_refused_from_the_record_that_exceeds_its_limit_and_others_are_not() -> None:
    mixed = [place for pair in zip(POS, WEB, strict=True) for place in pair]
    found = guard(pos=DeadLetterLimit(0.5, 4), web=DeadLetterLimit()).refused(mixed, {*POS})
    assert found == {"pos": POS[2:]}


def test_a_topic_without_a_limit_is_never_refused() -> None:
    assert guard().refused(POS, {*POS}) == {}


def test_polls_before_count_until_the_topic_was_halted() -> None:
    kept = guard(pos=DeadLetterLimit(0.5, 4))
    kept.take(POS[:2], {*POS[:2]})
    kept.take_readable(["web"] * 9)
    assert kept.refused(POS[2:3], {*POS}) == {"pos": POS[2:3]}
    kept.take_readable(["pos"] * 4)
    assert kept.refused(POS[2:3], {*POS}) == {}
    kept.take(POS[2:4], {*POS})
    assert kept.refused(POS[4:5], {*POS}) == {"pos": POS[4:5]}
    kept.reset("pos")
    assert kept.refused(POS[4:5], {*POS}) == {}


def test_an_example_is_the_last_dead_letter_of_the_topic() -> None:
    expected: Place = ("pos", 2, 7)
    assert place_of(LETTER) == expected
    assert example_of("pos", [LETTER]) == "pos:2:7 (not_json)"
    assert example_of("web", [LETTER]) == "the next record"
