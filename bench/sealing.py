"""What sealing costs: `python bench/sealing.py [--rounds 5] [--seconds 3]`.

Durable accepts over HTTP as in accept.py, by a server with master keys and one without, in turn, because a
machine is never equally fast twice. Printed is what is left of the accepts with keys, of each round and in
the middle. Needs `wrk` on the PATH.
"""

import argparse
import secrets
import statistics
import sys
import tempfile
from pathlib import Path

from accept import (
    SCRIPT,
    SERVER_PORT,
    UPSTREAM_PORT,
    Process,
    note,
    remove,
    upstream,
    wait_for,
    wrk,
)


def server(folder: str, *, sealed: bool) -> Process:
    """Its settings are in a file."""
    name = f"{folder}/{'sealed' if sealed else 'clear'}.toml"
    sealing = f'[sealing]\nkeys = ["file:{folder}/master"]\nfolder = "{folder}/keys"\n' if sealed else ""
    Path(name).write_text(
        f'listen = "127.0.0.1:{SERVER_PORT}"\nstore = "sqlite:///{folder}/store.db"\n'
        f'[upstream]\nurl = "http://127.0.0.1:{UPSTREAM_PORT}"\n{sealing}'
    )
    return Process(None, sys.executable, "-m", "restante", "serve", "--config", name)


def accepts(folder: str, script: str, seconds: float, *, sealed: bool) -> float:
    """Per second, into a new store."""
    with upstream("--silent"), server(folder, sealed=sealed) as running:
        wait_for(UPSTREAM_PORT)
        wait_for(SERVER_PORT)
        rate, remark = wrk("/async/echo", seconds, script)
        running.kill()  # a silent upstream would be waited for
    note(remark)
    remove(f"{folder}/store.db")
    for key in Path(folder).glob("keys/*"):
        key.unlink()
    return rate


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=3)
    chosen = options.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        script = f"{folder}/post.lua"
        Path(script).write_text(SCRIPT)
        Path(f"{folder}/master").write_text(secrets.token_hex(32))
        for number in range(chosen.rounds):
            clear = accepts(folder, script, chosen.seconds, sealed=False)
            ratios.append(accepts(folder, script, chosen.seconds, sealed=True) / clear)
            print(f"round {number + 1}: {ratios[-1]:.2f} of the accepts without keys", flush=True)
    print(f"median   {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
