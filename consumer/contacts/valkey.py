"""Contact store in Valkey or Redis (7 or later), for several sender processes.

All keys of an application share the hash tag `{app}`, so that one script sees them all, on a single
node and in a cluster. Cluster mode is for availability: the keys of an application are on one node.
Two scripts do all the work:

    read   → time, generation and values, of one moment
    write  → compares the generation and each key's version, then writes all values

A value begins with its version, 8 bytes. The generation is a random id in the store, the server's
`run_id` and its `master_replid`: a server that was restarted, restored or promoted has another one,
whether it lost writes or not. Scripts are sent whole each time (a kilobyte beside many), so that a
new node needs no preparation.
"""

from __future__ import annotations

import ssl
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from valkey import Valkey
from valkey.backoff import NoBackoff
from valkey.cluster import ValkeyCluster
from valkey.exceptions import ConnectionError as ConnectionFailed
from valkey.exceptions import ResponseError, ValkeyError
from valkey.retry import Retry

from consumer.contacts.store import ABSENT, StoredValue, StoreReading
from consumer.errors import StoreUnavailable, StoreUnfit

TIMEOUT: Final = 2.0
"""Seconds for an answer, and for a connection."""

GRACE: Final = 10.0
"""Seconds that a seal is good for."""

NOTE_WITHOUT_LOG: Final = (
    "the contact store writes no append-only file (appendonly no): when it was restarted, results "
    "are read again from its last snapshot, or from their beginning"
)

VERSION_BYTES: Final = 8
PAGE: Final = 1000

_GENERATION = """
local function generation()
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or ''
  return (redis.call('GET', KEYS[1]) or '') .. ':' .. run .. ':' .. replid
end
"""
_READ = (
    _GENERATION
    + """
redis.call('SET', KEYS[1], ARGV[1], 'NX')
local values = {}
for i = 2, #KEYS do values[i - 1] = redis.call('GET', KEYS[i]) end
return {redis.call('TIME'), generation(), values}
"""
)
_WRITE = (
    _GENERATION
    + """
if generation() ~= ARGV[1] then return 0 end
local compared = tonumber(ARGV[2])
for i = 1, compared do
  if redis.call('GETRANGE', KEYS[2 + i], 0, 7) ~= ARGV[2 + i] then return 0 end
end
local version = struct.pack('>I8', redis.call('INCR', KEYS[2]))
for i = 3 + compared, #KEYS do
  if ARGV[i] == '' then redis.call('DEL', KEYS[i])
  else redis.call('SET', KEYS[i], version .. string.sub(ARGV[i], 2)) end
end
return 1
"""
)


class ValkeyStore:
    """A connection pool; it connects when it is first used."""

    def __init__(self, url: str, app: str, timeout: float = TIMEOUT, grace: float = GRACE) -> None:
        self.grace = grace
        self._prefix = f"{{{app}}}:"
        self._url = url
        self._timeout = timeout
        self._client: Any = None
        self._notes: tuple[str, ...] = ()
        self._connecting = threading.Lock()

    def _connected(self) -> Any:
        """Return the client, once the server was found fit."""
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        options: dict[str, Any] = {
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
        }
        # A connection of before a restart fails once; a script that ran already writes nothing.
        once = {"retry": Retry(NoBackoff(), 1), "retry_on_error": [ConnectionFailed]}
        client: Any = Valkey.from_url(self._url, **options, **once)
        try:
            info = client.info()
            self._check(info)
        except BaseException:
            client.close()
            raise
        if not info.get("cluster_enabled"):
            return client
        client.close()
        cluster: Any = ValkeyCluster
        return cluster.from_url(self._url, **options)

    def _check(self, info: Mapping[str, Any]) -> None:
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise StoreUnfit(
                f"the contact store may throw contacts away (maxmemory-policy {policy}), and "
                "persons would be asked too often: set maxmemory-policy to noeviction"
            )
        self._notes = () if info.get("aof_enabled") else (NOTE_WITHOUT_LOG,)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate errors of the client; their texts may have the address."""
        try:
            yield
        except ResponseError as error:
            code = str(error).partition(" ")[0]
            known = code if code.isupper() and code.isalpha() else type(error).__name__
            raise StoreUnavailable(f"the contact store refuses: {known}") from None
        except (ValkeyError, OSError, ssl.SSLError) as error:
            raise StoreUnavailable(
                f"the contact store does not answer: {type(error).__name__}"
            ) from None
        except ValueError:
            raise StoreUnfit("the contact store's `url` is none that Valkey has") from None

    def _eval(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        named = [self._prefix + key for key in keys]
        with self._translated():
            return self._connected().eval(script, len(named), *named, *arguments)

    def read(self, keys: Sequence[str]) -> StoreReading:
        """Return what is there of keys."""
        answer = self._eval(_READ, ["generation", *keys], [uuid.uuid4().hex])
        (seconds, microseconds), generation, values = answer
        found = {
            key: StoredValue(int.from_bytes(value[:VERSION_BYTES]), value[VERSION_BYTES:])
            for key, value in zip(keys, values, strict=True)
            if value is not None
        }
        now = int(seconds) + int(microseconds) / 1e6
        return StoreReading(now, generation.decode(), found)

    def write(
        self, generation: str, versions: Mapping[str, int], values: Mapping[str, bytes | None]
    ) -> bool:
        """Write all or nothing."""
        expected = [
            b"" if version == ABSENT else version.to_bytes(VERSION_BYTES)
            for version in versions.values()
        ]
        # One byte before each value tells an empty one from one to be removed.
        written = [b"" if value is None else b"=" + value for value in values.values()]
        keys = ["generation", "version", *versions, *values]
        return bool(self._eval(_WRITE, keys, [generation, len(expected), *expected, *written]))

    def notes(self) -> Sequence[str]:
        """Return what a restart of the server would cost."""
        with self._translated():
            self._connected()
        return self._notes

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield keys that begin with a prefix."""
        pattern = _without_wildcards(self._prefix + prefix) + "*"
        with self._translated():
            for key in self._connected().scan_iter(match=pattern, count=PAGE):
                name = key.decode().removeprefix(self._prefix)
                if name not in {"generation", "version"}:
                    yield name

    def wipe(self) -> None:
        """Remove everything and begin another generation; versions go on."""
        with self._translated():
            client = self._connected()
            client.delete(self._prefix + "generation")
        for key in self.keys(""):
            with self._translated():
                client.unlink(self._prefix + key)

    def close(self) -> None:
        """Close all connections."""
        with self._connecting:
            if self._client is not None:
                self._client.close()
                self._client = None


def _without_wildcards(text: str) -> str:
    return "".join("\\" + sign if sign in "*?[]\\^" else sign for sign in text)
