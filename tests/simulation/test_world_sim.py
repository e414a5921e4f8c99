"""Router, delay stage and lanes in simulated worlds, from seeds; and defects that it must see.

`python -m tests.simulation --seed N` tells the story of one that fails here. Far more seeds:
`make sim SEEDS=10000`.
"""

from __future__ import annotations

import hashlib

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.world.fleet import Summary
from tests.simulation.world.judged import judge
from tests.simulation.world.world import FleetWorld

SEEDS = 80

FOUND_AT = {
    "no-intent": 0,
    "highest-settled-offset": 0,
    "done-lost": 0,
    "resent-under-report": 2,
    "permit-log-not-restored": 3,
    "send-stamped-permits": 235,
    "recipient-twice-in-a-batch": 0,
    "condemned-by-inference": 7,
    "bisection-forgets-the-rest": 0,
    "a-refused-part-is-rejected-whole": 0,
    "silence-is-divided": 1,
    "results-outside-the-transaction": 28,
    "no-fencing": 3,
    "thawed-zombie-calls": 46,
    "lost-lane-commits": 43,
    "checkpoint-read-uncommitted": 17,
    "checkpoint-end-by-eof": 6,
    "checkpoint-end-by-watermark": 2,
    "group-offsets-as-authority": 1,
    "router-carries-on": 28,
    "router-commits-while-polling": 26,
    "former-owners-clock-believed": 15,
    "delays-by-the-own-clock": 28,
    "revoked-records-are-routed": 30,
    "regained-lane-keeps-old-records": 77,
    "stale-records-follow-a-seek": 97,
    "thawed-member-stops-a-topic": 603,
    "thawed-member-stops-a-step": 14484,
    "transactions-keep-their-size": 8,
    "revoked-step-is-passed-on": 302,
    "regained-step-stays-paused": 18,
    "regained-lane-stays-paused": 98,
    "deleted-below-unrecorded-base": 24,
    "out-of-range-is-only-logged": 13,
    "given-back-lane-leaves-doubt": 2,
    "redirect-means-not-invited": 34,
    "former-inputs-are-not-registered": 51,
    "page-is-a-success": 40,
    "forgotten-delays-are-read-again": 209,
    "delayed-for-a-former-lane": 0,
    "numbers-without-bounds": 3,
    "lost-partition-stops-the-router": 13,
    "changed-campaign-is-called-all-the-same": 64,
    "refused-customer-is-tried-for-ever": 374,
    "answers-share-a-connection": 9,
    "one-bad-line-loses-the-answer": 9,
    "packed-answer-is-not-unpacked": 9,
    "redirects-are-followed": 23,
    "cookies-are-sent-back": 9,
    "partly-accepted-is-divided": 52,
    "partly-accepted-is-accepted": 52,
    "stale-command-is-obeyed": 6,
    "resumed-input-stays-stopped": 95,
    "restart-forgets-pauses": 7,
    "pause-reaches-no-owner": 6,
    "resumed-invitations-stay-delayed": 7,
    "former-members-returns-are-lost": 166,
    "stray-refusal-silences-the-account": 11,
    "sick-campaign-stops-its-account": 11,
    "trials-postpone-the-probe": 1635,
}
"""Mutant → a seed that shows it (`python -m tests.simulation --mutants` finds others). Another
version of the program may live through that seed otherwise, so that its neighbours are tried."""

NEIGHBOURS = 100


def test_worlds_of_every_kind_keep_the_promises() -> None:
    """No violation in any of the first seeds, which meet what they are made for on average."""
    summary, wrong = Summary(), []
    for seed in range(SEEDS):
        verdict = judge(seed)
        summary.add(verdict)
        wrong += [f"seed {seed}: {line}" for line in verdict.wrong]
    assert not wrong
    least = {"invitations": 200, "lane moves": 2, "kill": 1, "freeze": 1, "terminate": 0.4}
    assert not {
        name: summary.figures[name] / SEEDS
        for name, average in least.items()
        if summary.figures[name] < average * SEEDS
    }


def test_there_is_a_seed_for_every_variant() -> None:
    """The list of planted defects and the list of what they are found by go together."""
    assert FOUND_AT.keys() == MUTANTS.keys()


@pytest.mark.parametrize("mutant", FOUND_AT)
def test_a_planted_defect_is_found(mutant: str) -> None:
    """The checker complains of a world with this defect, and not of the same one without it."""
    seeds = range(FOUND_AT[mutant], FOUND_AT[mutant] + NEIGHBOURS)
    assert any(judge(seed, mutant=mutant).wrong and not judge(seed).wrong for seed in seeds)


def test_the_same_seed_makes_the_same_history() -> None:
    """Every topic, to the byte and to the offset, and every line of the story."""
    assert _fingerprint(7) == _fingerprint(7)
    assert _fingerprint(7) != _fingerprint(8)


def _fingerprint(seed: int) -> str:
    world = FleetWorld(seed, tell=True).run()
    digest = hashlib.sha256("\n".join(world.story.lines).encode())
    for topic in sorted(world.broker._topics):
        for partition in world.broker.partitions(topic):
            for record in partition.history:
                digest.update(repr((record.offset, record.key, record.value)).encode())
    return digest.hexdigest()
