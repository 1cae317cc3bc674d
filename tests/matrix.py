"""Matrices that prove one law at many places: some rows are quick, the others are for `make check-slow`."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def rows(all_of_them: Iterable[Any], *, quick: Callable[[Any], bool]) -> list[Any]:
    """For `parametrize`. At least one is `quick`."""
    every = list(all_of_them)
    assert any(quick(row) for row in every)
    return [row if quick(row) else _slow(row) for row in every]


def _slow(row: Any) -> Any:
    return pytest.param(*(row if isinstance(row, tuple) else (row,)), marks=pytest.mark.slow)
