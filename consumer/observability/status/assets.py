"""The status page's files, read once at start."""

from __future__ import annotations

from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FILES = {
    "/": ("index.html", "text/html"),
    "/status/page.css": ("page.css", "text/css"),
    "/status/page.js": ("page.js", "text/javascript"),
    "/status/parts.js": ("parts.js", "text/javascript"),
    "/status/lane.js": ("lane.js", "text/javascript"),
    "/status/words.js": ("words.js", "text/javascript"),
    "/status/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path → file and media type."""


def assets() -> list[Route]:
    """Return a route for each file of the page. Paths in them are relative, for proxies with a
    prefix."""
    folder = resources.files("consumer.observability.status").joinpath("page")
    return [
        _route(path, folder.joinpath(name).read_bytes(), media_type)
        for path, (name, media_type) in FILES.items()
    ]


def _route(path: str, body: bytes, media_type: str) -> Route:
    async def asset(_: Request) -> Response:
        return Response(body, media_type=media_type)

    return Route(path, asset)
