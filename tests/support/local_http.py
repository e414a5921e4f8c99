"""HTTP to programs on this machine, past any proxy and without TLS.

`httpx.get` reads the certificates of all authorities for each call, 25 ms of CPU time: a test that
polls a port would keep a processor busy, which the programs it waits for need.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpx

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def get(url: str, **more: Any) -> httpx.Response:
    """`httpx.get` of a plain http:// address."""
    return httpx.get(url, trust_env=False, verify=_NO_TLS, **more)


def post(url: str, **more: Any) -> httpx.Response:
    """`httpx.post` to a plain http:// address."""
    return httpx.post(url, trust_env=False, verify=_NO_TLS, **more)
