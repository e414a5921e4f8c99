"""Select the invitations that an operator sends again, and decide the fate of each. Pure.

A resend is a new invitation that names the old one. Its id is a hash of the old id, so a second
resend has the same id, and an invitation that has a resend already is left alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from consumer.config.checks.messages import nearest
from consumer.policy.expiry import expiry_time, has_expired
from consumer.records.fields import rfc3339
from consumer.records.invitation import Invitation, encode_invitation
from consumer.records.readers import read_invitation
from consumer.records.result import Reason, Result, Status

AT_ONCE = 100_000
"""Invitations of one run: they are held in memory and written in one transaction."""


class Resendable(StrEnum):
    """Statuses that another attempt may follow: never one in which the customer was reached or
    suppressed."""

    UNKNOWN = Status.UNKNOWN.value
    FAILED = Status.FAILED.value
    REJECTED = Status.REJECTED.value
    EXPIRED = Status.EXPIRED.value


class Refusal(StrEnum):
    """Why a chosen invitation is not sent again."""

    RESENT = "it was sent again before; choose the resend's own result"
    GONE = "no record of it on a lane's topic: refused when it was routed, or deleted since"
    CAMPAIGN = "its campaign is not in the config"
    EXPIRED = "it is past `expire_after` of its route"
    LATER = f"more than {AT_ONCE:,} at once: run the command again for these"


@dataclass(frozen=True, slots=True)
class Choice:
    """The operator's selection; empty sets select all. Times in epoch seconds."""

    statuses: frozenset[str]
    reasons: frozenset[str] = frozenset()
    campaigns: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    since: float | None = None
    until: float | None = None

    def takes(self, result: Result, written_at: float) -> bool:
        """Return whether this result is chosen."""
        asked = (
            (self.reasons, result["reason"]),
            (self.campaigns, result["campaign"]),
            (self.routes, result["route"]),
            (self.ids, result["id"]),
        )
        return (
            result["status"] in self.statuses
            and all(not values or value in values for values, value in asked)
            and (self.since is None or written_at >= self.since)
            and (self.until is None or written_at < self.until)
        )


class Kind(NamedTuple):
    """Key of the counts."""

    campaign: str
    reason: Reason


class Again(NamedTuple):
    """A new invitation for its lane's topic."""

    kind: Kind
    lane: str
    invitation: Invitation

    @property
    def value(self) -> bytes:
        """The record, encoded on demand: encoded ones take several times the memory."""
        return encode_invitation(self.invitation)


@dataclass(slots=True)
class Plan:
    """The invitations to send again, and the number of refused ones, by kind and reason."""

    again: list[Again] = field(default_factory=list)
    refused: Counter[tuple[Kind, Refusal]] = field(default_factory=Counter)
    unread_results: int = 0
    unread_invitations: int = 0


@dataclass(slots=True)
class Search:
    """Collects the records of the topics: first all results, then all invitations."""

    choice: Choice
    at_once: int = AT_ONCE
    _kinds: dict[str, Kind] = field(default_factory=dict)
    _resent: set[str] = field(default_factory=set)
    _found: dict[str, Invitation] = field(default_factory=dict)
    _later: set[str] = field(default_factory=set)
    _seen: dict[str, set[str]] = field(
        default_factory=lambda: {"campaign": set(), "route": set(), "id": set()}
    )
    unread_results: int = 0
    unread_invitations: int = 0

    @property
    def _asked(self) -> tuple[tuple[str, frozenset[str]], ...]:
        choice = self.choice
        return ("campaign", choice.campaigns), ("route", choice.routes), ("id", choice.ids)

    def unknown(self, campaigns: Iterable[str], routes: Iterable[str]) -> list[str]:
        """Return a sentence for each name asked for that neither the config nor any result has."""
        configured = {"campaign": sorted(campaigns), "route": sorted(routes), "id": []}
        found = []
        for kind, names in self._asked:
            for name in sorted(names - self._seen[kind] - set(configured[kind])):
                if kind == "id":
                    found.append(f"there is no result of the invitation '{name}'")
                    continue
                hint = nearest(name, configured[kind])
                found.append(
                    f"there is no {kind} '{name}' in the config, and no result of one"
                    + (f" ({hint})" if hint else "")
                )
        return found

    def result(self, result: Result, written_at: float) -> None:
        """Add a record of the results topic."""
        if "resend_of" in result:
            self._resent.add(result["resend_of"])
        for kind, names in self._asked:
            if result[kind] in names:  # type: ignore[literal-required]  # a key of every result
                self._seen[kind].add(str(result[kind]))  # type: ignore[literal-required]  # as above
        if self.choice.takes(result, written_at):
            self._kinds[result["id"]] = Kind(result["campaign"] or "none", result["reason"])

    def invitation(self, value: bytes | None) -> None:
        """Add a record that holds an invitation. Raises UnreadableRecord if it does not."""
        found = read_invitation(value)
        name = found["id"]
        if "resend_of" in found:
            self._resent.add(found["resend_of"])
            self._found.pop(found["resend_of"], None)
        if name not in self._kinds or name in self._resent:
            return
        if len(self._found) < self.at_once or name in self._found:
            self._found[name] = found
        else:
            self._later.add(name)

    def plan(
        self, lanes: Mapping[str, str], expiry: Mapping[str, float], version: str, now: float
    ) -> Plan:
        """Decide the fate of each chosen invitation. `lanes`: campaign → lane; `expiry`: route →
        seconds; both by the present config."""
        plan = Plan(unread_results=self.unread_results, unread_invitations=self.unread_invitations)
        for name, kind in self._kinds.items():
            found = self._found.get(name)
            if found is None:
                plan.refused[kind, self._why_missing(name)] += 1
                continue
            expires_at = _expires_at(found, expiry)
            if found["campaign"] not in lanes:
                plan.refused[kind, Refusal.CAMPAIGN] += 1
            elif has_expired(expires_at, now):
                plan.refused[kind, Refusal.EXPIRED] += 1
            else:
                new = resend_of(found, expires_at, version, now)
                plan.again.append(Again(kind, lanes[new["campaign"]], new))
        return plan

    def _why_missing(self, name: str) -> Refusal:
        if name in self._resent:
            return Refusal.RESENT
        return Refusal.LATER if name in self._later else Refusal.GONE


def resend_of(old: Invitation, expires_at: float | None, version: str, now: float) -> Invitation:
    """Return the invitation that sends `old` again, as if it were routed now."""
    new: Invitation = {
        **old,
        "id": hashlib.blake2b(f"{old['id']}|resend".encode(), digest_size=16).hexdigest(),
        "routed_at": rfc3339(now),
        "expires_at": expires_at,
        "config_version": version,
        "resend_of": old["id"],
    }
    for key in ("attempt", "delays", "due_at", "waits_for"):
        new.pop(key, None)  # type: ignore[misc]  # each key is optional
    return new


def _expires_at(found: Invitation, expiry: Mapping[str, float]) -> float | None:
    """Return the expiry by the route's present policy; without one, the old expiry."""
    after = expiry.get(found["route"])
    if after is None:
        return found["expires_at"]
    try:
        happened = datetime.fromisoformat(found["event_time"].upper())
        return expiry_time(happened.timestamp(), after)
    except (ValueError, OverflowError):
        return found["expires_at"]
