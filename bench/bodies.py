"""What large bodies cost; see `ABOUT`."""

import argparse
import concurrent.futures
import time

from ends import Stores, limit, serve, upstream
from load import HELD, Line
from record import Record, Rounds, record

CLIENTS = 4
SIZES = {"1 MiB": (1 << 20, 8), "16 MiB": (16 << 20, 1)}
"""Bytes of a body, and how many each client sends."""

TITLE = "Large bodies"
ABOUT = f"""\
{CLIENTS} clients each send a body, wait for its result (the upstream answers with the same bytes), and
compare it. MB/s counts each body once, though it crosses the server four times and the disk twice. *peak*
is the most memory that the server's processes ever had. Beside it the *plain proxy*, which stores nothing
and has whole bodies in its memory.
"""


def measure(stores: Stores, options: argparse.Namespace) -> Record:
    rounds = Rounds()
    for _ in range(options.rounds):
        for name, (size, count) in SIZES.items():
            body = bytes(range(256)) * (size // 256)
            with upstream("--echo") as behind:
                with limit("proxy", behind.port) as server:
                    rate, peak = carried(server, body, count, plain=True)
                    rounds.add("plain proxy", name, rate, unit="MB/s")
                    rounds.add("plain proxy", f"{name} peak", peak, unit="MiB")
                for kind in options.stores:
                    with stores.fresh(kind) as url, serve(url, behind.port) as server:
                        rate, peak = carried(server, body, count, plain=False)
                        rounds.add("Restante", name, rate, unit="MB/s", store=kind)
                        rounds.add("Restante", f"{name} peak", peak, unit="MiB", store=kind)
    return record("bodies", TITLE, ABOUT, rounds.rows, rounds=options.rounds)


def carried(server, body: bytes, count: int, *, plain: bool) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """MB/s, and the most memory in MiB."""

    def client(_: int) -> None:
        with Line(server.port) as line:
            for _ in range(count):
                came = (
                    line.ask("POST", "/echo", body)[1] if plain else line.result(line.submit(body=body), HELD)
                )
                assert came == body

    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(client, range(CLIENTS)))
    took = time.perf_counter() - begun
    return CLIENTS * count * len(body) / took / 1e6, server.peak_kib() / 1024
