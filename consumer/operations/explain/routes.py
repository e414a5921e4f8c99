"""Routes of an input, the nearest to an event first: taken, matching, then by failed conditions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from consumer.operations.explain.masking import Masking
from consumer.operations.explain.shapes import ConditionAnswer, RouteAnswer
from consumer.routing.patterns.conditions import Condition
from consumer.routing.patterns.match import MISSING
from consumer.routing.route import Body, Route


def nearest_routes(
    routes: Sequence[Route], body: Body, taken: Collection[str], most: int, masking: Masking
) -> list[RouteAnswer]:
    """Return so many routes with their conditions, ordered by how near they are to the event."""
    explained = [(route.name, route.pattern.explain(body)) for route in routes]
    explained.sort(key=lambda pair: (pair[0] not in taken, _failed(pair[1])))
    return [
        RouteAnswer(
            route=name,
            matched=not _failed(conditions),
            taken=name in taken,
            conditions=[_answer(condition, masking) for condition in conditions],
        )
        for name, conditions in explained[:most]
    ]


def _failed(conditions: Sequence[Condition]) -> int:
    return sum(not condition.holds for condition in conditions)


def _answer(condition: Condition, masking: Masking) -> ConditionAnswer:
    answer = ConditionAnswer(
        path=condition.path,
        expected=condition.expected,
        found=masking.found(condition.found, condition.expected),
        missing=condition.found is MISSING,
        holds=condition.holds,
    )
    if condition.alternatives:
        answer["alternatives"] = [
            [_answer(inner, masking) for inner in alternative]
            for alternative in condition.alternatives
        ]
    return answer
