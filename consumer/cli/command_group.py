"""Groups of commands: their help lists every command below them, by what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import typer
from typer.core import TyperGroup

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_WHOLE = 1000
"""Characters of a short help: all of the first sentence."""


class Panel(StrEnum):
    """What a command is for: the headings of the help, in this order."""

    RUN = "Run"
    CHECK = "Check"
    LOOK = "Look"
    MEND = "Mend"
    TRY = "Try"


class CommandGroup(TyperGroup):
    """Without arguments it shows its help, with exit code 0.

    The methods have the arguments of typer's own class, whose types have other names in other
    versions of typer.
    """

    _command_first = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take no arguments as `--help`, except while a shell completes a line.

        Options of a group stand before the command. Where none does, none is processed: typer
        would import pydantic for their defaults and so double the time of a command's `--help`.
        """
        if not args and not ctx.resilient_parsing:
            args = ["--help"]
        self._command_first = not args[:1] or not args[0].startswith("-")
        try:
            return super().parse_args(ctx, args)
        finally:
            self._command_first = False

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, but none while a line is parsed that begins with a command."""
        return [] if self._command_first else super().get_params(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each panel, and all names in a column of one width."""
        commands = dict(_commands(self, ctx))
        widest = max(map(len, commands))
        for panel in Panel:
            rows = [
                (name.ljust(widest), command.get_short_help_str(_WHOLE))
                for name, command in commands.items()
                if command.rich_help_panel == panel
            ]
            if rows:
                with formatter.section(panel.value):
                    formatter.write_dl(rows)


def command_group(text: str, **settings: Any) -> typer.Typer:
    """Make a group with this help text. Plain text: rich would triple the time of `--help`."""
    return typer.Typer(
        cls=CommandGroup,
        help=text,
        context_settings=_SETTINGS,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        **settings,
    )


def _commands(group: TyperGroup, ctx: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each command of a group and of the groups in it, with its words."""
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, TyperGroup):
            yield from _commands(command, ctx, f"{path}{name} ")
        else:
            yield f"{path}{name}", command
