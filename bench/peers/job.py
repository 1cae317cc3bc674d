"""The job that every asynchronous peer does: one call of the upstream with the body that was submitted.

Made with a shared session of aiohttp (100 connections, its default) in the event loop that runs the task, as
each of them advises for work that waits for others.
"""

import os
from typing import Any

import aiohttp

Body = dict[str, Any]
UPSTREAM = os.environ["PEER_UPSTREAM"] + "/echo"

session: aiohttp.ClientSession | None = None


async def call(body: Body) -> Body:
    global session
    if session is None:
        session = aiohttp.ClientSession()
    async with session.post(UPSTREAM, json=body) as answer:
        return {"status": answer.status, "body": await answer.text()}
