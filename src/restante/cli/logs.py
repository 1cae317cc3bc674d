"""Logs go to standard error, one line each, times in UTC, card numbers masked."""

import logging
import sys
import time

from ..core.masking import masked_text


class Masking(logging.Formatter):
    """Whatever found its way into a line, be it a path or a library's error, is for people."""

    def format(self, record: logging.LogRecord) -> str:
        return masked_text(super().format(record))


def set_up_logs(level: str) -> None:
    """From here on `level` and above are written."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = Masking("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s")
    formatter.datefmt = "%Y-%m-%dT%H:%M:%S"
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # what it says at start and end, we say
