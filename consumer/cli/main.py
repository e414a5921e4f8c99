"""The command line: the root command, `run`, and the exit code of each error.

A command that finds no broker where its config says ends with 2; `run` waits for one. Commands
import what they need when they are called, so that `--help` imports the command line alone.
"""

from __future__ import annotations

import socket
import sys
from typing import Annotated, NoReturn

import typer

from consumer import __version__
from consumer.cli import (
    check_commands,
    config_commands,
    contact_commands,
    first_commands,
    live_commands,
    operations,
    results_commands,
    rules_commands,
    send_csv,
    simulate,
    trial_commands,
)
from consumer.cli import (
    explain as explain_command,
)
from consumer.cli.command_group import Panel, command_group
from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    import_without_rich,
    load_config,
    one_of,
    parse_position,
    parse_time_or_age,
    position_option,
)
from consumer.runtime.failures import explain
from consumer.runtime.options import PROCESSES, ExitCode, Processes, Role

app = command_group(
    "Read transaction events from Kafka and send survey invitations in batches to vendors.",
    name="survey-dispatcher",
    epilog="Exit codes: 0 success, 1 defect, 2 usage, config or no broker, 3 topics, "
    "4 start position unclear.",
)


def main() -> NoReturn:
    """Run a command; every expected error is one readable message and an exit code."""
    try:
        app()
    except Exception as error:  # noqa: BLE001 - its own text may repeat an event
        message, code = explain(error)
        if message:
            typer.echo(message, err=True)
        sys.exit(code)
    sys.exit(ExitCode.CLEAN)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"survey-dispatcher {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options before the command."""


@app.command(rich_help_panel=Panel.RUN)
def run(
    config: ConfigPath = DEFAULT_CONFIG,
    role: Annotated[Role, typer.Option(help="Stages to run.")] = Role.ALL,
    processes: Annotated[
        Processes,
        typer.Option(
            help="Processes of role all: `two` use two cores, `one` takes less memory.",
            envvar="SURVEY_DISPATCHER_PROCESSES",
            show_default="two on Linux",
        ),
    ] = PROCESSES,
    begin: Annotated[
        str | None,
        position_option(
            "--from",
            "Where the first start begins to read: earliest, latest or an RFC 3339 time. "
            "Without effect once the group has offsets.",
        ),
    ] = None,
    skip_answered: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="On a mirror: leave out what has a result of another cluster since this RFC 3339 "
            "time.",
        ),
    ] = None,
    instance: Annotated[
        str,
        typer.Option(
            help="Name of this replica: stable over restarts, different from other replicas.",
            envvar="SURVEY_DISPATCHER_INSTANCE",
            show_default="the host name",
        ),
    ] = socket.gethostname(),
    log_level: Annotated[
        str,
        one_of(
            "consumer.observability.logs.logs",
            "Level",
            text="Minimum level to log, on stderr: debug, info, warning or error.",
            metavar="LEVEL",
        ),
    ] = "info",
) -> None:
    """Run the dispatcher until SIGTERM.

    A changed config file or secret is loaded while it runs, unless the config came from standard
    input.
    """
    import asyncio

    import_without_rich()
    from consumer.observability.logs import logs
    from consumer.runtime.options import Options
    from consumer.runtime.parent.fork import can_fork, run_two
    from consumer.runtime.process import Process
    from consumer.wiring.config_file import STDIN, ConfigFile, fingerprint

    logs.set_up(logs.Level(log_level))
    file = ConfigFile(config, fingerprint(config)) if config != STDIN else None
    start = None if begin is None else parse_position(begin, "--from", offsets=False)
    since = parse_time_or_age(skip_answered, "--skip-answered")
    options = Options(role=role, begin=start, instance=instance, file=file, answered_since=since)
    loaded = load_config(config)
    if role is Role.ALL and processes is Processes.TWO and can_fork():
        run_two(loaded, options)
    else:
        asyncio.run(Process(loaded, options).run())


app.command(rich_help_panel=Panel.RUN)(first_commands.init)
app.command("send-csv", rich_help_panel=Panel.RUN)(send_csv.send_csv)
app.command(rich_help_panel=Panel.CHECK)(check_commands.validate)
app.command(rich_help_panel=Panel.CHECK)(first_commands.doctor)
app.command("test", rich_help_panel=Panel.CHECK)(config_commands.run_tests_of_config)
app.command("diff", rich_help_panel=Panel.CHECK)(config_commands.diff_configs)
app.command(rich_help_panel=Panel.CHECK)(check_commands.topics)
app.command(rich_help_panel=Panel.CHECK)(check_commands.schemas)
app.command(rich_help_panel=Panel.LOOK)(operations.status)
app.command(rich_help_panel=Panel.LOOK)(explain_command.explain)
app.command(rich_help_panel=Panel.MEND)(operations.resend)
app.add_typer(results_commands.results, name="results")
app.add_typer(operations.dlq, name="dlq")
app.add_typer(operations.lanes, name="lanes")
app.add_typer(rules_commands.rules, name="rules")
app.add_typer(contact_commands.contacts, name="contacts")
app.add_typer(contact_commands.suppress, name="suppress")
app.command(rich_help_panel=Panel.MEND)(contact_commands.forget)
app.add_typer(live_commands.inputs, name="inputs")
app.add_typer(live_commands.campaigns, name="campaigns")
app.command(rich_help_panel=Panel.MEND)(live_commands.pause)
app.command(rich_help_panel=Panel.MEND)(live_commands.resume)
operations.lanes.command("reopen", rich_help_panel=Panel.MEND)(live_commands.lanes_reopen)
app.command(rich_help_panel=Panel.TRY)(simulate.simulate)
app.command(rich_help_panel=Panel.TRY)(trial_commands.demo)
app.command(rich_help_panel=Panel.TRY)(trial_commands.sandbox)
app.command(rich_help_panel=Panel.TRY)(trial_commands.produce)
