"""The documentation says what the code says, and its links lead somewhere."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from restante.config import settings
from restante.gateway.metrics import GAUGES
from restante.telemetry.prometheus import FAMILIES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

LINK = re.compile(r"\]\(([^)\s]+)\)")
BENCHMARK = re.compile(r"bench/(\w+)\.py([^`]*)`")
"""A command in a text, to the end of the quote."""

TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@EVERY_PAGE
def test_what_is_generated_is_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert generator().renew(text) == text, "run: make docs"


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if not link.startswith(("http://", "https://", "#")):
            target, _, anchor = link.partition("#")
            there = page.parent / target
            assert there.exists(), link
            if anchor:
                heads = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
                assert anchor in [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads]


@EVERY_PAGE
def test_configurations_that_are_shown_are_understood(page: Path) -> None:
    for shown in TOML.findall(page.read_text()):
        settings(tomllib.loads(shown))


@EVERY_PAGE
def test_benchmarks_that_are_named_are_there_and_take_what_they_are_given(page: Path) -> None:
    for name, given in BENCHMARK.findall(page.read_text()):
        source = (ROOT / "bench" / f"{name}.py").read_text()
        for word in re.findall(r"(?<!\S)(?:--)?[a-z][a-z-]*(?!\S)", given):
            if word.startswith("--"):
                asked = f'"{word}"' in source
            else:
                asked = word in ("sqlite", "postgresql") or (ROOT / "bench" / f"{word}.py").exists()
            assert asked, f"{name}.py {word}"


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.toml")), ids=lambda file: file.name)
def test_the_examples_configurations_are_understood(file: Path) -> None:
    settings(tomllib.loads(file.read_text()))


def test_the_readme_fits_a_screen_and_a_half() -> None:
    assert (ROOT / "README.md").read_text().count("\n") <= 90


@pytest.mark.parametrize("file", ["operate/alerts.yml", "operate/grafana.json"])
def test_what_watches_the_figures_asks_for_such_as_there_are(file: str) -> None:
    there = {
        f"{family.name}{end}"
        for family in FAMILIES
        for end in (("_bucket", "_count", "_sum") if family.buckets else ("_total",))
    } | {f"restante_{name}" for name in GAUGES}
    asked = set(re.findall(r"\brestante_\w+", (ROOT / "docs" / file).read_text()))
    assert asked and asked <= there
