"""A vendor call and its answer, as the vendors' code and the lane exchange them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request that a vendor module built: `path` is appended to the account's base URL.

    `url`: the whole URL instead, as of a login at another host. `carries`: what of customers the
    request has, as readable text, if that is not all in a JSON `body`. `names`: by which its answer
    may name each recipient, in the order of the invitations; none if answers name no recipient.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    url: str | None = None
    carries: bytes | None = None
    names: Sequence[frozenset[str]] = ()

    @property
    def readable(self) -> bytes:
        """The text in which an answer's words are looked up: it may repeat a customer's."""
        return self.body if self.carries is None else self.carries


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response as a vendor module reads it; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Verdict(StrEnum):
    """What an answer means for every invitation of a call."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the vendor's answer means.

    `counts`: this attempt counts against `max_attempts` (a 429 or our own expired token does not).
    `retry_after`: seconds the whole lane must stay silent (429). `relogin`: the token is refused.
    `parked`: the vendor cannot use this campaign for any recipient. `refused`: the
    credentials seem refused. `gateway`: the answer is not the vendor's own (a firewall's, a
    proxy's). Both are a definite no, and a cause only in the light of other calls.
    `divisible`: some recipient is bad, none was invited, and smaller calls find it.
    `unbuilt`: offsets of invitations from which no call could be built, so that nothing was sent.
    `vendor_time`: the vendor's own clock (its `Date`), epoch seconds. `hint`: what an operator is
    to check, in our own words; it decides nothing. `reference`: the vendor's own id of an accepted
    call. `failed`: recipients that the answer names as failed, by their place in the call → their
    code; all else is about the others. `link`: what the vendor made for the call's one customer; it
    may hold personal data.
    """

    verdict: Verdict
    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    counts: bool = True
    throttled: bool = False
    retry_after: float | None = None
    relogin: bool = False
    parked: bool = False
    refused: bool = False
    gateway: bool = False
    divisible: bool = False
    vendor_time: float | None = None
    unbuilt: frozenset[int] = frozenset()
    hint: str | None = field(default=None, compare=False)
    reference: str | None = None
    failed: Mapping[int, str | None] = field(default_factory=dict, hash=False)
    link: str | None = field(default=None, repr=False)

    @property
    def trouble(self) -> bool:
        """The vendor is not well: its campaigns, permits and credentials may be."""
        waits = self.verdict in (Verdict.RETRY, Verdict.IN_DOUBT)
        told = self.throttled or self.relogin or self.parked or self.unattributed or self.unbuilt
        return waits and not told

    @property
    def unattributed(self) -> bool:
        """A definite no whose cause (account, campaign or recipient) only other calls can tell."""
        return self.refused or self.gateway


@dataclass(frozen=True, slots=True)
class Token:
    """A vendor's session: `value` never leaves the runtime, the lane knows only `expires_at`."""

    value: str
    expires_at: float
