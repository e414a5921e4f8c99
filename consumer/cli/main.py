"""The commands. Exit codes: 0 clean, 1 a defect, 2 usage or config, 3 topics, 4 unclear start.

A command that finds no broker where its config says ends with 2; `run` waits for one.

The commands beside `run` import what they alone need when they are called: a service that starts
a thousand times should not load its own demo.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import structlog
import typer
from confluent_kafka.admin import AdminClient

from consumer.cli import (
    live_commands,
    operations,
    simulate,
)
from consumer.cli.options import (
    ConfigPath,
    load_config,
    time_of,
)
from consumer.errors import (
    BrokerUnreachable,
    ConfigError,
    DispatcherError,
    OperationError,
    StartPositionError,
    TopicsError,
)
from consumer.kafka import topics
from consumer.kafka.reachability import require_broker
from consumer.kafka.start_offsets import StartFrom
from consumer.observability.logs import logs
from consumer.runtime.options import (
    Options,
    Role,
)
from consumer.runtime.process import (
    ExitCode,
    Process,
)
from consumer.wiring.config_file import (
    ConfigFile,
    fingerprint,
)

if TYPE_CHECKING:
    from consumer.config.models import Config
    from consumer.sandbox.settings import SandboxSettings

app = typer.Typer(
    name="survey-dispatcher",
    help="Transaction events in, batched survey invitations out, one result each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(operations.status)
app.command()(operations.resend)
app.command()(simulate.simulate)
app.add_typer(operations.dlq, name="dlq")
app.add_typer(operations.lanes, name="lanes")
app.add_typer(live_commands.inputs, name="inputs")
app.add_typer(live_commands.campaigns, name="campaigns")
operations.lanes.command("reopen")(live_commands.lanes_reopen)
log = structlog.get_logger(__name__)

_WHO_CREATES = (
    "`topics --create` makes the program's own topics that are missing and raises limits that are "
    "too small (it needs the right to alter their configs), `--format` prints them; "
    "input topics are made by whoever writes the events"
)


def main() -> NoReturn:
    """Run a command; every expected error is one readable message and an exit code."""
    try:
        app()
    except (ConfigError, BrokerUnreachable) as error:
        _fail(str(error), ExitCode.CONFIG)
    except OperationError as error:
        _fail(f"refused: {error}", ExitCode.CONFIG)
    except TopicsError as error:
        _fail(str(error), ExitCode.TOPICS)
    except StartPositionError as error:
        _fail(str(error), ExitCode.START_UNCLEAR)
    except DispatcherError as error:
        _fail(str(error), ExitCode.DEFECT)
    except Exception as error:  # noqa: BLE001 - its own text may repeat an event
        where = "".join(traceback.format_tb(error.__traceback__))
        _fail(f"{where}{type(error).__name__}: a defect, please report", ExitCode.DEFECT)
    sys.exit(ExitCode.CLEAN)


def _fail(message: str, code: ExitCode) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(code)


@app.command()
def run(
    config: ConfigPath = Path("routing.yaml"),
    role: Annotated[Role, typer.Option(help="which stages this process runs")] = Role.ALL,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="where a first start begins: earliest, latest or an RFC 3339 time; "
            "without effect where an earlier run has begun",
        ),
    ] = None,
    instance: Annotated[
        str,
        typer.Option(
            help="stable over restarts of one replica, distinct between replicas",
            envvar="SURVEY_DISPATCHER_INSTANCE",
        ),
    ] = socket.gethostname(),
    log_level: Annotated[
        logs.Level, typer.Option(help="log this and all that is worse, to stderr")
    ] = logs.Level.INFO,
) -> None:
    """Run the dispatcher until SIGTERM."""
    logs.set_up(log_level)
    file = ConfigFile(config, fingerprint(config))
    options = Options(role=role, begin=_beginning(begin), instance=instance, file=file)

    async def serve() -> None:
        await Process(load_config(config), options).run()

    asyncio.run(serve())


def _beginning(text: str | None) -> StartFrom:
    if text is None or text in ("earliest", "latest"):
        return text
    when = time_of(text)
    if when is None:
        raise typer.BadParameter(
            "expected earliest, latest or an RFC 3339 time with its offset, "
            "as in 2026-01-31T08:00:00+03:00",
            param_hint="--from",
        )
    return when


@app.command()
def validate(
    config: ConfigPath = Path("routing.yaml"),
    secrets: Annotated[
        bool, typer.Option(help="read ${file:…} and ${env:…}; without, placeholders stand in")
    ] = True,
) -> None:
    """Check a routing config; all that is wrong is said at once."""
    loaded = load_config(config, secrets=secrets)
    lanes = ", ".join(loaded.lanes)
    typer.echo(
        f"{config}: valid; config version {loaded.config_version}, {len(loaded.routes)} routes, "
        f"{len(loaded.campaigns)} campaigns, lanes: {lanes}"
    )


@app.command("topics")
def topics_command(
    config: ConfigPath = Path("routing.yaml"),
    create: Annotated[
        bool, typer.Option("--create", help="create what is missing of them, raise limits")
    ] = False,
    output: Annotated[
        str | None, typer.Option("--format", help="print instead: cli or strimzi")
    ] = None,
    cluster: Annotated[str, typer.Option(help="the Strimzi cluster's name")] = "kafka",
    partitions: Annotated[
        int, typer.Option(min=1, max=10_000, help="partitions of the results topic")
    ] = 6,
    replication: Annotated[
        int, typer.Option(min=-1, max=100, help="-1: the broker's default")
    ] = -1,
) -> None:
    """Check, create or print the program's own topics."""
    loaded = load_config(config, secrets=output is None)
    specs = topics.own_topics(loaded, partitions)
    if output == "cli":
        typer.echo(topics.as_commands(specs, replication))
        return
    if output == "strimzi":
        for resource in topics.as_strimzi(specs, cluster, replication):
            typer.echo("---\n" + json.dumps(resource, indent=2))
        return
    if output is not None:
        raise typer.BadParameter("--format takes cli or strimzi")
    require_broker(loaded.kafka)
    client = topics.admin(loaded.kafka)
    if create:
        _create(client, specs, replication)
    inputs = loaded.input_topics
    found = topics.problems(client, specs, inputs)
    if found:
        raise TopicsError("\n".join([*found, _WHO_CREATES]))
    typer.echo("all topics are as they must be")


def _create(client: AdminClient, specs: Sequence[topics.TopicSpec], replication: int) -> None:
    for name in topics.create(client, specs, replication):
        typer.echo(f"created {name}")
    topics.wait_until_shown(client, [each.name for each in specs])
    for change in topics.raise_limits(client, specs):
        typer.echo(f"changed {change}")


@app.command()
def demo(
    events: Annotated[int, typer.Option(help="how many transactions")] = 5000,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object last")] = False,
    seed: Annotated[int, typer.Option(help="of the made-up transactions")] = 7,
) -> None:
    """Watch transactions become surveys: an embedded broker, the vendors' doubles, all local."""
    from rich.console import Console

    from consumer.demo.demo import Demo

    logs.set_up(logs.Level.ERROR)
    figures = Demo(events, Console(stderr=as_json), seed).run()
    if as_json:
        typer.echo(json.dumps(figures))


@app.command()
def sandbox(
    settings: Annotated[
        Path | None, typer.Option(help="JSON of the sandbox's settings; see --schema")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="a routing config whose campaigns it knows, too"),
    ] = None,
    host: Annotated[str | None, typer.Option(help="the address to listen at")] = None,
    port: Annotated[int | None, typer.Option(help="0: any free port")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="print the settings' schema")] = False,
) -> None:
    """Run the vendors' double: strict, with quotas, faults, a log and a page."""
    from pydantic import ValidationError

    from consumer.sandbox.server import (
        listen,
        serve,
        url_of,
    )
    from consumer.sandbox.settings import SandboxSettings

    if schema:
        typer.echo(json.dumps(SandboxSettings.model_json_schema(), indent=2))
        return
    overrides = {"host": host, "port": port}
    try:
        given = json.loads(settings.read_text()) if settings else {}
        given |= {name: value for name, value in overrides.items() if value is not None}
        wanted = SandboxSettings.model_validate(given)
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        raise typer.BadParameter(places) from None
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{settings}: {error}") from None
    if config is not None:
        wanted = _with_own(wanted, load_config(config))
    try:
        listener = listen(wanted)
    except OSError as error:
        raise typer.BadParameter(f"{wanted.host}:{wanted.port}: {error.strerror}") from None
    typer.echo(f"sandbox at {url_of(listener)}/")
    asyncio.run(serve(wanted, listener=listener))


def _with_own(wanted: SandboxSettings, config: Config) -> SandboxSettings:
    """The double's settings with the campaigns of a config; says which it does not double."""
    from consumer.demo.own_account import (
        account_of,
        unknown_to_the_double,
    )

    for name in unknown_to_the_double(config):
        vendor = config.campaigns[name].vendor
        typer.echo(f"campaign {name}: the sandbox is no double of {config.vendors[vendor].type}")
    return wanted.with_account(account_of(config, wanted))


@app.command("schemas")
def schemas_command(
    folder: Annotated[Path | None, typer.Option("--write", help="write them here")] = None,
) -> None:
    """List the schemas of all records and of the config, or write them to a folder."""
    from consumer import docgen

    if folder is None:
        for name in docgen.documents():
            typer.echo(name)
        return
    for name in docgen.write(folder):
        typer.echo(f"wrote {name}")


@app.command()
def produce(
    topic: Annotated[str, typer.Option(help="the input topic")] = "pos.transaction-completed",
    bootstrap: Annotated[str, typer.Option(help="Kafka's address")] = "localhost:9092",
    speed: Annotated[
        float | None, typer.Option(help="factor on the recorded pace, above 0; without: at once")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="only so many baskets, from the first")
    ] = None,
    synthetic: Annotated[
        float | None,
        typer.Option(min=0.001, help="made-up ones instead, so many a second; needs no extra"),
    ] = None,
) -> None:
    """Produce a year of real purchases to an input topic (needs the `baskets` extra)."""
    from consumer.demo.produce import (
        produce_baskets,
        produce_synthetic,
    )

    if speed is not None and not speed > 0:
        raise typer.BadParameter("expected a number above 0", param_hint="--speed")
    kafka = {"bootstrap.servers": bootstrap}
    if synthetic is None:
        fed = produce_baskets(kafka, topic, speed=speed, limit=limit)
    else:
        fed = produce_synthetic(kafka, topic, rate=synthetic, limit=limit)
    typer.echo(f"{fed:,} events produced to {topic}")
