"""Identities that an operator names: an address, `id:NUMBER` or `household:NUMBER`."""

from __future__ import annotations

from collections.abc import Sequence

from consumer.config.models import Config
from consumer.errors import OperationError
from consumer.routing.feeds import read_address
from consumer.routing.person import HOUSEHOLD, NUMBER
from consumer.routing.recipients.recipients import PhoneNormaliser, known_region
from consumer.wiring.build import pseudonymisers

EXPECTED = "expected an e-mail address, a phone number, id:NUMBER or household:NUMBER"


def pseudonyms_by_identity(
    config: Config, texts: Sequence[str], region: str | None
) -> list[list[str]]:
    """Return for each identity its pseudonyms, under the present key first. Raises OperationError,
    which repeats nothing of an identity."""
    if region is not None and not known_region(region):
        raise OperationError("the region of phone numbers is two capital letters, as in TR")
    phone, makers = PhoneNormaliser(region), pseudonymisers(config)
    found = []
    for number, text in enumerate(texts, 1):
        identity = _normal(text.strip(), phone)
        if identity is None:
            hint = "" if region else "; a phone number without a country code needs --region"
            raise OperationError(f"line {number}: {EXPECTED}{hint}")
        found.append([make(identity) for make in makers])
    return found


def _normal(text: str, phone: PhoneNormaliser) -> str | None:
    for prefix in (NUMBER, HOUSEHOLD):
        if text.startswith(prefix):
            value = text.removeprefix(prefix).strip()
            return prefix + value if value else None
    return read_address(phone, text)


def check_pseudonyms(config: Config, pseudonyms: Sequence[str]) -> None:
    """Refuse what is no pseudonym under a key of the config. Raises OperationError."""
    keys = [config.pseudonym.key_id, *(key.key_id for key in config.pseudonym.previous)]
    for pseudonym in pseudonyms:
        key_id, colon, value = pseudonym.rpartition(":")
        if not colon or not value or key_id not in keys:
            expected = ", ".join(f"{key}:…" for key in keys)
            raise OperationError(f"expected a pseudonym as results have it: {expected}")
