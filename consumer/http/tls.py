"""TLS settings of an account, as an `SSLContext`: its own CA, its client certificate."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

import httpx
from pydantic import SecretStr

from consumer.errors import DispatcherError


class Certified(Protocol):
    """What has certificates of its own: an account, a registry."""

    @property
    def ca(self) -> SecretStr | None: ...
    @property
    def client_cert(self) -> SecretStr | None: ...
    @property
    def client_key(self) -> SecretStr | None: ...


class TlsError(DispatcherError):
    """The operator's: a certificate or key of an account is of no use. `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


def context_of(account: Certified) -> ssl.SSLContext:
    """Return a context that trusts `ca` alone if the account has one, else the public authorities.
    Raises TlsError, whose message repeats nothing of the files."""
    if account.ca is None and account.client_cert is None:
        return _public_authorities()
    if account.ca is None:
        context = httpx.create_ssl_context(trust_env=False)
    else:
        context = _trusting(account.ca.get_secret_value())
    if account.client_cert is not None and account.client_key is not None:
        _identify(context, account.client_cert, account.client_key)
    return context


@cache
def _public_authorities() -> ssl.SSLContext:
    """Return the context of all accounts without certificates of their own. Loading the
    authorities takes tens of milliseconds, at the check of a config and for each account."""
    return httpx.create_ssl_context(trust_env=False)


def _trusting(pem: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise TlsError("ca", "holds a certificate that cannot be read") from None


def _identify(context: ssl.SSLContext, cert: SecretStr, key: SecretStr) -> None:
    try:
        with (
            _as_file(cert.get_secret_value()) as cert_path,
            _as_file(key.get_secret_value()) as key_path,
        ):
            # An encrypted key would ask for its password at the terminal.
            context.load_cert_chain(cert_path, key_path, password=lambda: "")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        message = (
            "is not the key of `client_cert`"
            if mismatch
            else "cannot be read with `client_cert`: both must be whole, and the key not encrypted"
        )
        raise TlsError("client_key", message) from None


@contextmanager
def _as_file(text: str) -> Generator[str]:
    """Yield a path to the text, because OpenSSL reads a key from files only. In memory on systems
    that can, so that it never reaches a disk."""
    if hasattr(os, "memfd_create"):
        descriptor, path = os.memfd_create("pem"), ""
        name = f"/proc/self/fd/{descriptor}"
    else:  # pragma: no cover - Linux has it
        descriptor, path = tempfile.mkstemp()
        name = path
    try:
        os.write(descriptor, text.encode())
        yield name
    finally:
        os.close(descriptor)
        if path:  # pragma: no cover - see above
            Path(path).unlink()
