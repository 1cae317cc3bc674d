"""A FastAPI app that takes its time: `uvicorn reports:app --port 8600`.

Nothing in it knows of Restante but the last line. `/reports` is as it was, and `/async/reports` is the same
in the background.
"""

import asyncio
import os

from fastapi import FastAPI
from pydantic import BaseModel

from restante import Restante

SECONDS_OF_WORK = float(os.environ.get("SECONDS_OF_WORK", "3"))

api = FastAPI()


class Wanted(BaseModel):
    year: int


@api.post("/reports")
async def report(wanted: Wanted) -> dict[str, object]:
    await asyncio.sleep(SECONDS_OF_WORK)
    return {"year": wanted.year, "total": 1234}


app = Restante(api, store="sqlite:///reports.db")
