"""A lane full of what must never be shown, taken through the code that makes the status of it."""

from __future__ import annotations

from dataclasses import replace

from consumer.http.calls import Answered
from consumer.lane.state.commands import Batch, SealReason
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.snapshot import CampaignSnapshot
from consumer.records.call import Outcome, Verdict
from consumer.records.invitation import Invitation
from consumer.runtime.lane.lane_status import call_status, lane_status
from tests.e2e.feed import MadeUp
from tests.support.lanes import Driver, campaign, invitation, lane, settings

CANARIES = (
    "+905321112233",
    "canary@example.test",
    "Canary Person",
    "canary-pseudonym",
    "canary message",
    "canary-9917",
    "canary-campaign-of-a-record",
)


def plant(made: MadeUp) -> None:
    """One lane with a batch in flight and a call that ended, canaries in all that comes in."""
    machine = lane(settings(campaign("a"), name="canary-lane"))
    driver = Driver(machine)
    driver.read(PendingInvitation.of(0, _invitation(), 0.0))
    (sealed,) = machine.in_flight.values()
    shown = machine.snapshot(sealed.sealed_at)
    foreign = {CANARIES[6]: CampaignSnapshot(3, 1.0)}
    made.board.lane(lane_status(replace(shown, campaigns=foreign)))
    outcome = Outcome(Verdict.REJECTED, 400, code=CANARIES[5], message=CANARIES[4])
    batch = Batch("canary.1.1", "a", sealed.invitations, made.now, SealReason.PERMIT, sealed.rules)
    answered = Answered(batch, "pisano-tr", outcome, made.now, made.now, "400")
    made.board.called(call_status("canary-lane", answered, 0.1))
    made.now += 1


def _invitation() -> Invitation:
    made = invitation(0, CANARIES[3], "a")
    made["address"] = {"phone": CANARIES[0], "email": CANARIES[1]}
    made["data"] = {"name": CANARIES[2]}
    return made
