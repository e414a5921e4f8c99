"""`init` and `doctor`: a first config, and whether everything is there that `run` needs."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import DEFAULT_CONFIG, ConfigPath, Json, import_without_rich
from consumer.runtime.options import ExitCode

if TYPE_CHECKING:
    from consumer.operations.first_config.choices import Choices
    from consumer.operations.first_config.files import FirstConfig


def init(
    place: Annotated[
        Path, typer.Argument(metavar="[DIR|FILE]", help="Folder, or the config's own path.")
    ] = Path(),
    vendor: Annotated[
        str | None,
        typer.Option(metavar="VENDOR", help="One of pisano, customer_radar, http_batch."),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="CHANNEL", help="Channel, as sms or email.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Input topic that has the events.")] = None,
    region: Annotated[
        str | None,
        typer.Option(metavar="REGION", help="Country of phone numbers, as TR; not for e-mail."),
    ] = None,
    application_id: Annotated[
        str | None, typer.Option(metavar="NAME", help="Prefix of topics and groups.")
    ] = None,
) -> None:
    """Write a first config, its tests, an event and its secrets' files; overwrite nothing.

    Asks for what no option gives; without a terminal the vendor and the region must be given.
    """
    from consumer.operations.first_config.files import first_config, write

    made = first_config(
        place, _choices(vendor, channel, topic, region, application_id), time.time()
    )
    write(made)
    for path in made.texts:
        note = "  (only you can read it)" if path in made.secret else ""
        typer.echo(f"wrote {path}{note}")
    typer.echo(_next_steps(made))


def doctor(config: ConfigPath = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Check broker, rights, topics, registry, contact store, vendors and clocks; say what to do.

    Sends no survey and writes no record; the login of a vendor that has one counts as a call. Ends
    with 1 if a check failed.
    """
    import_without_rich()
    from consumer.observability.logs import logs
    from consumer.operations.doctor.doctor import examine
    from consumer.operations.doctor.finding import State

    logs.set_up(logs.Level.ERROR)  # what a check finds is in the table
    findings = examine(config)
    failed = any(one.state is State.FAILED for one in findings)
    if as_json:
        typer.echo(json.dumps({"ok": not failed, "findings": [asdict(one) for one in findings]}))
    else:
        from consumer.operations.doctor.view import show

        show(findings)
    raise typer.Exit(ExitCode.DEFECT if failed else ExitCode.CLEAN)


def _choices(
    vendor: str | None,
    channel: str | None,
    topic: str | None,
    region: str | None,
    application: str | None,
) -> Choices:
    from consumer.operations.first_config import choices

    known = choices.vendors()
    vendor = _answer("vendor", vendor, "Which survey vendor?", _among(known), known[0], known)
    known = choices.channels(vendor)
    usual = known[0]
    if channel is not None or len(known) > 1:
        channel = _answer("channel", channel, "By which channel?", _among(known), usual, known)
    topic = _answer("topic", topic, "Which topic has the events?", _topic, choices.TOPIC)
    code = None
    if choices.needs_region(channel or usual):
        code = _answer("region", region, "Which country are phone numbers of, as TR?", _region)
    name = _checked("application-id", application or choices.APPLICATION, _application)
    return choices.Choices(vendor, channel or usual, topic, code, name)


Check = Callable[[str], str]
"""Returns a text in its final form; raises ValueError with what was expected."""


def _answer(
    option: str,
    given: str | None,
    question: str,
    check: Check,
    usual: str | None = None,
    known: Sequence[str] = (),
) -> str:
    """Return what an option gives, else what is answered at the terminal, else what is usual.

    Only a vendor and a region have to be said. Raises BadParameter.
    """

    def value(text: str) -> str:
        return _checked(option, text, check)

    if given is not None:
        return value(given)
    if _at_terminal():
        listed = f" ({', '.join(known)})" if known else ""
        return str(typer.prompt(question + listed, default=usual, value_proc=value))
    return value(usual if usual is not None and option != "vendor" else "")


def _checked(option: str, text: str, check: Check) -> str:
    try:
        return check(text)
    except ValueError as error:
        found = f"found {text!r}" if text else "found nothing"
        raise typer.BadParameter(f"{error}, {found}", param_hint=f"--{option}") from None


def _among(known: Sequence[str]) -> Check:
    def check(text: str) -> str:
        if text not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return text

    return check


def _region(text: str) -> str:
    from consumer.routing.recipients.recipients import known_region

    if not known_region(text.upper()):
        raise ValueError("expected a country as two letters, as TR")
    return text.upper()


def _topic(text: str) -> str:
    from consumer.config.fields import TOPIC

    return _matching(TOPIC, text)


def _application(text: str) -> str:
    from consumer.config.fields import TOPIC_SAFE

    return _matching(TOPIC_SAFE, text)


def _matching(pattern: str, text: str) -> str:
    from consumer.config.fields import PATTERN_WORDS

    if not re.search(pattern, text):
        raise ValueError(f"expected {PATTERN_WORDS[pattern]}")
    return text


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _next_steps(made: FirstConfig) -> str:
    folder = made.config.parent
    choice = "" if made.config.name == DEFAULT_CONFIG.name else f" -c {made.config.name}"
    go = [] if folder == Path() else [f"  cd {shlex.quote(str(folder))}"]
    steps = [
        "",
        "Next:",
        *go,
        f"  survey-dispatcher validate{choice}",
        f"  survey-dispatcher test{choice}",
        f"  survey-dispatcher explain event.json{choice}",
        f"  survey-dispatcher sandbox -c {made.config.name}    # in a shell of its own",
        f"  survey-dispatcher topics --create --inputs{choice}",
        f"  survey-dispatcher doctor{choice}    # is everything there that `run` needs?",
        f"  survey-dispatcher run --from earliest{choice}",
        f"  survey-dispatcher produce -c {made.config.name} --events event.json",
        f"  survey-dispatcher results summary{choice}",
    ]
    return "\n".join(steps)
