"""Commands about persons: `suppress`, `forget` and `contacts`.

An address is never an argument, which a shell would remember: it is asked for, or read from
standard input, one identity of the person a line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.command_group import Panel, command_group
from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    DryRun,
    Json,
    Yes,
    access_to,
    parse_time,
)
from consumer.cli.persons import Pseudonyms, Region, ask_persons, lines_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

suppress = command_group("List, add and remove opt-outs.")
contacts = command_group("Show what is known of a person, and look after the contact store.")

Scope = Annotated[
    str, typer.Option(metavar="NAME", help="A channel, tag or campaign; by default everything.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 time at which it ends.")]


@suppress.command("add", rich_help_panel=Panel.MEND)
def suppress_add(
    config: ConfigPath = DEFAULT_CONFIG,
    scope: Scope = "",
    until: Until = None,
    pseudonym: Pseudonyms = None,
    region: Region = None,
) -> None:
    """Send a person no surveys from now on."""
    from consumer.operations.contacts.contact_topic import write_contacts
    from consumer.operations.contacts.suppressing import check_scope, opt_outs

    access = access_to(config)
    check_scope(access.config, scope)
    persons = ask_persons(access.config, pseudonym, region)
    write_contacts(access, opt_outs(persons, access.now(), scope, _end(until)))
    typer.echo("written: running processes obey it within seconds")


@suppress.command("remove", rich_help_panel=Panel.MEND)
def suppress_remove(
    config: ConfigPath = DEFAULT_CONFIG,
    scope: Scope = "",
    bounced: Annotated[
        bool, typer.Option("--bounced", help="Remove what a hard bounce forbids instead.")
    ] = False,
    pseudonym: Pseudonyms = None,
    region: Region = None,
) -> None:
    """Allow surveys to a person again, of this scope alone."""
    from consumer.operations.contacts.contact_topic import read_contacts, write_contacts
    from consumer.operations.contacts.suppressing import removals

    access = access_to(config)
    persons = ask_persons(access.config, pseudonym, region)
    now, known = access.now(), read_contacts(access)
    write_contacts(access, removals(persons, now, scope, known, bounced=bounced))
    typer.echo("written: running processes obey it within seconds")


@suppress.command("import", rich_help_panel=Panel.MEND)
def suppress_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One identity a line.")],
    config: ConfigPath = DEFAULT_CONFIG,
    scope: Scope = "",
    until: Until = None,
    region: Region = None,
    yes: Yes = False,
) -> None:
    """Send the persons of a file no surveys from now on: all of them, or none."""
    from consumer.operations.contacts.contact_topic import write_contacts
    from consumer.operations.contacts.identities import pseudonyms_by_identity
    from consumer.operations.contacts.suppressing import check_scope, opt_outs
    from consumer.operations.view import confirm_number

    access = access_to(config)
    check_scope(access.config, scope)
    lines = lines_of(file.read_text(encoding="utf-8-sig"))
    found = pseudonyms_by_identity(access.config, lines, region)
    if not confirm_number(len(found), "suppress so many", yes=yes):
        return
    persons = [one for pseudonyms in found for one in pseudonyms]
    write_contacts(access, opt_outs(persons, access.now(), scope, _end(until)))
    typer.echo(f"written: {len(found)}")


@suppress.command("list", rich_help_panel=Panel.LOOK)
def suppress_list(config: ConfigPath = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List what forbids surveys to persons, by pseudonym."""
    from consumer.operations.contacts.contact_topic import read_contacts
    from consumer.operations.contacts.showing import row_of
    from consumer.records.contact_record import SuppressionRecord

    found = read_contacts(access_to(config)).values()
    standing = [one for one in found if isinstance(one, SuppressionRecord) and not one.removed]
    _show([row_of(one) for one in sorted(standing, key=lambda one: one.at)], as_json=as_json)


def forget(
    config: ConfigPath = DEFAULT_CONFIG,
    pseudonym: Pseudonyms = None,
    region: Region = None,
    yes: Yes = False,
) -> None:
    """Forget what a person was asked, and end its waiting invitations; opt-outs stay."""
    from consumer.operations.contacts.contact_topic import write_contacts
    from consumer.operations.contacts.suppressing import erasures
    from consumer.operations.view import confirm_number

    access = access_to(config)
    persons = ask_persons(access.config, pseudonym, region)
    if confirm_number(len(persons), "forget the person of so many pseudonyms", yes=yes):
        write_contacts(access, erasures(persons, access.now()))
        typer.echo("written: running processes obey it within seconds")


@contacts.command("show", rich_help_panel=Panel.LOOK)
def contacts_show(
    config: ConfigPath = DEFAULT_CONFIG,
    pseudonym: Pseudonyms = None,
    region: Region = None,
    store: Annotated[
        bool, typer.Option("--store", help="Read the contact store instead of the topics.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a person was asked and answered, and what forbids surveys."""
    from consumer.operations.contacts.showing import from_store, from_topics

    access = access_to(config)
    persons = ask_persons(access.config, pseudonym, region)
    if not as_json:
        typer.echo("\n".join(persons))
    _show((from_store if store else from_topics)(access, persons), as_json=as_json)


@contacts.command("rebuild", rich_help_panel=Panel.MEND)
def contacts_rebuild(config: ConfigPath = DEFAULT_CONFIG, yes: Yes = False) -> None:
    """Empty the contact store: processes read it again from the topics, and send nothing before."""
    import time

    from consumer.cli.options import load_config
    from consumer.operations.view import confirm_number
    from consumer.wiring.contact_store import open_store

    loaded = load_config(config)
    store = open_store(loaded, time.time)
    try:
        if confirm_number(1, "empty the contact store", yes=yes):
            store.wipe()
            typer.echo("emptied: nothing is sent until results and contacts are read again")
    finally:
        store.close()


@contacts.command("rekey", rich_help_panel=Panel.MEND)
def contacts_rekey(
    config: ConfigPath = DEFAULT_CONFIG,
    region: Region = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Count records by key of pseudonyms; write those of the persons on standard input, one
    identity a line, under all keys of the config."""
    from consumer.operations.contacts.contact_topic import (
        copies_under_all_keys,
        read_contacts,
        rows_by_key,
        write_contacts,
    )
    from consumer.operations.contacts.identities import pseudonyms_by_identity
    from consumer.operations.view import confirm_number

    access = access_to(config)
    known = read_contacts(access)
    pseudonym = access.config.pseudonym
    listed = [pseudonym.key_id, *(key.key_id for key in pseudonym.previous)]
    for key_id, counts in sorted(rows_by_key(known).items()):
        rows = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
        warning = "" if key_id in listed else "  NOT IN THE CONFIG: nothing of it is obeyed"
        typer.echo(f"{key_id}: {rows}{warning}")
    lines = [] if sys.stdin.isatty() else lines_of(sys.stdin.read())
    identities = pseudonyms_by_identity(access.config, lines, region)
    copies = copies_under_all_keys(known, identities)
    if copies and not dry_run and confirm_number(len(copies), "write so many records", yes=yes):
        write_contacts(access, copies)
    typer.echo(f"{len(identities)} identities, {len(copies)} records to write under another key")


def _end(text: str | None) -> float | None:
    end = None if text is None else parse_time(text)
    if text is not None and end is None:
        raise typer.BadParameter("expected an RFC 3339 time with its offset", param_hint="--until")
    return end


def _show(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    from consumer.operations.contacts.showing import HEADS
    from consumer.operations.tables import table

    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        table(HEADS, [list(row.values()) for row in rows])
    else:
        typer.echo("nothing")
