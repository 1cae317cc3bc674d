"""The system's Chromium, and a whole Restante in this process for it to look at: real time, real upstream."""

import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from restante.assembly.serve import Running, start
from restante.config import settings
from restante.core import change
from restante.core.clock import DAY, MILLISECOND, MINUTE, SECOND
from restante.core.model import Body, Result, Transaction
from restante.core.status import Outcome
from restante.ports import Store

from ..e2e.harness import RecordingUpstream
from ..stores.samples import a_submission, begin

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

PICTURES = Path(__file__).parents[2] / "docs/operate/pictures" if os.environ.get("PICTURES") else None
"""Where pictures for the docs go: PICTURES=1 pytest -m slow tests/dashboard/test_browser.py."""

PATIENCE = 15_000
"""Milliseconds."""


class Restante:
    """What runs, and where."""

    def __init__(self, running: Running, upstream: RecordingUpstream) -> None:
        self.running = running
        self.upstream = upstream
        self.url = f"http://{running.addresses[0]}"

    @property
    def store(self) -> Store:
        return self.running._store

    async def key(self, tenant: str, *scopes: str) -> str:
        _, shown = await self.running._service.keys.make(tenant=tenant, scopes=scopes, span=None)  # type: ignore[arg-type]
        return shown


@asynccontextmanager
async def restante(folder: Path, **more: Any) -> AsyncIterator[Restante]:
    async with RecordingUpstream() as upstream:
        read = settings(
            {
                "listen": "127.0.0.1:0",
                "store": f"sqlite:///{folder}/restante.db",
                "grace": "1s",
                "upstream": {"url": upstream.url, "concurrency": 2},
                "webhooks": {"allow": ["127.0.0.0/8"]},
                **more,
            }
        )
        running = await start(read)
        try:
            yield Restante(running, upstream)
        finally:
            upstream.gate.set()
            await running.stop()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def a_page(browser: Browser, **context: Any) -> AsyncIterator[Page]:
    """A page of its own cookies, on which nothing may go wrong."""
    options = {
        "viewport": {"width": 1120, "height": 760},
        "timezone_id": "America/Sao_Paulo",
        "locale": "en-GB",
    }
    opened: BrowserContext = await browser.new_context(**{**options, **context})
    page = await opened.new_page()
    page.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    try:
        yield page
        assert not wrong
    finally:
        await opened.close()


async def blemishes(page: Page) -> list[str]:
    """What axe-core finds wrong with a page."""
    await page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]


async def is_wider_than_the_screen(page: Page) -> bool:
    wider: bool = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return wider


async def picture(page: Page, name: str) -> None:
    """For the docs, where they are asked for."""
    if PICTURES is not None:
        PICTURES.mkdir(exist_ok=True)
        await page.mouse.move(0, 0)
        await page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


async def a_busy_hour(store: Store, *, now: int, minutes: int = 60) -> list[Transaction]:
    """Payments and tickets of the last hour, some of them failed, a few at the end not finished."""
    chance = random.Random(7)
    made: list[Transaction] = []
    for minute in range(minutes, 0, -1):
        start = now - minute * MINUTE
        count = int(26 + 10 * chance.random() + (30 if 18 < minute < 24 else 0))
        submissions = []
        for _ in range(count):
            at = start + chance.randrange(MINUTE)
            ticket = chance.random() < 0.3
            body = {
                "request": {
                    "amount": chance.randrange(90_000),
                    "currency": "EUR",
                    "credit_card": {"number": "4200000000000000", "holder": "Jane Doe"},
                }
            }
            submission = await a_submission(
                store,
                body=json.dumps({"subject": "Late parcel"} if ticket else body).encode(),
                created_at=at,
                updated_at=at,
                due_at=now + DAY,
                deadline=now + DAY,
                expires_at=at + DAY,
                path="/channel/v0/tickets" if ticket else "/transactions/payments",
                tracking_id=None if ticket else f"order-{chance.randrange(1 << 32):08x}",
                operation="create",
            )
            chance_id = chance.randbytes(16)
            transaction = msgspec.structs.replace(
                submission.transaction, id=_id(store, submission.transaction.key, chance_id)
            )
            submissions.append(msgspec.structs.replace(submission, transaction=transaction))
        for answer in await store.accept(submissions):
            assert not isinstance(answer, Exception)
            made.append(answer.transaction)
    open_ones = made[-4:]
    changes = []
    for transaction in made[:-4]:
        waits = int(2 * MILLISECOND * chance.lognormvariate(0, 1))
        took = int(180 * MILLISECOND * chance.lognormvariate(0, 0.7))
        begun = begin(transaction, now=transaction.created_at + waits)
        failed = chance.random() < 0.04
        content = b'{"transaction":{"status":"%s","uid":"7c1-2"}}' % (b"failed" if failed else b"successful")
        result = Result(
            422 if failed else 200, ((b"Content-Type", b"application/json"),), Body(len(content), content), 1
        )
        end = min(transaction.created_at + waits + took, now - SECOND)
        if failed:
            ended = change.fail(
                begun.after,
                attempt=1,
                now=end,
                outcome=Outcome.ANSWERED,
                data={"error_message": "declined"},
                result=result,
            )
        else:
            ended = change.complete(begun.after, attempt=1, now=end, result=result, data={"status_code": 200})
        changes.append(change.join(begun, ended))
    for place in range(0, len(changes), 200):
        assert all(await store.apply(changes[place : place + 200]))
    while await store.count_figures(1000):
        pass
    return open_ones


def _id(store: Store, key: int, chance: bytes) -> str:
    from restante.core.identity import RANDOM_BYTES, mint

    return mint(key, chance[:RANDOM_BYTES], store.secret)
