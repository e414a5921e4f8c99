"""`validate`, `topics` and `schemas`: check a config and what it needs before it runs."""

from __future__ import annotations

import json
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    Json,
    import_without_rich,
    load_config,
)
from consumer.errors import ConfigError, OperationError, RegistryUnavailable, TopicsError
from consumer.runtime.options import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from confluent_kafka.admin import AdminClient

    from consumer.config.models import Config
    from consumer.errors import Problem
    from consumer.kafka.topics import TopicSpec
    from consumer.operations.event_fields.compare import Compared

_HOW_TO_CREATE = (
    "`topics --create` makes the program's own topics that are missing and raises limits that are "
    "too small (it needs the right to alter their configs), `--format` prints them; "
    "input topics are made by the owner of the events"
)


class Format(StrEnum):
    """How `topics` prints what it would create."""

    CLI = "cli"
    STRIMZI = "strimzi"


def validate(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Routing config, the same as with --config."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    secrets: Annotated[
        bool,
        typer.Option(help="Read ${file:…} and ${env:…}, or check with placeholders instead."),
    ] = True,
    events: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Recorded events, one JSON document a line: warn of fields that none of them has.",
        ),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Input topic that the file of --events was recorded from.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a routing config and report all problems at once."""
    import_without_rich()
    from consumer.wiring.config_file import shown

    source = context.get_parameter_source("config")
    if file is not None and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("FILE and --config name a config each: choose one")
    path = file or config
    if as_json:
        _validate_as_json(path, events, topic, secrets=secrets)
        return
    loaded = load_config(path, secrets=secrets)
    if events is not None:
        compared = _compared(path, loaded, events, topic)
        for warning in compared.warnings:
            typer.echo(f"warning: {warning}", err=True)
        typer.echo(f"{events}: compared with {compared.events:,} events")
    lanes = ", ".join(loaded.lanes)
    typer.echo(
        f"{shown(path)}: valid; config version {loaded.config_version}, "
        f"{len(loaded.routes)} routes, {len(loaded.campaigns)} campaigns, lanes: {lanes}"
    )
    for name, table in loaded.tables.items():
        columns = ", ".join(table.content.columns)
        typer.echo(f"table {name}: {len(table.content.rows):,} rows, columns: {columns}")


def _compared(path: Path, config: Config, events: Path, topic: str | None) -> Compared:
    from consumer.operations.event_fields.compare import compare
    from consumer.simulate.recordings import Recording
    from consumer.wiring.config_file import STDIN

    if path == STDIN:
        raise typer.BadParameter("--events needs a config in a file", param_hint="--events")
    return compare(path, config, Recording(topic, events).records(config))


def _validate_as_json(path: Path, events: Path | None, topic: str | None, *, secrets: bool) -> None:
    from consumer.wiring import config_file

    file = config_file.shown(path)
    try:
        config = config_file.read(path, secrets=secrets)
    except ConfigError as error:
        problems = _problems_as_json(error.problems)
        _print_json({"file": file, "valid": False, "problems": problems, "warnings": []})
        raise typer.Exit(ExitCode.CONFIG) from None
    contents: dict[str, object] = {
        "config_version": config.config_version,
        "lanes": list(config.lanes),
        "campaigns": list(config.campaigns),
        "routes": [route.name for route in config.routes],
        "tables": {
            name: {"rows": len(table.content.rows), "columns": list(table.content.columns)}
            for name, table in config.tables.items()
        },
    }
    warnings = _problems_as_json(config.warnings)
    if events is not None:
        compared = _compared(path, config, events, topic)
        contents["events"] = compared.events
        warnings += _problems_as_json(compared.warnings)
    _print_json({"file": file, "valid": True, "problems": [], "warnings": warnings, **contents})


def _problems_as_json(problems: Iterable[Problem]) -> list[Mapping[str, object]]:
    keys = ("file", "line", "path", "message", "hint")
    return [{key: getattr(problem, key) for key in keys} for problem in problems]


def _print_json(document: Mapping[str, object]) -> None:
    typer.echo(json.dumps(document))


def topics(
    config: ConfigPath = DEFAULT_CONFIG,
    create: Annotated[
        bool, typer.Option("--create", help="Create missing topics and raise limits.")
    ] = False,
    inputs: Annotated[
        bool,
        typer.Option("--inputs", help="With --create: missing input and feed topics, too; to try."),
    ] = False,
    output: Annotated[
        Format | None,
        typer.Option("--format", help="Print commands or resources instead of asking Kafka."),
    ] = None,
    cluster: Annotated[str, typer.Option(help="Name of the Strimzi cluster.")] = "kafka",
    user: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --format strimzi: a KafkaUser, too, with the rights that the program needs.",
        ),
    ] = None,
    partitions: Annotated[
        int,
        typer.Option(min=1, max=10_000, help="Partitions of the results topic, and of --inputs."),
    ] = 6,
    replication: Annotated[
        int, typer.Option(min=-1, max=100, help="Replication factor; -1 is the broker's default.")
    ] = -1,
    as_json: Json = False,
) -> None:
    """Check, create or print the program's own topics."""
    from consumer.kafka.clients import admin_client
    from consumer.kafka.reachability import require_broker
    from consumer.kafka.topics import own_topics, problems

    if inputs and not create:
        raise typer.BadParameter("--inputs goes with --create", param_hint="--inputs")
    if user is not None and output is not Format.STRIMZI:
        raise typer.BadParameter("--user goes with --format strimzi", param_hint="--user")
    if output is not None and as_json:
        raise typer.BadParameter("--format prints for other tools, --json the check: choose one")
    loaded = load_config(config, secrets=output is None)
    specs = own_topics(loaded, partitions)
    if output is not None:
        _print_topics(specs, output, cluster, replication)
        if user is not None:
            _print_user(loaded, user, cluster)
        return
    require_broker(loaded.kafka)
    client = admin_client(loaded.kafka)
    foreign = _foreign_topics(loaded, partitions) if inputs else []
    changes = (
        _create_topics(client, [*specs, *foreign], replication, quiet=as_json) if create else {}
    )
    found = problems(client, specs, loaded.input_topics, loaded.feed_topics)
    if as_json:
        checked = {"ok": not found, "problems": found, "created": [], "changed": [], **changes}
        needed = [
            {"name": spec.name, "partitions": spec.partitions, "config": dict(spec.settings)}
            for spec in specs
        ]
        _print_json({**checked, "topics": needed})
        raise typer.Exit(ExitCode.TOPICS if found else ExitCode.CLEAN)
    if found:
        raise TopicsError("\n".join([*found, _HOW_TO_CREATE]))
    typer.echo("all topics are as they must be")


def _foreign_topics(config: Config, partitions: int) -> list[TopicSpec]:
    """Return the topics that other programs write, with the brokers' own settings."""
    from consumer.kafka.topics import TopicSpec

    names = dict.fromkeys([*config.input_topics, *config.feed_topics])
    return [TopicSpec(name, partitions) for name in names]


def _create_topics(
    client: AdminClient, specs: Sequence[TopicSpec], replication: int, *, quiet: bool
) -> Mapping[str, Sequence[str]]:
    """Create and change topics; unless `quiet`, print each change once it is made."""
    from consumer.kafka import topics as kafka_topics

    created = kafka_topics.create(client, specs, replication)
    _print_lines([] if quiet else [f"created {name}" for name in created])
    kafka_topics.wait_until_shown(client, [spec.name for spec in specs])
    changed = kafka_topics.raise_limits(client, specs)
    _print_lines([] if quiet else [f"changed {change}" for change in changed])
    return {"created": created, "changed": changed}


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def _print_topics(
    specs: Sequence[TopicSpec], output: Format, cluster: str, replication: int
) -> None:
    from consumer.kafka.topic_manifests import as_commands, as_strimzi

    if output is Format.CLI:
        typer.echo(as_commands(specs, replication))
        return
    for resource in as_strimzi(specs, cluster, replication):
        typer.echo("---\n" + json.dumps(resource, indent=2))


def _print_user(config: Config, name: str, cluster: str) -> None:
    from consumer.kafka.user_manifest import user_as_strimzi

    typer.echo("---\n" + json.dumps(user_as_strimzi(config, name, cluster), indent=2))


def schemas(
    folder: Annotated[
        Path | None, typer.Option("--write", metavar="FOLDER", help="Write them to this folder.")
    ] = None,
    register: Annotated[
        bool,
        typer.Option("--register", help="Register that of results at the config's registry."),
    ] = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """List the schemas of records and config, write them, or register that of results."""
    from consumer import docgen

    if register:
        _register_results(load_config(config), docgen.documents()["result.schema.json"])
    elif folder is None:
        _print_lines(docgen.documents())
    else:
        _print_lines(f"wrote {name}" for name in docgen.write(folder))


def _register_results(config: Config, schema: str) -> None:
    from consumer.http.schema_registry import SchemaRegistry

    if config.registry is None:
        raise OperationError("the config names no registry: add `registry: {url: …}`")
    subject = f"{config.topics.results}-value"
    try:
        with closing(SchemaRegistry(config.registry)) as registry:
            found = registry.register(subject, schema)
    except RegistryUnavailable as error:
        raise OperationError(f"{subject} cannot be registered: {error}") from None
    typer.echo(f"{subject} has the id {found}; for results that name it write")
    typer.echo(f"results: {{schema_id: {found}}}")
