r"""Splits a pattern's key into the steps to its field.

As on Amazon EventBridge a dot leads into an object: `customer.segment` is the field `segment` of
`customer`. A name that contains a dot is written `customer\.segment`, or in quotes of its own:
`"customer.segment"`, which YAML keeps only if the whole is quoted once more.
"""

from __future__ import annotations

import re

_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"(?=\.|$)|((?:[^.\\]|\\.|\\$)*)', re.DOTALL)
_ESCAPED = re.compile(r'\\([\\."])')


def steps_of(key: str) -> tuple[str, ...]:
    """Return the names on the path, the field's own last; raises ValueError for an empty one."""
    if not any(mark in key for mark in '."\\'):
        return (key,)
    steps, at = [], 0
    while True:
        step = _STEP.match(key, at)
        assert step is not None  # noqa: S101 - the second alternative takes the empty text, too
        name = step[2] if step[1] is None else step[1]
        if not step[0]:
            raise ValueError("a name between dots is empty")
        steps.append(_ESCAPED.sub(r"\1", name))
        if step.end() == len(key):
            return tuple(steps)
        at = step.end() + 1
