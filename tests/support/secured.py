"""A broker with a second door: TLS with SASL (SCRAM-SHA-512 or PLAIN), and rights by ACL.

The first door stays open to the test itself, which may do everything there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import trustme
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization as pem

from tests.support.kafka import KafkaBroker, StartBroker, free_ports

USER, PASSWORD = "surveys", "s3cret-of-the-tests"
SCRAM, PLAIN = "SCRAM-SHA-512", "PLAIN"
Right = tuple[ResourceType, str, ResourcePatternType, Iterable[AclOperation]]


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    """`broker` with the door that it has at `bootstrap`; `ca` is the authority to trust."""

    broker: KafkaBroker
    bootstrap: str
    ca: Path

    def settings(self, mechanism: str = SCRAM) -> dict[str, str]:
        """librdkafka's settings, for clients of the second listener."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": mechanism,
            "sasl.username": USER,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.ca),
        }

    def allow(self, rights: Iterable[Right]) -> None:
        """Give the user these. Raises KafkaException."""
        bindings = [
            AclBinding(kind, name, form, f"User:{USER}", "*", one, AclPermissionType.ALLOW)
            for kind, name, form, operations in rights
            for one in operations
        ]
        client = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        for future in client.create_acls(bindings, request_timeout=60).values():
            future.result(10)


def start_secured(
    start: StartBroker,
    home: Path,
    host: str = "127.0.0.1",
    *,
    strict: bool = False,
    more: Mapping[str, str] | None = None,
) -> SecuredBroker:
    """Start one whose certificate is for `host`; `home` is where its certificates go.

    `strict`: the user of the second door may do what `allow` says, and nothing else.
    `more`: settings of the broker besides.
    """
    home.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    ca = new_authority(home / "ca.pem")
    keystore = home / "keystore.pem"
    keystore.write_bytes(_keystore(ca.issue_cert(host)))
    broker = start(
        {
            "listeners": f"PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:{port},"
            "CONTROLLER://127.0.0.1:$controller_port",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:{port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SASL_SSL:SASL_SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "sasl.enabled.mechanisms": f"{SCRAM},{PLAIN}",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                "org.apache.kafka.common.security.plain.PlainLoginModule required "
                f'user_{USER}="{PASSWORD}";'
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # clients of the first listener
            "allow.everyone.if.no.acl.found": str(not strict).lower(),
            **(more or {}),
        }
    )
    _add_user(broker.bootstrap)
    return SecuredBroker(broker, f"127.0.0.1:{port}", home / "ca.pem")


def new_authority(path: Path) -> trustme.CA:
    """A certificate authority whose certificate is written to `path`."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(path))
    return ca


def _keystore(cert: trustme.LeafCert) -> bytes:
    """Key and chain in one file; Kafka reads keys in PKCS 8 only."""
    key = pem.load_pem_private_key(cert.private_key_pem.bytes(), None).private_bytes(
        pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()
    )
    return key + b"".join(each.bytes() for each in cert.cert_chain_pems)


def _add_user(bootstrap: str) -> None:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    asked = UserScramCredentialUpsertion(USER, info, PASSWORD.encode())
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.alter_user_scram_credentials([asked]).values():
        future.result(10)
