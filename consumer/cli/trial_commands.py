"""`demo`, `sandbox` and `produce`: try the program without a vendor, or without Kafka."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import Json, check_speed, config_option, load_config

if TYPE_CHECKING:
    from consumer.config.models import Config
    from consumer.sandbox.settings import SandboxSettings


def demo(
    events: Annotated[int, typer.Option(help="Number of transactions.")] = 5000,
    as_json: Json = False,
    seed: Annotated[int, typer.Option(help="Seed of the generated transactions.")] = 7,
) -> None:
    """Show the program at work on this machine: embedded broker, vendors' doubles."""
    from rich.console import Console

    from consumer.demo.demo import Demo
    from consumer.observability.logs import logs

    logs.set_up(logs.Level.ERROR)
    figures = Demo(events, Console(stderr=as_json), seed).run()
    if as_json:
        typer.echo(json.dumps(figures))


def sandbox(
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings of the sandbox as JSON; see --schema."),
    ] = None,
    config: Annotated[
        Path | None,
        config_option("Routing config whose accounts and limits to double, too; - reads stdin."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 is any free one.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the settings.")
    ] = False,
) -> None:
    """Run the vendors' double: strict, with quotas, faults, a call log and a page."""
    import asyncio

    from consumer.sandbox.server import listen, serve, url_of
    from consumer.sandbox.settings import SandboxSettings

    if schema:
        typer.echo(json.dumps(SandboxSettings.model_json_schema(), indent=2))
        return
    wanted = _sandbox_settings(settings, {"host": host, "port": port})
    loaded = None if config is None else load_config(config)
    if loaded is not None:
        wanted = _with_accounts_of(loaded, wanted)
    try:
        listener = listen(wanted)
    except OSError as error:
        raise typer.BadParameter(f"{wanted.host}:{wanted.port}: {error.strerror}") from None
    url = url_of(listener)
    typer.echo(f"sandbox at {url}/")
    if config is not None and loaded is not None:
        _tell_how_to_use(config, loaded, url)
    asyncio.run(serve(wanted, listener))


def _sandbox_settings(file: Path | None, overrides: dict[str, object]) -> SandboxSettings:
    """Read the settings of a file; the command line overrides them. Raises BadParameter."""
    from pydantic import ValidationError

    from consumer.sandbox.settings import SandboxSettings

    try:
        given = json.loads(file.read_text()) if file else {}
        given |= {name: value for name, value in overrides.items() if value is not None}
        return SandboxSettings.model_validate(given)
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise typer.BadParameter(places) from None
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}") from None


def _with_accounts_of(config: Config, wanted: SandboxSettings) -> SandboxSettings:
    """Add the accounts and limits of a config; print the campaigns that have no double."""
    from consumer.demo.own_account import account_of, unknown_to_the_double

    for name, why in unknown_to_the_double(config).items():
        typer.echo(f"campaign {name}: the sandbox cannot answer its calls: {why}")
    return wanted.with_account(account_of(config, wanted))


def _tell_how_to_use(path: Path, config: Config, url: str) -> None:
    from consumer.demo.double_address import double_address

    address = double_address(path, config, url)
    if address.variables:
        assigned = " ".join(f"{name}={value}" for name, value in address.variables.items())
        typer.echo(f"\nin the shell of the commands that call it:\n  export {assigned}")
    for problem in address.notes:
        typer.echo(f"note: {problem}")


def produce(
    topic: Annotated[
        str | None,
        typer.Option(
            help="Input topic.", show_default="the config's, or pos.transaction-completed"
        ),
    ] = None,
    bootstrap: Annotated[
        str | None,
        typer.Option(
            help="Address of a Kafka broker.", show_default="the config's, or localhost:9092"
        ),
    ] = None,
    config: Annotated[
        Path | None, config_option("Routing config whose Kafka and input topic to use.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Events of a file: one JSON document, or one a line."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(help="Factor on the recorded pace, above 0; by default all at once."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Number of events to produce.")] = None,
    synthetic: Annotated[
        float | None,
        typer.Option(min=0.001, help="Generate so many events per second instead; needs no extra."),
    ] = None,
) -> None:
    """Produce events to an input topic: a year of real purchases, or those of --events.

    The purchases need the `baskets` extra; with --synthetic they are generated.
    """
    from consumer.demo.feed import produce_baskets, produce_file, produce_synthetic

    check_speed(speed)
    loaded = None if config is None else load_config(config)
    kafka = {"bootstrap.servers": "localhost:9092"} if loaded is None else dict(loaded.kafka)
    if bootstrap is not None:
        kafka["bootstrap.servers"] = bootstrap
    name = topic or _input_topic(loaded)
    if events is not None:
        number = produce_file(kafka, name, events)
    elif synthetic is None:
        number = produce_baskets(kafka, name, speed=speed, limit=limit)
    else:
        number = produce_synthetic(kafka, name, rate=synthetic, limit=limit)
    typer.echo(f"{number:,} events produced to {name}")


def _input_topic(config: Config | None) -> str:
    """Return the topic to produce to without --topic. Raises BadParameter."""
    if config is None:
        return "pos.transaction-completed"
    if len(config.input_topics) > 1:
        named = ", ".join(config.input_topics)
        raise typer.BadParameter(f"expected one of {named}", param_hint="--topic")
    return config.input_topics[0]
