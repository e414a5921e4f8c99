"""Which class may be a vendor: ours, or a plugin's."""

from __future__ import annotations

from consumer.vendors.pisano import Pisano
from consumer.vendors.registry import vendor_problem


def test_vendor_of_the_program_fits_under_its_own_name_only() -> None:
    assert vendor_problem("pisano", Pisano) is None
    assert vendor_problem("other", Pisano) == (
        '`type` of its Account must be annotated Literal["other"]'
    )


def test_vendor_without_an_account_of_ours_is_refused() -> None:
    strange = type("Strange", (Pisano,), {"Account": dict})
    assert vendor_problem("pisano", strange) == (
        "Account is no subclass of consumer.vendors.protocol.Account"
    )
    assert vendor_problem("pisano", object) is not None
