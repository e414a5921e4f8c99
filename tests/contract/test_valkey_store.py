"""What is Valkey's alone: several clients, restarts, failover, time-outs, cluster."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from consumer.contacts.store import ABSENT
from consumer.contacts.valkey import GRACE, NOTE_WITHOUT_LOG, ValkeyStore
from consumer.errors import StoreUnavailable, StoreUnfit
from tests.support.kafka import free_ports, unique
from tests.support.valkey import StartValkey, ValkeyServer


def put(store: ValkeyStore, key: str, value: bytes) -> None:
    reading = store.read([key])
    version = reading.found[key].version if key in reading.found else ABSENT
    assert store.write(reading.generation, {key: version}, {key: value})


def test_clients_of_an_application_share_a_store_and_applications_do_not(
    valkey_server: ValkeyServer,
) -> None:
    app = unique("app")
    stores = [ValkeyStore(valkey_server.url, name) for name in (app, app, unique("app"))]
    put(stores[0], "a", b"1")
    readings = [store.read(["a"]) for store in stores]
    assert [reading.found.keys() for reading in readings] == [{"a"}, {"a"}, set()]
    assert readings[0].generation == readings[1].generation != readings[2].generation
    assert abs(readings[0].now - time.time()) < 60
    assert stores[0].grace == GRACE
    for store in stores:
        store.close()


def test_restart_is_another_generation_with_and_without_memory(start_valkey: StartValkey) -> None:
    server = start_valkey("--appendonly", "yes", "--appendfsync", "always")
    with closing(ValkeyStore(server.url, "app")) as store:
        put(store, "a", b"1")
        before = store.read(["a"])
        server.kill()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.read(["a"])
        server.start()
        after = store.read(["a"])
        assert after.found == before.found
        assert after.generation != before.generation
        assert not store.write(before.generation, {}, {"a": b"2"})
        assert store.notes() == ()


def test_promoted_replica_is_another_generation(start_valkey: StartValkey) -> None:
    primary, replica = start_valkey("--repl-diskless-sync-delay", "0"), start_valkey()
    with closing(ValkeyStore(primary.url, "app")) as store:
        put(store, "a", b"1")
        before = store.read(["a"])
    replica.client.replicaof("127.0.0.1", primary.port)
    while replica.client.info("replication")["master_link_status"] != "up":
        time.sleep(0.01)
    with closing(ValkeyStore(replica.url, "app")) as store:
        with pytest.raises(StoreUnavailable, match="refuses: ReadOnlyError"):
            store.read(["a"])
        replica.client.replicaof("NO", "ONE")
        after = store.read(["a"])
        assert after.found == before.found
        assert after.generation != before.generation


def test_server_that_does_not_answer_in_time_is_unavailable(start_valkey: StartValkey) -> None:
    server = start_valkey()
    with closing(ValkeyStore(server.url, "app", timeout=0.2)) as store:
        put(store, "a", b"1")
        with server.frozen(), pytest.raises(StoreUnavailable, match="TimeoutError"):
            store.read(["a"])
        assert store.read(["a"]).found.keys() == {"a"}


def test_no_message_repeats_the_address_or_the_password(start_valkey: StartValkey) -> None:
    (port,) = free_ports(1)
    nobody = f"valkey://user:s3cret@127.0.0.1:{port}/0"
    guarded = start_valkey()
    guarded.client.config_set("requirepass", "right")
    for url in (nobody, guarded.url.replace("//", "//:s3cret@"), "postgres://s3cret@host"):
        with closing(ValkeyStore(url, "app")) as store, pytest.raises(StoreUnavailable) as caught:
            store.read(["a"])
        text = str(caught.value)
        assert not [part for part in ("s3cret", "127.0.0.1", str(port)) if part in text]
        assert caught.value.__cause__ is None


def test_server_that_evicts_is_refused_in_words(start_valkey: StartValkey) -> None:
    server = start_valkey("--maxmemory-policy", "allkeys-lru")
    with closing(ValkeyStore(server.url, "app")) as store:
        with pytest.raises(StoreUnfit, match="set maxmemory-policy to noeviction"):
            store.read(["a"])
        server.client.config_set("maxmemory-policy", "noeviction")
        assert store.read(["a"]).found == {}
        assert store.notes() == (NOTE_WITHOUT_LOG,)


def test_full_server_fails_a_write_and_keeps_what_was_there(start_valkey: StartValkey) -> None:
    server = start_valkey()
    with closing(ValkeyStore(server.url, "app")) as store:
        put(store, "a", b"1")
        generation = store.read(["a"]).generation
        server.client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match="refuses: OutOfMemoryError"):
            store.write(generation, {"b": ABSENT}, {"b": b"1"})
        server.client.config_set("maxmemory", 0)
        assert store.read(["a", "b"]).found.keys() == {"a"}


def test_cluster_keeps_an_application_on_one_node(start_valkey: StartValkey) -> None:
    (bus,) = free_ports(1)  # its default is 10,000 higher, where another test may listen
    server = start_valkey("--cluster-enabled", "yes", "--cluster-port", str(bus))
    server.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    while b"cluster_state:ok" not in server.client.execute_command("CLUSTER", "INFO"):
        time.sleep(0.01)
    with closing(ValkeyStore(server.url, "app")) as store:
        put(store, "a", b"1")
        put(store, "b", b"1")
        reading = store.read(["a", "b"])
        versions = {key: stored.version for key, stored in reading.found.items()}
        assert store.write(reading.generation, versions, {"a": b"2", "b": None})
        assert list(store.keys("")) == ["a"]
        store.wipe()
        assert list(store.keys("")) == []
