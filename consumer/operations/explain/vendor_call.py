"""The call that an invitation would join, built by the vendor's module as a lane builds it.

A masked call is built of a masked invitation. So nothing of the customer can be in it, wherever the
vendor's module puts what it is given: in a key, a path, or a list.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

import orjson

from consumer.config.models import Config
from consumer.operations.explain.masking import Masking
from consumer.operations.explain.shapes import CallAnswer
from consumer.records.call import Call
from consumer.records.invitation import decode_call_parts
from consumer.vendors.client_credentials import FORM
from consumer.vendors.protocol import Vendor, login_vendor

_TOKEN = "token"  # noqa: S105 - in place of a session's; headers are not shown


def call_answer(
    config: Config, vendor: Vendor, campaign: str, invitation: bytes, masking: Masking
) -> CallAnswer:
    """Return the call with this invitation alone. `invitation`: its record."""
    section = config.campaigns[campaign]
    token = None if login_vendor(vendor) is None else _TOKEN
    parts = decode_call_parts(_masked(invitation, masking))
    call = vendor.build(section, [parts], token)
    return CallAnswer(vendor=section.vendor, method=call.method, path=call.path, body=_shown(call))


def _shown(call: Call) -> object:
    """Return the body's document; of a form its fields."""
    media = next(
        (text for name, text in call.headers.items() if name.lower() == "content-type"), ""
    )
    return dict(parse_qsl(call.body.decode())) if media == FORM else orjson.loads(call.body)


def _masked(invitation: bytes, masking: Masking) -> bytes:
    record = orjson.loads(invitation)
    record["address"] = {kind: masking.address(text) for kind, text in record["address"].items()}
    record["data"] = {
        name: {inner: masking.data(text) for inner, text in value.items()}
        if isinstance(value, dict)
        else masking.data(value)
        for name, value in record["data"].items()
    }
    return orjson.dumps(record)
