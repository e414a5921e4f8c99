"""Partial success: the recipients that an answer names as failed end apart from the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.state.pending import PendingInvitation
from consumer.records.result import Reason

MESSAGE: Final = "The vendor took the call, and refused this recipient."
"""Message of a result whose recipient the answer named."""


def end_named(call: AnsweredCall, outbox: Outbox) -> AnsweredCall:
    """End the recipients that the answer names as failed, each with its own code. Return the call
    with the others, which its verdict is about; there may be none."""
    batch, failed = call.batch, call.outcome.failed
    by_code: dict[str | None, list[PendingInvitation]] = {}
    others: list[PendingInvitation] = []
    for at, pending in enumerate(batch.invitations):
        (by_code.setdefault(failed[at], []) if at in failed else others).append(pending)
    for code, ended in by_code.items():
        facts = replace(call.facts, code=code, message=MESSAGE)
        part = replace(call, batch=replace(batch, invitations=ended), facts=facts)
        outbox.end_batch(part, Reason.VENDOR_REJECTED)
    return replace(call, batch=replace(batch, invitations=others))
