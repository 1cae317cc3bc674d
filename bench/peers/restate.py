"""Restate: a server of its own in front, and this service behind it.

The call of the upstream is a step (`ctx.run`), as its documentation has every side effect. Served by
Hypercorn, which its documentation and templates use, with the limits it lists for production and uvloop.
"""

import restate as sdk

from .job import Body, call

peer = sdk.Service("Peer")


@peer.handler()
async def run(ctx: sdk.Context, body: Body) -> Body:
    return await ctx.run_typed("call", call, body=body)


app = sdk.app(services=[peer])
