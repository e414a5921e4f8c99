"""What must hold of a lane that asks a contact store. Each law raises AssertionError."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from consumer.contacts.book import SEAL_SECONDS
from consumer.contacts.transaction import Transaction
from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.history import ContactState
from consumer.policy.contacts.limits import holding_rules
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.settling import Answered, Suppressed
from consumer.policy.contacts.suppressions import first_suppression
from consumer.records.result import Result, Status
from tests.simulation import test_lane_sim as lane_laws
from tests.simulation.contacts.world import ContactLaneWorld, Sent
from tests.support.lanes import results as results_of

COMMIT_SECONDS = 0.05
"""What lies between the last check and the call."""

ROUNDING = 0.002
"""`sent_at` of a result has milliseconds."""


def check(world: ContactLaneWorld) -> None:
    """Run a world and judge its history. Raises AssertionError with what is wrong."""
    world.run()
    lane_laws.one_result_each(world)
    lane_laws.sent_at_most_once(world)
    lane_laws.results_are_true(world)
    lane_laws.settled_means_recorded(world)
    lane_laws.batches_are_lawful(world)
    lane_laws.intents_come_first(world)
    lane_laws.comes_to_rest(world)
    suppressed_were_not_invited(world)
    calls_are_sealed(world)
    limits_are_kept(world)
    answers_and_suppressions_hold(world)
    times_are_kept(world)
    nothing_stays_reserved(world)
    assert not world.contacts.defects, "a question of the desk raised"


def results(world: ContactLaneWorld) -> dict[str, Result]:
    """Return the results by invitation."""
    commits = world.history.commits
    return {result["id"]: result for commit in commits for result in results_of(commit.results)}


def suppressed_were_not_invited(world: ContactLaneWorld) -> None:
    """What a rule held back never came, and what was displaced was not sealed."""
    for name, result in results(world).items():
        if result["status"] is Status.SUPPRESSED and result["campaign"] != "again":
            assert not world.history.accepted[name], f"{result['reason']}, but it was sent: {name}"


def calls_are_sealed(world: ContactLaneWorld) -> None:
    """Every call of every invitation leaves within 10 s after the store granted it."""
    for sent in world.contacts.sent:
        at = _sealed_at(world, sent)
        assert at is not None, f"called without a seal: {sent.id}"
        assert sent.at - at <= SEAL_SECONDS, f"called long after its seal: {sent.id}"


def _seal_place(world: ContactLaneWorld, sent: Sent) -> int | None:
    seals = world.contacts.sealed[: sent.seals]
    places = (place for place in range(len(seals) - 1, -1, -1) if seals[place][1] == sent.id)
    return next(places, None)


def _sealed_at(world: ContactLaneWorld, sent: Sent) -> float | None:
    place = _seal_place(world, sent)
    return None if place is None else world.contacts.sealed[place][0]


def limits_are_kept(world: ContactLaneWorld) -> None:
    """At a seal no rule's rolling window is full of others that reached the vendor by then, or
    were sealed before and reached it later."""
    reached = list(_reached(world))
    for sent, place in reached:
        request = world.contacts.requests[sent.id]
        if request.contact != "obey":
            continue
        sealed_at = world.contacts.sealed[place][0]
        others = [
            other
            for other, earlier in reached
            if earlier < place and other.at > sealed_at - _longest(world) + ROUNDING
        ]
        for rule in holding_rules(world.rules.rules, request):
            if rule.counts_of == "invitations":
                _check_limit(world, rule, request, sealed_at, others)


def _longest(world: ContactLaneWorld) -> float:
    return max(rule.within or 0.0 for rule in world.rules.rules)


def _check_limit(
    world: ContactLaneWorld,
    rule: ContactRule,
    request: Request,
    sealed_at: float,
    others: list[Sent],
) -> None:
    assert rule.within is not None
    for subject in request.persons if rule.counts_persons else [""]:
        roots = {
            found.resend_of or found.id
            for other in others
            if other.at > sealed_at - rule.within + ROUNDING
            for found in [world.contacts.requests[other.id]]
            if _counts(rule, found, request, subject)
        }
        roots.discard(request.resend_of or request.id)
        assert len(roots) < rule.at_most, f"too many of {rule.name}: {request.id} after {roots}"


def _counts(rule: ContactRule, found: Request, request: Request, subject: str) -> bool:
    wanted = rule.applies_to if rule.counts is None else rule.counts
    same = all(found.keys.get(key) == request.keys.get(key) for key in rule.other_keys)
    by_person = not rule.counts_persons or subject in found.persons
    return found.contact != "off" and same and by_person and wanted.matches(found.facts)


def _reached(world: ContactLaneWorld) -> Iterator[tuple[Sent, int]]:
    """Yield the calls that reached a customer, with the place of their seal. A campaign with
    `in_doubt: resend` may end by a no after a call that came all the same: it is left out."""
    ended = results(world)
    for sent in world.contacts.sent:
        place = _seal_place(world, sent)
        result = ended.get(sent.id)
        denied = result is not None and result["status"] not in {Status.ACCEPTED, Status.UNKNOWN}
        if place is not None and (sent.id, sent.call) in world.contacts.acted and not denied:
            yield sent, place


def answers_and_suppressions_hold(world: ContactLaneWorld) -> None:
    """Nothing is sealed against a suppression, or after an answer, that the store had by then, nor
    by the lane against one that stood in the feed when its process began."""
    known = [
        (world.view.applied_at.get(id(change), inf), change)
        for change in world.view.logs["contacts", 0]
        if change is not None
    ]
    for sent in world.contacts.sent:
        place = _seal_place(world, sent)
        if place is None:
            continue
        at, request = world.contacts.sealed[place][0], world.contacts.requests[sent.id]
        before = [change for applied_at, change in known if applied_at < at]
        unread = world.feed.records if world.feed is not None and sent.id.startswith("i") else []
        _check_suppressed(request, [*unread, *before], at)
        for rule in holding_rules(world.rules.rules, request):
            if rule.counts_of == "responses" and request.contact == "obey":
                answered = {
                    change.answer.at
                    for change in before
                    if isinstance(change, Answered)
                    and not set(change.persons).isdisjoint(request.persons)
                    and change.answer.at > at - (rule.within or 0.0)
                }
                assert len(answered) < rule.at_most, f"called after an answer: {request.id}"


def _check_suppressed(request: Request, before: Sequence[object], at: float) -> None:
    for person in request.persons:
        latest = [
            change.suppression
            for change in before
            if isinstance(change, Suppressed) and person in change.persons
        ]
        newest = max(latest, key=lambda found: found.at, default=None)
        if newest is not None:
            held = first_suppression([newest], request.facts, request.routed_at, at)
            assert held is None, f"called although opted out: {request.id}"


def times_are_kept(world: ContactLaneWorld) -> None:
    """Nothing leaves in quiet hours, nor before its due time."""
    start, end = (float(int(at)) if at < inf else at for at in world.quiet)
    for sent in world.contacts.sent:
        if sent.id.startswith("i"):
            quiet = start + COMMIT_SECONDS <= sent.at < end
            assert not quiet, f"called in quiet hours: {sent.id}"
            early = sent.at < world.eligible_from.get(sent.id, 0.0)
            assert not early, f"called before its due time: {sent.id}"


def nothing_stays_reserved(world: ContactLaneWorld) -> None:
    """At the end, with all results read, the store holds nothing open."""
    open_states = {ContactState.RESERVED, ContactState.SEALED, ContactState.WAITING}
    names = [key.removeprefix("r:") for key in world.store.keys("r:")]
    assert not names, f"reserved for ever: {names[0]}"
    round_ = Transaction(world.store)
    subjects = [key.removeprefix("s:") for key in world.store.keys("s:")]
    round_.read(subjects)
    for subject in subjects:
        for contact in round_.loaded.history(subject).contacts:
            assert contact.state not in open_states, f"open for ever: {contact.id}"
