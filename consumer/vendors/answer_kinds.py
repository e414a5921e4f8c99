"""The kinds of vendor answers, one for each different reaction of the lane or an operator.

A vendor's table gives each of its codes a `Row`: the kind, and the meaning in our own words. The
kind alone decides whose fault it is, what becomes of the invitations and what the operator does. So
these effects are defined here once; docs/vendor-answers.md is generated from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from consumer.records.call import Verdict


class Kind(StrEnum):
    """What an answer means."""

    ACCEPTED = "accepted"
    SESSION = "session"
    CREDENTIALS = "credentials"
    GATEWAY = "gateway"
    CAMPAIGN = "campaign"
    PLACE = "place"
    RECIPIENT = "recipient"
    ENTRIES = "entries"
    TROUBLE = "trouble"
    THROTTLED = "throttled"
    UNCLEAR = "unclear"
    BY_STATUS = "by_status"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of codes, messages or statuses."""

    kind: Kind
    meaning: str


@dataclass(frozen=True, slots=True)
class Effect:
    """The effects of a kind: for the lane (as in `Outcome`), then as sentences for the operator.

    `counts`: the attempt counts. `parked`: the campaign is unusable as it is. `divisible`: no
    customer was invited, and a bisection may find the recipients that the answer is about.
    """

    verdict: Verdict
    fault: str
    invitations: str
    operator: str
    counts: bool = True
    parked: bool = False
    divisible: bool = False


EFFECTS: Final[Mapping[Kind, Effect]] = {
    Kind.ACCEPTED: Effect(
        Verdict.ACCEPTED,
        fault="none",
        invitations="`accepted`",
        operator="nothing",
    ),
    Kind.SESSION: Effect(
        Verdict.RETRY,
        fault="none: a token has an end",
        invitations="wait for a login, and go with the new token; if that is refused too, as with "
        "`credentials`",
        operator="nothing, unless it is every call: then ask the vendor about the account",
        counts=False,
    ),
    # Refused before any recipient was read, and fixable by the operator: the invitations wait.
    Kind.CREDENTIALS: Effect(
        Verdict.RETRY,
        fault="the operator's: the account",
        invitations="wait; another call is tried at once, and if it is refused too, the account's "
        "calls stop but for a try now and then; what is refused alone while others pass ends "
        "`rejected`",
        operator="put a valid secret into its file, or ask the vendor about the account",
        counts=False,
    ),
    # A gateway, proxy or firewall answered, not the vendor: a definite refusal without a cause.
    Kind.GATEWAY: Effect(
        Verdict.RETRY,
        fault="of what stands before the vendor: a gateway, a proxy, a firewall; or `base_url`",
        invitations="wait, and other calls are tried: what is refused alone while others pass ends "
        "`rejected`; if a whole campaign is refused, the campaign waits",
        operator="check `base_url` and the campaign's path; ask the vendor about its firewall",
        counts=False,
    ),
    Kind.CAMPAIGN: Effect(
        Verdict.RETRY,
        fault="the operator's: the campaign",
        invitations="wait until it is mended or they expire; other campaigns go on",
        operator="correct the campaign's `id`, or mend the campaign at the vendor",
        counts=False,
        parked=True,
    ),
    # Smaller calls distinguish the two: a campaign that can invite no customer is parked.
    Kind.PLACE: Effect(
        Verdict.REJECTED,
        fault="upstream's: a location that an event names; or the operator's: the campaign",
        invitations="as with a bad recipient; if all are refused, the campaign waits",
        operator="set the location up at the vendor, or correct the ids in config and events",
        divisible=True,
    ),
    Kind.RECIPIENT: Effect(
        Verdict.REJECTED,
        fault="upstream's: a recipient's address or data",
        invitations="smaller calls find the bad ones, which end `rejected`; the others go",
        operator="find the event by its result, and mend where it comes from",
        divisible=True,
    ),
    # The call was carried out: no smaller call would tell more.
    Kind.ENTRIES: Effect(
        Verdict.REJECTED,
        fault="upstream's: the addresses or data of the recipients that the answer names",
        invitations="those named end `rejected`, each with its own code; the others `accepted`",
        operator="find the events by their results, and mend where they come from",
    ),
    # Divided only when its attempts are spent: most trouble passes.
    Kind.TROUBLE: Effect(
        Verdict.RETRY,
        fault="the vendor's; no customer was invited",
        invitations="are tried again with backoff, `max_attempts` times at most; while the whole "
        "campaign or account has trouble, one at a time, and no attempt counts",
        operator="nothing, if it passes; else ask the vendor",
        divisible=True,
    ),
    Kind.THROTTLED: Effect(
        Verdict.RETRY,
        fault="of another program on the same quota, or of limits set too high",
        invitations="wait; the whole lane is silent for a while",
        operator="correct `limits`, or lower `share`",
        counts=False,
    ),
    Kind.UNCLEAR: Effect(
        Verdict.IN_DOUBT,
        fault="the vendor's, or the network's",
        invitations="`unknown`, or sent again where the campaign says `in_doubt: resend`",
        operator="`survey-dispatcher resend` for customers that the vendor did not invite",
    ),
}
"""Kind → its effects. `BY_STATUS` has none: then the status gives the kind."""
