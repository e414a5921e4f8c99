"""Building blocks for tests of the lane: invitations, settings, and a runtime of a few lines."""

from __future__ import annotations

import random
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace

import orjson

from consumer.lane.dispatch.scheduler import OldestFirst
from consumer.lane.lane import Lane
from consumer.lane.state.commands import Batch, Command, Commit, Login, Pause, Resume, Seek, Send
from consumer.lane.state.delay_steps import DelayedInvitation
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import NO_CALL, CallFacts, EndedInvitation, encode_results
from consumer.lane.state.settings import LaneCampaign, LaneSettings, Limit
from consumer.records.call import Outcome, Verdict
from consumer.records.channel import Channel
from consumer.records.checkpoint import Checkpoint
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.invitation import (
    Address,
    CallParts,
    Data,
    Invitation,
    Source,
    decode_call_parts,
    encode_invitation,
)
from consumer.records.result import Reason, Result, ResultReader

NOW = 1_763_800_000.0
HAPPENED = 1_795_341_600.0
"""The `event_time` of every invitation."""
TOPIC = "surveys.invitations.cloud"

ACCEPTED = Outcome(Verdict.ACCEPTED, 200)
REJECTED = Outcome(Verdict.REJECTED, 400, code="E7", message="no such campaign")
TROUBLE = Outcome(Verdict.RETRY, 503)
THROTTLED = Outcome(Verdict.RETRY, 429, counts=False, throttled=True)
EXPIRED_TOKEN = Outcome(Verdict.RETRY, 401, counts=False, relogin=True)
PARKED = Outcome(Verdict.RETRY, 400, code="E12", counts=False, parked=True)
BAD_RECIPIENT = Outcome(Verdict.REJECTED, 422, code="E15", divisible=True)
VENDOR_ERROR = Outcome(Verdict.RETRY, 500, code="E0", divisible=True)
REFUSED = Outcome(Verdict.RETRY, 401, code="E1", counts=False, refused=True)
GATEWAY = Outcome(Verdict.RETRY, 404, counts=False, gateway=True)
NEVER_LEFT = Outcome(Verdict.RETRY, counts=False)
SILENCE = Outcome(Verdict.IN_DOUBT)


def source(offset: int) -> Source:
    """Where the event of that invitation came from."""
    return {"topic": "pos", "partition": 0, "offset": offset}


def invitation(
    offset: int, recipient: str, campaign: str, expires_at: float | None = None
) -> Invitation:
    """An invitation whose ids tell its offset."""
    return {
        "version": 1,
        "id": f"i{offset}",
        "event_id": f"e{offset}",
        "event_time": "2026-11-22T10:00:00.000Z",
        "routed_at": "2026-11-22T10:00:01.000Z",
        "expires_at": expires_at,
        "route": "store",
        "campaign": campaign,
        "pseudonym": recipient,
        "address": {"phone": "+905550000000"},
        "data": {},
        "config_version": "c1",
        "source": source(offset),
    }


def held(
    offset: int,
    recipient: str | None = None,
    campaign: str = "a",
    *,
    arrived: float = NOW,
    expires_at: float | None = None,
) -> PendingInvitation:
    """An invitation as the lane holds it; its recipient is its own unless one is named."""
    key = f"r{offset}" if recipient is None else recipient
    return PendingInvitation.of(offset, invitation(offset, key, campaign, expires_at), arrived)


def written(
    offset: int, campaign: str = "a", *, data: str = "", **more: object
) -> PendingInvitation:
    """One that was read from its record, whose bytes it keeps; `more` goes into the record."""
    made = {**invitation(offset, f"r{offset}", campaign), "data": {"text": data}, **more}
    return PendingInvitation.read(offset, orjson.dumps(made), NOW)


def parts(made: Invitation) -> CallParts:
    """What a call carries of an invitation."""
    return decode_call_parts(encode_invitation(made))


def parts_of(address: Address, data: Data, number: int = 1) -> CallParts:
    """What a call carries of a customer with this address and data."""
    return parts({**invitation(number, "k1:p", "c"), "address": address, "data": data})


def results(ended: Iterable[EndedInvitation]) -> list[Result]:
    """The results as they are read again."""
    return [ResultReader.validate_json(result.value) for result in encode_results(ended)]


def result_of(
    made: Invitation,
    reason: Reason,
    rules: LaneCampaign | None,
    attempt: int,
    facts: CallFacts = NO_CALL,
) -> Result:
    """The result of one invitation."""
    pending = PendingInvitation.of(0, made, NOW)
    (result,) = results([EndedInvitation(pending, reason, rules, attempt, facts)])
    return result


def letter(offset: int) -> DeadLetter:
    """A record of the lane's topic that is no invitation."""
    where: Source = {"topic": TOPIC, "partition": 0, "offset": offset}
    return DeadLetter(DeadLetterReason.BAD_INVITATION, "unreadable", where, None, b"?", (), 0)


def campaign(name: str, **changes: object) -> LaneCampaign:
    """A campaign of vendor `pisano`, by SMS."""
    return replace(LaneCampaign(name, "pisano", Channel.SMS), **changes)  # type: ignore[arg-type]


def settings(*campaigns: LaneCampaign, **changes: object) -> LaneSettings:
    """An unlimited lane `cloud` without linger, of these campaigns or `a` alone."""
    known = {each.name: each for each in campaigns or (campaign("a"),)}
    return replace(LaneSettings("cloud", known, "c1", linger=0.0), **changes)  # type: ignore[arg-type]


def limited(*campaigns: LaneCampaign, calls: int = 2, **changes: object) -> LaneSettings:
    """A lane with `calls` in 10 s, no skew, and an unused quota."""
    bounds = {"limits": (Limit(calls, 10.0),), "skew": 0.0, "first_start_full": False}
    return settings(*campaigns, **{**bounds, **changes})


def lane(of: LaneSettings | None = None, checkpoint: Checkpoint | None = None) -> Lane:
    """A lane taken over at `NOW`; one from a checkpoint is the second owner's."""
    of, epoch = of or settings(), 2 if checkpoint else 1
    scheduler = OldestFirst() if of.limits else None  # no test of the machine waits for a price
    return Lane(of, random.Random(1), NOW, epoch=epoch, checkpoint=checkpoint, scheduler=scheduler)


@dataclass
class Driver:
    """Carries a lane's commands out at once; what it did is kept for the test to look at.

    `log` is the lane's topic, which `poll` reads where the lane says.
    """

    lane: Lane
    commits: list[Commit] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    flow: list[Command] = field(default_factory=list)
    log: list[PendingInvitation] = field(default_factory=list)
    position: int = 0
    paused: bool = False

    def step(self, now: float = NOW) -> list[Batch]:
        """One tick; returns the batches whose calls left."""
        before = len(self.batches)
        for command in self.lane.tick(now):
            self._carry_out(command)
        return self.batches[before:]

    def read(self, *many: PendingInvitation, now: float = NOW) -> list[Batch]:
        """Records arrive, then one tick."""
        for each in many:
            if self.lane.accepts(each.offset):
                self.lane.arrived(each, now)
        return self.step(now)

    def poll(self, now: float = NOW, *, most: int = 1_000) -> list[Batch]:
        """At most so many records of the log are read, perhaps its end, then one tick."""
        if not self.paused:
            there = [each for each in self.log if each.offset >= self.position]
            for each in there[:most]:
                self.position = each.offset + 1
                if self.lane.accepts(each.offset):
                    self.lane.arrived(copy(each), now)
            if len(there) < most:
                self.lane.at_end(self.position)
        return self.step(now)

    def answer(self, batch: Batch, outcome: Outcome, at: float = NOW) -> list[Batch]:
        """The call's answer comes, then one tick."""
        self.lane.answered(batch.id, outcome, sent_at=batch.sealed_at, at=at)
        return self.step(at)

    @property
    def results(self) -> list[Result]:
        """All results that were committed, in order."""
        return [result for commit in self.commits for result in results(commit.results)]

    @property
    def put_off(self) -> list[DelayedInvitation]:
        """All that went to the delay topics, in order."""
        return [each for commit in self.commits for each in commit.delayed]

    @property
    def reasons(self) -> dict[str, str]:
        """Invitation id → reason of its result."""
        return {result["id"]: result["reason"].value for result in self.results}

    @property
    def sent(self) -> list[int]:
        """Offsets that left in calls, in order."""
        return [held.offset for batch in self.batches for held in batch.invitations]

    @property
    def checkpoint(self) -> Checkpoint:
        """The newest committed one."""
        return self.commits[-1].checkpoint

    def _carry_out(self, command: Command) -> None:
        match command:
            case Commit():
                self.commits.append(command)
                for leaving in self.lane.committed():
                    self._carry_out(leaving)
            case Send(batch):
                self.batches.append(batch)
            case Login(vendor, _):
                self.logins.append(vendor)
            case Pause() | Resume():
                self.flow.append(command)
                self.paused = isinstance(command, Pause)
            case Seek(offset):
                self.flow.append(command)
                self.position = offset
