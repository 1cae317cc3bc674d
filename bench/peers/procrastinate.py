"""procrastinate on PostgreSQL.

It keeps no results: its authors say that a task stores what it found in a table of the application's own,
which is done here. Workers are woken by LISTEN, its default. `concurrency` is 1 by default and is raised for
asynchronous tasks: 20, each with a connection of its own in the pool; with 30 or 100 it completes no more.

    python -m peers.procrastinate schema | worker
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from fastapi import FastAPI
from procrastinate import App, JobContext, PsycopgConnector

from .api import make_app
from .job import Body, call

CONCURRENCY = 20
CONNECTIONS = 20
TABLE = "CREATE TABLE results (job bigint PRIMARY KEY, result jsonb NOT NULL)"
STORE = "INSERT INTO results (job, result) VALUES (%(job)s, %(result)s)"
FIND = "SELECT result FROM results WHERE job = %(job)s"

tasks = App(connector=PsycopgConnector(conninfo=os.environ["PEER_POSTGRES"], max_size=CONNECTIONS))


@tasks.task(name="run", pass_context=True)
async def run(context: JobContext, body: Body) -> None:
    result = await call(body)
    await tasks.connector.execute_query_async(STORE, job=context.job.id, result=json.dumps(result))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with tasks.open_async():
        yield


async def submit(body: Body) -> str:
    return str(await run.defer_async(body=body))


async def find(job: str) -> Body | None:
    rows = await tasks.connector.execute_query_all_async(FIND, job=int(job))
    return rows[0]["result"] if rows else None


async def main(what: str) -> None:
    async with tasks.open_async():
        if what == "schema":
            await tasks.schema_manager.apply_schema_async()
            await tasks.connector.execute_query_async(TABLE)
        else:
            await tasks.run_worker_async(concurrency=CONCURRENCY)


app = make_app(submit, find, lifespan)

if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
