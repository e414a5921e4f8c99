"""Access to the admin server: a token, TLS, and what is served at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from pydantic import ValidationError

from consumer.config.admin_section import Admin, AdminTls
from consumer.errors import DispatcherError, OperationError
from consumer.observability.admin_access import server_context
from consumer.observability.admin_server import run_admin
from consumer.observability.admin_state import ProcessState
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.operations.status.status import read_process
from tests.support.kafka import free_ports

TOKEN = "a-token-of-the-tests"
PATHS = ("/", "/status.json", "/metrics", "/livez", "/readyz")


def ready_state() -> ProcessState:
    health = Health(lambda: 0.0)
    health.set_ready("config", ok=True)
    return ProcessState(Metrics(), health, lambda: b"{}")


def served(section: Admin, check: Callable[[int], Awaitable[None]]) -> None:
    """Run the check, given its port, while an admin server runs by this section."""

    async def main() -> None:
        state = ready_state()
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run_admin(section, state, started=port.set_result))
        try:
            await check(await port)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(main())


def admin(**keys: Any) -> Admin:
    return Admin.model_validate({"host": "127.0.0.1", "port": 0, **keys}, strict=False)


async def statuses(port: int, **more: Any) -> dict[str, int]:
    async with httpx.AsyncClient(trust_env=False, **more) as client:
        url = f"http://127.0.0.1:{port}"
        return {path: (await client.get(url + path)).status_code for path in PATHS}


def test_without_a_token_all_is_open() -> None:
    async def check(port: int) -> None:
        assert set((await statuses(port)).values()) == {200}

    served(admin(), check)


@pytest.mark.parametrize(
    "login",
    [
        {"headers": {"Authorization": f"Bearer {TOKEN}"}},
        {"headers": {"Authorization": f"bearer  {TOKEN}"}},
        {"auth": ("anyone", TOKEN)},
    ],
)
def test_token_opens_page_and_metrics(login: dict[str, Any]) -> None:
    async def check(port: int) -> None:
        assert set((await statuses(port, **login)).values()) == {200}

    served(admin(token=TOKEN), check)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer another"},
        {"Authorization": TOKEN},
        {"Authorization": "Basic not-base-64"},
        {"Authorization": "Basic YW55b25lOndyb25n"},
    ],
)
def test_probes_alone_are_open_without_the_token(headers: dict[str, str]) -> None:
    """A browser is asked for it."""

    async def check(port: int) -> None:
        found = await statuses(port, headers=headers)
        assert {path for path, status in found.items() if status == 200} == {"/livez", "/readyz"}
        assert set(found.values()) == {200, 401}
        async with httpx.AsyncClient(trust_env=False) as client:
            refused = await client.get(f"http://127.0.0.1:{port}/", headers=headers)
        assert refused.headers["www-authenticate"].startswith("Basic ")

    served(admin(token=TOKEN), check)


@pytest.mark.parametrize(
    ("keys", "closed"),
    [
        ({"page": False}, {"/", "/status.json"}),
        ({"metrics": False}, {"/metrics"}),
        ({"page": False, "metrics": False}, {"/", "/status.json", "/metrics"}),
    ],
)
def test_what_is_off_is_not_there(keys: dict[str, bool], closed: set[str]) -> None:
    async def check(port: int) -> None:
        found = await statuses(port)
        assert {path for path, status in found.items() if status == 404} == closed

    served(admin(**keys), check)


def test_metrics_at_a_port_of_their_own_need_no_token() -> None:
    apart = free_ports(1)[0]

    async def check(port: int) -> None:
        login = {"headers": {"Authorization": f"Bearer {TOKEN}"}}
        assert (await statuses(port, **login))["/metrics"] == 404
        found = await statuses(apart)
        assert {path for path, status in found.items() if status == 200} == {
            "/metrics",
            "/livez",
            "/readyz",
        }

    served(admin(token=TOKEN, metrics_port=apart), check)


def test_port_of_metrics_that_is_taken_ends_the_server() -> None:
    async def check(port: int) -> None:
        section = admin(metrics_port=port)
        state = ready_state()
        with pytest.raises(DispatcherError, match=f"admin port {port} is in use"):
            await run_admin(section, state, started=lambda _: None)

    served(admin(), check)


@pytest.mark.parametrize(
    "keys", [{"port": 9464, "metrics_port": 9464}, {"metrics": False, "metrics_port": 9465}]
)
def test_contradictions_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="metrics_port"):
        admin(**keys)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Write an authority, and a certificate of 127.0.0.1; return the folder."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = ca.issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "tls.crt"))
    leaf.private_key_pem.write_to_path(str(tmp_path / "tls.key"))
    return tmp_path


def test_status_reads_over_tls_with_a_token(authority: Path) -> None:
    tls = {"cert": str(authority / "tls.crt"), "key": str(authority / "tls.key")}

    async def check(port: int) -> None:
        url = f"https://127.0.0.1:{port}"
        trusted = ssl.create_default_context(cafile=str(authority / "ca.pem"))
        async with httpx.AsyncClient(trust_env=False, verify=trusted) as client:
            assert (await client.get(f"{url}/livez")).status_code == 200
        ca = authority / "ca.pem"
        with pytest.raises(OperationError, match="set SURVEY_DISPATCHER_TOKEN"):
            await asyncio.to_thread(read_process, url, None, ca)
        with pytest.raises(OperationError, match="no status of this version"):  # it was `{}`
            await asyncio.to_thread(read_process, url, TOKEN, ca)
        with pytest.raises(OperationError, match="nothing listens there"):
            await asyncio.to_thread(read_process, url, TOKEN)  # an authority that is not trusted

    served(admin(token=TOKEN, tls=tls), check)


def test_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"--ca: .*nowhere\.pem cannot be read"):
        read_process("https://localhost:1", None, tmp_path / "nowhere.pem")


def test_unusable_certificate_is_refused_with_its_files(authority: Path) -> None:
    crt, key = str(authority / "tls.crt"), str(authority / "tls.key")
    for files in ((crt, str(authority / "nowhere.key")), (key, crt)):
        with pytest.raises(DispatcherError, match=r"admin\.tls: .*tls"):
            server_context(AdminTls(cert=files[0], key=files[1]))
