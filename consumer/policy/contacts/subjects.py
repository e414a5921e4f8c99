"""Subjects: the names under which a store keeps histories.

    key_id:…            a pseudonym: contacts, answers and suppressions of one identity
    per|<hash>          values of the keys of a `per` without `person`
    pace|<hash>         a pace and the values of its keys
    repeat|<hash>       an expression of `deduplicate` and its value

Composed names are hashed, because a value may be long. A null key has no subject.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from consumer.policy.contacts.contact_rule import ContactRule, Keys
from consumer.policy.contacts.duplicates import Duplicates
from consumer.policy.contacts.history import encode_record
from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.table import ContactRules


def is_pace_subject(subject: str) -> bool:
    """Tell whether a subject only counts for a pace."""
    return subject.startswith("pace|")


def rule_subjects(rule: ContactRule, request: Request) -> tuple[str, ...]:
    """Return where a rule counts for an invitation that has its keys."""
    if rule.counts_persons:
        return request.persons
    return tuple(_composed("per", rule.per, rule.per, request.keys))


def pace_subject(pace: Pace, keys: Keys) -> str | None:
    """Return where a pace counts, or None for a null key."""
    return next(_pace_subject(pace, keys), None)


def repeat_subject(duplicates: Duplicates, keys: Keys) -> str | None:
    """Return where invitations of the same key stand, or None for a null key."""
    return next(_repeat_subject(duplicates, keys), None)


def subjects_of(request: Request, rules: ContactRules) -> tuple[str, ...]:
    """Return every subject under which an invitation's contact is written."""
    persons = () if request.contact == "off" else request.persons
    return (*persons, *_shared_subjects(request, rules))


def _shared_subjects(request: Request, rules: ContactRules) -> Iterator[str]:
    if request.contact != "off":
        for per in rules.shared_keys:
            yield from _composed("per", per, per, request.keys)
    if (pace := rules.pace_of(request)) is not None:
        yield from _pace_subject(pace, request.keys)
    if (duplicates := rules.duplicates_of(request)) is not None:
        yield from _repeat_subject(duplicates, request.keys)


def _pace_subject(pace: Pace, keys: Keys) -> Iterator[str]:
    return _composed("pace", [pace.name, *pace.per], pace.per, keys)


def _repeat_subject(duplicates: Duplicates, keys: Keys) -> Iterator[str]:
    return _composed("repeat", [duplicates.by], [duplicates.by], keys)


def _composed(kind: str, names: Sequence[str], per: Sequence[str], keys: Keys) -> Iterator[str]:
    values = [keys.get(key) for key in per]
    if None not in values:
        digest = hashlib.blake2b(encode_record([names, values]), digest_size=16).hexdigest()
        yield f"{kind}|{digest}"
