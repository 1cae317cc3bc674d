"""The statements in queries.sql, by name.

Each is whole in itself: one statement is one round trip and, where it writes, one commit. So no transaction,
no lock and no setting is kept from one to the next, and any connection, a pooler's too, will do for each.
"""

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def _load(text: str) -> dict[str, str]:
    parts = _NAME.split(text)[1:]
    return {
        name: "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


QUERIES = _load(Path(__file__).with_name("queries.sql").read_text(encoding="utf-8"))
