"""Options that name a person, and the question for one.

An address is never an argument, which a shell would remember: it is asked for, or read from
standard input, one identity of the person a line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import Texts, repeatable

if TYPE_CHECKING:
    from consumer.config.models import Config

Pseudonyms = Annotated[
    Texts,
    repeatable("PSEUDONYM", "Person as results name it, not by address", "--pseudonym"),
]
Region = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="Region of phone numbers without a country code, as TR."),
]
_ASKED = "Person: e-mail address, phone number, id:NUMBER or household:NUMBER"
_MORE = "Another of the same person (Enter: no more)"


def ask_persons(config: Config, pseudonyms: Texts, region: str | None) -> list[str]:
    """Return the given pseudonyms, or those of a person that is asked for, under all keys of the
    config. Raises OperationError, BadParameter."""
    from consumer.operations.contacts.identities import check_pseudonyms, pseudonyms_by_identity

    if pseudonyms:
        check_pseudonyms(config, pseudonyms)
        return pseudonyms
    texts = _ask() if sys.stdin.isatty() else lines_of(sys.stdin.read())
    if not texts:
        raise typer.BadParameter("expected a person on standard input, or --pseudonym")
    found = pseudonyms_by_identity(config, texts, region)
    return list(dict.fromkeys(one for pseudonyms in found for one in pseudonyms))


def lines_of(text: str) -> list[str]:
    """Return the lines that are not empty."""
    return [line for line in text.splitlines() if line.strip()]


def _ask() -> list[str]:
    found: list[str] = []
    while answer := typer.prompt(
        _MORE if found else _ASKED, default="", show_default=False, err=True
    ):
        found.append(answer)
    return found
