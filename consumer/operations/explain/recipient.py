"""A route's recipient in one event: each address as given, normalised, and why it is not used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import phonenumbers

from consumer.config.models import Route as RouteConfig
from consumer.operations.explain.masking import Masking
from consumer.operations.explain.shapes import AddressAnswer
from consumer.records.channel import Channel
from consumer.routing.candidate import RouteCandidate
from consumer.routing.expressions import ITEM
from consumer.routing.recipients.phone_text import phone_readings
from consumer.routing.route import Body, Kind
from consumer.routing.router import RoutedInput

_INVALID_CODE: Final = phonenumbers.ValidationResult.INVALID_COUNTRY_CODE
_PROBLEMS: Final[Mapping[int, str]] = {
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    phonenumbers.ValidationResult.TOO_SHORT: "is too short for a phone number",
    phonenumbers.ValidationResult.TOO_LONG: "is too long for a phone number",
    _INVALID_CODE: "has a country code that does not exist",
    phonenumbers.ValidationResult.INVALID_LENGTH: "has a length that no phone number there has",
}


def addresses_of(known: RoutedInput, body: Body) -> set[object]:
    """Return the addresses of an event, as it has them, wherever a route or the input's `person`
    looks."""
    readers = [reader.items for route in known.routes if (reader := route.for_each)]
    bodies = [body, *({**body, ITEM: item} for items in readers for item in items(body))]
    getters = [get for route in known.routes for get, _ in route.recipient.values()]
    getters += [get for get, _ in known.person.addresses]
    found = (get(one) for one in bodies for get in getters)
    return {value for value in found if isinstance(value, str) and value}


def recipient_answers(
    candidate: RouteCandidate, route: RouteConfig, masking: Masking
) -> dict[str, AddressAnswer]:
    """Return the recipient's addresses by kind, of those kinds that the route reads."""
    paths: dict[Kind, str | None] = {
        "phone": route.recipient.phone,
        "email": route.recipient.email,
    }
    answers: dict[str, AddressAnswer] = {}
    for kind, path in paths.items():
        if path is not None:
            given = candidate.route.recipient[kind][0](candidate.body)
            used = candidate.reach.address(kind)
            problem = _unused(kind, given, path, route.phone_region) if used is None else None
            if used and kind == "phone" and _is_untexted(candidate):
                problem = "is of a type that text messages do not reach"
            shown = given if isinstance(given, str | int) else None
            answers[kind] = AddressAnswer(
                given=masking.address(shown), normalised=masking.address(used), problem=problem
            )
    return answers


def _is_untexted(candidate: RouteCandidate) -> bool:
    texts = any(target.channel == Channel.SMS for target in candidate.route.targets)
    return texts and candidate.reach.address("texts") is None


def _unused(kind: Kind, given: object, path: str, region: str | None) -> str:
    if given is None or given == "":
        return f"the event has none at `{path}`"
    if kind == "email":
        return "is no e-mail address" if isinstance(given, str) else "is no text"
    if not isinstance(given, str | int) or isinstance(given, bool):
        return "is no text and no whole number"
    return _phone_problem(str(given), region)


def _phone_problem(given: str, region: str | None) -> str:
    code = str(phonenumbers.country_code_for_region(region)) if region else ""
    readings = phone_readings(given, code)
    if not readings:
        return "does not read as one phone number: masked digits, letters or two numbers"
    if region is None and not readings[0].startswith("+"):
        return "has no country code, and the route has no `phone_region`"
    try:
        number = phonenumbers.parse(readings[0], region)
    except phonenumbers.NumberParseException as error:
        unknown = error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
        return _PROBLEMS[_INVALID_CODE] if unknown else "is no phone number"
    where = phonenumbers.region_code_for_country_code(number.country_code or 0)
    reason = phonenumbers.is_possible_number_with_reason(number)
    return _PROBLEMS.get(reason, f"is no number of the numbering plan of {where}")
