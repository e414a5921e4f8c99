"""The vendors by the `type` of their config entries: ours, and those of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args, get_origin

from consumer.plugins import lacks, load_plugins
from consumer.vendors.customer_radar import CustomerRadar
from consumer.vendors.http_batch.http_batch import HttpBatch
from consumer.vendors.pisano import Pisano
from consumer.vendors.protocol import Account, CampaignOptions, Vendor

OWN_VENDORS: Final[Mapping[str, type[Vendor]]] = {
    "pisano": Pisano,
    "customer_radar": CustomerRadar,
    "http_batch": HttpBatch,
}
"""Those of the program itself."""


def vendor_problem(name: str, vendor: Any) -> str | None:
    """Return why a class cannot be a vendor of this `type`, or None."""
    parts = ("Account", "CampaignOptions", "channels", "codes", "spec", "build", "read")
    if missing := lacks(vendor, parts):
        return missing
    for part, base in (("Account", Account), ("CampaignOptions", CampaignOptions)):
        if not issubclass(getattr(vendor, part), base):
            return f"{part} is no subclass of {base.__module__}.{base.__name__}"
    kind = vendor.Account.model_fields["type"].annotation
    if get_origin(kind) is not Literal or get_args(kind) != (name,):
        return f'`type` of its Account must be annotated Literal["{name}"]'
    return None


VENDORS: Final[Mapping[str, type[Vendor]]] = {
    **OWN_VENDORS,
    **load_plugins("vendors", OWN_VENDORS, vendor_problem),
}
"""`type` of a vendor's config entry → its class, constructed with its own `Account`."""
