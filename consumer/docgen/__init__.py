"""Generates the interface documents: JSON Schemas, AsyncAPI, and pages from the program's tables.

    the models ── records ─────────────────► <name>.schema.json      (draft 2020-12)
    Config     ── routing_config ──────────► routing-config.schema.json, for editors
    needed_topics, publisher ── asyncapi ─────► asyncapi.yaml           (AsyncAPI 3.0)
    Status, Reason, DeadLetterReason ── records ──► ../docs/results.md
    Config     ── configuration_page ──────► ../docs/configuration.md
    the vendors' tables ── vendor_answers_page ──► ../docs/vendor-answers.md

The words are in the .md and .yaml files of this folder; the code fills in what it knows. Records
are open to new keys (a reader ignores unknown ones), the config is closed. A test compares the
checked-in files with `documents()`.
"""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter
from ruamel.yaml import YAML

from consumer.demo.events import TransactionEvent
from consumer.docgen import (
    asyncapi,
    configuration_page,
    records,
    routing_config,
    vendor_answers_page,
)
from consumer.docgen.parts import GENERATED, Schema

__all__ = ["CONFIGURATION_PAGE", "RESULTS_PAGE", "VENDOR_ANSWERS_PAGE", "documents", "write"]

RESULTS_PAGE: Final = "../docs/results.md"
CONFIGURATION_PAGE: Final = "../docs/configuration.md"
VENDOR_ANSWERS_PAGE: Final = "../docs/vendor-answers.md"


def documents() -> dict[str, str]:
    """Return file name, relative to the folder `schemas`, → text."""
    schemas = {
        "transaction-event": TypeAdapter(TransactionEvent).json_schema(),
        "invitation": records.invitation(),
        "result": records.result(),
        "checkpoint": records.checkpoint(),
        "dead-letter": records.dead_letter(),
        "routing-config": routing_config.schema(),
        "routing-config-included": routing_config.included_schema(),
    }
    files = {f"{name}.schema.json": _json_text(name, schema) for name, schema in schemas.items()}
    pages = {
        RESULTS_PAGE: records.results_page(),
        CONFIGURATION_PAGE: configuration_page.page_text(),
        VENDOR_ANSWERS_PAGE: vendor_answers_page.page_text(),
    }
    return {**files, "asyncapi.yaml": _yaml_text(asyncapi.document()), **pages}


def write(folder: Path) -> list[str]:
    """Write `documents()`; return the names written.

    Makes `folder`, but no folder beside it: the pages for people are written only if there is a
    folder `docs` for them. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in documents().items():
        target = folder / name
        if target.parent.is_dir():
            target.write_text(text, encoding="utf-8")
            written.append(name)
    return written


def _json_text(name: str, schema: Schema) -> str:
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.schema.json",
        "$comment": GENERATED,
        "title": name.replace("-", " ").capitalize(),
        "description": "",  # its place, before the long parts
    }
    document = {**head, **schema, "title": head["title"]}
    _drop_titles(document)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _drop_titles(schema: Schema) -> None:
    """Drop the titles of properties: pydantic derives them from the keys, so they add nothing."""
    for holder in (schema, *schema.get("$defs", {}).values()):
        for key_schema in holder.get("properties", {}).values():
            key_schema.pop("title", None)


def _yaml_text(document: Schema) -> str:
    yaml = YAML()
    yaml.width = 100
    out = StringIO()
    out.write(f"# {GENERATED}\n")
    # Through JSON: YAML would write repeated objects as an anchor and an alias.
    yaml.dump(json.loads(json.dumps(document)), out)
    return out.getvalue()
