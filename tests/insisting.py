"""An HTTP client that asks again where a store on trial refused (tests/faults.py), as clients do on a 503."""

from typing import Any

import httpx

from .faults import in_trial, on_trial


class Insisting(httpx.AsyncBaseTransport):
    """`inner`, asked until a store has taken it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        while True:
            response = await self._inner.handle_async_request(request)
            if not in_trial(response.status_code):
                return response
            if not on_trial(response.status_code, await response.aread(), request.method):
                return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def caller(**more: Any) -> httpx.AsyncClient:
    """A client without TLS: to read the authorities of the system takes longer than most tests do."""
    limits = more.pop("limits", httpx.Limits())
    transport = Insisting(httpx.AsyncHTTPTransport(verify=False, limits=limits))
    return httpx.AsyncClient(transport=transport, **more)


def asked(method: str, url: str, **what: Any) -> httpx.Response:
    """The answer to one request, for whoever waits in no loop."""
    while True:
        response = httpx.request(method, url, **what)
        if not on_trial(response.status_code, response.content, method):
            return response
