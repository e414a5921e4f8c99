"""Options that commands share, how a command loads its config, and how it reaches Kafka.

What a command needs is imported when it is called, and the values of an enum when one is parsed or
completed: `--help` imports the command line alone.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from consumer.config.models import Config
    from consumer.operations.access import Access

CONFIG_VARIABLE: Final = "SURVEY_DISPATCHER_CONFIG"
DEFAULT_CONFIG: Final = Path("routing.yaml")
_TIME: Final = "an RFC 3339 time with its offset, as in 2026-01-31T08:00:00+03:00"

ConfigPath = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Routing config; - reads standard input.",
        envvar=CONFIG_VARIABLE,
    ),
]
Texts = list[str] | None
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def one_of(module: str, enum: str, *names: str, text: str, metavar: str = "REASON") -> Any:
    """Make an option that takes the values of an enum; it is imported when a value comes."""

    def values() -> list[str]:
        return [member.value for member in getattr(import_module(module), enum)]

    def parse(value: str) -> str:
        if value not in (known := values()):
            raise typer.BadParameter(f"expected one of {', '.join(known)}, found {value!r}")
        return value

    def complete(incomplete: str) -> list[str]:
        return [value for value in values() if value.startswith(incomplete)]

    return typer.Option(*names, parser=parse, autocompletion=complete, metavar=metavar, help=text)


def config_option(text: str) -> Any:
    """Make `--config` of a command that also works without a config."""
    return typer.Option("--config", "-c", metavar="FILE", help=text)


def position_option(name: str, text: str) -> Any:
    """Make an option whose value `parse_position` reads."""
    return typer.Option(name, metavar="POSITION", help=text)


def repeatable(metavar: str, text: str, *names: str) -> Any:
    """Make an option of type `Texts`."""
    return typer.Option(*names, metavar=metavar, help=f"{text}; repeatable.")


def import_without_rich() -> None:
    """Import structlog and httpx, which import rich if they find it, for uses that are not ours.

    Rich would take a tenth of the CPU of a start. Precedes all imports of the program itself.
    """
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # then its import raises ImportError
    try:
        import_module("structlog")
        import_module("httpx")
    finally:
        del sys.modules["rich"]


def load_config(path: Path, *, secrets: bool = True) -> Config:
    """Load the config and print its warnings on stderr. Raises ConfigError."""
    import_without_rich()
    from consumer.wiring import config_file

    config = config_file.read(path, secrets=secrets)
    for warning in config.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return config


def access_to(path: Path) -> Access:
    """Wait for a broker of the config's cluster. Raises ConfigError, BrokerUnreachable."""
    from consumer.kafka.reachability import require_broker
    from consumer.operations.access import Access

    config = load_config(path)
    require_broker(config.kafka)
    return Access(config)


def parse_time(text: str) -> float | None:
    """Parse an RFC 3339 time with its offset to epoch seconds; None for anything else."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if when.tzinfo is None else when.timestamp()


def parse_position(text: str, option: str, *, offsets: bool = True) -> int | float | str:
    """Parse earliest, latest, an offset, or a time (to epoch seconds). Raises BadParameter."""
    if text in ("earliest", "latest"):
        return text
    if offsets and text.isascii() and text.isdecimal():
        return int(text)
    when = parse_time(text)
    if when is None:
        words = "earliest, latest, an offset" if offsets else "earliest, latest"
        raise typer.BadParameter(f"expected {words} or {_TIME}, found {text!r}", param_hint=option)
    return when


def parse_time_or_age(text: str | None, option: str) -> float | None:
    """Parse an RFC 3339 time, or how long ago, to epoch seconds. Raises BadParameter."""
    from consumer.config.durations import parse_duration

    if text is None:
        return None
    when = parse_time(text)
    if when is not None:
        return when
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        expected = f"expected {_TIME}, or how long ago, as in 2h"
        raise typer.BadParameter(expected, param_hint=option) from None


def check_speed(speed: float | None) -> None:
    """Check a factor on a pace. Raises BadParameter."""
    if speed is not None and not speed > 0:
        raise typer.BadParameter("expected a number above 0", param_hint="--speed")
