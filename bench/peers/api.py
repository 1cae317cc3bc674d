"""What the peers behind FastAPI have in common: the two calls.

POST /submit        202 {"id": …} once the peer has taken the job
GET  /result/<id>   200 and the upstream's answer once it is stored, 425 before
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Response

from .job import Body


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
