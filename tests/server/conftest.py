"""A browser that asks the application itself, without a socket between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runhaven_server.access import Access
from runhaven_server.app import create_app
from runhaven_server.hosts import Hosts

if TYPE_CHECKING:
    from pathlib import Path


class Browser:
    """Asks the application itself, with a cookie once it is signed in."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.cookies = httpx.Cookies()

    def get(self, path: str, **request: Any) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, request))

    def post(self, path: str, **body: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, {"json": body}))

    def stranger(self) -> Browser:
        """A browser that is not signed in."""
        return Browser(self.app)

    async def _ask(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=self.cookies) as client:
            answer = await client.request(method, path, **request)
            self.cookies = client.cookies
        return answer


@pytest.fixture
def client(store: Path, tmp_path: Path) -> Browser:
    store.mkdir()
    access = Access(store, directory=tmp_path / "cache")
    client = Browser(create_app(store, access=access, hosts=Hosts.serving("127.0.0.1")))
    client.get("/", params={"code": access.issue_code()})
    return client
