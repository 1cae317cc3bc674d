"""Puts points around the functions they stand at, in this process and in those that it starts.

A function is replaced where it is looked up, in its class or module. So it is done before anything is run:
what has taken the function into its hand before goes on with the bare one.
"""

import asyncio
import functools
import inspect
import pkgutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .orders import Order
from .places import Edge, Place, Seen

PACKAGE = __package__.partition(".")[0]


def put(orders: Iterable[Order]) -> None:
    for order in orders:
        for place in order.point.places:
            owner, name, function = find(place)
            setattr(owner, name, _around(function, place, order))


def find(place: Place) -> tuple[Any, str, Callable[..., Any]]:
    """The class or module, the name in it, and the function. Raises `LookupError` where there is none."""
    module, _, path = place.function.partition(":")
    *classes, name = path.split(".")
    try:
        owner = pkgutil.resolve_name(f"{PACKAGE}.{module}:{'.'.join(classes)}".rstrip(":"))
        function = vars(owner)[name]
    except (ImportError, AttributeError, KeyError):
        raise LookupError(place.function) from None
    if not inspect.isfunction(function) or inspect.isasyncgenfunction(function):
        raise LookupError(f"{place.function} is no plain method, function or coroutine")
    return owner, name, function


def _around(function: Callable[..., Any], place: Place, order: Order) -> Callable[..., Any]:
    def strikes(edge: Edge, given: tuple[Any, ...], named: dict[str, Any], value: Any = None) -> bool:
        if edge is not place.edge:
            return False
        return (place.only is None or place.only(Seen(given, named, value))) and order.strikes()

    @functools.wraps(function)
    def telling(*given: Any, **named: Any) -> Any:
        *_, told = given

        def heard(value: Any) -> None:
            if strikes(Edge.TOLD, given, named, value):
                time.sleep(order.strike())
            told(value)

        return function(*given[:-1], heard, **named)

    @functools.wraps(function)
    def plain(*given: Any, **named: Any) -> Any:
        if strikes(Edge.BEFORE, given, named):
            time.sleep(order.strike())
        value = function(*given, **named)
        if strikes(Edge.AFTER, given, named, value):
            time.sleep(order.strike())
        return value

    @functools.wraps(function)
    async def coroutine(*given: Any, **named: Any) -> Any:
        if strikes(Edge.BEFORE, given, named):
            await asyncio.sleep(order.strike())
        value = await function(*given, **named)
        if strikes(Edge.AFTER, given, named, value):
            await asyncio.sleep(order.strike())
        return value

    if place.edge is Edge.TOLD:
        return telling
    return coroutine if inspect.iscoroutinefunction(function) else plain


def put_into_children(text: str) -> None:
    """Whatever of ours this process starts has the same points: the writing process, workers."""
    processes: Any = subprocess.Popen
    start = processes.__init__

    @functools.wraps(start)
    def started(child: Any, command: Any, *rest: Any, **how: Any) -> None:
        start(child, _with_points(command, text), *rest, **how)

    processes.__init__ = started


def _with_points(command: Sequence[str], text: str) -> Sequence[str]:
    python, *words = [command] if isinstance(command, str) else command
    if python != sys.executable or words[:1] != ["-m"] or words[1].partition(".")[0] != PACKAGE:
        return command
    return [python, "-m", __package__, text, *words]
