"""Building blocks of the schemas and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Final

from ruamel.yaml import YAML

Schema = dict[str, Any]

GENERATED: Final = "Generated: `survey-dispatcher schemas --write schemas` writes it again."
_FOLDER: Final = resources.files("consumer.docgen")


def listed(meanings: Mapping[Any, str]) -> Schema:
    """Make a closed list whose values have a description each."""
    return {"oneOf": [{"const": str(it), "description": text} for it, text in meanings.items()]}


def header_schema(properties: Mapping[str, Schema]) -> Schema:
    """Make the schema of Kafka headers: all are required, and all are text."""
    texts = {name: {"type": "string", **about} for name, about in properties.items()}
    return {"type": "object", "properties": texts, "required": list(texts)}


def read_yaml(file: str) -> Any:
    """Return what a YAML file of this folder holds."""
    return YAML(typ="safe").load(_FOLDER.joinpath(file).read_text("utf-8"))


def fill_page(name: str, **parts: str) -> str:
    """Fill the template `<name>.md` of this folder: `<!-- part -->` becomes the text of `part`."""
    parts["generated"] = f"<!-- {GENERATED} -->"
    template = _FOLDER.joinpath(f"{name}.md").read_text("utf-8")
    return re.sub(r"<!-- (\w+) -->", lambda hole: parts[hole[1]], template)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Format a Markdown table."""
    columns = list(heads)
    lines = [f"| {' | '.join(row)} |" for row in (columns, *rows)]
    return "\n".join([lines[0], "|---" * len(columns) + "|", *lines[1:]])
