"""One route, compiled: match → recipient, campaign, data, policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

from msgspec import Struct

from consumer.errors import DataError
from consumer.policy.candidate import Candidate
from consumer.policy.chance import Split
from consumer.policy.rules import RouteRule
from consumer.policy.schedule import Schedule
from consumer.records.channel import ChannelSpec
from consumer.records.fields import USUAL_PRIORITY
from consumer.records.invitation import Address, Data
from consumer.records.result import Reason
from consumer.routing.decoding.decode import Event
from consumer.routing.decoding.digits import DigitsLostError, as_text, exact_body, text_in
from consumer.routing.for_each import ItemReader
from consumer.routing.link import Template, entry_of, names_in
from consumer.routing.link_responses import RESPONSES, encoded_responses
from consumer.routing.patterns.pattern import Pattern
from consumer.routing.plain_data import MakeData

Body = dict[str, object]
Getter = Callable[[Body], object]
Kind = Literal["phone", "email"]
Reader = Kind | Literal["texts"]
"""How an address is normalised: `texts` is a phone that text messages reach."""
Normaliser = Callable[[object], str | None]

Getters = Sequence[tuple[str, Getter]]
"""Names, and where their values are in an event."""
Made = TypeVar("Made")


def _as_written(make: Callable[[Body, bytes], Made], body: Body, raw: bytes) -> Made:
    """Call `make` on an event, with numbers' digits as in `raw`.

    The record is parsed again only if digits would be lost; without `raw` numbers are doubles.
    """
    try:
        return make(body, raw)
    except DigitsLostError:
        pass
    return make(exact_body(raw, body), b"")


def _texts(getters: Getters, body: Body, raw: bytes) -> dict[str, str]:
    """Return the names whose values are not null, with their texts; raises DigitsLostError."""
    texts = dict[str, str]()
    for name, get in getters:
        value = get(body)
        if type(value) is str:
            texts[name] = value
        elif value is not None:
            text = text_in(raw, value) if raw else as_text(value)
            if text is not None:
                texts[name] = text
    return texts


@dataclass(frozen=True, slots=True)
class Link:
    """A campaign's link for one route: its template, and where its values are in an event.

    `response`: the form of one object of {responses}; `responses`: where its values are.
    """

    template: Template
    values: Getters = ()
    response: Mapping[str, str] | None = None
    responses: Getters = ()

    def make_url(self, body: Body, given: Mapping[str, str], raw: bytes = b"") -> str:
        """Return the link; `given`: values not read from the event. Raises DataError."""
        found = {**_as_written(partial(_texts, self.values), body, raw), **given}
        if self.response is not None:
            texts = _as_written(partial(_texts, self.responses), body, raw)
            responses = encoded_responses(self.response, texts)
            found |= {} if responses is None else {RESPONSES: responses}
        link = self.template.fill(found)
        if link is None:
            unfit = self.template.unfit(found)
            message = "a value that the link needs is missing or unfit"
            raise DataError(Reason.INVALID_DATA, message, unfit)
        return link


def no_data(_body: Body) -> None:
    """Leave the data of each event to the getters."""


@dataclass(frozen=True, slots=True)
class Target:
    """A campaign of `send`: where its invitations go and what its vendor needs.

    `required`: what the campaign needs beside that, as `key` or `map.key` of the data. With a
    `link` there is no invitation: the link is the result, and `lane` is unused. `texts`: only
    phones that text messages reach. `plain_data`: makes the data of most events, if all of it are
    plain paths.
    """

    campaign: str
    lane: str
    vendor: str
    channel: str
    spec: ChannelSpec
    fields: Getters = ()
    maps: Sequence[tuple[str, Getters]] = ()
    link: Link | None = None
    required: Sequence[str] = ()
    texts: bool = False
    plain_data: MakeData = no_data

    def data(self, body: Body, raw: bytes = b"") -> Data:
        """Return the vendor's names → texts; null omits the key. `raw`: the record, for its digits.

        Raises DataError if a required value is missing or blank, or a listed value is not allowed.
        """
        data = self.plain_data(body)
        if data is None:
            data = _as_written(self._data, body, raw)
        if self.required or self.spec.required or self.spec.listed:
            self._check(data)
        return data

    def _data(self, body: Body, raw: bytes) -> Data:
        data: Data = {**_texts(self.fields, body, raw)}
        for name, entries in self.maps:
            if inner := _texts(entries, body, raw):
                data[name] = inner
        return data

    def _check(self, data: Data) -> None:
        lacks = {name: self.campaign for name in self.required if _blank(entry_of(data, name))}
        lacks |= {name: self.vendor for name in self.spec.required if _blank(data.get(name))}
        if lacks:
            message = "; ".join(f"{name} is required by {lacks[name]}" for name in sorted(lacks))
            raise DataError(Reason.INVALID_DATA, message, sorted(lacks))
        for listed in self.spec.listed:
            if not listed.allows(data):
                message = f"{listed.field} is none that {self.vendor} has for this {listed.by}"
                raise DataError(Reason.INVALID_DATA, message, [listed.field])


def _blank(value: object) -> bool:
    return not value or (isinstance(value, str) and not value.strip())


def name_of_longest(data: Data) -> str:
    """Return the name of the longest value, as `key` or `map.key`."""
    sizes = {
        name: len(text) for name in names_in(data) if (text := entry_of(data, name)) is not None
    }
    return max(sizes, key=lambda name: sizes[name], default="")


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """The rules of one route, compiled. `rules`: in the table's order. `consent`: channel → where
    an event has it. `schedule`: None if an invitation is due at once."""

    rules: Sequence[RouteRule] = ()
    consent: Mapping[str, Getter] = field(default_factory=dict)
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class TargetSplit:
    """Targets of which chance chooses one."""

    split: Split
    targets: Sequence[Target]

    def choose(self, candidate: Candidate) -> Target:
        """Return the candidate's target."""
        return self.targets[self.split.choose(candidate)]


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of the routing config. `expire_after` in seconds from the transaction.

    `recipient` is keyed by `Reader` (a Mapping's key type is invariant, hence Any). `counted_by`:
    expressions by which contact rules count, with their getters. `testers`: of `mode: redirect`.
    `shadow`: in `mode: shadow`. `for_each`: reads the items that are invited each.
    """

    name: str
    pattern: Pattern
    recipient: Mapping[Any, tuple[Getter, Normaliser]]
    send: Sequence[Target | TargetSplit]
    expire_after: float | None = None
    policy: RoutePolicy = RoutePolicy()
    tags: Sequence[str] = ()
    priority: int = USUAL_PRIORITY
    counted_by: Getters = ()
    testers: Address | None = None
    contact: Literal["obey", "exempt", "off"] = "obey"
    shadow: bool = False
    for_each: ItemReader | None = None

    def events(self, event: Event) -> Sequence[Event]:
        """Return the event, or that of each item of `for_each`. Raises EventError."""
        return (event,) if self.for_each is None else self.for_each.events(event)

    @property
    def targets(self) -> list[Target]:
        """All campaigns that `send` may choose."""
        return [target for entry in self.send for target in _targets_of(entry)]

    def targets_for(self, candidate: Candidate) -> Iterator[Target]:
        """Yield the campaigns to try, in order: of a split the one that chance chooses."""
        for entry in self.send:
            yield entry if isinstance(entry, Target) else entry.choose(candidate)


def _targets_of(entry: Target | TargetSplit) -> Sequence[Target]:
    return entry.targets if isinstance(entry, TargetSplit) else [entry]


class Reach(Struct, gc=False):
    """A route's recipient in one event: each address is read and normalised at most once. `_known`:
    the valid addresses that were read; "" for an unusable one, None for one that is not there."""

    route: Route
    body: Body
    _known: dict[Reader, str | None] = {}

    def address(self, kind: Reader) -> str | None:
        """Return the valid address of this kind, or None."""
        if kind not in self._known:
            self._known[kind] = self._read(kind)
        return self._known[kind] or None

    def address_kinds(self) -> list[str]:
        """List the kinds of address that the route's campaigns could use."""
        kinds = (kind for target in self.route.targets for kind in target.spec.addresses)
        return [kind for kind in dict.fromkeys(kinds) if kind in self.route.recipient]

    def address_for(self, target: Target) -> Address:
        """Return all valid addresses that the target's channel can use; empty if unreachable."""
        address: Address = {}
        for kind in target.spec.addresses:
            reader: Reader = "texts" if target.texts and kind == "phone" else kind
            value = self.address(reader)
            if value is not None:
                address[kind] = value
        return address

    def unfit(self, targets: Iterable[Target]) -> list[str]:
        """List the kinds of address that were read for these targets and are unusable."""
        readers = [_reader(kind, target) for target in targets for kind in target.spec.addresses]
        unfit = (reader for reader in readers if self._known.get(reader) == "")
        return list(dict.fromkeys("phone" if reader == "texts" else reader for reader in unfit))

    def _read(self, kind: Reader) -> str | None:
        found = self.route.recipient.get(kind)
        if found is None:
            return None
        get, normalise = found
        raw = get(self.body)
        if raw is None or raw == "":
            return None
        return normalise(raw) or ""


def _reader(kind: Kind, target: Target) -> Reader:
    return "texts" if target.texts and kind == "phone" else kind
