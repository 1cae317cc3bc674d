"""Restate: a server of its own in front, and this service behind it.

The call of the upstream is a step (`ctx.run`), as its documentation has every side effect. Served by
Hypercorn, which its documentation and templates use, with the limits it lists for production and uvloop.
"""

import os

import aiohttp
import restate as sdk

UPSTREAM = os.environ["PEER_UPSTREAM"] + "/echo"

peer = sdk.Service("Peer")
session: aiohttp.ClientSession | None = None


async def call(body: dict) -> dict:
    global session
    if session is None:
        session = aiohttp.ClientSession()
    async with session.post(UPSTREAM, json=body) as answer:
        return {"status": answer.status, "body": await answer.text()}


@peer.handler()
async def run(ctx: sdk.Context, body: dict) -> dict:
    return await ctx.run_typed("call", call, body=body)


app = sdk.app(services=[peer])
