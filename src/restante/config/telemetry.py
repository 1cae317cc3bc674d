"""Settings of what is told to whoever watches: the log, and traces."""

from urllib.parse import urlsplit

from .kinds import FLAG, Kind, choice
from .table import Setting

_FORM = "expected the URL of a collector, such as http://127.0.0.1:4318/v1/traces"


def _collector(value: object) -> str | None:
    if value == "":
        return None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(_FORM)
    try:
        parts = urlsplit(value)
        fits = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(_FORM) from None
    if not fits or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(_FORM)
    return value


COLLECTOR = Kind("URL or empty", _collector, metavar="URL")

LOG_FORMAT = Setting(
    "log_format", choice("text", "json"), "how: lines for people, or a JSON object a line", "text"
)
LOG_TRANSACTIONS = Setting(
    "log_transactions",
    FLAG,
    "a line in the log for each event of a transaction and each attempt at a webhook: ids and words, never "
    "paths, header fields or bodies",
    False,
)
TRACES = Setting(
    "traces",
    COLLECTOR,
    "an OpenTelemetry collector's OTLP/HTTP URL, which is sent spans (see [traces](../operate/traces.md))",
    "",
)
