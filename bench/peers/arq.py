"""arq on Redis.

`max_jobs` is 10 by default and its documentation speaks of hundreds: 100, as many as taskiq runs. The worker
polls: every 0.5 s by default, which would be the latency; here every 2 ms, since below that it completes
less. It runs on uvloop, as the others do.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import uvloop
from arq import ArqRedis, create_pool
from arq.connections import RedisSettings
from arq.jobs import Job
from fastapi import FastAPI

from .api import make_app
from .job import Body, call

REDIS = RedisSettings.from_dsn(os.environ["PEER_REDIS"])
pool: ArqRedis

uvloop.install()


async def run(_: dict[str, Any], body: Body) -> Body:
    return await call(body)


class Worker:
    functions: ClassVar = [run]
    redis_settings = REDIS
    max_jobs = 100
    poll_delay = 0.002


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global pool
    pool = await create_pool(REDIS)
    yield
    await pool.aclose()


async def submit(body: Body) -> str:
    job = await pool.enqueue_job("run", body)
    assert job is not None  # only where an id of one's own is taken already
    return job.job_id


async def find(job: str) -> Body | None:
    info = await Job(job, pool).result_info()
    return None if info is None else info.result


app = make_app(submit, find, lifespan)
