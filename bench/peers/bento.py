"""BentoML tasks, on the SQLite file in which its own server keeps them.

One worker and no limit of its own on what runs at once, its defaults: a method that is `async` runs in the
server's event loop. It has uvloop and httptools and writes no line for each request, as with the others. A
task that was running when the server died stays `in_progress` for ever.
"""

import bentoml

from .job import Body, call


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Peer:
    @bentoml.task
    async def run(self, request: Body) -> Body:
        """Its argument is the field of that name in what is submitted."""
        return await call({"request": request})
