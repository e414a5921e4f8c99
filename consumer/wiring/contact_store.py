"""Opens the contact store of a config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from consumer.config.contact_sections import PluginStore
from consumer.config.contact_sections import SqliteStore as SqliteConfig
from consumer.config.models import Config
from consumer.config.store_plugins import STORE_PLUGINS
from consumer.contacts.sqlite import SqliteStore
from consumer.contacts.store import ContactStore
from consumer.contacts.valkey import ValkeyStore
from consumer.errors import OperationError


def open_store(config: Config, now: Callable[[], float]) -> ContactStore:
    """Return the store of the config. Raises StoreUnavailable, and OperationError without one."""
    if config.contacts is None:
        raise OperationError("the config has no `contacts`, so there is no store")
    chosen = config.contacts.store
    if isinstance(chosen, SqliteConfig):
        return SqliteStore(Path(chosen.path), now)
    if isinstance(chosen, PluginStore):
        return _open_plugin(chosen, config.application_id, now)
    return ValkeyStore(chosen.url.get_secret_value(), config.application_id, chosen.timeout)


def _open_plugin(
    chosen: PluginStore, application_id: str, now: Callable[[], float]
) -> ContactStore:
    try:
        opened: ContactStore = STORE_PLUGINS[chosen.name](chosen.options, application_id, now)
    except ValueError as refused:
        where = f"contacts.store: the plugin '{chosen.name}' refuses its options"
        raise OperationError(f"{where}: {refused}") from None
    return opened
