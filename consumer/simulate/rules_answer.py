"""`simulate --rules`: what became of recorded events under all rules, as figures and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from consumer.config.models import Config
from consumer.records.input_record import InputRecord
from consumer.records.result import Reason
from consumer.simulate.rules_play import RulesPlay
from consumer.wiring.build import build_router, build_vendors

_MEANINGS: Final = {str(reason): reason.meaning.replace("`", "") for reason in Reason}


def play_rules(config: Config, records: Iterable[InputRecord], seed: int) -> dict[str, Any]:
    """Play records in the order of their events' times, over an empty contact store in memory.

    An event that cannot be read is a dead letter of the beginning. The counts of `results` (by
    status, then reason), `unmatched`, `dead_letters` add up to `events` if each takes one route.
    """
    inputs = build_router(config, build_vendors(config)).inputs
    timed = [(inputs[record.topic].decoder.event_time(record), record) for record in records]
    timed.sort(key=lambda found: found[0])
    played = RulesPlay(config, seed).run(timed)
    results = dict[str, dict[str, int]]()
    for name, number in sorted(played.counts.items()):
        status, _, reason = name.partition("/")
        results.setdefault(status, {})[reason] = number
    return {
        "events": played.events,
        "unmatched": played.unmatched,
        "dead_letters": played.dead_letters,
        "results": results,
        "by_rule": dict(played.by_rule.most_common()),
    }


def print_rules(told: Mapping[str, Any], console: Console) -> None:
    """Print what `play_rules` returns."""
    table = Table("events", "status", "reason", "which means", title_justify="left")
    table.title = f"what became of {told['events']:,} events"
    table.columns[0].justify = "right"
    for status, reasons in told["results"].items():
        for reason, number in reasons.items():
            table.add_row(f"{number:,}", status, reason, _MEANINGS[reason])
    table.add_row(f"{told['unmatched']:,}", "unmatched", "–", "No route wants the event.")
    table.add_row(f"{told['dead_letters']:,}", "dead letter", "–", "The event cannot be read.")
    console.print(table)
    for rule, number in told["by_rule"].items():
        console.print(f"contact rule {rule} held back {number:,}")
