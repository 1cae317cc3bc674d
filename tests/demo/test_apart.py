"""The demo knows nothing of what stands in front of it, runs alone, and its two halves run together."""

import ast
import subprocess
import sys
from pathlib import Path

import httpx

from restante import demo

from .conftest import order
from .test_tickets import ticket

FOLDER = Path(demo.__file__).parent
ALLOWED = sys.stdlib_module_names | {"msgspec", "uvicorn"}


def test_the_demo_imports_nothing_of_the_program() -> None:
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {name.name.split(".")[0] for name in node.names} <= ALLOWED, path.name
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert (node.module or "").split(".")[0] in ALLOWED, path.name
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1, path.name
                assert not node.module or (FOLDER / f"{node.module}.py").exists(), path.name


async def test_both_apis_are_one_app() -> None:
    app = demo.apps(bank_delay_seconds=0, desk_delay_seconds=0)
    shop = (demo.SHOP_ID, demo.SECRET_KEY)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://demo.test") as client:
        payment = await client.post(
            "/transactions/payments", json=order(credit_card={"number": "4200000000000000"}), auth=shop
        )
        opened = await client.post("/channel/v0/tickets", json=ticket())
        listed = await client.get("/seller/v0/tickets")
    assert payment.json()["transaction"]["status"] == "successful"
    assert (opened.status_code, len(listed.json()["results"])) == (201, 1)


def test_each_api_can_be_started_alone() -> None:
    for name in ("payments", "tickets"):
        command = [sys.executable, "-W", "error", "-m", f"restante.demo.{name}", "--help"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "--listen HOST:PORT" in shown.stdout
        assert shown.stderr == ""


def test_an_address_without_a_port_is_refused() -> None:
    command = [sys.executable, "-m", "restante.demo.tickets", "--listen", "localhost"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode != 0
    assert refused.stderr == "--listen: 'localhost' is not HOST:PORT\n"
