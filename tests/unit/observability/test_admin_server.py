"""The admin server on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from consumer.errors import DispatcherError
from consumer.observability.admin_server import admin_app, serve_admin
from consumer.observability.admin_state import ProcessState
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics

HOST = "127.0.0.1"


class Served:
    """A running admin server and what it shows."""

    def __init__(self) -> None:
        self.now = 0.0
        self.metrics = Metrics(campaigns=["a"])
        self.health = Health(lambda: self.now)
        self.app = admin_app(ProcessState(self.metrics, self.health, lambda: b"{}"))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve_admin(self.app, HOST, 0, started=port.set_result))
        base_url = f"http://{HOST}:{await port}"
        try:
            async with httpx.AsyncClient(base_url=base_url, trust_env=False) as client:
                yield client
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def run(served: Served, check: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with served.running() as client:
            await check(client)

    asyncio.run(main())


def test_a_scrape_shows_what_was_counted() -> None:
    served = Served()
    served.metrics.lane("pisano-cloud").throttled()

    async def check(client: httpx.AsyncClient) -> None:
        answer = await client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
        families = {f.name: f for f in text_string_to_metric_families(answer.text)}
        (sample,) = families["survey_dispatcher_throttled"].samples
        assert (sample.labels, sample.value) == ({"lane": "pisano-cloud"}, 1.0)
        accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
        answer = await client.get("/metrics", headers=accept)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")

    run(served, check)


def test_the_probes_answer_200_or_503_with_the_problems() -> None:
    served = Served()
    served.health.register("router", 30.0)

    async def check(client: httpx.AsyncClient) -> None:
        answer = await client.get("/livez")
        assert (answer.status_code, answer.text) == (200, "ok")
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"problems": ["nothing has reported yet"]}
        served.now = 31.0
        served.health.set_ready("broker", ok=True)
        answer = await client.get("/livez")
        assert answer.status_code == 503
        assert answer.json() == {"problems": ["router: silent for 31 s, 30 s are allowed"]}
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.text) == (200, "ok")

    run(served, check)


def test_only_get_and_head_are_served_and_every_answer_bears_the_security_headers() -> None:
    async def check(client: httpx.AsyncClient) -> None:
        expected = {
            "/": 200,
            "/status.json": 200,
            "/status/page.js": 200,
            "/metrics": 200,
            "/livez": 200,
            "/readyz": 503,
            "/nothing": 404,
        }
        for path, status in expected.items():
            for method in ("GET", "HEAD", "POST", "DELETE"):
                answer = await client.request(method, path)
                refused = 405 if path != "/nothing" else 404
                assert answer.status_code == (status if method in {"GET", "HEAD"} else refused)
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert "server" not in answer.headers

    run(Served(), check)


def test_an_error_of_ours_is_a_bare_500_with_the_security_headers() -> None:
    served = Served()

    async def broken(_: Request) -> Response:
        raise RuntimeError("ayse@example.test")

    served.app.router.routes.append(Route("/broken", broken))

    async def check(client: httpx.AsyncClient) -> None:
        answer = await client.get("/broken")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert answer.headers["x-content-type-options"] == "nosniff"

    run(served, check)


def test_the_index_links_what_there_is() -> None:
    async def check(client: httpx.AsyncClient) -> None:
        answer = await client.get("/")
        assert all(f'href="{path}"' in answer.text for path in ("metrics", "livez", "readyz"))

    run(Served(), check)


def test_signal_handlers_stay_the_callers() -> None:
    async def main() -> None:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.getsignal(number) for number in numbers]
        async with Served().running() as client:
            assert (await client.get("/livez")).status_code == 200
            assert [signal.getsignal(number) for number in numbers] == before
        assert [signal.getsignal(number) for number in numbers] == before

    asyncio.run(main())


def test_cancelling_frees_the_port_at_once() -> None:
    """A restarted server can have the same port; an idle kept-alive connection does not hold it."""

    async def main() -> None:
        served = Served()
        async with served.running() as client:
            await client.get("/livez")
            port = client.base_url.port
            assert port
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        again = asyncio.create_task(serve_admin(served.app, HOST, port, started=started.set_result))
        assert await started == port
        again.cancel()
        with pytest.raises(asyncio.CancelledError):
            await again
        with socket.socket() as probe:
            assert probe.connect_ex((HOST, port)) != 0

    asyncio.run(main())


def test_a_request_under_way_is_answered_before_the_server_ends() -> None:
    async def main() -> None:
        served = Served()
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def slow(_: Request) -> Response:
            entered.set()
            await go_on.wait()
            return PlainTextResponse("done")

        served.app.router.routes.append(Route("/slow", slow))
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve_admin(served.app, HOST, 0, started=started.set_result))
        async with httpx.AsyncClient(trust_env=False) as client:
            request = asyncio.create_task(client.get(f"http://{HOST}:{await started}/slow"))
            await entered.wait()
            task.cancel()
            asyncio.get_running_loop().call_soon(go_on.set)
            assert (await request).text == "done"
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_port_in_use_is_an_error_that_says_so() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DispatcherError, match=f"admin port {port} is in use on {HOST}"):
            asyncio.run(serve_admin(Served().app, HOST, port, started=lambda _: None))


def test_an_address_that_is_not_ours_is_an_error_that_says_so() -> None:
    with pytest.raises(
        DispatcherError, match=r"cannot listen on 192\.0\.2\.1, port 9464: [A-Za-z' ]+$"
    ):
        asyncio.run(serve_admin(Served().app, "192.0.2.1", 9464, started=lambda _: None))
