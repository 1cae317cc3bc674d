"""What keys cost, and what they give away: `python bench/access.py [--rounds 5] [--seconds 3] [--asks 4000]`.

    accept     durable accepts with `auth.mode = "keys"`, as a part of those with `open`, in turn
    stranger   one client asks for somebody else's tasks and for such as never were, in a random order: the
               medians of both, and by how much the one differs from the other, within two standard errors

Needs `wrk` on the PATH.
"""

import argparse
import contextlib
import random
import statistics
import subprocess
import sys
import time

from ends import SQLITE, Process, Stores, serve, upstream
from load import Line, wrk

TASKS = 200
MODES = ("open", "keys")


def keys_of(store: str) -> list[str]:
    """New ones of two tenants."""
    command = [
        sys.executable,
        "-m",
        "restante",
        "keys",
        "create",
        "--store",
        store,
        "--scopes",
        "submit,read",
    ]
    return [
        subprocess.run(
            [*command, "--tenant", tenant], capture_output=True, text=True, check=True
        ).stdout.strip()
        for tenant in ("one", "other")
    ]


def strangers(port: int, keys: list[str], asks: int) -> tuple[list[float], list[float]]:
    """Microseconds that each answer took: about somebody else's, and about what never was."""
    took: tuple[list[float], list[float]] = ([], [])
    owner, stranger = (f"Restante-Key: {key}" for key in keys)
    with Line(port) as line:
        made = [line.submit(headers=[owner]) for _ in range(TASKS)]
        never = [id[:-6] + "%06x" % (int(id[-6:], 16) ^ 0xABCDEF) for id in made]
        for number in range(asks * 2 + 200):
            which = random.randrange(2)
            path = "/async/status/" + random.choice((made, never)[which])
            begun = time.perf_counter()
            _, body = line.ask("GET", path, b"", stranger)
            seconds = time.perf_counter() - begun
            assert b'"unknown"' in body, body
            if number >= 200:
                took[which].append(seconds * 1e6)
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--asks", type=int, default=4000)
    arguments = parser.parse_args()
    with Stores() as stores, contextlib.ExitStack() as running:
        behind = running.enter_context(upstream("--silent"))
        servers: dict[str, tuple[Process, list[str]]] = {}
        for mode in MODES:
            url = running.enter_context(stores.fresh(SQLITE))
            keys = keys_of(url)
            server = running.enter_context(serve(url, behind.port, more=f'[auth]\nmode = "{mode}"'))
            servers[mode] = server, keys
        theirs, never = strangers(servers["keys"][0].port, servers["keys"][1], arguments.asks)
        ratios = []
        for _ in range(arguments.rounds):
            found = {
                mode: wrk(server.port, arguments.seconds, headers=[f"Restante-Key: {keys[0]}"])[0]
                for mode, (server, keys) in servers.items()
            }
            ratios.append(found["keys"] / found["open"])
        for server, _ in servers.values():
            server.kill()  # they would wait for the upstream
    print(f"accept     {statistics.median(ratios):.2f} of open ({min(ratios):.2f} to {max(ratios):.2f})")
    low, high = sorted(theirs)[: len(theirs) // 2], sorted(never)[: len(never) // 2]  # without the outliers
    error = (statistics.variance(low) / len(low) + statistics.variance(high) / len(high)) ** 0.5
    medians = f"{statistics.median(theirs):.0f} µs, of what never was {statistics.median(never):.0f} µs"
    print(f"stranger   somebody else's {medians}")
    more = statistics.mean(low) - statistics.mean(high)
    print(f"           the means of the faster halves differ by {more:+.1f} ± {2 * error:.1f} µs")


if __name__ == "__main__":
    main()
