"""Plan the drain of a lane that left the config: the fate of each invitation it holds. Pure.

An invitation in doubt ends `unknown`, because its outcome cannot be known any more. Any other goes
to the lane that has its campaign now, or ends `failed` if the operator closes the lane, or stays
where it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.lane.offsets.bitmap import OffsetBitmap, pack, unpack
from consumer.lane.offsets.in_doubt import InDoubtBatches
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.quota.quota import with_calls
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import CallFacts, EndedInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.records.checkpoint import Checkpoint, Tried
from consumer.records.invitation import recount
from consumer.records.result import Reason

ASSUMED_TIMEOUT = 300.0
"""Seconds that a former owner's call may still be in flight: more than any lane's timeout."""

STAYS = "stays: no lane of the config has its campaign"


class Forward(NamedTuple):
    """An invitation for the lane that has its campaign now."""

    lane: str
    key: str
    value: bytes


@dataclass(slots=True)
class LaneDrainPlan:
    """The lane's state from a takeover's checkpoint on. Offsets come in order. `homes`: campaign →
    its present lane; `close`: end invitations that could go to another lane."""

    checkpoint: Checkpoint
    homes: Mapping[str, tuple[str, LaneCampaign]]
    close: bool
    settled: SettledOffsets = field(init=False)
    _in_doubt: InDoubtBatches = field(init=False)
    _tried: list[tuple[int, OffsetBitmap]] = field(init=False)

    def __post_init__(self) -> None:
        former = self.checkpoint
        self.settled = SettledOffsets(former.base, former.done)
        self._in_doubt = InDoubtBatches(former.in_flight, self.settled.settled)
        self._tried = [
            (tried.attempt, OffsetBitmap(tried.first, tried.offsets)) for tried in former.tried
        ]

    def deliver(self, offset: int) -> bool:
        """Record that a record was read; return whether it is still unsettled."""
        return self.settled.deliver(offset)

    def fate_of(self, pending: PendingInvitation) -> EndedInvitation | Forward | None:
        """Return the fate of a delivered invitation; None: it stays. This does not settle it."""
        doubted = self._in_doubt.resolve(pending.offset)
        lane, campaign = self.homes.get(pending.campaign, ("", None))
        attempt = max(self._attempt(pending.offset), pending.attempt)
        if doubted is not None:
            facts = CallFacts(batch=doubted.batch_id)
            return EndedInvitation(pending, Reason.OWNER_LOST, campaign, doubted.attempt, facts)
        if self.close:
            return EndedInvitation(pending, Reason.LANE_CLOSED, campaign, attempt)
        if campaign is None:
            return None
        value = recount(pending.value, attempt) if attempt else pending.value
        return Forward(lane, pending.recipient, value)

    def unreadable(self, offset: int) -> None:
        """Settle a record that is no invitation; the caller writes its dead letter."""
        self._in_doubt.resolve(offset)
        self.settled.settle(offset)

    def state(self, now: float) -> Checkpoint:
        """Return the checkpoint for what is settled by now.

        It carries the quota's permit log, with calls in doubt at their latest, because the lane may
        come back.
        """
        left = list(self._in_doubt)
        late = [now + ASSUMED_TIMEOUT] * (len(self.checkpoint.in_flight) - len(left))
        base = self.settled.base
        return with_calls(self.checkpoint, late).model_copy(
            update={
                "base": base,
                "done": self.settled.packed(),
                "in_flight": tuple(left),
                "tried": tuple(self._still_tried(base)),
            }
        )

    def _attempt(self, offset: int) -> int:
        return max((attempt for attempt, bits in self._tried if offset in bits), default=0)

    def _still_tried(self, base: int) -> list[Tried]:
        still = []
        for tried in self.checkpoint.tried:
            offsets = [
                offset
                for offset in unpack(tried.offsets, tried.first)
                if not self.settled.settled(offset)
            ]
            if offsets:
                packed = pack(offsets, base)
                still.append(Tried(attempt=tried.attempt, first=base, offsets=packed))
        return still


def kind_of(fate: EndedInvitation | Forward | None, campaign: str) -> tuple[str, str]:
    """Return campaign and fate in words, the key of the counts."""
    if fate is None:
        return campaign, STAYS
    if isinstance(fate, Forward):
        return campaign, f"goes on in lane {fate.lane}"
    return campaign, f"ends {fate.reason.status} ({fate.reason})"


Counts = Counter[tuple[str, str]]
"""(campaign, fate in words) → invitations."""
