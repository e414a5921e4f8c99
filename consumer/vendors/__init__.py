"""The survey vendors. To add a vendor: a file beside these and a line in `VENDORS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consumer.vendors.customer_radar import CustomerRadar
from consumer.vendors.http_batch.http_batch import HttpBatch
from consumer.vendors.pisano import Pisano
from consumer.vendors.protocol import Vendor

VENDORS: Final[Mapping[str, type[Vendor]]] = {
    "pisano": Pisano,
    "customer_radar": CustomerRadar,
    "http_batch": HttpBatch,
}
"""`type` of a vendor's config entry → its class, constructed with its own `Account`."""

__all__ = ["VENDORS", "CustomerRadar", "HttpBatch", "Pisano", "Vendor"]
