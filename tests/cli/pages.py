"""The shell sessions of pages, as a reader pastes them."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from .process import PATIENCE_SECONDS, environment

ROOT = Path(__file__).parents[2]
SHELL = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
BIN = str(Path(sys.executable).parent)


def blocks(page: str) -> list[str]:
    """The shell commands of a page, as a reader pastes them."""
    return [textwrap.dedent(found[2]) for found in SHELL.finditer((ROOT / page).read_text())]


def paste(commands: str, folder: Path, **variables: str) -> str:
    """What a shell with these variables prints; it stops at the first command that fails."""
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        os.sched_yield()
    raise AssertionError(f"nobody listens on {port}")
