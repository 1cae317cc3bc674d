"""A host server without a network: the lifespan as servers lead it, and callers on this machine."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from ..insisting import Insisting

SECONDS = 20.0


class Host:
    """`async with Host(app) as host: await host.post(…)`. `started` is what the application answered."""

    def __init__(self, app: Any, *, client: str = "127.0.0.1", lifespan: bool = True) -> None:
        self.app = app
        self.said: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self._lifespan = lifespan
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        transport = Insisting(httpx.ASGITransport(app, client=(client, 1)))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def __aenter__(self) -> "Host":
        if self._lifespan:
            scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
            self._leading = asyncio.create_task(self.app(scope, self._to_app.get, self._from_app.put))
            await self._tell("startup")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        if self._lifespan and self.said[-1]["type"] == "lifespan.startup.complete":
            await self._tell("shutdown")
        if self._lifespan:
            await asyncio.wait_for(self._leading, SECONDS)

    async def _tell(self, what: str) -> None:
        await self._to_app.put({"type": f"lifespan.{what}"})
        self.said.append(await asyncio.wait_for(self._from_app.get(), SECONDS))

    @property
    def started(self) -> dict[str, Any]:
        return self.said[0]

    async def result(self, accepted: httpx.Response) -> httpx.Response:
        """What the accepted task's response_url gives in the end."""
        assert accepted.status_code == 202, accepted.text
        wait = {"Prefer": f"wait={SECONDS:.0f}"}
        return await self.http.get(accepted.json()["response_url"], headers=wait)

    async def ended(self, id: str) -> dict[str, Any]:
        """The transaction in native form, once it has ended."""
        found = await self.http.get(f"/-/transactions/{id}", headers={"Prefer": f"wait={SECONDS:.0f}"})
        document: dict[str, Any] = found.json()
        assert document.get("status") in ("completed", "failed", "cancelled"), document
        return document


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/restante.db"
