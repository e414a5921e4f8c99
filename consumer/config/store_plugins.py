"""The contact stores of plugins, by the names that `contacts.store` gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from consumer.plugins import load_plugins, not_callable

STORE_PLUGINS: Final[Mapping[str, Callable[..., Any]]] = load_plugins("stores", (), not_callable)
"""Name → its `consumer.contacts.store.StoreFactory`."""
