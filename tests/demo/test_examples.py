"""The examples say what the demo does."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from restante.demo import SECRET_KEY, SHOP_ID
from restante.demo.cards import TEST_CARDS
from restante.demo.faults import TYPES

FOLDER = Path(__file__).parents[2] / "examples"


def settings(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text())


@pytest.mark.parametrize("name", ["payments", "tickets"])
def test_a_session_is_a_shell_script_that_names_its_two_servers(name: str) -> None:
    subprocess.run(["sh", "-n", str(FOLDER / f"{name}.sh")], check=True)
    text = (FOLDER / f"{name}.sh").read_text()
    upstream = settings(f"{name}.toml")["upstream"]["url"].removeprefix("http://")
    assert f"python -m restante.demo.{name} --listen {upstream}" in text
    assert f"restante serve --config {name}.toml" in text
    assert settings(f"{name}.toml")["listen"] in text
    assert "set -eu" in text


def test_the_ticket_route_is_the_one_of_the_seed() -> None:
    route = settings("tickets.toml")["routes"][0]
    assert route["match"] == "POST /channel/v0/tickets"
    assert route["messages"] == {
        "completed": "Criação de ticket bem sucedida",
        "failed": "Falha na criação de ticket",
    }


def test_the_readme_names_every_card_type_and_credential() -> None:
    text = (FOLDER / "README.md").read_text()
    assert f"{SHOP_ID}:{SECRET_KEY}" in text
    assert all(type_code in text for type_code in TYPES)
    assert all(number in text or f"…{number[-4:]}" in text for number in TEST_CARDS)
