"""DBOS on SQLite or PostgreSQL.

A library within the FastAPI process, as its guide for FastAPI sets it up: `start_workflow_async` returns
once the workflow is recorded, and runs it in the same event loop. Its queue with a worker of its own polls
once a second. The pool of the system database is 20, its default.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dbos import DBOS, DBOSConfig
from fastapi import FastAPI

from .api import make_app
from .job import Body, call

CONFIG: DBOSConfig = {
    "name": "peers",
    "system_database_url": os.environ["PEER_DATABASE"],
    "log_level": "WARNING",
    "executor_id": "one",
}


@DBOS.step()
async def ask(body: Body) -> Body:
    return await call(body)


@DBOS.workflow()
async def run(body: Body) -> Body:
    return await ask(body)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    DBOS.launch()
    yield
    DBOS.destroy()


async def submit(body: Body) -> str:
    return (await DBOS.start_workflow_async(run, body)).workflow_id


async def find(job: str) -> Body | None:
    status = await DBOS.get_workflow_status_async(job)
    return None if status is None else status.output


DBOS(config=CONFIG)
app = make_app(submit, find, lifespan)
