"""`test` and `diff`: check what a config decides, and what a change of it would."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    Json,
    load_config,
    parse_position,
    position_option,
)
from consumer.runtime.options import ExitCode

if TYPE_CHECKING:
    from consumer.operations.config_tests.run import Outcome


def run_tests_of_config(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Files of tests; by default *.tests.yaml beside it."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Run the tests of a routing config: events, and the decision that is expected of each.

    Reads no secret, asks no Kafka and calls no vendor.
    """
    from consumer.operations.config_tests.cases import files_beside, read_cases
    from consumer.operations.config_tests.run import run_tests

    loaded = load_config(config, secrets=False)
    cases = list(read_cases(files or files_beside(config)))
    outcomes = list(run_tests(loaded, cases))
    failed = [outcome for outcome in outcomes if outcome.differences]
    passed = len(outcomes) - len(failed)
    if as_json:
        typer.echo(json.dumps({"passed": passed, "failed": list(map(_failed_test, failed))}))
    else:
        for outcome in failed:
            typer.echo(f"{outcome.case.place}: {outcome.case.name}")
            for one in outcome.differences:
                typer.echo(f"    {one.path}: expected {one.expected!r}, found {one.found!r}")
        typer.echo(f"{passed} passed, {len(failed)} failed")
    raise typer.Exit(ExitCode.CONFIG if failed else ExitCode.CLEAN)


def _failed_test(outcome: Outcome) -> dict[str, object]:
    return {
        "test": outcome.case.name,
        "place": outcome.case.place,
        "differences": [asdict(one) for one in outcome.differences],
    }


def diff_configs(
    before: Annotated[Path, typer.Argument(metavar="OLD", help="The config as it is.")],
    after: Annotated[Path, typer.Argument(metavar="NEW", help="The config as it would be.")],
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Recorded events, one JSON document a line."),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(help="Input topic to read, or that the file of --events was recorded from."),
    ] = None,
    begin: Annotated[
        str,
        position_option("--from", "Begin of --topic: earliest, an offset or an RFC 3339 time."),
    ] = "earliest",
    as_json: Json = False,
) -> None:
    """Show which events another config would decide otherwise, and how many.

    Rules that look at a person's history are not asked: `simulate --rules` plays them.
    """
    from consumer.operations.tables import table
    from consumer.simulate.config_diff import diff
    from consumer.simulate.recordings import Recording

    if events is None and topic is None:
        raise typer.BadParameter("expected --events FILE, or --topic of a broker")
    source = Recording(topic, events, begin=parse_position(begin, "--from"))
    old, new = (load_config(path, secrets=source.from_kafka) for path in (before, after))
    found = diff(old, new, source.records(old))
    changes = sorted(found.changes.items(), key=lambda change: -change[1])
    if as_json:
        listed = [
            {"change": change, "events": number, "example": found.examples[change]}
            for change, number in changes
        ]
        typer.echo(json.dumps({"events": found.events, "changes": listed}))
        return
    changed = sum(found.changes.values())
    typer.echo(f"{changed:,} of {found.events:,} events are decided otherwise")
    if changes:
        rows = [(f"{number:,}", change, found.examples[change]) for change, number in changes]
        table(("events", "change", "for example"), rows)
