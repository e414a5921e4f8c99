"""`validate`, `topics` and `schemas`: check a config and what it needs before it runs."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import DEFAULT_CONFIG, ConfigPath, Json, load_config
from consumer.errors import ConfigError, TopicsError
from consumer.runtime.options import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from confluent_kafka.admin import AdminClient

    from consumer.config.models import Config
    from consumer.errors import Problem
    from consumer.kafka.topics import TopicSpec

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
    as_json: Json = False,
) -> None:
    """Check a routing config and report all problems at once."""
    from consumer.wiring.config_file import shown

    source = context.get_parameter_source("config")
    if file is not None and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("FILE and --config name a config each: choose one")
    path = file or config
    if as_json:
        _validate_as_json(path, secrets=secrets)
        return
    loaded = load_config(path, secrets=secrets)
    lanes = ", ".join(loaded.lanes)
    typer.echo(
        f"{shown(path)}: valid; config version {loaded.config_version}, "
        f"{len(loaded.routes)} routes, {len(loaded.campaigns)} campaigns, lanes: {lanes}"
    )


def _validate_as_json(path: Path, *, secrets: bool) -> None:
    from consumer.wiring import config_file

    try:
        loaded = config_file.read(path, secrets=secrets)
    except ConfigError as error:
        found = {"valid": False, "problems": _as_json(error.problems), "warnings": []}
        typer.echo(json.dumps({"file": config_file.shown(path), **found}))
        raise typer.Exit(ExitCode.CONFIG) from None
    found = {"valid": True, "problems": [], "warnings": _as_json(loaded.warnings)}
    typer.echo(json.dumps({"file": config_file.shown(path), **found, **_contents(loaded)}))


def _contents(config: Config) -> Mapping[str, object]:
    return {
        "config_version": config.config_version,
        "lanes": list(config.lanes),
        "campaigns": list(config.campaigns),
        "routes": [each.name for each in config.routes],
    }


def _as_json(problems: Iterable[Problem]) -> list[Mapping[str, object]]:
    return [
        {
            "file": each.file,
            "line": each.line,
            "path": each.path,
            "message": each.message,
            "hint": each.hint,
        }
        for each in problems
    ]


def topics(
    config: ConfigPath = DEFAULT_CONFIG,
    create: Annotated[
        bool, typer.Option("--create", help="Create missing topics and raise limits.")
    ] = False,
    output: Annotated[
        Format | None,
        typer.Option("--format", help="Print commands or resources instead of asking Kafka."),
    ] = None,
    cluster: Annotated[str, typer.Option(help="Name of the Strimzi cluster.")] = "kafka",
    partitions: Annotated[
        int, typer.Option(min=1, max=10_000, help="Partitions of the results topic.")
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

    if output is not None and as_json:
        raise typer.BadParameter("--format prints for other tools, --json the check: choose one")
    loaded = load_config(config, secrets=output is None)
    specs = own_topics(loaded, partitions)
    if output is not None:
        _print_topics(specs, output, cluster, replication)
        return
    require_broker(loaded.kafka)
    client = admin_client(loaded.kafka)
    made = _create(client, specs, replication, quiet=as_json) if create else {}
    found = problems(client, specs, loaded.input_topics)
    if as_json:
        told = {"ok": not found, "problems": found, "created": [], "changed": [], **made}
        typer.echo(json.dumps({**told, "topics": [_topic_as_json(each) for each in specs]}))
        raise typer.Exit(ExitCode.TOPICS if found else ExitCode.CLEAN)
    if found:
        raise TopicsError("\n".join([*found, _HOW_TO_CREATE]))
    typer.echo("all topics are as they must be")


def _create(
    client: AdminClient, specs: Sequence[TopicSpec], replication: int, *, quiet: bool
) -> Mapping[str, Sequence[str]]:
    from consumer.kafka import topics as kafka_topics

    def tell(line: str) -> None:
        if not quiet:
            typer.echo(line)

    created = kafka_topics.create(client, specs, replication)
    for name in created:
        tell(f"created {name}")
    kafka_topics.wait_until_shown(client, [each.name for each in specs])
    changed = kafka_topics.raise_limits(client, specs)
    for change in changed:
        tell(f"changed {change}")
    return {"created": created, "changed": changed}


def _topic_as_json(spec: TopicSpec) -> Mapping[str, object]:
    return {"name": spec.name, "partitions": spec.partitions, "config": dict(spec.settings)}


def _print_topics(
    specs: Sequence[TopicSpec], output: Format, cluster: str, replication: int
) -> None:
    from consumer.kafka.topics import as_commands, as_strimzi

    if output is Format.CLI:
        typer.echo(as_commands(specs, replication))
        return
    for resource in as_strimzi(specs, cluster, replication):
        typer.echo("---\n" + json.dumps(resource, indent=2))


def schemas(
    folder: Annotated[
        Path | None, typer.Option("--write", metavar="FOLDER", help="Write them to this folder.")
    ] = None,
) -> None:
    """List the schemas of records and config, or write them."""
    from consumer import docgen

    if folder is None:
        for name in docgen.documents():
            typer.echo(name)
        return
    for name in docgen.write(folder):
        typer.echo(f"wrote {name}")
