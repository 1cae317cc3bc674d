"""What the peers behind FastAPI have in common: the two calls, and the job.

    POST /submit        202 {"id": …} once the peer has taken the job
    GET  /result/<id>   200 and the upstream's answer once it is stored, 425 before

The job is one call of the upstream with the body that was submitted, made with aiohttp's shared session (100
connections) in an event loop, as FastAPI and each of the asynchronous peers advise for such work.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from fastapi import FastAPI, Response

Body = dict[str, Any]
UPSTREAM = os.environ["PEER_UPSTREAM"] + "/echo"

session: aiohttp.ClientSession | None = None


async def call(body: Body) -> Body:
    """The job."""
    global session
    if session is None:
        session = aiohttp.ClientSession()
    async with session.post(UPSTREAM, json=body) as answer:
        return {"status": answer.status, "body": await answer.text()}


def make_app(
    submit: Callable[[Body], Awaitable[str]],
    find: Callable[[str], Awaitable[Body | None]],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """`submit` gives the id of a job that was taken; `find` its result, None while there is none."""
    app = FastAPI(lifespan=lifespan)

    @app.post("/submit", status_code=202)
    async def take(body: Body) -> dict[str, str]:
        return {"id": await submit(body)}

    @app.get("/result/{job}", response_model=None)
    async def look(job: str) -> Body | Response:
        found = await find(job)
        return Response(status_code=425) if found is None else found

    return app
