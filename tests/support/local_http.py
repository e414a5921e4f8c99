"""HTTP to programs on this machine, past any proxy and without TLS.

`httpx.get` reads the certificates of all authorities for each call, 25 ms of CPU time: a test that
polls a port would keep a processor busy, which the programs it waits for need.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpx

_LOCAL: dict[str, Any] = {
    "trust_env": False,
    "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # no certificates are read for it
    "timeout": 60.0,  # seconds; a busy machine answers late
}


def get(url: str, **more: Any) -> httpx.Response:
    """`httpx.get` of a plain http:// address."""
    return httpx.get(url, **_LOCAL | more)


def post(url: str, **more: Any) -> httpx.Response:
    """`httpx.post` to a plain http:// address."""
    return httpx.post(url, **_LOCAL | more)
