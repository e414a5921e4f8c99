"""What an operator says of persons: opt-outs, their removal, and that one is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consumer.config.models import Config
from consumer.errors import OperationError
from consumer.operations.contacts.contact_topic import Contacts
from consumer.records.contact_record import ContactRecord, SuppressionRecord
from consumer.wiring.feeds import known_scopes


def check_scope(config: Config, scope: str) -> None:
    """Refuse a scope by which no survey would be held back. Raises OperationError."""
    if scope and scope not in (known := known_scopes(config)):
        raise OperationError(f"the scope is one of {', '.join(sorted(known))}")


def opt_outs(
    persons: Iterable[str], at: float, scope: str, until: float | None
) -> list[ContactRecord]:
    """Return records by which persons are not asked."""
    return [
        SuppressionRecord(
            version=1, person=person, at=at, scope=scope, until=until, source="suppress add"
        )
        for person in persons
    ]


def removals(
    persons: Sequence[str], at: float, scope: str, contacts: Contacts, *, bounced: bool = False
) -> list[ContactRecord]:
    """Return records that end what stands against persons. Raises OperationError if nothing
    does."""
    made = [
        SuppressionRecord(
            version=1,
            person=person,
            at=at,
            reason="bounced" if bounced else "opted_out",
            scope=scope,
            removed=True,
            source="suppress remove",
        )
        for person in persons
    ]
    standing = [former for record in made if (former := contacts.get(record.key))]
    if not any(isinstance(one, SuppressionRecord) and not one.removed for one in standing):
        raise OperationError(_nothing_stands(persons, contacts))
    return list(made)


def _nothing_stands(persons: Sequence[str], contacts: Contacts) -> str:
    others = sorted(
        {
            f"{one.reason} ({one.scope or 'everything'})"
            for one in contacts.values()
            if isinstance(one, SuppressionRecord) and one.person in persons and not one.removed
        }
    )
    return "nothing of that scope stands against this person" + (
        f"; there is: {', '.join(others)}" if others else ""
    )


def erasures(persons: Iterable[str], at: float) -> list[ContactRecord]:
    """Return marks: what was before them is forgotten."""
    return [
        SuppressionRecord(version=1, person=person, at=at, reason="erased", source="forget")
        for person in persons
    ]
