"""The pages for people: links lead somewhere, samples work, names are those of the program."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from ruamel.yaml import YAML
from typer.main import get_command

from consumer import docgen
from consumer.cli.main import app
from consumer.config import load
from consumer.config.schema_lookup import config_schema
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.metrics.names import NAMESPACE
from consumer.operations.first_config.choices import Choices
from consumer.operations.first_config.files import first_config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    {
        *DOCS.glob("**/*.md"),
        *(ROOT / "deploy").glob("**/*.md"),
        *ROOT.glob("*.md"),
        ROOT / "benchmarks" / "README.md",
        ROOT / "tests" / "README.md",
    }
)
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def inline(page: Path) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or ()


def links(page: Path) -> list[str]:
    found = [(each.attrGet("href") or each.attrGet("src")) for each in inline(page)]
    return [str(each) for each in found if each]


@cache
def anchors(page: Path) -> frozenset[str]:
    """What the places where code is hosted make of a page's headings."""
    seen: Counter[str] = Counter()
    found = set()
    heading = False
    for token in tokens(page):
        if heading:
            text = "".join(each.content for each in token.children or ())
            slug = _NOT_IN_ANCHORS.sub("", text.lower()).replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        heading = token.type == "heading_open"
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files and headings; of the internet only the form is looked at."""
    dead = [link for link in links(page) if not _leads_somewhere(page, link)]
    assert dead == []


def _leads_somewhere(page: Path, link: str) -> bool:
    if link.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        return True
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    inside = target.is_relative_to(ROOT) and target.exists()
    return inside and (not anchor or anchor in anchors(target))


def test_the_index_leads_to_every_page() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(index)}
    missing = {each.name for each in DOCS.glob("*.md") if each.resolve() not in linked}
    assert missing - {"README.md"} == set()


def test_the_settings_for_tls_in_the_quick_start_are_accepted(tmp_path: Path) -> None:
    (kafka,) = fenced("quick-start.md", "yaml")
    made = first_config(tmp_path / "new", Choices("pisano", "sms", region="TR"), 0.0)
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load(made.texts[made.config]) | yaml.load(kafka)
    path = tmp_path / "routing.yaml"
    with path.open("w") as out:
        yaml.dump(document, out)
    assert load(path, secrets=False).kafka["security.protocol"] == "SASL_SSL"


def fenced(page: str, language: str) -> list[str]:
    found = [token for token in tokens(DOCS / page) if token.type == "fence"]
    return [each.content for each in found if each.info == language]


def test_the_reference_names_every_key_of_the_config() -> None:
    page = docgen.documents()[docgen.CONFIGURATION_PAGE]
    holders = [config_schema(), *config_schema()["$defs"].values()]
    keys = {key for holder in holders for key in holder.get("properties", {})}
    assert {key for key in keys if f"\n| `{key}` |" not in page} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_their_options_exist(page: Path) -> None:
    """`survey-dispatcher …` in code, in fences and in indented blocks."""
    unknown = [command for command in _commands(page) if not _exists(command.split())]
    assert unknown == []


def _commands(page: Path) -> Iterator[str]:
    codes = [each.content for each in inline(page) if each.type == "code_inline"]
    blocks = [token.content for token in tokens(page) if token.type in ("fence", "code_block")]
    for line in "\n".join([*codes, *blocks]).splitlines():
        begun = re.match(r"\s*survey-dispatcher ([^#&]+)", line)
        if begun:
            yield begun.group(1)


def _exists(words: list[str]) -> bool:
    command = get_command(app)
    for word in words:
        if word.startswith("-"):
            names = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
            if word.partition("=")[0] not in names | {"-h", "--help"}:
                return False
        elif hasattr(command, "commands"):
            if not re.fullmatch(r"[a-z-]+", word):
                return True  # an ellipsis, a list of alternatives
            if word not in command.commands:
                return False
            command = command.commands[word]
    return True


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_metrics_exist(page: Path) -> None:
    known = _metric_names()
    written = set(re.findall(rf"{NAMESPACE}_[a-z_]+", page.read_text(encoding="utf-8")))
    assert {each for each in written if not _is_metric(each, known)} == set()


def _metric_names() -> frozenset[str]:
    families = list(Metrics().registry.collect())
    return frozenset(family.name for family in families)


def _is_metric(name: str, known: frozenset[str]) -> bool:
    plain = re.sub(r"_(total|bucket|sum|count|info|created)$", "", name)
    return name in known or plain in known


def test_events_of_the_log_that_operations_names_exist() -> None:
    """In the table of what one sees: "log `event`"."""
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    named = {
        name
        for line in re.findall(r"^\| log ([^|]*)\|", page, re.MULTILINE)
        for name in re.findall(r"`([a-z_]+)`", line)
    }
    source = "".join(each.read_text() for each in (ROOT / "consumer").glob("**/*.py"))
    assert len(named) > 5
    assert {each for each in named if f'"{each}"' not in source} == set()
