"""The dashboard in a real Chromium: what people do with it, from the first call to the log-out."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from ..e2e.harness import OK, RecordingUpstream, caller
from .browser import (
    CHROMIUM,
    Restante,
    a_busy_hour,
    a_page,
    blemishes,
    chromium,
    is_wider_than_the_screen,
    picture,
    restante,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="there is no /usr/bin/chromium: apt-get install chromium"
    ),
]

GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
REFUSED = (
    b"HTTP/1.1 422 No\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n"
    + b'{"error":"no such"}'[:18]
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Restante]:
    async with restante(tmp_path) as there:
        yield there


async def submit(there: Restante, path: str = "/async/payments", **headers: str) -> str:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    async with caller() as client:
        answer = await client.post(there.url + path, json={"amount": 1}, headers=fields)
    assert answer.status_code == 202
    id: str = answer.json()["request_id"]
    return id


async def test_what_is_submitted_is_seen_to_move(there: Restante, browser: Browser) -> None:
    there.upstream.gate.clear()
    async with a_page(browser) as page:
        await page.goto(there.url + "/-/")
        await expect(page.get_by_text("Nothing has been submitted yet")).to_be_visible()
        id = await submit(there, Restante_Tracking_Id="order-7")
        row = page.get_by_role("row").filter(has_text=id[:8].upper())
        await expect(row).to_contain_text("processing")  # nobody has loaded the page anew
        await row.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("processing")
        await expect(page.get_by_text("Attempt 1 is being made.")).to_be_visible()
        there.upstream.gate.set()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("completed")
        await expect(page.get_by_text("Why is it still")).to_have_count(0)
        await expect(page.locator(".json").last).to_contain_text("done true")
        folded = page.locator("details.fields").last
        await folded.get_by_text("header fields").click()
        await expect(folded.get_by_text("application/json")).to_be_visible()


SEEN_STREAMS = """
    const Told = window.EventSource;
    window.streams = [];
    window.EventSource = class extends Told {
      constructor(place) { super(place); window.streams.push(this); }
    };
    window.EventSource.CLOSED = Told.CLOSED;
    window.look = (hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    };
"""


async def test_a_page_that_nobody_looks_at_holds_no_connection(there: Restante, browser: Browser) -> None:
    held = "window.streams.filter((one) => one.readyState !== 2).length"
    async with a_page(browser) as page:
        await page.add_init_script(SEEN_STREAMS)
        await page.goto(there.url + "/-/")
        assert await page.evaluate(held) == 1
        await page.evaluate("look(true)")
        assert await page.evaluate(held) == 0
        id = await submit(there)
        await expect(page.get_by_text(id[:8].upper())).to_have_count(0)
        await page.evaluate("look(false)")
        assert await page.evaluate(held) == 1
        await expect(page.get_by_text(id[:8].upper())).to_be_visible()


async def test_what_moves_keeps_its_focus_and_its_folds(there: Restante, browser: Browser) -> None:
    async with a_page(browser) as page:
        first = await submit(there)
        await page.goto(there.url + "/-/")
        link = page.get_by_role("link", name=first[:8].upper())
        await expect(page.get_by_role("row").filter(has=link)).to_contain_text("completed")
        await link.focus()
        others = [await submit(there) for _ in range(3)]
        await expect(page.get_by_text(others[-1][:8].upper())).to_be_visible()
        await expect(link).to_be_focused()
        there.upstream.gate.clear()
        await page.goto(f"{there.url}/-/ui/transactions/{await submit(there)}")
        fold = page.locator("section[aria-labelledby=request] details.fields")
        await fold.locator("summary").click()
        await expect(page.get_by_text("Why is it still")).to_be_visible()
        there.upstream.gate.set()
        await expect(page.get_by_text("Why is it still")).to_have_count(0)  # what stood above is gone
        await expect(fold).to_have_attribute("open", "")
        await expect(fold.locator("summary")).to_be_focused()


async def test_a_page_says_when_its_server_is_away(there: Restante, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(there.url + "/-/")
    line = page.get_by_role("status")
    await expect(line).to_be_empty()
    await page.route(there.url + "/-/", lambda route: route.abort())
    await submit(there)
    await expect(line).to_contain_text("cannot be reached")
    await page.unroute(there.url + "/-/")
    await submit(there)
    await expect(line).to_be_empty()


async def test_a_transaction_is_cancelled_after_a_question(there: Restante, browser: Browser) -> None:
    id = await submit(there, Restante_Delay="1h")
    async with a_page(browser) as page:
        await page.goto(f"{there.url}/-/ui/transactions/{id}")
        await expect(page.get_by_text("It is not to be run before then.")).to_be_visible()
        await page.get_by_role("link", name="Cancel…").click()
        await expect(page.get_by_text("This cannot be taken back")).to_be_visible()
        await page.get_by_role("link", name="Leave it as it is").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("pending")
        await page.get_by_role("link", name="Cancel…").click()
        await page.get_by_role("button", name="Cancel it").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("cancelled")
        await expect(page.get_by_role("link", name="Cancel…")).to_have_count(0)


async def test_a_failed_one_is_retried_once(there: Restante, browser: Browser) -> None:
    there.upstream.answer = lambda call: REFUSED
    id = await submit(there)
    async with a_page(browser) as page:
        await page.goto(f"{there.url}/-/ui/transactions/{id}")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("failed")
        there.upstream.answer = lambda call: OK
        await page.get_by_role("link", name="Retry…").click()
        await page.get_by_role("button", name="Retry it").dblclick()
        await expect(page.get_by_text("Retry of")).to_be_visible()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("completed")
        await page.get_by_role("link", name=id[:8].upper()).click()
        await expect(page).to_have_url(re.compile(id))
    assert len(there.upstream.calls) == 2


async def test_a_dead_letter_is_found_and_sent_again(there: Restante, browser: Browser) -> None:
    async with RecordingUpstream(lambda call: GONE) as receiver, caller() as client:
        made = await client.post(there.url + "/-/endpoints", json={"url": receiver.url + "/hooks"})
        assert made.status_code == 201, made.text
        endpoint = made.json()["id"]
        await submit(there)
        async with asyncio.timeout(10):
            while not receiver.calls:
                await receiver.arrived.wait()
        async with a_page(browser) as page:
            await page.goto(there.url + "/-/ui/dead")
            async with asyncio.timeout(10):
                while not await page.get_by_role("link", name="Send all again…").count():
                    await page.reload()
            await page.locator("tbody a.code").first.click()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("dead")
            receiver.answer = lambda call: OK
            switched = await client.patch(f"{there.url}/-/endpoints/{endpoint}", json={"active": True})
            assert switched.status_code == 200
            await page.get_by_role("link", name="Send it again…").click()
            await page.get_by_role("button", name="Send it again").click()
            async with asyncio.timeout(10):
                while "delivered" not in await page.get_by_role("heading", level=1).inner_text():
                    await page.reload()
            await page.goto(there.url + "/-/ui/dead")
            await expect(page.get_by_text("None: everything has arrived")).to_be_visible()
            assert await blemishes(page) == []


async def test_things_are_found_by_id_code_and_tracking_id(there: Restante, browser: Browser) -> None:
    ids = [await submit(there, Restante_Tracking_Id=f"order-{place}") for place in range(3)]
    async with a_page(browser) as page:
        for asked in (ids[1], ids[1][:8].upper()):
            await page.goto(there.url + "/-/")
            await page.keyboard.press("/")
            await page.keyboard.type(asked)
            await page.keyboard.press("Enter")
            await expect(page).to_have_url(f"{there.url}/-/ui/transactions/{ids[1]}")
        await page.get_by_role("searchbox").fill("order-2")
        await page.get_by_role("searchbox").press("Enter")
        await expect(page.get_by_role("link", name=ids[2][:8].upper())).to_be_visible()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.get_by_label("Tracking id", exact=True).fill("")
        await page.get_by_label("Status").select_option("failed")
        await page.get_by_role("button", name="Search").click()
        await expect(page.get_by_text("Nothing fits.")).to_be_visible()
        assert "status=failed" in page.url


async def test_times_are_local_and_utc_is_behind_them(there: Restante, browser: Browser) -> None:
    id = await submit(there)
    async with a_page(browser, java_script_enabled=False) as page:
        await page.goto(f"{there.url}/-/ui/transactions/{id}")
        utc = await page.locator("dd time").first.inner_text()
        assert utc.endswith(" UTC")
    async with a_page(browser) as page:
        await page.goto(f"{there.url}/-/ui/transactions/{id}")
        time = page.locator("dd time").first
        assert await time.get_attribute("title") == utc
        hours = (int(utc[11:13]) - 3) % 24
        assert f"{hours:02}:{utc[14:16]}" in await time.inner_text()


async def test_everything_is_read_without_a_script(there: Restante, browser: Browser) -> None:
    there.upstream.answer = lambda call: REFUSED
    id = await submit(there)
    async with a_page(browser, java_script_enabled=False) as page:
        await page.goto(there.url + "/-/")
        await page.get_by_role("link", name="Transactions", exact=True).click()
        await page.get_by_role("link", name=id[:8].upper()).click()
        async with asyncio.timeout(10):
            while "failed" not in await page.get_by_role("heading", level=1).inner_text():
                await page.reload()
        await page.get_by_role("link", name="Retry…").click()
        await page.get_by_role("button", name="Retry it").click()
        await expect(page.get_by_text("Retry of")).to_be_visible()


async def test_who_logs_in_sees_their_own_and_who_logs_out_nothing(tmp_path: Path, browser: Browser) -> None:
    async with restante(tmp_path, auth={"mode": "keys"}) as there:
        key = await there.key("acme", "submit", "read", "operate")
        async with caller() as client:
            sent = await client.post(there.url + "/async/x", headers={"Restante-Key": key}, content=b"{}")
            id = sent.json()["request_id"]
        async with a_page(browser) as page:
            await page.goto(f"{there.url}/-/ui/transactions/{id}")
            await expect(page).to_have_url(re.compile("/-/login"))
            assert await blemishes(page) == []
            await page.get_by_label("Access key").fill(key)
            await page.keyboard.press("Enter")
            await expect(page).to_have_url(f"{there.url}/-/ui/transactions/{id}")
            await expect(page.get_by_text("acme").first).to_be_visible()
            (cookie,) = await page.context.cookies()
            link = f'<a href="{there.url}/-/">in</a>'.encode()
            letter = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b"
            async with RecordingUpstream(lambda call: letter % (len(link), link)) as other:
                await page.goto(other.url.replace("127.0.0.1", "localhost"))
                await page.get_by_role("link").click()
                await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
            assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/-/")
            await page.get_by_role("button", name="Log out").click()
            await expect(page).to_have_url(f"{there.url}/-/login")
            assert await page.context.cookies() == []
            await page.goto(there.url + "/-/")
            await expect(page).to_have_url(re.compile("/-/login"))


async def test_another_page_can_neither_frame_nor_send_nor_read(there: Restante, browser: Browser) -> None:
    id = await submit(there, Restante_Delay="1h")
    target = f"{there.url}/-/ui/transactions/{id}/cancel"
    async with caller() as client:
        token = re.search(r'name="token" value="(\w+)"', (await client.get(target)).text)
    assert token is not None
    evil = f"""<iframe src="{target}"></iframe>
        <form method="post" action="{target}"><input name="token" value="{token[1]}">
        <button>x</button></form>"""
    page_of_evil = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (
        len(evil),
        evil.encode(),
    )
    async with RecordingUpstream(lambda call: page_of_evil) as other:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(other.url.replace("127.0.0.1", "localhost"))
        frame = page.frames[1]
        assert not await frame.get_by_role("button").count()
        await page.get_by_role("button").click()
        await expect(page.locator("body")).to_contain_text("Foreign page")
        read = await page.evaluate("url => fetch(url).then(() => 'read', () => 'refused')", target)
        assert read == "read" if page.url.startswith(there.url) else read == "refused"
        await context.close()
    async with caller() as client:
        assert (await client.get(f"{there.url}/-/transactions/{id}")).json()["status"] == "pending"


PAGES = {
    "overview": "/-/",
    "transactions": "/-/ui/transactions",
    "transaction": "/-/ui/transactions/{ended}",
    "pending": "/-/ui/transactions/{pending}",
    "confirm": "/-/ui/transactions/{pending}/cancel",
    "endpoints": "/-/ui/endpoints",
    "endpoint": "/-/ui/endpoints/{endpoint}",
    "delivery": "/-/ui/deliveries/{delivery}",
    "dead": "/-/ui/dead",
}
SCREENS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
KEPT = {("overview", "light"), ("overview", "phone"), ("transaction", "light"), ("pending", "dark")}


@pytest.mark.parametrize("screen", SCREENS)
async def test_every_page_is_accessible_on_every_screen(
    there: Restante, browser: Browser, screen: str
) -> None:
    store = there.store
    now = there.running._service.clock.now()
    (pending, *_) = await a_busy_hour(store, now=now)
    async with RecordingUpstream(lambda call: b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno") as receiver:
        async with caller() as client:
            made = await client.post(
                there.url + "/-/endpoints", json={"url": receiver.url + "/hooks/restante"}
            )
            endpoint = made.json()["id"]
            ended = await submit(there)
            async with asyncio.timeout(10):
                while not (sent := await _deliveries(client, there, endpoint)) or not sent[0]["attempts"]:
                    await asyncio.sleep(0.01)
        names = {"ended": ended, "pending": pending.id, "endpoint": endpoint, "delivery": sent[0]["id"]}
        async with a_page(browser, **SCREENS[screen]) as page:
            for name, target in PAGES.items():
                await page.goto(there.url + target.format(**names))
                await expect(page.get_by_role("heading", level=1)).to_be_visible()
                assert await blemishes(page) == [], name
                assert not await is_wider_than_the_screen(page), name
                if (name, screen) in KEPT:
                    await picture(page, f"{name}-{screen}")


async def _deliveries(client: httpx.AsyncClient, there: Restante, endpoint: str) -> list[dict[str, object]]:
    answer = await client.get(f"{there.url}/-/endpoints/{endpoint}/deliveries")
    found: list[dict[str, object]] = json.loads(answer.text)["deliveries"]
    return found


async def test_the_keyboard_reaches_everything(there: Restante, browser: Browser) -> None:
    await submit(there)
    async with a_page(browser) as page:
        await page.goto(there.url + "/-/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        seen = await _tabbed(page)
        assert "1 hour" in seen
        assert "Pause default" in seen
        assert any(re.fullmatch("[0-9A-F]{8}", one) for one in seen)


async def _tabbed(page: Page) -> list[str]:
    """The texts of what the focus comes to."""
    seen: list[str] = []
    for _ in range(30):
        await page.keyboard.press("Tab")
        seen.append(await page.evaluate("document.activeElement.textContent.trim()"))
    return seen
