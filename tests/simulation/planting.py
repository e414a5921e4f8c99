"""How a defect is planted: a context manager that changes the real code for one world.

`rewritten` edits the source of one function. A defect that the review or a mutation run has found
is a line that is missing or different; so is what is planted, whatever else that function does by
now. A line that is not there any more is an error: the planted defect must be thought over.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

Defect = Callable[[], AbstractContextManager[None]]

MUTANTS: dict[str, Defect] = {}
"""Name → planted defect."""


def defect(plant: Callable[[], Iterator[None]]) -> Defect:
    """Register a planted defect under its function's name."""
    made = MUTANTS[plant.__name__.replace("_", "-")] = contextmanager(plant)
    return made


def rewritten(home: Any, name: str, *changes: tuple[str, str]) -> Any:
    """Patch function `name` of a class or module: its source with these texts replaced."""
    return patch.object(home, name, _compiled(home, name, changes))


@cache
def _compiled(home: Any, name: str, changes: tuple[tuple[str, str], ...]) -> Any:
    function = inspect.unwrap(inspect.getattr_static(home, name))
    source = textwrap.dedent(inspect.getsource(function))
    for old, new in changes:
        if source.count(old) != 1:
            raise ValueError(f"{home.__name__}.{name} has {source.count(old)} times: {old}")
        source = source.replace(old, new)
    names: dict[str, Any] = {}
    code = compile("from __future__ import annotations\n" + source, f"<planted {name}>", "exec")
    exec(code, function.__globals__, names)  # noqa: S102 - our own source, edited by a test
    return names[name]
