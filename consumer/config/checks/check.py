"""Collects all problems of a config at once: its structure (the models) and the cross checks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from consumer.config.checks.clear_secrets import check_clear_secrets
from consumer.config.checks.contact_rules import contact_findings
from consumer.config.checks.contacts import check_contacts
from consumer.config.checks.descriptors import fill_descriptors, read_descriptors
from consumer.config.checks.expression_oddities import check_oddities
from consumer.config.checks.findings import Findings
from consumer.config.checks.messages import place, sentence
from consumer.config.checks.plugins import check_plugins
from consumer.config.checks.policies import check_policies
from consumer.config.checks.policy_times import policy_findings
from consumer.config.checks.references import check_references
from consumer.config.checks.result_fields import check_result_fields
from consumer.config.checks.routes import check_routes
from consumer.config.checks.tables import fill_tables, read_tables
from consumer.config.checks.trial_calls import trial_problems
from consumer.config.checks.written_values import check_written
from consumer.config.document import Path, Source, Tree, dotted, value_at
from consumer.config.interpolate import Resolved
from consumer.config.models import Config
from consumer.config.schema_lookup import schema_at, values
from consumer.errors import ConfigError, Problem

_TYPED = {"int_type", "float_type", "bool_type"}
_BOOLEANS = {"true": True, "false": False}
_STAND_INS = ("https://placeholder.invalid", "{token}", "1", "a")


def check(source: Source, resolved: Resolved, base: FilePath) -> Config:
    """Return the models of a config, with its warnings; raises `ConfigError` with all problems.

    `base`: the folder that the files of tables count from.
    """
    findings = Findings(source, resolved)
    read_tables(findings, base)
    read_descriptors(findings, base)
    check_references(findings)
    check_routes(findings)
    check_policies(findings)
    check_plugins(findings)
    check_contacts(findings)
    check_result_fields(findings)
    check_written(findings)
    check_clear_secrets(findings)
    check_oddities(findings)
    config, errors = _validate_models(source, resolved, findings.warnings)
    problems = [*source.problems, *resolved.problems, *findings.problems]
    problems += [_translated(error, source, resolved) for error in errors]
    if config is None or problems:
        raise ConfigError(_in_order(problems))
    fill_tables(findings, config)
    fill_descriptors(findings, config)
    for found in (policy_findings, contact_findings, trial_problems):
        problems, warnings = found(config, source)
        if problems:
            raise ConfigError(_in_order(problems))
        config.warn(warnings)
    return config


def _translated(error: ErrorDetails, source: Source, resolved: Resolved) -> Problem:
    problem = sentence(error, source, place(error, resolved.tree))
    message, hint = resolved.scrub(problem.message), resolved.scrub(problem.hint)
    return Problem(problem.file, problem.line, problem.path, message, hint)


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Sort by file and line, and drop duplicates at one path."""
    return sorted(
        dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line, problem.path)
    )


def _validate_models(
    source: Source, resolved: Resolved, warnings: Sequence[Problem]
) -> tuple[Config | None, list[ErrorDetails]]:
    """Return the models, or their errors. Converts a reference's text to its field's type."""
    tried: Counter[Path] = Counter()
    while True:
        try:
            text = json.dumps(resolved.tree)
            return Config.model_validate_json(text, context={"warnings": warnings}), []
        except ValidationError as refused:
            errors = refused.errors(include_url=False, include_input=False)
        mended = [_mend(error, source, resolved, tried) for error in errors]
        if not any(mended):
            refused_already = {problem.path for problem in (*source.problems, *resolved.problems)}
            known = ((place(error, resolved.tree), error) for error in errors)
            return None, [
                error
                for path, error in known
                if dotted(path) not in refused_already and not _misses_refused(error, path, source)
            ]


def _misses_refused(error: ErrorDetails, path: Path, source: Source) -> bool:
    """Tell whether a list is too short only because its items are refused, each with a problem."""
    written = source.at(path)
    return error["type"] == "too_short" and isinstance(written, list) and bool(written)


def _mend(error: ErrorDetails, source: Source, resolved: Resolved, tried: Counter[Path]) -> bool:
    path = place(error, resolved.tree)
    unread = dotted(path) in {problem.path for problem in resolved.problems}
    if unread or path not in resolved.whole | resolved.open:
        return False
    if path in resolved.open:
        candidates = _stand_ins(error["type"], path, source)
    else:
        candidates = _convert_text(error["type"], value_at(resolved.tree, path))
    if tried[path] >= len(candidates):
        return False
    _replace_value(resolved.tree, path, candidates[tried[path]])
    tried[path] += 1
    return True


def _convert_text(kind: str, value: Tree) -> list[Tree]:
    """Return the number or boolean in a reference's text, if there is one."""
    if kind not in _TYPED or not isinstance(value, str):
        return []
    if kind == "bool_type":
        return [_BOOLEANS[value]] if value in _BOOLEANS else []
    try:
        return [int(value) if kind == "int_type" else float(value)]
    except ValueError:
        return []


def _stand_ins(kind: str, path: Path, source: Source) -> list[Tree]:
    """Return replacements for a placeholder, so that the rest can be checked without secrets."""
    schema = schema_at(path, source.tree)
    if schema.get("type") in {"integer", "number"}:
        return [schema.get("default", 1)]
    if kind == "bool_type":
        return [True]
    return [*values(schema), *schema.get("examples", ()), *_STAND_INS]


def _replace_value(tree: Any, path: Path, value: Tree) -> None:
    *parents, last = path
    for step in parents:
        tree = tree[step]
    tree[last] = value
