"""The same little API in several frameworks: `POST /echo` gives back what came, `GET /broken` raises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

EVENTS: list[str] = []
"""What the applications' lifespans did."""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    EVENTS.append("started")
    yield {"pool": "open"}
    EVENTS.append("ended")


async def echo(request: Request) -> Any:
    content = {
        "body": (await request.body()).decode(),
        "query": request.url.query,
        "pool": getattr(request.state, "pool", None),
        "app": request.app is not None,
        "url": str(request.url_for("echo")),
        "transaction": request.headers.get("restante-transaction"),
    }
    return JSONResponse(content, headers={"X-From": "the application"})


async def broken(request: Request) -> Any:
    raise RuntimeError("a secret of the application")


async def slow(request: Request) -> Any:
    EVENTS.append("begun")
    try:
        await asyncio.Event().wait()
    finally:
        EVENTS.append("given up")


def fastapi() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    app.post("/slow")(slow)
    app.post("/echo")(echo)
    app.get("/broken")(broken)
    return app


def starlette() -> Starlette:
    routes = [
        Route("/echo", echo, methods=["POST"]),
        Route("/slow", slow, methods=["POST"]),
        Route("/broken", broken),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def django_echo(request: HttpRequest) -> JsonResponse:
    content = {
        "body": request.body.decode(),
        "query": request.META["QUERY_STRING"],
        "url": request.build_absolute_uri("/echo"),
        "transaction": request.headers.get("restante-transaction"),
    }
    return JsonResponse(content, headers={"X-From": "the application"})


def django_broken(request: HttpRequest) -> JsonResponse:
    raise RuntimeError("a secret of the application")


async def django_slow(request: HttpRequest) -> JsonResponse:
    EVENTS.append("begun")
    try:
        await asyncio.Event().wait()
    finally:
        EVENTS.append("given up")
    return JsonResponse({})


urlpatterns = [path("echo", django_echo), path("broken", django_broken), path("slow", django_slow)]


def django_app() -> Any:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost"], SECRET_KEY="for tests")
        django.setup()
    return get_asgi_application()
