"""What a server and its connections share."""

import asyncio

from uvicorn.server import ServerState

from ..core.policy import Connections
from .crowd import Crowd


class State(ServerState):
    """`deserted` is set whenever the last connection has gone."""

    def __init__(self, limits: Connections, crowd: Crowd) -> None:
        super().__init__()
        self.deserted = asyncio.Event()
        self.limits = limits
        self.crowd = crowd
