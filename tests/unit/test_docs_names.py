"""Pages for people who change the program name files, classes, tests and terms that exist."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [
    ARCHITECTURE,
    GLOSSARY,
    ROOT / "CONTRIBUTING.md",
    ROOT / "tests" / "README.md",
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
]
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SUFFIXES = (".py", ".md", ".yaml", ".toml", ".txt", ".json", "/")
HOMES = (ROOT, ROOT / "consumer", ROOT / "consumer" / "lane", ROOT / "tests", ROOT / "docs")


def codes(page: Path) -> list[str]:
    """What stands between single backticks."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    return re.findall(r"`([^`\n]+)`", text)


@cache
def definitions(folder: str) -> frozenset[str]:
    """Names of all classes and functions below a folder."""
    trees = [ast.parse(each.read_text(encoding="utf-8")) for each in (ROOT / folder).rglob("*.py")]
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(
        node.name for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)
    )


def _is_path(code: str) -> bool:
    plain = re.fullmatch(r"[\w./-]+", code) is not None
    return plain and "/" in code[:-1] and code.endswith(SUFFIXES) and code[0] != "."


def _exists(code: str, page: Path) -> bool:
    return any((home / code).exists() for home in (*HOMES, page.parent))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_folder_that_a_page_names_exists(page: Path) -> None:
    missing = [code for code in codes(page) if _is_path(code) and not _exists(code, page)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = {code for code in codes(page) if re.fullmatch(r"test_\w+", code)}
    assert named - definitions("tests") == set()


@pytest.mark.parametrize("page", [ARCHITECTURE, GLOSSARY], ids=lambda page: page.name)
def test_every_class_that_a_page_names_exists(page: Path) -> None:
    named = {code for code in codes(page) if re.fullmatch(r"(?:[A-Z][a-z]+){2,}", code)}
    known = definitions("consumer") | {"LogAppendTime", "CreateTime"}
    assert named - known == set()


def test_the_invariants_name_laws_and_planted_defects_of_the_simulation() -> None:
    """Second column: functions of the checker, or the names of planted defects."""
    laws, tests = set(), definitions("tests")
    for line in _section(ARCHITECTURE, "Invariants and their tests").splitlines():
        cells = line.split(" | ")
        if len(cells) == 3:
            laws |= set(re.findall(r"`([\w-]+)`", cells[1]))
    assert len(laws) > 15
    assert {law for law in laws if law.replace("-", "_") not in tests} == set()


def test_the_architecture_shows_the_layers_that_are_enforced() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == ["consumer"]]
    enforced = [set(re.findall(r"\w+", layer)) for layer in layers]
    rows = [
        set(re.findall(r"`(\w+)`", line.split("|")[1]))
        for line in _section(ARCHITECTURE, "Layers").splitlines()
        if line.startswith("| `")
    ]
    assert rows == enforced


def _section(page: Path, heading: str) -> str:
    text = page.read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _rows() -> Iterator[tuple[str, list[str]]]:
    """The glossary's terms of the field, and the files to which each leads."""
    for line in _section(GLOSSARY, "From the field's term to the code").splitlines():
        cells = [each.strip() for each in line.strip("|").split(" | ")]
        files = re.findall(r"`([\w./]+\.py)`", cells[-1])
        if len(cells) == 3 and files:
            yield cells[0], files


def test_the_term_of_the_field_stands_in_the_modules_to_which_it_leads() -> None:
    """`grep -ri` for a term finds the module that does it: its docstring has the term."""
    rows = list(_rows())
    assert len(rows) > 25
    silent = [
        f"{term}: {file}"
        for term, files in rows
        for file in files
        if not any(word.strip().lower() in _docstring(file) for word in term.split(","))
    ]
    assert silent == []


def _docstring(file: str) -> str:
    tree = ast.parse((ROOT / "consumer" / file).read_text(encoding="utf-8"))
    return " ".join((ast.get_docstring(tree) or "").lower().split())
