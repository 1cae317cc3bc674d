"""Spans that a series is told of together: to be told of each as it comes costs several times as much."""

from collections.abc import Callable, Sequence

TOGETHER = 256
"""Spans that wait, at most: so many hold nobody up for long."""


class Tally:
    """`add` a span; `tell` passes on what waits. Whoever reads the series tells first."""

    __slots__ = ("_most", "_spans", "_tell")

    def __init__(self, tell: Callable[[Sequence[int]], None], most: int = TOGETHER) -> None:
        self._tell = tell
        self._most = most
        self._spans: list[int] = []

    def add(self, span: int) -> None:
        spans = self._spans
        spans.append(span)
        if len(spans) >= self._most:
            self.tell()

    def tell(self) -> None:
        if self._spans:
            spans, self._spans = self._spans, []
            self._tell(spans)
