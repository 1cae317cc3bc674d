"""Logs go to standard error, one line each, times in UTC, card numbers masked."""

import logging
import sys
import time

import msgspec

from ..core.masking import masked_text

FIELDS = "fields"
"""The attribute of a record that holds what its line is made of, where it is more than a text."""


class Masking(logging.Formatter):
    """Whatever found its way into a line, be it a path or a library's error, is for people."""

    def format(self, record: logging.LogRecord) -> str:
        return masked_text(super().format(record))


class Structured(logging.Formatter):
    """A JSON object a line: `time`, `level`, `logger`, and `message` or the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        content: dict[str, object] = {
            "time": self.formatTime(record, self.datefmt) + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields = getattr(record, FIELDS, None)
        if fields is None:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + self.formatException(record.exc_info)
            fields = {"message": text}
        return masked_text(msgspec.json.encode({**content, **fields}).decode())


def set_up_logs(level: str, form: str = "text") -> None:
    """From here on `level` and above are written, as text for people or as "json"."""
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter = Masking("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s")
    if form == "json":
        formatter = Structured()
    formatter.datefmt = "%Y-%m-%dT%H:%M:%S"
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # what it says at start and end, we say
