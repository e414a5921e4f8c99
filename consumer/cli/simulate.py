"""`survey-dispatcher simulate`: its options, and the question that they ask.

What a simulation needs is imported when it runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumer.cli.options import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    Json,
    default_config,
    load_config,
    parse_time,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consumer.config.models import Config
    from consumer.lane.state.settings import Limit
    from consumer.routing.router import Record
    from consumer.simulate.simulate import LaneTraffic
    from consumer.simulate.topic import Point

DOCUMENTED = "20/5s,40/25s,80/125s,160/625s"


def simulate(
    campaigns: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of synthetic campaigns (default 50), or of stores with --baskets "
            "(default 60).",
        ),
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
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Simulate the lanes and campaigns of this routing config; - reads standard "
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
        typer.Option(
            "--from",
            metavar="POSITION",
            help="Begin of --topic: earliest, an offset or an RFC 3339 time.",
        ),
    ] = "earliest",
    end: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="POSITION",
            help="End of --topic: latest, an offset or an RFC 3339 time.",
        ),
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
        list[str] | None,
        typer.Option(
            metavar="[CAMPAIGN=]NUMBER",
            help="Add so many invitations at once, shared out or to one campaign; repeatable.",
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Compare with other ways to spend permits.")
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
    recording = Recording(events, topic, bootstrap, _point(begin), _point(end), baskets)
    if not speed > 0:
        raise typer.BadParameter("expected a number above 0", param_hint="--speed")
    if config is None and (recording.needs_config or lane is not None):
        config = default_config()
    asked = Asked(config, lane, campaigns, rate, hours, seed, speed)
    quota = _limits(limits, "--limits")
    found = [each.under(quota, share) for each in _lanes(asked, recording)]
    told = _answer(_with_backlogs(found, backlog or []), seed, baselines, compare)
    _show(told, plot, as_json=as_json, chart=chart)


@dataclass(frozen=True, slots=True)
class Recording:
    """Where recorded traffic is."""

    events: Path | None
    topic: str | None
    bootstrap: str | None
    begin: Point
    end: Point
    baskets: bool

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.events or self.topic or self.baskets)

    @property
    def needs_config(self) -> bool:
        """Whether a config must route its events."""
        return bool(self.events or self.topic) and not self.baskets


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lanes, and how much comes."""

    config: Path | None
    lane: str | None
    campaigns: int | None
    rate: float
    hours: float
    seed: int
    speed: float


def _lanes(asked: Asked, recording: Recording) -> Sequence[LaneTraffic]:
    from consumer.simulate.simulate import DOCUMENTED as documented  # noqa: N811 - the parsed ones
    from consumer.simulate.simulate import Scenario
    from consumer.simulate.stores import of_stores

    if asked.config is not None:
        return _of_config(asked, recording)
    if recording.baskets:
        return [of_stores(asked.campaigns or 60, asked.speed, documented, 1.0)]
    return [Scenario(asked.campaigns or 50, asked.rate, asked.hours, asked.seed).traffic()]


def _of_config(asked: Asked, recording: Recording) -> Sequence[LaneTraffic]:
    assert asked.config is not None  # noqa: S101 - for the type checker
    from_kafka = recording.any and not (recording.events or recording.baskets)
    loaded = load_config(asked.config, secrets=from_kafka)
    if asked.lane is not None and asked.lane not in loaded.lanes:
        expected = f"expected one of the config's lanes: {', '.join(loaded.lanes)}"
        raise typer.BadParameter(expected, param_hint="--lane")
    if not recording.any:
        return _synthetic(loaded, asked)
    return _recorded(loaded, asked, recording)


def _synthetic(config: Config, asked: Asked) -> Sequence[LaneTraffic]:
    """The config's campaigns, sized by Zipf's law in its order."""
    from consumer.simulate.simulate import poisson_lane
    from consumer.simulate.traffic import zipf_rates
    from consumer.wiring.build import lane_settings

    rates = dict(zip(config.campaigns, zipf_rates(len(config.campaigns), asked.rate), strict=True))
    return [
        poisson_lane(
            lane_settings(config, lane),
            {name: rates[name] for name in config.campaigns_of(lane)},
            asked.hours,
            asked.seed,
        )
        for lane in config.lanes
        if asked.lane in (None, lane)
    ]


def _recorded(config: Config, asked: Asked, recording: Recording) -> Sequence[LaneTraffic]:
    from consumer.simulate import recorded, stores, topic

    source = recorded.input_topic(config, recording.topic)
    records: Iterable[Record]
    if recording.events is not None:
        records = recorded.lines(recording.events, source)
    elif recording.baskets:
        records = stores.as_records(source)
    else:
        settings = dict(config.kafka)
        if recording.bootstrap:
            settings["bootstrap.servers"] = recording.bootstrap
        records = topic.records(settings, topic.Range(source, recording.begin, recording.end))
    found = recorded.routed(config, records)
    for what, number in sorted(found.counts.items()):
        typer.echo(f"{number:,} events {what}", err=True)
    return found.lanes(asked.speed, asked.lane)


def _point(text: str) -> Point:
    """`earliest`, `latest`, an offset, or a time."""
    if text in ("earliest", "latest"):
        return text
    if text.isdecimal() and text.isascii():
        return int(text)
    when = parse_time(text)
    if when is None:
        raise typer.BadParameter(
            f"expected earliest, latest, an offset or an RFC 3339 time with its offset, not {text}"
        )
    return when


def _limits(text: str | None, name: str) -> Sequence[Limit] | None:
    from consumer.config.durations import parse_limit

    try:
        return None if text is None else [parse_limit(each.strip()) for each in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from None


def _with_backlogs(lanes: Sequence[LaneTraffic], texts: Sequence[str]) -> Sequence[LaneTraffic]:
    from consumer.simulate.simulate import shared_out

    backlog: dict[str, int] = {}
    known = {name for lane in lanes for name in lane.settings.campaigns}
    for text in texts:
        campaign, _, number = text.rpartition("=")
        if not (number.isdecimal() and number.isascii()) or (campaign and campaign not in known):
            expected = "expected a number, or one of the campaigns, = and a number"
            raise typer.BadParameter(f"{expected}, not {text}", param_hint="--backlog")
        backlog |= {campaign: int(number)} if campaign else shared_out(int(number), lanes)
    return [
        replace(
            lane,
            backlog={name: n for name, n in backlog.items() if name in lane.settings.campaigns},
        )
        for lane in lanes
    ]


def _answer(
    lanes: Sequence[LaneTraffic],
    seed: int,
    baselines: bool,
    compare: str | None,
) -> Mapping[str, Any]:
    from consumer.simulate.simulate import Question

    return Question(lanes, seed, baselines, _limits(compare, "--compare")).answer()


def _show(told: Mapping[str, Any], plot: Path | None, *, as_json: bool, chart: bool) -> None:
    from rich.console import Console

    from consumer.simulate import plots, tables

    if plot is not None:
        plots.png(told, plot)
    if as_json:
        typer.echo(json.dumps(told))
        return
    tables.show(told, Console())
    for text in plots.terminal(told) if chart else []:
        typer.echo(text)
