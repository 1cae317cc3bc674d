"""BentoML tasks, on the SQLite file in which its own server keeps them.

One worker and no limit of its own on what runs at once, its defaults: a method that is `async` runs in the
server's event loop. It has uvloop and httptools and writes no line for each request, as with the others. A
task that was running when the server died stays `in_progress` for ever.
"""

import os

import aiohttp
import bentoml

UPSTREAM = os.environ["PEER_UPSTREAM"] + "/echo"


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Peer:
    def __init__(self) -> None:
        self.session: aiohttp.ClientSession | None = None

    @bentoml.task
    async def run(self, request: dict) -> dict:
        if self.session is None:
            self.session = aiohttp.ClientSession()
        async with self.session.post(UPSTREAM, json={"request": request}) as answer:
            return {"status": answer.status, "body": await answer.text()}
