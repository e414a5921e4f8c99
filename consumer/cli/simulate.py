"""`survey-dispatcher simulate`: its options, and the question that they ask.

What a simulation needs is imported when it runs.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumer.cli.options import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    Json,
    Texts,
    check_speed,
    config_option,
    load_config,
    parse_position,
    position_option,
    repeatable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.config.models import Config
    from consumer.lane.state.settings import Limit
    from consumer.simulate.recordings import Recording
    from consumer.simulate.simulate import LaneTraffic

DOCUMENTED = "20/5s,40/25s,80/125s,160/625s"


def simulate(
    campaigns: Annotated[
        int | None,
        typer.Option(min=1, help="Synthetic campaigns (default 50); with --baskets stores (60)."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Synthetic invitations per second in all.")
    ] = 5.0,
    hours: Annotated[
        float, typer.Option(min=0.01, help="Hours of synthetic traffic, after a warm-up of one.")
    ] = 4.0,
    seed: Annotated[int, typer.Option(help="Seed: the same one gives the same figures.")] = 0,
    config: Annotated[
        Path | None,
        config_option(
            "Simulate the lanes and campaigns of this routing config; - reads standard "
            f"input. Recorded events and --lane need one, by default ${CONFIG_VARIABLE} or "
            f"{DEFAULT_CONFIG}.",
        ),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Recorded events, one JSON document per line."),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(help="Input topic to read, or that the file of --events was recorded from."),
    ] = None,
    bootstrap: Annotated[
        str | None, typer.Option(help="Address of a Kafka broker, instead of the config's.")
    ] = None,
    begin: Annotated[
        str,
        position_option("--from", "Begin of --topic: earliest, an offset or an RFC 3339 time."),
    ] = "earliest",
    end: Annotated[
        str, position_option("--to", "End of --topic: latest, an offset or an RFC 3339 time.")
    ] = "latest",
    baskets: Annotated[
        bool, typer.Option("--baskets", help="Play a year of real purchases (`baskets` extra).")
    ] = False,
    speed: Annotated[
        float, typer.Option(help="Factor on the pace of recorded traffic, above 0.")
    ] = 1.0,
    limits: Annotated[
        str | None, typer.Option(help=f"Limits instead of the config's (or {DOCUMENTED}).")
    ] = None,
    share: Annotated[
        float | None, typer.Option(min=0.01, max=1.0, help="Share of the limits that we may use.")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(metavar="LIMITS", help="Run a second time with these limits.")
    ] = None,
    lane: Annotated[str | None, typer.Option(help="Simulate only this lane of the config.")] = None,
    backlog: Annotated[
        Texts,
        repeatable(
            "[CAMPAIGN=]NUMBER", "Add so many invitations at once, shared out or to one campaign"
        ),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="HOURS", help="The backlog comes again so often."),
    ] = None,
    reserve: Annotated[
        int | None,
        typer.Option(
            min=0, help="Full calls to keep permits for, instead of the config's or those learnt."
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Compare with other ways to spend permits.")
    ] = False,
    rules: Annotated[
        bool,
        typer.Option(
            "--rules",
            help="Play recorded events through all rules before a survey, with an empty contact "
            "store, and count what becomes of them.",
        ),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a PNG (`plot` extra).")
    ] = None,
    chart: Annotated[
        bool, typer.Option("--chart", help="Draw plots in the terminal (`plot` extra).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Simulate lanes on a virtual clock: waits, calls, distance from the bound.

    The traffic is synthetic or recorded; the lanes run the program's own code.
    """
    from consumer.simulate.recorded import store_traffic
    from consumer.simulate.recordings import Recording
    from consumer.simulate.simulate import Question, Scenario, synthetic_lanes

    begins, ends = parse_position(begin, "--from"), parse_position(end, "--to")
    check_speed(speed)
    now, then = _parse_limits(limits, "--limits"), _parse_limits(compare, "--compare")
    recorded = baskets or events is not None or topic is not None
    source = Recording(topic, events, baskets, bootstrap, begins, ends) if recorded else None
    if rules and source is None:
        raise typer.BadParameter("needs --events, --topic or --baskets", param_hint="--rules")
    if config is None and (lane is not None or rules or (recorded and not baskets)):
        config = Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)
    if rules and config is not None and source is not None:
        _simulate_rules(
            _load_for(config, lane, secrets=source.from_kafka), source, seed, as_json=as_json
        )
        return
    if config is None and baskets:
        lanes = [store_traffic(campaigns or 60, speed)]
    elif config is None:
        lanes = [Scenario(campaigns or 50, rate, hours, seed).traffic()]
    elif source is None:
        lanes = synthetic_lanes(_load_for(config, lane, secrets=False), lane, rate, hours, seed)
    else:
        loaded = _load_for(config, lane, secrets=source.from_kafka)
        lanes = _recorded_lanes(loaded, lane, source, speed)
    lanes = [traffic.under(now, share, reserve) for traffic in lanes]
    lanes = _with_backlogs(lanes, backlog or [], every)
    told = Question(lanes, seed, baselines, then).answer()
    _print_answer(told, plot, config, as_json=as_json, chart=chart)


def _load_for(path: Path, lane: str | None, *, secrets: bool) -> Config:
    """Load a config that must have this lane."""
    config = load_config(path, secrets=secrets)
    if lane is not None and lane not in config.lanes:
        expected = f"expected one of the config's lanes: {', '.join(config.lanes)}"
        raise typer.BadParameter(expected, param_hint="--lane")
    return config


def _recorded_lanes(
    config: Config, only: str | None, source: Recording, speed: float
) -> list[LaneTraffic]:
    from consumer.simulate.recorded import routed

    found = routed(config, source.records(config))
    for what, number in sorted(found.counts.items()):
        typer.echo(f"{number:,} events {what}", err=True)
    return found.lanes(speed, only)


def _simulate_rules(config: Config, source: Recording, seed: int, *, as_json: bool) -> None:
    from rich.console import Console

    from consumer.simulate.rules_answer import play_rules, print_rules

    told = play_rules(config, source.records(config), seed)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        print_rules(told, Console())


def _parse_limits(text: str | None, option: str) -> Sequence[Limit] | None:
    from consumer.config.durations import parse_limit

    try:
        return None if text is None else [parse_limit(part.strip()) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _with_backlogs(
    lanes: Sequence[LaneTraffic], texts: Sequence[str], every: float | None
) -> list[LaneTraffic]:
    from consumer.simulate.simulate import shared_out

    backlog: dict[str, int] = {}
    known = {name for lane in lanes for name in lane.settings.campaigns}
    for text in texts:
        campaign, _, number = text.rpartition("=")
        if not (number.isdecimal() and number.isascii()) or (campaign and campaign not in known):
            expected = "expected a number, or one of the campaigns, = and a number"
            raise typer.BadParameter(f"{expected}, not {text}", param_hint="--backlog")
        backlog |= {campaign: int(number)} if campaign else shared_out(int(number), lanes)
    seconds = math.inf if every is None else every * 3600.0
    return [lane.with_backlog(backlog, seconds) for lane in lanes]


def _row_name(config: Path | None) -> str:
    """Return what the lane's own row is named in a comparison."""
    return "this program" if config is None or config == Path("-") else config.name


def _print_answer(
    told: Mapping[str, Any], plot: Path | None, config: Path | None, *, as_json: bool, chart: bool
) -> None:
    from rich.console import Console

    from consumer.simulate import plots, tables

    if plot is not None:
        plots.png(told, plot)
    if as_json:
        typer.echo(json.dumps(told))
        return
    tables.print_tables(told, Console(), _row_name(config))
    for text in plots.terminal(told) if chart else []:
        typer.echo(text)
