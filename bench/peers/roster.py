"""Who is measured: how each is started, what is asked of it, and what it promises.

All get the same machine: nothing is pinned but the load and the upstream, which share one core. One process
takes requests and one does the work, where the peer has two.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

BENCH = Path(__file__).parents[1]
HOST = "127.0.0.1"

# Where everything listens while one peer is measured.
SERVER, SERVICE, ADMIN, REDIS, NODE, UPSTREAM = 8641, 8642, 8643, 8644, 8645, 9641

LOST = "Redis by default: no fsync, what was accepted and results may be lost in a crash"
SAFE = "Redis with appendfsync always: durable"
COMMITTED = "PostgreSQL: durable"
SYNCED = "SQLite: durable"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer is given for one round."""

    cache: Path
    """Where the peers' environments are."""
    folder: Path
    """Its own, empty."""
    database: str
    """The URL of an empty PostgreSQL database of its own; empty where it has none."""


Commands = list[list[str]]


def nothing(_: Place) -> Commands:
    return []


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    store: str
    """`sqlite`, `postgresql`, `redis`, `redis fsync`, or `-` for one of its own."""
    note: str
    durable: bool
    """What was accepted is on disk, and is run after a crash."""
    ours: bool = False
    python: bool = True
    environment: str = ""
    """The name of its requirements; empty for Restante, which runs where the benchmark does."""
    prepare: Callable[[Place], Commands] = nothing
    """Commands that end before the others are started."""
    processes: Callable[[Place], Commands]
    register: str = ""
    """What is posted to the admin port once all listens."""
    submit: str = "/submit"
    """The path of a submit."""
    result: str = "/result/{}"
    """The path of a result: 200 once it is readable, another code before."""
    named: str = '"id":"([^"]+)"'
    """Where its id stands in the answer to a submit: a pattern that Lua and Python read alike."""


def binary(place: Place, environment: str, program: str) -> str:
    return str(place.cache / environment / "bin" / program)


def api(place: Place, environment: str, module: str) -> list[str]:
    """uvicorn as FastAPI's deployment guide has it, with the loop and the parser named."""
    command = [binary(place, environment, "uvicorn"), f"peers.{module}:app", "--host", HOST]
    return [*command, "--port", str(SERVER), "--loop", "uvloop", "--http", "httptools", *QUIET]


# A line of log for each request is the same cost for all, and measures nothing.
QUIET = ["--no-access-log", "--log-level", "warning"]


def restante(place: Place) -> Commands:
    store = place.database or f"sqlite:///{place.folder}/restante.db"
    command = [sys.executable, "-m", "restante", "serve", "--upstream", f"http://{HOST}:{UPSTREAM}"]
    return [[*command, "--listen", f"{HOST}:{SERVER}", "--store", store]]


def celery(place: Place) -> Commands:
    worker = [binary(place, "celery", "celery"), "-A", "peers.celery:tasks", "worker", "-l", "WARNING"]
    return [worker, api(place, "celery", "celery")]


def arq(place: Place) -> Commands:
    return [[binary(place, "arq", "arq"), "peers.arq.Worker"], api(place, "arq", "arq")]


def taskiq(place: Place) -> Commands:
    worker = [binary(place, "taskiq", "taskiq"), "worker", "peers.taskiq:broker"]
    return [[*worker, "--workers", "1", "--log-level", "WARNING"], api(place, "taskiq", "taskiq")]


def procrastinate(place: Place) -> Commands:
    python = binary(place, "procrastinate", "python")
    worker = [python, "-m", "peers.procrastinate", "worker"]
    return [worker, api(place, "procrastinate", "procrastinate")]


def procrastinate_schema(place: Place) -> Commands:
    return [[binary(place, "procrastinate", "python"), "-m", "peers.procrastinate", "schema"]]


def dbos(place: Place) -> Commands:
    return [api(place, "dbos", "dbos")]


def bentoml(place: Place) -> Commands:
    command = [binary(place, "bentoml", "bentoml"), "serve", "peers.bento:Peer", "--host", HOST]
    return [[*command, "--port", str(SERVER)]]


def restate(place: Place) -> Commands:
    service = [binary(place, "restate", "hypercorn"), "peers.restate:app", "--config"]
    server = [str(place.cache / "restate-server/node_modules/.bin/restate-server"), "--no-logo"]
    return [
        [*service, str(BENCH / "peers" / "hypercorn.toml"), "--bind", f"{HOST}:{SERVICE}"],
        [*server, "--listen-mode", "tcp", "--bind-port", str(NODE), "--node-name", "one"],
    ]


def on_redis(name: str, processes: Callable[[Place], Commands]) -> list[Peer]:
    """Twice: as Redis is by default, and so that what was accepted is on disk."""
    return [
        Peer(
            name=name,
            store=store,
            note=note,
            durable=durable,
            environment=name.lower(),
            processes=processes,
        )
        for store, note, durable in (("redis", LOST, False), ("redis fsync", SAFE, True))
    ]


PEERS = [
    Peer(
        name="Restante",
        store=store,
        note=note,
        durable=True,
        ours=True,
        processes=restante,
        submit="/async/echo",
        result="/async/result/{}",
        named='"request_id":"([^"]+)"',
    )
    for store, note in (("sqlite", SYNCED), ("postgresql", COMMITTED))
]
PEERS += on_redis("Celery", celery)
PEERS += on_redis("arq", arq)
PEERS += on_redis("taskiq", taskiq)
PEERS.append(
    Peer(
        name="procrastinate",
        store="postgresql",
        note=COMMITTED,
        durable=True,
        environment="procrastinate",
        prepare=procrastinate_schema,
        processes=procrastinate,
    )
)
PEERS += [
    Peer(name="DBOS", store=store, note=note, durable=True, environment="dbos", processes=dbos)
    for store, note in (("sqlite", SYNCED), ("postgresql", COMMITTED))
]
PEERS.append(
    Peer(
        name="BentoML",
        store="sqlite",
        note="SQLite: after a crash what was running stays in_progress for ever",
        durable=False,
        environment="bentoml",
        processes=bentoml,
        submit="/run/submit",
        result="/run/get?task_id={}",
        named='"task_id":"([^"]+)"',
    )
)
PEERS.append(
    Peer(
        name="Restate",
        store="-",
        note="its own log: durable; the server is Rust, the service Python",
        durable=True,
        python=False,
        environment="restate",
        processes=restate,
        register=f'{{"uri":"http://{HOST}:{SERVICE}"}}',
        submit="/Peer/run/send",
        result="/restate/invocation/{}/output",
        named='"invocationId":"([^"]+)"',
    )
)
