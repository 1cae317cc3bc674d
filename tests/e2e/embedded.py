"""An application with Restante in it, as `uvicorn embedded:app` serves it.

`POST /work` writes a line to the file `calls` and answers once the file `gate` is there; so do the operations
`POST /once` and `POST /again`.
"""

import asyncio
import os
from pathlib import Path

from fastapi import FastAPI, Request

from restante import Operations, Restante, Work

FOLDER = Path(os.environ.get("EMBEDDED_FOLDER", "."))
LOOK_SECONDS = 0.01

api = FastAPI()


async def take_time(attempt: str) -> None:
    with (FOLDER / "calls").open("a") as calls:
        calls.write(f"{attempt}\n")
    while not (FOLDER / "gate").exists():
        await asyncio.sleep(LOOK_SECONDS)


@api.api_route("/work", methods=["POST", "PUT"])
async def work(request: Request) -> dict[str, str]:
    await take_time(request.headers["restante-attempt"])
    return {"body": (await request.body()).decode()}


operations = Operations()


@operations.post("/once", transactions="/transactions", retry={"backoff": "10ms"})
async def once(tx: Work) -> None:
    tx.info("begun")
    await tx.written()
    await take_time(f"once-{tx.attempt}")


@operations.post("/again", transactions="/transactions", interrupted="retry", retry={"backoff": "10ms"})
async def again(tx: Work) -> dict[str, int]:
    await take_time(f"again-{tx.attempt}")
    return {"attempt": tx.attempt}


app = Restante(
    api,
    operations=operations,
    store=os.environ.get("EMBEDDED_STORE", f"sqlite:///{FOLDER}/restante.db"),
    grace="100ms",
    upstream={"retry": {"backoff": "10ms"}},
)
