"""taskiq on Redis.

The stream broker is the one with acknowledgement: what a worker that dies had taken is handed out again. A
worker runs 100 tasks at once, on uvloop where that is installed, which is what its command does by itself.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from .api import make_app
from .job import Body, call

REDIS = os.environ["PEER_REDIS"]
DAY_SECONDS = 86_400

# Its documentation asks for an expiry of results, which would be kept for ever otherwise.
results: RedisAsyncResultBackend[Body] = RedisAsyncResultBackend(REDIS, result_ex_time=DAY_SECONDS)
broker = RedisStreamBroker(REDIS).with_result_backend(results)


@broker.task
async def run(body: Body) -> Body:
    return await call(body)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    await broker.startup()
    yield
    await broker.shutdown()


async def submit(body: Body) -> str:
    return (await run.kiq(body)).task_id


async def find(job: str) -> Body | None:
    if not await results.is_result_ready(job):
        return None
    return (await results.get_result(job)).return_value


app = make_app(submit, find, lifespan)
