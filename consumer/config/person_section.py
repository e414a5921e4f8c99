"""Under which identities events and feeds know a customer."""

from __future__ import annotations

from consumer.config.fields import Expression
from consumer.config.section import Section


class Person(Section):
    """Identities of a customer: what is asked under one counts under all."""

    id: Expression | None = None
    """JMESPath to the customer's number in the company's own systems."""
    email: Expression | None = None
    """JMESPath to an e-mail address, beside that of the route's recipient."""
    phone: Expression | None = None
    """JMESPath to a phone number, beside that of the route's recipient."""
    household: Expression | None = None
    """JMESPath to what a household shares, such as its number."""
    phone_region: str | None = None
    """Region of phone numbers without a country code: two letters, as in TR."""
