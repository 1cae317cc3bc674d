"""What sealing costs: `python bench/sealing.py [--rounds 5] [--seconds 3]`.

Durable accepts over HTTP, by a server with master keys and one without, in turn, because a machine is never
equally fast twice. Printed is what is left of the accepts with keys, of each round and in the middle. Needs
`wrk` on the PATH.
"""

import argparse
import secrets
import statistics
import tempfile
from pathlib import Path

from ends import SQLITE, Stores, serve, upstream
from load import wrk


def accepts(stores: Stores, folder: str, seconds: int, *, sealed: bool) -> float:
    """Per second, into a new store."""
    more = f'[sealing]\nkeys = ["file:{folder}/master"]\nfolder = "{folder}/keys"' if sealed else ""
    with (
        stores.fresh(SQLITE) as url,
        upstream("--silent") as behind,
        serve(url, behind.port, more=more) as server,
    ):
        rate, _ = wrk(server.port, seconds)
        server.kill()  # a silent upstream would be waited for
    for key in Path(folder).glob("keys/*"):
        key.unlink()
    return rate


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=3)
    chosen = options.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder, Stores() as stores:
        Path(f"{folder}/master").write_text(secrets.token_hex(32))
        for number in range(chosen.rounds):
            clear = accepts(stores, folder, chosen.seconds, sealed=False)
            ratios.append(accepts(stores, folder, chosen.seconds, sealed=True) / clear)
            print(f"round {number + 1}: {ratios[-1]:.2f} of the accepts without keys", flush=True)
    print(f"median   {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
