"""An application with Restante in it, as `uvicorn embedded:app` serves it.

`POST /work` writes a line to the file `calls` and answers once the file `gate` is there.
"""

import asyncio
import os
from pathlib import Path

from fastapi import FastAPI, Request

from restante import Restante

FOLDER = Path(os.environ.get("EMBEDDED_FOLDER", "."))
LOOK_SECONDS = 0.01

api = FastAPI()


@api.api_route("/work", methods=["POST", "PUT"])
async def work(request: Request) -> dict[str, str]:
    with (FOLDER / "calls").open("a") as calls:
        calls.write(request.headers["restante-attempt"] + "\n")
    while not (FOLDER / "gate").exists():
        await asyncio.sleep(LOOK_SECONDS)
    return {"body": (await request.body()).decode()}


app = Restante(
    api,
    store=os.environ.get("EMBEDDED_STORE", f"sqlite:///{FOLDER}/restante.db"),
    grace="100ms",
    upstream={"retry": {"backoff": "10ms"}},
)
