"""Shared base of the cross checks: access to the config's parts, and the findings.

The checks run on the tree and not on the models, so that a missing vendor and a misspelt key are
reported together. They skip values of the wrong type, which the models report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from pydantic import ValidationError

from consumer.config.checks.expression_tokens import meant_by
from consumer.config.checks.lookups import fields_for_names, wrong_names
from consumer.config.checks.messages import one_of
from consumer.config.document import Path, Source, Tree, value_at
from consumer.config.interpolate import Resolved
from consumer.errors import Problem
from consumer.records.channel import Channel, ChannelSpec
from consumer.routing.expressions import compile_value
from consumer.routing.link import Template, compile_link
from consumer.routing.link_responses import RESPONSES, SOURCE
from consumer.routing.lookup import LookupTable
from consumer.routing.patterns.pattern import PatternErrors, compile_pattern
from consumer.routing.recipients.recipients import known_region
from consumer.vendors.registry import VENDORS

_OPTIONAL = ("policies",)
"""Sections that may be left out, and yet be referred to."""


class Findings:
    """The tree under check, with the problems and warnings found so far."""

    def __init__(self, source: Source, resolved: Resolved) -> None:
        self.source = source
        self.resolved = resolved
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.tables: dict[str, tuple[LookupTable, str]] = {}
        """The lookup tables that could be read, with the digests of their files."""
        self.descriptors: dict[str, bytes] = {}
        """Input → the file of its `descriptors`, if it could be read."""

    def problem(self, path: Path, message: str, hint: str = "") -> None:
        """Record a problem, for which the config is refused."""
        self.problems.append(self.source.problem(path, message, hint))

    def warn(self, path: Path, message: str, hint: str = "") -> None:
        """Record a warning, for which the config is not refused."""
        self.warnings.append(self.source.problem(path, message, hint))

    def at(self, *path: str | int) -> Tree:
        """Return the value at `path` with its references replaced; None also for a placeholder."""
        return None if path in self.resolved.open else value_at(self.resolved.tree, path)

    def text(self, *path: str | int) -> str | None:
        """Return the text at `path`, or None."""
        value = self.at(*path)
        return value if isinstance(value, str) else None

    def mapping(self, *path: str | int) -> Mapping[str, Tree]:
        """Return the mapping at `path`, or an empty one."""
        value = self.at(*path)
        return value if isinstance(value, dict) else {}

    def texts(self, *path: str | int) -> Iterator[tuple[Path, str]]:
        """Yield the texts in the list at `path`, each with its own path."""
        value = self.at(*path)
        for index in range(len(value) if isinstance(value, list) else 0):
            if (text := self.text(*path, index)) is not None:
                yield (*path, index), text

    def sent(self, route: Path) -> Iterator[tuple[Path, str]]:
        """Yield the campaigns of a route's `send`, also of its splits, each with its path."""
        entries = self.at(*route, "send")
        for index in range(len(entries) if isinstance(entries, list) else 0):
            here = (*route, "send", index)
            if (text := self.text(*here)) is not None:
                yield here, text
            for name in self.mapping(*here, "split"):
                yield (*here, "split", name), name

    def routes(self) -> range:
        """Return the indexes of the routes."""
        routes = self.at("routes")
        return range(len(routes)) if isinstance(routes, list) else range(0)

    def refers(self, path: Path, section: str) -> None:
        """Record a problem if `section` lacks the name at `path`; see `names`."""
        name = self.text(*path)
        if name is not None:
            self.names(path, name, section)

    def names(self, path: Path, name: str, section: str) -> None:
        """Record a problem if `section` lacks this name, written at `path`. A section that must
        be there and is missing or empty is a problem of its own."""
        known = self.mapping(section)
        if name not in known and (known or section in _OPTIONAL):
            shown = self.resolved.scrub(name)
            self.problem(path, f"no '{shown}' under `{section}`", one_of(shown, known))

    def repeated(self, items: Iterable[tuple[Path, str]], what: str) -> None:
        """Record a problem for each repeated text."""
        first: dict[str, Path] = {}
        for path, text in items:
            if text in first:
                message = f"'{self.source.at(path)}' is {what}"
                self.problem(path, message, f"first in {self.source.where(first[text])}")
            first.setdefault(text, path)

    def expression(self, *path: str | int) -> None:
        """Record a problem if the text at `path` is no JMESPath; the models report an empty one."""
        text = self.text(*path)
        if text:
            try:
                compile_value(text)
            except ValueError as error:
                message = self.resolved.scrub(f"not a JMESPath expression: {error}")
                self.problem(path, message, meant_by(text))
            else:
                self._lookups(path, text)

    def pattern(self, *path: str | int) -> None:
        """Record the problems of the event pattern at `path`."""
        try:
            compile_pattern(self.mapping(*path))
        except PatternErrors as refused:
            for error in refused.errors:
                message, hint = map(self.resolved.scrub, (error.message, error.hint))
                self.problem((*path, *error.path), message, hint)

    def _lookups(self, path: Path, text: str) -> None:
        names = self.mapping("tables")
        columns = {name: table.columns for name, (table, _) in self.tables.items()}
        for said in wrong_names(text, names, columns):
            self.problem(path, *map(self.resolved.scrub, said))
        for said in fields_for_names(text, names):
            self.warn(path, *map(self.resolved.scrub, said))

    def region(self, *path: str | int) -> None:
        """Record a problem if the text at `path` is no region of phone numbers."""
        region = self.text(*path)
        if region is not None and not known_region(region):
            self.problem(path, "is not a region", "expected two capital letters, as in TR")

    def vendor_type(self, campaign: str) -> str | None:
        """Return the type of a campaign's vendor, or None if it is missing or unknown."""
        vendor = self.text("campaigns", campaign, "vendor")
        kind = self.text("vendors", vendor, "type") if vendor is not None else None
        return kind if kind in VENDORS else None

    def link(self, campaign: str) -> Template | None:
        """Return a campaign's compiled link, or None if it is missing or invalid."""
        try:
            return compile_link(self.text("campaigns", campaign, "link") or "")
        except ValueError:
            return None

    def spec(self, campaign: str) -> ChannelSpec | None:
        """Return what a campaign's channel needs and carries, or None if unknown."""
        return self._specs.get(campaign)

    @cached_property
    def _specs(self) -> Mapping[str, ChannelSpec]:
        specs = ((name, self._spec(name)) for name in self.mapping("campaigns"))
        return {name: spec for name, spec in specs if spec is not None}

    def _spec(self, campaign: str) -> ChannelSpec | None:
        kind = self.vendor_type(campaign)
        channel = self.text("campaigns", campaign, "channel")
        if kind is None or channel is None or channel not in VENDORS[kind].channels:
            return None
        vendor = VENDORS[kind]
        account = self.mapping("vendors", str(self.text("campaigns", campaign, "vendor")))
        widest = vendor.channels[Channel(channel)]
        if channel == Channel.LINK:
            return self._of_link(campaign, widest)
        try:
            # The account may narrow what its channels need, or define all that they carry.
            checked = vendor.Account.model_validate_json(json.dumps(account))
        except ValidationError:
            return widest if widest.fields or widest.maps else None
        return vendor(checked).spec(Channel(channel))

    def _of_link(self, campaign: str, spec: ChannelSpec) -> ChannelSpec | None:
        """Return the spec of a link: it takes the names of its template."""
        template = self.link(campaign)
        if template is None:
            return None
        fields, maps = template.keys()
        if self.at("campaigns", campaign, "responses") is not None:
            fields, maps = fields - {RESPONSES}, maps | {SOURCE}
        return replace(spec, fields=fields, maps=maps)
