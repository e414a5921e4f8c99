"""Reads the files of `tables`. A problem within a file has that file's name and line."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import get_args

from consumer.config.checks.findings import Findings
from consumer.config.csv_table import TableError
from consumer.config.document import Path, leaves
from consumer.config.models import Config
from consumer.config.table_files import read_table
from consumer.config.tables import Delimiter
from consumer.config.texts import UnfitTextError
from consumer.errors import Problem
from consumer.routing import lookup

_CONTENT = "${file:"


def read_tables(findings: Findings, base: FilePath) -> None:
    """Read all tables whose keys are sound; relative paths count from `base`.

    They are read without secrets, too: a table is a part of the rules, and holds none.
    """
    for name in findings.mapping("tables"):
        _read(findings, ("tables", name), base)
        if not _is_used(findings, name):
            findings.warn(("tables", name), "nothing uses this")


def fill_tables(findings: Findings, config: Config) -> None:
    """Give the tables of a config what was read."""
    for name, content in findings.tables.items():
        config.tables[name].fill(*content)


def _read(findings: Findings, here: Path, base: FilePath) -> None:
    place = (*here, "file")
    written = str(findings.source.at(place))
    if written.startswith(_CONTENT):
        hint = f"write the path alone: {written.removeprefix(_CONTENT).removesuffix('}')}"
        findings.problem(place, "is a path, and this is the file's content", hint)
        return
    file, key = findings.text(*place), findings.text(*here, "key")
    delimiter = findings.text(*here, "delimiter")
    if not file or not key or delimiter not in (None, *get_args(Delimiter)):
        return  # the models report it, or there is a placeholder
    try:
        findings.tables[str(here[-1])] = read_table(base / file, key, delimiter)
    except OSError as error:
        message = f"the file {base / file} cannot be read: {error.strerror}"
        hint = "a relative path counts from the config's folder"
        findings.problem(place, findings.resolved.scrub(message), hint)
    except UnfitTextError as error:
        findings.problem(place, findings.resolved.scrub(f"the file {base / file} {error}"))
    except TableError as refused:
        name = findings.resolved.scrub(str(base / file))
        for line, *said in refused.problems:
            message, hint = map(findings.resolved.scrub, said)
            findings.problems.append(Problem(name, line, f"tables.{here[-1]}", message, hint))


def _is_used(findings: Findings, table: str) -> bool:
    texts = (text for _, text in leaves(findings.resolved.tree) if isinstance(text, str))
    calls = [text for text in texts if lookup.FUNCTION in text]
    # A name that is computed may be any.
    return any(f"'{table}'" in text for text in calls) or any(
        f"{lookup.FUNCTION}('" not in text for text in calls
    )
