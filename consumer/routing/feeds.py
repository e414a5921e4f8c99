"""Feeds: what a record of another system says of a person, as contact records.

    suppressions   an opt-out, or (`remove` is true) that surveys are allowed again
    responses      an answer to a survey
    deliveries     an address that does not exist, where `hard_bounce` is true; else nothing

One contact record is made for each identity of the person under each key of pseudonyms. In doubt a
record forbids more, never less:

- A scope that is no channel, tag or campaign of the config forbids everything, and a removal with
  such a scope removes nothing. An empty list of scopes concerns no survey.
- A removal allows its own scope again, not a part of a larger one.
- `until` that cannot be read means for ever. A time ahead of the clock is now, so that no later
  record loses against it.
- A bounced e-mail address forbids e-mails and a bounced phone number text messages; without an
  address everything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple

from consumer.errors import EventError
from consumer.policy.candidate import Value
from consumer.records.channel import Channel
from consumer.records.contact_record import AnswerRecord, ContactRecord, SuppressionRecord
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import LAST_MOMENT
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.decode import MAX_AHEAD
from consumer.routing.decoding.digits import DigitsLostError, as_text, exact_body, text_in
from consumer.routing.decoding.payload import Payload, decode_json
from consumer.routing.decoding.times import TimeReader
from consumer.routing.person import HOUSEHOLD, NUMBER, PersonReader
from consumer.routing.recipients.recipients import PhoneNormaliser, normalise_email

MOST_SCOPES: Final = 20
MAX_FEED_BYTES: Final = 1024 * 1024
"""Longest value of a record that is read."""

EVERYTHING: Final = ""
"""Scope of a suppression record that holds for every survey."""

_TIMES: Final = TimeReader()
_suppression = partial(SuppressionRecord, version=1)
_answer = partial(AnswerRecord, version=1)

Statement = Callable[..., ContactRecord]
"""What a record says of a person, given `person` and `source`."""


class FeedKind(StrEnum):
    """What became of a feed's record."""

    SUPPRESSED = "suppressed"
    ALLOWED = "allowed"
    ANSWER = "answer"
    BOUNCE = "bounce"
    PASSED = "passed"
    DEAD_LETTER = "dead_letter"


class FeedEntry(NamedTuple):
    """What a record says. `route`, `campaign`: of an answer; empty where it names none of the
    config."""

    kind: FeedKind
    records: Sequence[ContactRecord] = ()
    route: str = ""
    campaign: str = ""


class Said(NamedTuple):
    """What a record says before its person is read: for each identity some statements."""

    kind: FeedKind
    statements: Callable[[Sequence[str]], Iterator[tuple[str, Statement]]]
    route: str = ""
    campaign: str = ""


def read_address(phone: PhoneNormaliser, raw: object) -> str | None:
    """Normalise a phone number or an e-mail address, whichever it is; None if it is neither."""
    return normalise_email(raw) if type(raw) is str and "@" in raw else phone(raw)


@dataclass(frozen=True, slots=True)
class SuppressionFeed:
    """Reads opt-outs. `known`: the config's channels, tags and campaigns."""

    known: Collection[str]
    scope: Value | None = None
    until: Value | None = None
    remove: Value | None = None

    def __call__(self, body: dict[str, Any], at: float) -> Said | None:
        """Return what a record says; None: it concerns no survey. Raises `EventError`."""
        removed = self.remove is not None and self.remove(body) is True
        found = [EVERYTHING] if self.scope is None else _scopes(self.scope(body))
        scopes = {self._known_scope(scope) for scope in found}
        if removed:
            scopes.discard(None)
        if not scopes:
            return None
        until = None if removed or self.until is None else _moment(self.until(body))
        made = [
            partial(_suppression, at=at, scope=scope, until=until, removed=removed)
            for scope in sorted({scope or EVERYTHING for scope in scopes})
        ]
        kind = FeedKind.ALLOWED if removed else FeedKind.SUPPRESSED
        return Said(kind, partial(_of_each, made))

    def _known_scope(self, scope: str) -> str | None:
        """Return a scope as the config writes it; None: it has none of this name."""
        if scope in {EVERYTHING, "all"}:
            return EVERYTHING
        return next((name for name in (scope, scope.lower()) if name in self.known), None)


@dataclass(frozen=True, slots=True)
class ResponseFeed:
    """Reads answers. A route or a campaign that the config does not have is left out."""

    routes: Collection[str]
    campaigns: Collection[str]
    route: Value | None = None
    campaign: Value | None = None

    def __call__(self, body: dict[str, Any], at: float) -> Said:
        """Return what a record says."""
        route = _name(self.route, body, self.routes)
        campaign = _name(self.campaign, body, self.campaigns)
        made = [partial(_answer, at=at, route=route, campaign=campaign)]
        return Said(FeedKind.ANSWER, partial(_of_each, made), route, campaign)


@dataclass(frozen=True, slots=True)
class DeliveryFeed:
    """Reads delivery receipts."""

    hard_bounce: Value

    def __call__(self, body: dict[str, Any], at: float) -> Said | None:
        """Return what a record says; None: the address may exist."""
        if self.hard_bounce(body) is not True:
            return None
        return Said(FeedKind.BOUNCE, partial(_bounces, at))


FeedSays = SuppressionFeed | ResponseFeed | DeliveryFeed


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed of the config: the person of its records, when it happened, and what they say."""

    name: str
    says: FeedSays
    person: PersonReader
    pseudonymisers: Sequence[Callable[[str], str]]
    time: Value | None = None

    def read(self, record: InputRecord, appended_at: float | None, now: float) -> FeedEntry:
        """Return a record's entry. `appended_at`: epoch seconds by Kafka. Raises `EventError`."""
        payload = _payload(record)
        said = self.says(payload.body, self._moment_of(payload.body, appended_at, now))
        if said is None:
            return FeedEntry(FeedKind.PASSED)
        identities = self.person.read(payload.body, partial(_text_at, payload))
        if not identities:
            expected = "expected a person: a number, or a valid address"
            raise EventError(DeadLetterReason.NO_PERSON, expected)
        records = [
            statement(person=pseudonym(identity), source=self.name)
            for identity, statement in said.statements(list(dict.fromkeys(identities)))
            for pseudonym in self.pseudonymisers
        ]
        return FeedEntry(said.kind, records, said.route, said.campaign)

    def _moment_of(self, body: dict[str, Any], appended_at: float | None, now: float) -> float:
        found = None if self.time is None else self.time(body)
        if found is None:
            at = now if appended_at is None else appended_at
        elif (read := _TIMES(found)) is None:
            raise EventError(DeadLetterReason.BAD_TIME, "expected RFC 3339, or epoch time")
        else:
            at = read[0]
        if at - now > MAX_AHEAD:
            expected = f"expected a time at most {MAX_AHEAD:.0f} s ahead of the clock"
            raise EventError(DeadLetterReason.BAD_TIME, expected)
        return max(0.0, min(at, now))


def _payload(record: InputRecord) -> Payload:
    if not record.value:
        raise EventError(DeadLetterReason.EMPTY, "the record has no value")
    if len(record.value) > MAX_FEED_BYTES:
        expected = f"expected at most {MAX_FEED_BYTES} bytes"
        raise EventError(DeadLetterReason.TOO_LARGE, expected)
    return decode_json(record)


def _text_at(payload: Payload, value: Value) -> str | None:
    """Return a value as text with its digits as written, as routes read a person's number."""
    try:
        return text_in(payload.raw, value(payload.body))
    except DigitsLostError:
        return as_text(value(exact_body(payload.raw, payload.body)))


def _scopes(found: object) -> list[str]:
    if found is None or found == "":
        return [EVERYTHING]
    listed: list[object] = found if isinstance(found, list) else [found]
    texts = [text for text in listed if type(text) is str and text]
    if len(listed) > MOST_SCOPES or len(texts) < len(listed):
        expected = f"expected a scope as text, or a list of at most {MOST_SCOPES} of them"
        raise EventError(DeadLetterReason.BAD_SCOPE, expected)
    return texts


def _moment(found: object) -> float | None:
    read = _TIMES(found)
    return None if read is None or read[0] > LAST_MOMENT else max(0.0, read[0])


def _name(value: Value | None, body: dict[str, Any], known: Collection[str]) -> str:
    found = None if value is None else value(body)
    return found if type(found) is str and found in known else ""


def _of_each(
    made: Sequence[Statement], identities: Sequence[str]
) -> Iterator[tuple[str, Statement]]:
    return ((identity, statement) for identity in identities for statement in made)


def _bounces(at: float, identities: Sequence[str]) -> Iterator[tuple[str, Statement]]:
    addresses = [text for text in identities if not text.startswith((NUMBER, HOUSEHOLD))]
    for identity in addresses or identities:
        scope: str = EVERYTHING
        if addresses:
            scope = Channel.EMAIL if "@" in identity else Channel.SMS
        yield identity, partial(_suppression, at=at, reason="bounced", scope=str(scope))
