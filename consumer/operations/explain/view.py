"""An explanation for a reader at a terminal: the decision, then the reasons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import typer

from consumer.operations.explain.shapes import (
    AddressAnswer,
    CallAnswer,
    ConditionAnswer,
    Decision,
    Explanation,
    RouteAnswer,
    RuleAnswer,
)
from consumer.operations.explain.words import plain, wanted
from consumer.operations.tables import clean, table
from consumer.routing.patterns.nodes import OR

_SHOWN = "addresses and data are masked; --show-addresses shows them"
_RULE_HEADS = ("rule", "holds", "what it saw", "eligible at", "campaign")
_RECIPIENT_HEADS = ("recipient", "given", "normalised", "not used, because")


def print_explanation(told: Explanation) -> None:
    """Print all of it."""
    event, source = told["event"], told["event"]["source"]
    place = f"{source['topic']}:{source['partition']}:{source['offset']}"
    typer.echo(f"event {event['id'] or 'without a readable id'} ({place}), as of {told['at']}")
    _print_decision(told)
    for decision in told["also"]:
        typer.echo("\nand by another route")
        _print_decision(decision)
    _print_routes(told["routes"], told["routes_left_out"])
    if told["masked"]:
        typer.echo(f"\n{_SHOWN}", err=True)


def _print_decision(told: Decision) -> None:
    reason = f": {told['reason']}" if told["reason"] else ""
    typer.echo(f"\n{told['decision'].upper()}{reason} – {told['meaning']}")
    table(("", ""), [(name, value) for name, value in _facts(told) if value])
    if told["rules"]:
        typer.echo("")
        table(_RULE_HEADS, map(_rule_row, told["rules"]))
    if told["recipient"]:
        typer.echo("")
        rows = [_address_row(kind, address) for kind, address in told["recipient"].items()]
        table(_RECIPIENT_HEADS, rows)
    if told["call"]:
        _print_call(told["call"])


def _facts(told: Decision) -> Iterator[tuple[str, str | None]]:
    yield "route", told["route"]
    if told["campaign"]:
        yield "campaign", f"{told['campaign']} ({told['channel']}, vendor {told['vendor']})"
    yield "unfit", ", ".join(told["fields"])
    zone = f" ({told['timezone']}, from {told['timezone_from']})" if told["timezone"] else ""
    yield "due", told["due_at"] and told["due_at"] + zone
    yield "expires", told["expires_at"]
    yield "link", told["link"]


def _rule_row(rule: RuleAnswer) -> Sequence[str]:
    holds = "not asked" if rule["holds"] is None else "yes" if rule["holds"] else "NO"
    return rule["rule"], holds, rule["detail"], rule["eligible_at"] or "", rule.get("campaign", "")


def _address_row(kind: str, address: AddressAnswer) -> Sequence[str]:
    shown = [
        "" if part is None else plain(part) for part in (address["given"], address["normalised"])
    ]
    return kind, *shown, address["problem"] or ""


def _print_call(call: CallAnswer) -> None:
    typer.echo(f"\ncall of {call['vendor']} that it would join, here with it alone")
    typer.echo(f"{call['method']} {call['path']}")
    lines = json.dumps(call["body"], indent=2, ensure_ascii=False).splitlines()
    typer.echo("\n".join(map(clean, lines)))


def _print_routes(routes: Sequence[RouteAnswer], left_out: int) -> None:
    if not routes:
        return
    typer.echo("\nroutes, the nearest first")
    rows = (row for route in routes for row in _route_rows(route))
    table(("route", "condition", "holds", "wanted", "found"), rows)
    if left_out:
        typer.echo(f"{left_out:,} more routes are further from it; --routes shows more")


def _route_rows(route: RouteAnswer) -> Iterator[Sequence[str]]:
    state = "takes it" if route["taken"] else "also matches, but an earlier one takes it"
    yield route["route"], state if route["matched"] else "does not match", "", "", ""
    for condition in route["conditions"]:
        yield from _condition_rows(condition, "  ")


def _condition_rows(condition: ConditionAnswer, indent: str) -> Iterator[Sequence[str]]:
    holds, path = "yes" if condition["holds"] else "NO", indent + condition["path"]
    alternatives = condition.get("alternatives", [])
    if not alternatives:
        found = "nothing" if condition["missing"] else plain(condition["found"])
        yield "", path, holds, wanted(condition["expected"]), found
        return
    kind = "alternative" if condition["path"].endswith(OR) else "element"
    yield "", path, holds, "one of these", ""
    for number, alternative in enumerate(alternatives, 1):
        yield "", f"{indent}  {kind} {number}", _all(alternative), "", ""
        for inner in alternative:
            yield from _condition_rows(inner, indent + "    ")


def _all(conditions: Iterable[ConditionAnswer]) -> str:
    return "yes" if all(condition["holds"] for condition in conditions) else "NO"
