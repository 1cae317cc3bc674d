"""What is deployed with uses settings and flags that there are, and the site's links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from restante.config.settings import TOP

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def test_variables_are_settings() -> None:
    known = {f"RESTANTE_{setting.name.upper()}" for setting in TOP.settings}
    known |= {f"RESTANTE_{name.upper()}" for name in ("upstream", "auth_mode")}
    for file in ("Containerfile", "compose.yaml"):
        used = set(re.findall(r"\bRESTANTE_[A-Z_]+", (DEPLOY / file).read_text()))
        assert used and used <= known, file


def test_the_unit_waits_for_longer_than_the_grace_time() -> None:
    unit = (DEPLOY / "restante.service").read_text()
    (wait,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    (grace,) = [setting.default for setting in TOP.settings if setting.name == "grace"]
    assert int(wait) > int(str(grace).removesuffix("s"))
    assert "\nUMask=0077\n" in unit and "\nRestartPreventExitStatus=2\n" in unit
    assert "Type=notify" in unit and "serve --config ${CREDENTIALS_DIRECTORY}/restante.toml" in unit


def test_the_compose_file_is_one() -> None:
    read = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(read["services"]) == {"database", "gateway"}
    built = read["services"]["gateway"]["build"]
    assert (DEPLOY / built["context"] / built["dockerfile"]).resolve() == DEPLOY / "Containerfile"


def test_an_image_holds_no_data_settings_or_history() -> None:
    left_out = set((ROOT / ".dockerignore").read_text().splitlines())
    assert {".git", ".venv", "build", "**/*.db*", "**/restante.toml", "**/__pycache__"} <= left_out


def test_the_machine_itself_is_reached_from_a_container() -> None:
    read = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert read["services"]["gateway"]["extra_hosts"] == ["host.docker.internal:host-gateway"]
    assert "--add-host=host.docker.internal:host-gateway" in (ROOT / "docs/operate/install.md").read_text()


@pytest.mark.slow
def test_the_site_is_built_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "how-to" / "payment-api.html").exists()
    assert not re.search(r'(?:src|href)="https?://fonts', (tmp_path / "index.html").read_text())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_the_unit_is_understood_by_systemd(tmp_path: Path) -> None:
    unit = (DEPLOY / "restante.service").read_text().replace("/opt/restante/bin/restante", sys.executable)
    (tmp_path / "restante.service").write_text(unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "restante.service")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
