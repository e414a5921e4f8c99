"""`rules try`: what other contact rules would have done."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from consumer.cli.command_group import Panel, command_group
from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    Json,
    access_to,
    parse_time_or_age,
)

rules = command_group("Try contact rules on the results of the past.")


@rules.command("try", rich_help_panel=Panel.LOOK)
def rules_try(
    config: ConfigPath = DEFAULT_CONFIG,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Only from this RFC 3339 time on, or so long ago: 30d."),
    ] = "30d",
    as_json: Json = False,
) -> None:
    """Show how many invitations of the past the config's contact rules would have held back.

    Reads the results topic and changes nothing. Opt-outs and answers are not tried, and what waits
    for a rule counts as held back.
    """
    from consumer.operations import view
    from consumer.operations.rules_try import rules_try
    from consumer.operations.tables import table

    begin = parse_time_or_age(since, "--since")
    trial, unread = rules_try(access_to(config), begin or 0.0)
    view.left_out(unread, "results could not be read and are left out")
    if as_json:
        told = {
            "invitations": trial.invitations,
            "asked_then": trial.asked_then,
            "asked_now": trial.asked_now,
            "let_through": trial.let_through,
            "held_back": dict(trial.held_back),
            "by_rule": dict(trial.by_rule),
        }
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo(
        f"{trial.invitations:,} invitations reached the contact rules: {trial.asked_then:,} were "
        f"sent, and {trial.asked_now:,} would have been ({trial.let_through:,} of them were not)"
    )
    if trial.by_rule:
        rows = [
            (name, number, trial.held_back[name]) for name, number in trial.by_rule.most_common()
        ]
        table(("rule or reason", "would hold back", "of these were sent"), rows)
