"""Reads a world's whole history and says what is wrong with it; an empty list is a good world.

The truth is the topics' (every transaction, also what compaction took) and the vendor's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from tests.simulation.world import contacts, rules, sickness
from tests.simulation.world.history import (
    LANE,
    ROUTER,
    History,
    Json,
    bitmap,
    invitation_of,
    settled,
)
from tests.simulation.world.pausing import called_though_paused
from tests.simulation.world.process import Ownership
from tests.simulation.world.world import FleetWorld

DENIALS = frozenset({"rejected", "failed", "expired", "suppressed"})

Finding = Iterator[str]


def check(world: FleetWorld) -> list[str]:
    """Everything that is wrong, one line each; of a world that did not come to rest, what lacks."""
    quiet = world.lax or world.features.lost_input  # then it must be told
    wrong = [f"start unclear: {each}" for each in world.watch.unclear if not quiet]
    if world.spins:
        wrong.append("a stage runs in circles")
    rules_now = RULES if world.at_rest else (routed_once, one_result_each)
    history = History(world)
    wrong += [line for rule in rules_now for line in rule(world, history)]
    return wrong if world.at_rest else [*wrong, "not at rest"]


# -- exactly once -----------------------------------------------------------------------------


def routed_once(world: FleetWorld, history: History) -> Finding:
    """An event makes each of its invitations once, on its lane or as a result of the router."""
    made = Counter(
        result["id"]
        for one in history.written
        if (one.ended.transaction.producer or "").startswith(ROUTER)
        for result in one.results
    )
    for lane in history.lanes:
        made.update(lane.routed)
    lost = {name for name in world.expected.may_lack if not made[name]}
    wanted = {name for name in world.expected.invitations if name not in lost}
    yield from _differences("routed", made, dict.fromkeys(wanted), lax=world.lax)


def one_result_each(world: FleetWorld, history: History) -> Finding:
    """Exactly one result per invitation, one dead letter per unreadable record."""
    results = Counter(result["id"] for result in history.results)
    waits = world.expected.may_lack - results.keys()
    wanted = {name for name in world.expected.invitations if name not in waits}
    yield from _differences("results", results, dict.fromkeys(wanted), lax=world.lax)
    letters = Counter(map(str, history.letters))
    lost = world.expected.lost
    letters_of_lost = {
        each for each in world.expected.letters - {*history.letters} if each[:2] == lost
    }
    places = map(str, world.expected.letters - letters_of_lost)
    yield from _differences("dead letters", letters, places, lax=world.lax)


def losses_are_told(world: FleetWorld, _history: History) -> Finding:
    """The stage that misses records which were deleted unread says so.

    Of offsets that were forgotten a stage says so, or goes on where it was: then all rules hold.
    """
    if world.features.lost_input and not any(
        "stands still" in each for each in world.watch.unclear
    ):
        yield "records of an input were lost, and nothing said so"


def _differences(
    what: str,
    found: Counter[str],
    wanted: Mapping[str, object] | Iterator[str],
    *,
    lax: bool,
) -> Finding:
    names = set(wanted)
    missing = names - found.keys()
    if missing and not lax:
        yield f"{what}: {len(missing)} missing, as {min(missing)}"
    if unknown := found.keys() - names:
        yield f"{what}: {len(unknown)} without an event, as {min(unknown)}"
    if twice := [each for each, times in found.items() if times > 1]:
        yield f"{what}: {len(twice)} more than once, as {min(twice)}"


# -- the vendor's truth -----------------------------------------------------------------------


def sent_at_most_once(world: FleetWorld, _history: History) -> Finding:
    """The vendor acts once at most for an invitation, unless its campaign says resend."""
    campaigns = world.expected.invitations
    twice = [
        each
        for each, times in world.truth.acted.items()
        if times > 1 and campaigns[each] not in rules.RESENT
    ]
    if twice:
        yield f"sent twice: {len(twice)}, as {min(twice)}"


def results_are_true(world: FleetWorld, history: History) -> Finding:
    """`accepted`: the vendor acted; a definite no: it never did (a resent campaign's may have)."""
    acted = world.truth.acted
    for result in history.results:
        status, name = result["status"], result["id"]
        if status == "accepted" and not acted[name]:
            yield f"accepted, but the vendor never acted: {name}"
        elif status in DENIALS and acted[name] and result["campaign"] not in rules.RESENT:
            yield f"{status}, but the vendor acted: {name}"


def only_the_bad_are_rejected(world: FleetWorld, history: History) -> Finding:
    """A customer that shared a call with a bad recipient is none."""
    bad = world.truth.bad
    for result in history.results:
        name = result["id"]
        if result["reason"] == "vendor_rejected" and name not in bad:
            yield f"rejected beside a bad recipient: {name}"
        elif result["status"] == "accepted" and name in bad:
            yield f"accepted, but the vendor refuses it: {name}"


def the_healthy_are_called(world: FleetWorld, history: History) -> Finding:
    """Beside a sick campaign, or stray answers, no healthy one with waiting customers is silent
    for long."""
    if world.sickness is None:
        return
    calls: dict[str, list[tuple[float, list[str]]]] = {name: [] for name in world.sickness.healthy}
    for _, batch in world.wire.sent:
        if batch.campaign in calls:
            names = [held.invitation["id"] for held in batch.invitations]
            calls[batch.campaign].append((batch.sealed_at, names))
    healthy = [at for made in calls.values() for at, _ in made]
    # Customers that expire do so sooner than a silence is long (`FLASH_EXPIRES`).
    expired = {result["id"] for result in history.results if result["status"] == "expired"}
    for campaign, made in calls.items():
        arrivals = _arrivals(world, campaign)
        arrived = {name: at for name, at in arrivals.items() if name not in expired}
        for gap in sickness.silences(arrived, made, healthy):
            yield f"campaign {campaign} was silent for {gap.length:.0f} s beside a sick one"


def _arrivals(world: FleetWorld, campaign: str) -> dict[str, float]:
    """Invitation → when the router's record of it was committed."""
    lane = rules.config().topics.invitations(rules.LANE_OF[campaign])
    came: dict[str, float] = {}
    for record in world.broker.history(lane):
        if record.state == "committed" and record.transaction is not None:
            invitation = invitation_of(record)
            if invitation["campaign"] == campaign:
                came.setdefault(invitation["id"], record.transaction.decided_at or 0.0)
    return came


def nothing_paused_is_called(world: FleetWorld, _history: History) -> Finding:
    """No call carries an invitation that an operator paused some seconds before."""
    if world.pausing is not None:
        config = rules.config()
        calls = [
            (when, held.route, batch.campaign, config.campaigns[batch.campaign].vendor)
            for when, batch in world.left
            for held in batch.invitations
        ]
        yield from called_though_paused(world.pausing, calls)


def calls_are_made_once(world: FleetWorld, _history: History) -> Finding:
    """A call is one request, whatever it is answered, and carries nothing of former answers."""
    if world.wire.bytes is not None:
        yield from world.wire.bytes.wrong[:1]


def quotas_are_kept(world: FleetWorld, _history: History) -> Finding:
    """No counter of a vendor refuses a call, where no other program uses the quota."""
    if world.sure and world.truth.refused:
        yield f"refused by the vendor's counter: {world.truth.refused[0]}"


def batches_are_lawful(world: FleetWorld, _history: History) -> Finding:
    """A call's recipients are distinct, of its campaign, and no more than it may take."""
    for _, batch in world.wire.sent:
        recipients = {held.recipient for held in batch.invitations}
        lane = world.lanes[rules.LANE_OF[batch.campaign]]
        if len(recipients) < len(batch.invitations):
            yield f"a recipient twice in batch {batch.id}"
        if not 1 <= len(batch.invitations) <= lane.campaigns[batch.campaign].max_batch:
            yield f"batch {batch.id} has {len(batch.invitations)}"
        if {held.campaign for held in batch.invitations} != {batch.campaign}:
            yield f"batch {batch.id} mixes campaigns"


# -- the order of things ----------------------------------------------------------------------


def intents_come_first(world: FleetWorld, history: History) -> Finding:
    """A call is asked for only after the committed checkpoint that names its invitations."""
    for number, (_, batch) in enumerate(world.wire.sent):
        after, intent = history.intents.get(batch.id, (number + 1, {}))
        if after > number:
            yield f"batch {batch.id} left without its intent"
        elif bitmap(intent["offsets"], intent["first"]) != _bits(
            held.offset for held in batch.invitations
        ):
            yield f"the intent of batch {batch.id} names other invitations"


def settled_means_recorded(_world: FleetWorld, history: History) -> Finding:
    """In every committed checkpoint: settled are those that have left the lane visibly, with a
    result, a dead letter or a place on the delay topics; and only they."""
    for lane in history.lanes:
        recorded, waiting = 0, {name: iter(offsets) for name, offsets in lane.offsets_of.items()}
        for one in history.written:
            mine = (one.ended.transaction.producer or "").startswith(f"{LANE}{lane.name}")
            left = [waiting[each] for each in one.left if mine and each in waiting]
            junk = [offset for topic, _, offset in one.letters if topic == lane.topic]
            recorded |= _bits([*(next(each, 0) for each in left), *junk])
            for point in one.checkpoints:
                if point["lane"] != lane.name:
                    continue
                done = settled(point) & lane.readable
                if done & ~recorded:
                    yield f"lane {lane.name}: settled without a result, base {point['base']}"
                if recorded & ~done:
                    yield f"lane {lane.name}: a result is not settled, base {point['base']}"


def _bits(offsets: Iterator[int] | list[int]) -> int:
    bits = 0
    for offset in offsets:
        bits |= 1 << offset
    return bits


def owners_are_alone(world: FleetWorld, history: History) -> Finding:
    """No process calls or commits for a lane that it has lost or another has claimed."""
    for each in world.usurped:
        yield f"a call after another owner's claim: {each}"
    for owner in world.watch.owners:
        if owner.lost_at is None:
            continue
        for one in history.written:
            late = owner.lost_at <= one.ended.order < owner.until
            if late and one.ended.process == owner.process and _of(owner, one.checkpoints):
                yield f"{owner.process} committed for lane {owner.lane} after it was lost"


def _of(owner: Ownership, points: list[Json]) -> bool:
    return any(point["lane"] == owner.lane for point in points)


# -- doubt and rest ---------------------------------------------------------------------------


def doubts_have_causes(world: FleetWorld, history: History) -> Finding:
    """`unknown` only after an unclear answer, or an owner that did not end in peace."""
    peaceful = {(owner.lane, owner.epoch) for owner in world.watch.owners if owner.clean}
    for result in history.results:
        if result["status"] != "unknown":
            continue
        batch = result["batch"] or ""
        lane, epoch, _ = batch.split(".")
        if result["reason"] == "owner_lost" and (lane, int(epoch)) in peaceful:
            yield f"a planned move left batch {batch} in doubt"
        if result["reason"] == "no_answer" and batch not in world.truth.unclear:
            yield f"batch {batch} was answered, its result says no_answer"


def moves_are_clean(world: FleetWorld, _history: History) -> Finding:
    """A lane that was drained undisturbed leaves nothing in flight."""
    for owner in world.watch.owners:
        slow = world.features.slow_broker  # a drain ends before a commit does
        if owner.clean is False and not slow and not world.mischief.disturbed(owner):
            yield f"{owner.process} drained lane {owner.lane} and left something"
        if owner.left and owner.drain_began is None:
            yield f"{owner.process} gave lane {owner.lane} back with {owner.left} calls in flight"


def a_restart_at_rest_does_nothing(world: FleetWorld, history: History) -> Finding:
    """A replica that starts when all is done calls no vendor and writes no result."""
    if world.rested_at is None:
        return
    late = [
        one
        for one in history.written
        if (one.ended.transaction.decided_at or 0.0) > world.rested_at and (one.results or one.left)
    ]
    if late:
        yield f"a restart at rest wrote {sum(len(one.left) for one in late)} results"


def members_commit_their_own(world: FleetWorld, _history: History) -> Finding:
    """A member commits no offset of a partition that it has given back, by whatever it read.

    Where an operator resumes an input, one member commits for all (ADR 0010).
    """
    resumed = [str(place) for place in world.operators.resumed] if world.operators else []
    for name in ("router", "ladder"):
        strays = world.broker.group(f"{rules.APPLICATION}.{name}").strays
        yield from [stray for stray in strays if not any(place in stray for place in resumed)][:1]


def deleted_is_recorded(world: FleetWorld, history: History) -> Finding:
    """A lane deletes records only below a base that a committed checkpoint has."""
    for lane in history.lanes:
        bases = [
            (one.ended.transaction.decided_at or 0.0, int(point["base"]))
            for one in history.written
            for point in one.checkpoints
            if point["lane"] == lane.name
        ]
        for when, topic, before in world.broker.trims:
            if topic == lane.topic:
                recorded = max((base for at, base in bases if at <= when), default=0)
                if before > recorded:
                    yield f"lane {lane.name} deleted below {before}, recorded is {recorded}"


def every_loop_lives(world: FleetWorld, _history: History) -> Finding:
    """Every loop beats within `MAX_SILENCE`, and none runs hot."""
    yield from world.watch.lifeless[:1]


def no_defects_are_logged(world: FleetWorld, _history: History) -> Finding:
    """No call and no login ends by an exception of our own."""
    for event in ("call_defect", "login_defect", "contact_defect"):
        if times := world.story.errors[event]:
            yield f"{event} was logged {times} times"


def memory_is_bounded(world: FleetWorld, _history: History) -> Finding:
    """A lane holds `max_buffered` and one poll at most."""
    yield from world.watch.too_many[:1]


def contact_rules_are_kept(world: FleetWorld, history: History) -> Finding:
    """Where there are contact rules: no call without the store's word, no full window, nothing
    reserved for ever."""
    if world.contacts is None:
        return
    ended = {result["id"]: result for result in history.results}
    customers = {name: customer for name, (_, customer) in world.expected.customers.items()}
    yield from list(contacts.wrong_calls(world.contacts))[:1]
    yield from list(contacts.full_windows(world.contacts, ended, customers))[:1]
    if not (world.lax or world.expected.may_lack):
        yield from contacts.open_for_ever(world.contacts)


def comes_to_rest(world: FleetWorld, history: History) -> Finding:
    """At the end everything is settled and nothing in doubt. A world does not wait for what may
    lack, some of which was read before its partition lost records."""
    known = {result["id"] for result in history.results}
    if world.lax or world.expected.refused or world.expected.may_lack - known:
        return
    for lane in history.lanes:
        points = [checkpoint for one in history.written for checkpoint in one.checkpoints]
        last = [point for point in points if point["lane"] == lane.name][-1:]
        if not last:
            if lane.readable:
                yield f"lane {lane.name} has no checkpoint"
        elif last[0]["in_flight"]:
            yield f"lane {lane.name}: a batch stays in doubt for ever"
        elif lane.readable & ~settled(last[0]):
            yield f"lane {lane.name}: not everything is settled"


RULES: tuple[Callable[[FleetWorld, History], Finding], ...] = (
    routed_once,
    one_result_each,
    losses_are_told,
    sent_at_most_once,
    results_are_true,
    only_the_bad_are_rejected,
    nothing_paused_is_called,
    calls_are_made_once,
    the_healthy_are_called,
    quotas_are_kept,
    batches_are_lawful,
    intents_come_first,
    settled_means_recorded,
    owners_are_alone,
    doubts_have_causes,
    moves_are_clean,
    a_restart_at_rest_does_nothing,
    members_commit_their_own,
    deleted_is_recorded,
    every_loop_lives,
    no_defects_are_logged,
    memory_is_bounded,
    contact_rules_are_kept,
    comes_to_rest,
)
