"""Checks of a vendor account: is the vendor reached, does the login work, and what is its clock.

No survey is sent. A login of an account that has one counts as a call against its quota. Other
accounts get one GET of their base address without any credential: it shows that host, TLS and proxy
are right, and nothing about the token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from consumer.config.models import Config
from consumer.http.calls import Account
from consumer.http.client import Exchange
from consumer.operations.doctor.finding import Check, Finding, State
from consumer.records.call import Answer, Call, Outcome
from consumer.vendors.protocol import login_vendor
from consumer.vendors.retry_after import moment
from consumer.wiring.build import build_accounts, build_vendors

SKEW: Final = 5.0
"""Seconds that clocks may differ: a date has whole seconds, and an answer takes its time."""

_CLOCK: Final = (
    "set this host's clock (NTP): due times, quiet hours and rate limits go by it; or the other's"
)


@dataclass(frozen=True, slots=True)
class _Reached:
    """An answer, and when the request left and the answer came, epoch seconds."""

    answer: Answer
    sent_at: float
    at: float


def vendor_checks(config: Config, now: Callable[[], float] = time.time) -> list[Check]:
    """Return a check of each account that some campaign uses."""
    used = {campaign.vendor for campaign in config.called.values()}
    accounts = build_accounts(config, build_vendors(config), now)
    return [_vendor_check(name, accounts[name], now) for name in config.vendors if name in used]


def _vendor_check(name: str, account: Account, now: Callable[[], float]) -> Check:
    check = f"vendor {name}"
    return Check(check, lambda: _vendor(check, account, now))


def clock_finding(check: str, date: str, sent_at: float, at: float) -> Finding | None:
    """Compare a `Date` header with our clock while the request was under way; None if it is fit,
    or no date."""
    theirs = moment(date)
    if theirs is None:
        return None
    ahead, behind = theirs - at, sent_at - (theirs + 1.0)
    if max(ahead, behind) <= SKEW:
        return None
    direction = "behind" if ahead > 0 else "ahead of"
    found = f"this host's clock is {max(ahead, behind):,.0f} s {direction} the one there"
    return Finding(f"clock, {check}", State.WARNING, found, _CLOCK)


def _vendor(check: str, account: Account, now: Callable[[], float]) -> Iterator[Finding]:
    login = login_vendor(account.vendor)
    call = Call("GET", "/", {}, b"") if login is None else login.login()
    exchange, sent_at = asyncio.run(_exchange(account, call, now))
    if exchange.answer is None:
        yield _unanswered(check, exchange.failure, account.client.unreachable)
        return
    reached = _Reached(exchange.answer, sent_at, exchange.at)
    if login is None:
        status = reached.answer.status
        found = f"reached (status {status}); the token is not checked: only a call would show it"
        yield Finding(check, State.OK, found)
    else:
        yield _login(check, login.read_login(reached.answer, reached.at))
    date = reached.answer.headers.get("date", "")
    if (skewed := clock_finding(check, date, reached.sent_at, reached.at)) is not None:
        yield skewed


def _unanswered(check: str, failure: str | None, why: str | None) -> Finding:
    if why is not None:
        said, _, remedy = why.partition(": ")
        return Finding(check, State.FAILED, f"not reached: {said}", remedy)
    found = f"connected, but no answer came ({failure})"
    return Finding(
        check, State.FAILED, found, "check `base_url`, and what stands before the vendor"
    )


def _login(check: str, read: object) -> Finding:
    if not isinstance(read, Outcome):
        return Finding(check, State.OK, "reached, and logged in")
    found = f"the login failed (status {read.http_status}): {read.message}"
    remedy = "user and password, or client id and secret, of this account in the config"
    if read.throttled:
        return Finding(check, State.WARNING, found, "the quota is used up: try again later")
    return Finding(check, State.FAILED, found, remedy)


async def _exchange(
    account: Account, call: Call, now: Callable[[], float]
) -> tuple[Exchange, float]:
    sent_at = now()
    try:
        return await account.client.exchange(call, fresh_until=sent_at + 60.0), sent_at
    finally:
        await account.client.close()
