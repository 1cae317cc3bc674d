"""How many webhooks a second; see `ABOUT`."""

import argparse
import time

import msgspec
from ends import Stores, serve, upstream
from load import Line, answered, until, wrk
from record import Record, Rounds, record

CONNECTIONS = 8
TITLE = "Webhooks"
ABOUT = f"""\
Accepts for a second from {CONNECTIONS} connections, each a whole life in front of an upstream that answers at
once, and at its end a signed webhook to one endpoint that answers at once: from the first submit to the last
webhook. Beside it the same without an endpoint, from the first submit to the last answer of the upstream.
"""


def measure(stores: Stores, options: argparse.Namespace) -> Record:
    rounds = Rounds()
    for _ in range(options.rounds):
        for kind in options.stores:
            for told in (False, True):
                a_round(rounds, stores, kind, told=told)
    return record("deliveries", TITLE, ABOUT, rounds.rows, rounds=options.rounds)


def a_round(rounds: Rounds, stores: Stores, kind: str, *, told: bool) -> None:
    more = "[webhooks]\nallow = ['127.0.0.0/8']\nports = [%d]"
    with (
        stores.fresh(kind) as url,
        upstream() as behind,
        upstream() as receiver,
        serve(url, behind.port, more=more % receiver.port) as server,
    ):
        if told:
            with Line(server.port) as line:
                wish = msgspec.json.encode({"url": f"http://127.0.0.1:{receiver.port}/"})
                code, answer = line.ask("POST", "/-/endpoints", wish, "Content-Type: application/json")
            if code != 201:
                raise SystemExit(f"an endpoint was answered {code}: {answer[:200]!r}")
        begun = time.perf_counter()
        _, count = wrk(server.port, 1, connections=CONNECTIONS)
        last = receiver.port if told else behind.port
        until(lambda: answered(last) >= count)
        rate = count / (time.perf_counter() - begun)
        name, what = ("with a webhook", "webhooks") if told else ("without", "lives")
        rounds.add(name, what, rate, unit="1/s", store=kind)
        server.kill()
