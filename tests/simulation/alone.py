"""What is this interpreter's own business while a simulation runs: its collector, its log, its last words."""

import gc
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from .loop import VirtualLoop


class Ear(logging.Handler):
    """Takes what is logged. What the servers' own code raised, and nobody expected, is kept in the loop."""

    loop: VirtualLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.loop is not None and record.name.startswith("restante") and record.exc_info:
            self.loop.unheard.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


@contextmanager
def alone() -> Iterator[Ear]:
    """Nothing is collected at moments that are nobody's; and who was killed is not heard when at the end his
    tasks are thrown away and would still like to do something."""
    ear, hook = Ear(logging.ERROR), sys.unraisablehook
    loggers = [logging.getLogger(name) for name in ("restante", "asyncio", "uvicorn")]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.propagate = False
        logger.addHandler(ear)
    gc.disable()
    try:
        yield ear
    finally:
        ear.loop, sys.unraisablehook = None, lambda _: None
        gc.unfreeze()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            while gc.collect():
                pass
        sys.unraisablehook = hook
        gc.enable()
        for logger, propagates in zip(loggers, before, strict=True):
            logger.removeHandler(ear)
            logger.propagate = propagates
