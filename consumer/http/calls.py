"""Carry out a lane's `Send` and `Login` commands in asyncio and report back by queue.

Connection pools of earlier configs stay open while a call can use them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any, Protocol

import structlog

from consumer.clock import Clock
from consumer.config.sections import Campaign
from consumer.errors import defect
from consumer.http.client import Exchange, VendorClient
from consumer.http.failure_words import reason_of
from consumer.lane.state.commands import Batch, ContactsAnswered, Login
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import FRESH_SECONDS
from consumer.records.call import Call, Outcome, Token, Verdict
from consumer.vendors.echo import PART, cleaned, is_clean
from consumer.vendors.protocol import CallReader, Vendor, login_vendor

NOTHING_LEFT = Outcome(Verdict.RETRY, counts=False)
NO_CLEAR_ANSWER = Outcome(Verdict.IN_DOUBT)
OUR_DEFECT = Outcome(Verdict.RETRY, message="the call could not be built; see the log")

LOOK_EVERY = 0.5
"""Seconds between two checks whether a lane still commands calls by a former config."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """A batch's call ended. `vendor` is the account that the batch was sealed for, which may have
    left the config since; `label` is the HTTP status, or how the call failed; `known_code` is the
    answer's code if the vendor's page or config names it, `meaning` what it means, in our words;
    `reason`: why the call was not accepted, in a few words (`failure_words`)."""

    batch: Batch
    vendor: str
    outcome: Outcome
    sent_at: float | None
    at: float
    label: str
    known_code: str | None = None
    reason: str = ""
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class LoginEnded:
    """A login ended: `expires_at` is set if a session is open, `reason` says why none is."""

    vendor: str
    at: float
    outcome: Outcome
    expires_at: float | None = None
    reason: str = ""


Event = Answered | LoginEnded | ContactsAnswered


class Inbox(Protocol):
    """Queue of the answers to one lane owner's own calls and questions."""

    def put(self, event: Event) -> None:
        """Add an event, from any thread."""

    def get(self, block: bool = True, timeout: float | None = None) -> Event:
        """Return the next event. Raises queue.Empty when none came in time."""


@dataclass(slots=True)
class Account:
    """A vendor account in use. Its token is stored here and nowhere else."""

    vendor: Vendor
    client: VendorClient
    token: Token | None = None


class Calls:
    """Vendor calls of all lanes by one config, on one event loop; commanded from any thread."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        campaigns: Mapping[str, Campaign],
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
    ) -> None:
        self.accounts = accounts
        self._campaigns = campaigns
        self._loop = loop
        self._clock = clock
        self._under_way: set[Future[None]] = set()

    def inbox(self) -> Inbox:
        """Return a new owner's inbox: answers to its predecessor's calls never reach it."""
        return SimpleQueue()

    def send(self, batch: Batch, events: Inbox, fresh_from: float | None = None) -> Future[None]:
        """Make the call; `events` receives one Answered. `fresh_from`: the time just before its
        intent was committed; by default the time of sealing."""
        return self._start(self._send(batch, events, fresh_from))

    def login(self, login: Login, events: Inbox, fresh_from: float | None = None) -> Future[None]:
        """Open a session; `events` receives one LoginEnded. `fresh_from`: as for a call."""
        return self._start(self._login(login, events, fresh_from))

    def has_session(self, vendor: str) -> bool:
        """Return whether a login to this very account has succeeded."""
        account = self.accounts.get(vendor)
        return account is not None and account.token is not None

    async def ended(self) -> None:
        """Wait until no call or login is in flight; no lane commands this object any more."""
        while self._under_way:
            await asyncio.wait([asyncio.wrap_future(call) for call in self._under_way.copy()])

    def _start(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Hold the clock until the work ends: its freshness must not move with a clock step, also
        after its lane has been lost."""
        self._clock.hold()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._under_way.add(future)
        future.add_done_callback(self._end)
        return future

    def _end(self, future: Future[None]) -> None:
        self._under_way.discard(future)
        self._clock.release()

    async def _send(self, batch: Batch, events: Inbox, fresh_from: float | None) -> None:
        campaign = self._campaigns[batch.campaign]
        account = self.accounts[campaign.vendor]
        exchange = Exchange(self._clock.now())
        outcome, known_code = OUR_DEFECT, None
        try:
            call = self._build(batch, campaign, account)
            if isinstance(call, Outcome):
                reason = reason_of("defect", None, call)
                events.put(
                    Answered(
                        batch, campaign.vendor, call, None, exchange.at, "defect", None, reason
                    )
                )
                return
            since = batch.sealed_at if fresh_from is None else fresh_from
            exchange = await account.client.exchange(call, fresh_until=since + FRESH_SECONDS)
            outcome = await _outcome(exchange, account.vendor, call)
            known_code = outcome.code if outcome.code in account.vendor.codes else None
        except Exception as error:  # noqa: BLE001 - a lane must get an answer for every batch
            log.error("call_defect", batch=batch.id, error=type(error).__name__)
            if exchange.sent_at is not None:
                outcome = NO_CLEAR_ANSWER
        label = exchange.failure or (str(exchange.answer.status) if exchange.answer else "defect")
        sent_at, at = exchange.sent_at, exchange.at
        reason = reason_of(exchange.failure, exchange.not_reached, outcome)
        meaning = _meaning(account.vendor, known_code)
        events.put(
            Answered(
                batch, campaign.vendor, outcome, sent_at, at, label, known_code, reason, meaning
            )
        )

    def _build(self, batch: Batch, campaign: Campaign, account: Account) -> Call | Outcome:
        """Return the call, or an Outcome with the invitations that fail to build alone."""
        token = account.token.value if account.token else None

        def build(many: Sequence[PendingInvitation]) -> Call:
            return account.vendor.build(campaign, [pending.call_parts() for pending in many], token)

        built = _build_or_defect(build, batch.invitations)
        if not isinstance(built, str):
            return built
        offsets = [pending.offset for pending in batch.invitations]
        unbuilt = [
            pending.offset
            for pending in batch.invitations
            if isinstance(_build_or_defect(build, [pending]), str)
        ]
        unbuilt = unbuilt or offsets  # only all together raise
        log.error("call_defect", batch=batch.id, error=built, invitations=len(unbuilt))
        return replace(OUR_DEFECT, counts=False, unbuilt=frozenset(unbuilt))

    async def _login(self, login: Login, events: Inbox, fresh_from: float | None) -> None:
        name = login.vendor
        account = self.accounts[name]
        at = self._clock.now()
        outcome = NOTHING_LEFT
        expires_at = None
        exchange = Exchange(at)
        try:
            since = login.decided_at if fresh_from is None else fresh_from
            vendor = login_vendor(account.vendor)
            assert vendor is not None, "a lane logs in to no other"  # noqa: S101 - the lane's settings name those that need a session
            exchange = await account.client.exchange(
                vendor.login(), fresh_until=since + FRESH_SECONDS
            )
            at = exchange.at
            if exchange.answer is not None:
                read = vendor.read_login(exchange.answer, at)
                if isinstance(read, Token):
                    account.token, expires_at = read, read.expires_at
                    outcome = Outcome(Verdict.ACCEPTED, exchange.answer.status)
                else:
                    outcome = read
        except Exception as error:  # noqa: BLE001 - a lane must get an answer for every login
            log.error("login_defect", vendor=name, error=type(error).__name__)
        reason = reason_of(exchange.failure, exchange.not_reached, outcome)
        events.put(LoginEnded(name, at, outcome, expires_at, reason))


def _build_or_defect(
    build: Callable[[Sequence[PendingInvitation]], Call], many: Sequence[PendingInvitation]
) -> Call | str:
    """Return the call, or the defect that ended its building."""
    try:
        return build(many)
    except Exception as error:  # noqa: BLE001 - each record's defect is its own
        return defect(error)


def _meaning(vendor: Vendor, code: str | None) -> str | None:
    codes = vendor.codes
    return codes.get(code) if code is not None and isinstance(codes, Mapping) else None


async def _outcome(exchange: Exchange, vendor: Vendor, call: Call) -> Outcome:
    if exchange.answer is None:
        return NOTHING_LEFT if exchange.sent_at is None else NO_CLEAR_ANSWER
    if isinstance(vendor, CallReader):
        read = vendor.read_call(exchange.answer, call)
    else:
        read = vendor.read(exchange.answer)
    if is_clean(read, vendor.codes):
        return read
    if len(call.readable) <= PART:
        return cleaned(read, call.readable, vendor.codes)
    # A full batch takes tenths of a second: the event loop has other calls to answer.
    return await asyncio.to_thread(cleaned, read, call.readable, vendor.codes)


class RetiredPools:
    """One `Calls` for each config that is or was in use; they share unchanged accounts. All methods
    belong to the event loop that makes the calls."""

    def __init__(self) -> None:
        self._live: list[Calls] = []

    def add(self, calls: Calls) -> None:
        """Track these calls: they may be commanded from now on."""
        self._live.append(calls)

    async def retire(self, calls: Calls, in_use: Callable[[], bool]) -> None:
        """Wait until the last of these calls has ended, then close unused accounts."""
        while in_use():  # noqa: ASYNC110 - the lanes' threads send no signal
            await asyncio.sleep(LOOK_EVERY)
        await calls.ended()
        self._live.remove(calls)
        for account in calls.accounts.values():
            if not any(account is kept for kept in self._accounts()):
                await account.client.close()

    async def close(self) -> None:
        """Close all accounts at the end of the process."""
        for account in self._accounts():
            await account.client.close()
        self._live.clear()

    def _accounts(self) -> list[Account]:
        """Return each account once."""
        every = (account for calls in self._live for account in calls.accounts.values())
        return list({id(account): account for account in every}.values())
