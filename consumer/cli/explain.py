"""`survey-dispatcher explain`: its options; what it needs is imported when it runs."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    Json,
    load_config,
    parse_time_or_age,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from consumer.config.models import Config
    from consumer.operations.explain.contact_answers import AskContacts
    from consumer.operations.explain.explainer import Explainer
    from consumer.operations.explain.shapes import Explanation


def explain(
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT",
            help="File with one event, - for standard input, or TOPIC:PARTITION:OFFSET.",
        ),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    input_name: Annotated[
        str | None,
        typer.Option("--input", metavar="NAME", help="Input that reads it; else by its topic."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Decide as of this RFC 3339 time, or so long ago: 2h. By default now, or when the "
            "record was written.",
        ),
    ] = None,
    show_addresses: Annotated[
        bool,
        typer.Option("--show-addresses", help="Show addresses and data, which are personal data."),
    ] = False,
    routes: Annotated[
        int, typer.Option(min=1, help="Number of routes to show, the nearest first.")
    ] = 10,
    store: Annotated[
        bool,
        typer.Option(
            "--store",
            help="Ask the contact store what the person's history says. A file belongs to the "
            "running process alone; Valkey can be asked beside it.",
        ),
    ] = False,
    secrets: Annotated[
        bool,
        typer.Option(help="Read ${file:…} and ${env:…} of the config, or use placeholders."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Explain what becomes of an event, and why: routes, rules, due time, call."""
    if event == "-" and config == Path("-"):
        raise typer.BadParameter("the event and --config cannot both be standard input")
    when = parse_time_or_age(at, "--at")
    loaded = load_config(config, secrets=secrets)
    with _history(loaded) if store else nullcontext() as ask_contacts:
        explainer = _explainer(loaded, ask_contacts, show_addresses=show_addresses)
        told = _explain(loaded, explainer, event, input_name, when, routes)
    if as_json:
        typer.echo(json.dumps(told, default=str))
    else:
        from consumer.operations.explain.view import print_explanation

        print_explanation(told)


def _history(config: Config) -> AbstractContextManager[AskContacts]:
    from consumer.operations.explain.stored_history import stored_history

    return stored_history(config)


def _explainer(
    config: Config, ask_contacts: AskContacts | None, *, show_addresses: bool
) -> Explainer:
    from consumer.operations.explain.explainer import Explainer
    from consumer.operations.explain.masking import Masking

    return Explainer(config, Masking(show_addresses), ask_contacts)


def _explain(
    config: Config,
    explainer: Explainer,
    event: str,
    input_name: str | None,
    at: float | None,
    routes: int,
) -> Explanation:
    from consumer.operations.explain.event_source import event_of_file, place_of, topic_of_input

    place = place_of(event)
    if place is None:
        record, written = event_of_file(event, topic_of_input(config, input_name)), None
    else:
        from consumer.kafka.reachability import require_broker
        from consumer.operations.access import Access
        from consumer.operations.explain.kafka_record import read_record

        require_broker(config.kafka)
        record, written = read_record(Access(config), place, input_name)
    when = next((moment for moment in (at, written) if moment is not None), time.time())
    return explainer.explain(record, when, routes)
